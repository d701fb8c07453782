"""Defined look-ups in a chat without a model: arguments are read or asked for, and the record is shown."""

from collections.abc import Callable
from typing import Any

import pytest

from actions import lookup_refusals
from actions.definitions.errors import InvalidDefinition
from actions.definitions.parsing.document import check_draft, parse_document
from actions.definitions.published import action_from
from actions.errors import NotSignedIn, ReadRefused
from actions.models import AuditEntry
from actions.principals import Principal
from actions.services import run_read
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from tests.actions.defined.chats import final, reply
from tests.actions.defined.conftest import bilingual, document, visitor
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db(transaction=True)
Put = Callable[[dict[str, Any]], None]
ANN, STRANGER = "#W0000001", "#W0000002"


def look_up() -> dict[str, Any]:
    """Return a look-up of one record by its number, with an argument that does not have "order" in its name."""
    made = document("get_order_details") | {"name": "show_parcel", "title": {"en": "Show a record"}}
    made["examples"] = {"en": [f"Can you show me parcel {ANN}?", "I want to see a parcel"]}
    made["arguments"] = {
        "id": {"type": "string", "description": "The parcel's number.", "pattern": "#W[0-9]{7}", "example": ANN}
    }
    made["lookups"][0]["call"]["path"] = "/orders/{arguments.id}"
    made["lookups"][0]["otherwise"]["words"] = {"en": "There is no parcel {arguments.id} in your account."}
    made["result"] = {
        "fields": [{"name": "status", "label": {"en": "Status"}, "value": "order.status"}],
        "words": {"en": "Your parcel:"},
        "card": {"title": {"en": "Parcel {order.order_id}"}, "hosts": ["shop.example"]},
    }
    return made


@pytest.fixture
def conversation(ann: Principal, put_in_force: Put) -> Conversation:
    put_in_force(look_up())
    return start_conversation(ann.customer_id)


async def test_a_look_up_gets_the_number_in_the_message(conversation: Conversation, retail: LoopbackShop) -> None:
    told = await final(conversation, f"Can you show me parcel {ANN}?")
    assert retail.asked == [f"GET /orders/{ANN}"]
    assert told["text"] == "Your parcel:\nStatus: pending" and not told["abstained"]
    [card] = told["blocks"]
    assert card["record"] == {"title": f"Parcel {ANN}", "rows": [{"label": "Status", "value": "pending"}]}


@pytest.mark.long
async def test_a_number_without_a_pattern_is_read_too(ann: Principal, put_in_force: Put, retail: LoopbackShop) -> None:
    made = look_up()
    made["arguments"]["id"] = {"type": "string", "description": "The parcel's number."}
    await db(put_in_force, made)
    conversation = await db(start_conversation, ann.customer_id)
    told = await final(conversation, f"Can you show me parcel {ANN}?")
    assert retail.asked == [f"GET /orders/{ANN}"] and "Status: pending" in told["text"]
    told = await final(conversation, "yes")  # there is no card to confirm
    assert "card" not in told["text"]


@pytest.mark.long
async def test_a_look_up_gets_the_days_in_the_message(ann: Principal, put_in_force: Put, retail: LoopbackShop) -> None:
    made = look_up()
    made["examples"] = {"en": ["Which rooms are free from 2027-01-28 to 2027-01-30?"]}
    made["arguments"] = {
        "arrival": {"type": "date", "description": "The first night."},
        "departure": {"type": "date", "description": "The day of departure."},
    }
    made["lookups"][0]["call"]["path"] = "/orders/{arguments.arrival}_{arguments.departure}"
    made["lookups"][0]["otherwise"]["words"] = {"en": "No room is free then."}
    await db(put_in_force, made)
    conversation = await db(start_conversation, ann.customer_id)
    asked = await final(conversation, "Which rooms are free from 2027-01-28 to 2027-01-30?")
    assert asked["text"].startswith("Please enter a date: The first night.")
    told = await final(conversation, "28 January 2027", "30. January 2027")
    assert retail.asked == ["GET /orders/2027-01-28_2027-01-30"] and told["text"] == "No room is free then."


async def test_a_missing_number_is_asked_for(conversation: Conversation, retail: LoopbackShop) -> None:
    asked = await final(conversation, "I want to see a parcel")
    assert asked["text"].startswith("Please enter: ") and retail.asked == []
    [form] = asked["blocks"]

    assert form["type"] == "form"
    await reply(conversation, asked, {"id": ANN})
    assert (await final(conversation))["text"] == "Your parcel:\nStatus: pending"
    assert retail.asked == [f"GET /orders/{ANN}"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("told", "title"),
    [
        ({"label": {"en": "Parcel number", "de": "Paketnummer"}}, "Parcel number"),
        ({}, "The parcel's number"),
        ({"description": "The number that is printed on the label of the parcel."}, "Parcel id"),
    ],
)
async def test_the_question_shows_an_arguments_title_instead_of_its_name(
    ann: Principal, put_in_force: Put, told: dict[str, Any], title: str
) -> None:
    made = look_up()
    made["arguments"] = {"parcel_id": made["arguments"]["id"] | told}
    made["lookups"][0]["call"]["path"] = "/orders/{arguments.parcel_id}"
    made["lookups"][0]["otherwise"]["words"] = {"en": "There is no parcel {arguments.parcel_id} in your account."}
    await db(put_in_force, made)
    conversation = await db(start_conversation, ann.customer_id)
    asked = await final(conversation, "I want to see a parcel")
    assert asked["text"] == f"Please enter: {title}. For example: {ANN}."
    assert asked["blocks"][0]["fields"][0]["title"] == title
    told = await final(conversation, f"{title}: {ANN}")
    assert told["text"] == "Your parcel:\nStatus: pending"


async def test_a_german_question_names_the_argument_in_german(ann: Principal, put_in_force: Put) -> None:
    made = bilingual(look_up())
    made["arguments"]["id"]["label"] = {"en": "Parcel number", "de": "Paketnummer"}
    made["examples"]["de"] = ["Ich möchte ein Paket sehen"]
    await db(put_in_force, made)
    conversation = await db(start_conversation, ann.customer_id, locale="de")
    asked = await final(conversation, "Ich möchte ein Paket sehen")
    assert asked["text"] == f"Bitte geben Sie an: Paketnummer. Zum Beispiel: {ANN}."


async def test_another_customers_record_is_not_found(conversation: Conversation, retail: LoopbackShop) -> None:
    retail.records.records["orders"][STRANGER]["user_id"] = "bob_ray_2"
    told = await final(conversation, f"Can you show me parcel {STRANGER}?")
    assert told["text"] == f"There is no parcel {STRANGER} in your account." and "blocks" not in told
    told = await final(conversation, f"I meant {ANN}")
    assert "Status: pending" in told["text"]


@pytest.mark.long
async def test_a_look_up_that_may_be_meant_is_made_at_once_if_the_message_names_all_that_it_needs(
    conversation: Conversation, retail: LoopbackShop
) -> None:
    told = await final(conversation, f"something with {ANN}")
    assert "Status: pending" in told["text"]
    assert retail.asked == [f"GET /orders/{ANN}"]


@pytest.mark.long
async def test_the_button_of_a_look_up_starts_it(conversation: Conversation, retail: LoopbackShop) -> None:
    asked = await final(conversation, "something about a package")
    [block] = asked["blocks"]
    assert [option["id"] for option in block["options"]] == ["show_parcel", "only-asks"]
    await reply(conversation, asked, "show_parcel")
    assert "The parcel's number" in (await final(conversation))["text"] and retail.asked == []
    assert "Status: pending" in (await final(conversation, ANN))["text"]


async def test_the_title_of_a_look_up_requests_it(conversation: Conversation) -> None:
    asked = await final(conversation, "Show a record")
    assert asked["text"].startswith("Please enter: ")


@pytest.mark.long
async def test_a_request_that_matches_no_action_leads_to_a_person(ann: Principal, put_in_force: Put) -> None:
    others = {
        "add_extras": ["Please add breakfast to my booking", "I want a parking space", "Add dinner for two"],
        "change_dates": ["Can I move my stay to next week?", "Please change my dates", "I want to arrive a day later"],
    }
    for name, examples in others.items():
        await db(put_in_force, look_up() | {"name": name, "title": {"en": name}, "examples": {"en": examples}})
    conversation = await db(start_conversation, ann.customer_id)
    told = await final(conversation, "wake me at 9")
    assert "blocks" not in told and told["offers_human"]
    assert told["text"].endswith("Would you like to talk to a person?")
    told = await final(conversation, "I would like to come on Friday instead")
    assert "change_dates" in [option["id"] for option in told["blocks"][0]["options"]]


def public(**changes: Any) -> dict[str, Any]:
    """Return a look-up for visitors, of records that anybody may see."""
    made = look_up()
    lookup = {name: one for name, one in made["lookups"][0].items() if name != "owner"}
    return made | {"lookups": [lookup | {"public": True}], "visitors": True} | changes


async def test_a_visitor_is_told_about_public_records(put_in_force: Put, retail: LoopbackShop) -> None:
    await db(put_in_force, public())
    somebody = await db(visitor)
    conversation = await db(start_conversation, somebody.customer_id)
    told = await final(conversation, f"Can you show me parcel {ANN}?")
    assert told["text"].startswith("Your parcel:") and "Status: pending" in told["text"]
    assert (await db(AuditEntry.objects.get, event="read.answered")).actor == f"customer:{somebody.customer_id}"


async def test_a_visitor_must_sign_in_for_their_own_records(put_in_force: Put, retail: LoopbackShop) -> None:
    await db(put_in_force, look_up())
    somebody = await db(visitor)
    conversation = await db(start_conversation, somebody.customer_id)
    retail.asked.clear()
    told = await final(conversation, f"Can you show me parcel {ANN}?")
    assert "sign in" in told["text"] and retail.asked == []


def test_public_records_are_for_the_signed_in_unless_the_definition_is_for_visitors(
    put_in_force: Put, retail: LoopbackShop
) -> None:
    guard = {"name": "zip", "require": "order.zip == '10117'", "code": "no", "words": {"en": "No."}}
    made = public(guards=[guard])
    del made["visitors"]
    put_in_force(made)
    retail.asked.clear()
    with pytest.raises(NotSignedIn):
        run_read(visitor(), "show_parcel", {"id": ANN})
    assert retail.asked == []


def test_a_visitor_can_make_only_a_limited_number_of_look_ups(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_refusals, "VISITOR_REQUESTS_PER_HOUR", 2)
    put_in_force(public())
    somebody = visitor()
    for number in (ANN, STRANGER):
        run_read(somebody, "show_parcel", {"id": number})
    retail.asked.clear()
    with pytest.raises(ReadRefused) as refused:
        run_read(somebody, "show_parcel", {"id": ANN})
    assert refused.value.reason_code == "too_many_lookups" and "Please try again later." in refused.value.message
    assert retail.asked == []
    run_read(visitor(), "show_parcel", {"id": ANN})
    for _ in range(3):
        run_read(ann, "show_parcel", {"id": ANN})


MINE = {"type": "string", "description": "Who.", "from": "identity"}
RESULT = look_up()["result"]


@pytest.mark.parametrize(
    "changes",
    [
        {"lookups": look_up()["lookups"]},
        {"lookups": [*public()["lookups"], look_up()["lookups"][0] | {"name": "mine", "owner": "mine.user_id"}]},
        {"arguments": look_up()["arguments"] | {"me": MINE}},
        {"guards": [{"name": "a", "require": "identity.sub != 'x'", "code": "no", "words": {"en": "No."}}]},
        {"result": RESULT | {"words": {"en": "Hello {identity.sub}"}}},
        {"values": {"who": "identity.email"}},
    ],
)
def test_a_look_up_that_reads_customer_data_is_never_for_visitors(changes: dict[str, Any]) -> None:
    made = public(**changes)
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert list(refused.value.fields) == ["visitors"]
    check_draft(made)  # a draft may be saved like this
    was_published = parse_document(made, as_made=True)
    assert not action_from(was_published, 1).is_public
