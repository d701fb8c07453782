"""The values of a defined action in a chat without a model: asked for in forms, read from words, and shown by label."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import localdate, now

from actions.definitions.backtest import judge_past_requests
from actions.definitions.cases import verdict_of
from actions.definitions.defined_action import DefinedWrite
from actions.definitions.errors import InvalidDefinition
from actions.definitions.models import DefinitionCase
from actions.definitions.parsing.document import parse_document
from actions.definitions.published import action_from
from actions.errors import InvalidArguments
from actions.models import ActionRequest
from actions.principals import Principal
from actions.registry import action_named
from actions.services import propose
from supportbot.async_db import db
from supportbot.chat.errors import InvalidValue
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import start_conversation
from tests.actions.defined.chats import final, log_after, reply
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.assistant.conftest import payloads

pytestmark = pytest.mark.django_db(transaction=True)
Put = Callable[[dict[str, Any]], None]
WISH = "I want to change order #W0000001 to another stay"


def stay() -> dict[str, Any]:
    """Return an action with a day, a list of choices and a flag, whose options have labels."""
    made = document() | {"examples": {"en": [WISH, "Please change my stay"]}, "title": {"en": "Change a stay"}}
    made["arguments"] = {
        "order_id": made["arguments"]["order_id"],
        "arrival": {"type": "date", "description": "The first night."},
        "room_extras": {
            "type": "list", "description": "What else is wanted.",
            "of": {"type": "choice", "options": [
                {"value": "bf", "label": {"en": "Breakfast", "de": "Frühstück"}},
                {"value": "park", "label": {"en": "Parking", "de": "Parkplatz"}},
            ]},
        },
        "quiet_room_only": {"type": "flag", "description": "Whether the room must be quiet."},
    }  # fmt: skip
    made["card"]["rows"] = [
        {"label": {"en": "Arrival"}, "value": "arguments.arrival"},
        {"label": {"en": "Extras"}, "value": "arguments.room_extras"},
    ]
    made["call"] = {**made["call"], "body": {"arrival": {"value": "arguments.arrival"}}}
    return made


@pytest.fixture
def conversation(ann: Principal, put_in_force: Put) -> Conversation:
    put_in_force(stay())
    return start_conversation(ann.customer_id)


@pytest.fixture
def with_guest(ann: Principal, put_in_force: Put) -> Conversation:
    """A conversation about a stay whose definition asks for the guest before the day."""
    made = stay()
    fields = {"surname": {"type": "string"}, "first": {"type": "string"}, "born": {"type": "date"}}
    guest = {"type": "object", "description": "The guest.", "fields": fields, "names_no_record": True}
    of_stay = made["arguments"]
    made["arguments"] = {
        "order_id": of_stay["order_id"],
        "accompanying_guest": guest,
        "arrival": of_stay["arrival"],
    }
    made["card"]["rows"] = []
    put_in_force(made)
    return start_conversation(ann.customer_id)


@pytest.mark.long
async def test_a_date_field_a_list_and_yes_or_no_buttons_lead_to_the_card(
    conversation: Conversation, retail: LoopbackShop
) -> None:
    day = await final(conversation, WISH)
    assert (day["blocks"][0]["fields"][0]["format"], day["abstained"]) == ("date", False)
    await reply(conversation, day, {"arrival": "2027-03-05"})
    extras = await final(conversation)
    assert extras["blocks"][0]["fields"][0]["items"]["enum"] == ["Breakfast", "Parking"]
    await reply(conversation, extras, {"room_extras": ["Breakfast", "Parking"]})
    quiet = await final(conversation)
    await reply(conversation, quiet, "no")
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert card["arguments"] == {
        "order_id": "#W0000001", "arrival": "2027-03-05", "room_extras": ["bf", "park"], "quiet_room_only": False,
        "money": {"amount": "20.10", "currency": "USD"},
    }  # fmt: skip
    assert [row["value"] for row in card["rows"][-2:]] == ["5 March 2027", "Breakfast, Parking"]
    assert card["note"] == card["summary"] != card["title"]  # the card has the definition's own words
    assert retail.performed == []


@pytest.mark.long
async def test_questions_and_fields_keep_the_order_of_the_definition(with_guest: Conversation) -> None:
    guest = await final(with_guest, WISH)
    assert [one["name"] for one in guest["blocks"][0]["fields"]] == ["surname", "first", "born"]
    await reply(with_guest, guest, {"surname": "Lee", "first": "Bo", "born": "1990-01-31"})
    assert [one["name"] for one in (await final(with_guest))["blocks"][0]["fields"]] == ["arrival"]


@pytest.mark.long
async def test_a_button_whose_label_is_normalised_in_the_turn_gives_its_own_value(
    ann: Principal, put_in_force: Put
) -> None:
    made = stay()
    options = [{"value": "s", "label": {"en": "Small (3 m²)"}}, {"value": "m_2", "label": {"en": "Medium (6 m²)"}}]
    size = {"type": "choice", "description": "How large.", "options": options}
    made["arguments"] = {"order_id": made["arguments"]["order_id"], "size": size}
    made["card"]["rows"] = []
    made["call"] = {**made["call"], "body": {"size": {"value": "arguments.size"}}}

    def started() -> Conversation:
        put_in_force(made)
        return start_conversation(ann.customer_id)

    conversation = await db(started)
    sizes = await final(conversation, WISH)
    assert [option["label"] for option in sizes["blocks"][0]["options"]] == ["Small (3 m²)", "Medium (6 m²)"]
    await reply(conversation, sizes, "m_2")
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert card["arguments"]["size"] == "m_2"


@pytest.mark.long
async def test_the_same_values_are_read_from_words(conversation: Conversation) -> None:
    log = await log_after(conversation, WISH, "5 March 2027", "breakfast and parking", "yes")
    [card] = payloads(log, "action.proposed")
    assert (card["arguments"]["arrival"], card["arguments"]["room_extras"]) == ("2027-03-05", ["bf", "park"])
    assert card["arguments"]["quiet_room_only"] is True


@pytest.mark.long
async def test_an_answer_that_cannot_be_read_is_asked_for_again(conversation: Conversation) -> None:
    told = await final(conversation, WISH, "some day in spring")
    assert told["text"].startswith("I could not read that. Please enter a date") and not told["abstained"]
    told = await final(conversation, "well in spring", "in spring I said")
    assert told["offers_human"] and not payloads(await log_after(conversation), "action.proposed")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("value", ["5 March 2027", "2027-02-30", "20270305", ["2027-03-05"]])
async def test_a_day_in_another_form_stores_nothing(conversation: Conversation, value: str | list[str]) -> None:
    day = await final(conversation, WISH)
    with pytest.raises(InvalidValue):
        await reply(conversation, day, {"arrival": value})
    assert await db(Message.objects.filter(conversation=conversation, source="customer").count) == 1


@pytest.mark.one_in(4)
@pytest.mark.parametrize("value", [["Sauna"], [], "Breakfast", 1])
async def test_other_options_of_a_list_store_nothing(conversation: Conversation, value: Any) -> None:
    extras = await final(conversation, WISH, "5 March 2027")
    with pytest.raises(InvalidValue):
        await reply(conversation, extras, {"room_extras": value})
    assert await db(Message.objects.filter(conversation=conversation, source="customer").count) == 2


def moved() -> dict[str, Any]:
    """Return an action with an object whose fields have labels."""
    made = document() | {"examples": {"en": [WISH, "Please change my stay"]}, "title": {"en": "Change a stay"}}
    fields = {
        "town": {"type": "string", "label": {"en": "Town"}},
        "street": {"type": "string", "label": {"en": "Street and number"}},
        "postcode": {"type": "string", "pattern": "[0-9]{5}", "label": {"en": "Postcode"}},
    }
    address = {"type": "object", "description": "Where to.", "label": {"en": "New address"}, "fields": fields}
    made["arguments"] = {"order_id": made["arguments"]["order_id"], "address": address}
    made["card"]["rows"] = [{"label": {"en": "Street"}, "value": "arguments.address.street"}]
    made["call"] = {**made["call"], "body": {"address": {"value": "arguments.address"}}}
    return made


@pytest.mark.long
async def test_an_object_is_entered_in_a_form_with_a_field_for_each_part(ann: Principal, put_in_force: Put) -> None:
    def started() -> Conversation:
        put_in_force(moved())
        return start_conversation(ann.customer_id)

    conversation = await db(started)
    parts = await final(conversation, WISH, "Canal 5, 24106 Kiel")
    assert parts["text"].startswith(
        "I could not read that. Write each detail on its own line, beginning with its name and a colon. "
        "Please enter these details: New address. I need: Town, Street and number, Postcode."
    )
    assert [field["title"] for field in parts["blocks"][0]["fields"]] == ["Town", "Street and number", "Postcode"]
    await reply(conversation, parts, {"town": "Kiel", "street": "Canal 5", "postcode": "24106"})
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert card["arguments"]["address"] == {"town": "Kiel", "street": "Canal 5", "postcode": "24106"}


def within_a_month() -> dict[str, Any]:
    """Return an action that takes one of the next thirty days."""
    made = stay()
    kept = ("order_id", "arrival")
    made["arguments"] = {name: one for name, one in made["arguments"].items() if name in kept}
    made["arguments"]["arrival"] |= {"minimum": "today", "maximum": "today + days(30)"}
    made["card"]["rows"] = [{"label": {"en": "Arrival"}, "value": "arguments.arrival"}]
    return made


@pytest.mark.long
async def test_a_day_out_of_bounds_is_asked_for_again(ann: Principal, put_in_force: Put, retail: LoopbackShop) -> None:
    await db(put_in_force, within_a_month())
    conversation = await db(start_conversation, ann.customer_id)
    day = await final(conversation, WISH)
    assert "Please choose a day from" in day["text"]
    await reply(conversation, day, {"arrival": "2099-03-05"})
    log = await log_after(conversation)
    again = payloads(log, "assistant.final")[-1]
    assert (again["blocks"][0]["fields"][0]["name"], payloads(log, "action.proposed")) == ("arrival", [])
    await reply(conversation, again, {"arrival": f"{localdate():%Y-%m-%d}"})
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert card["arguments"]["arrival"] == f"{localdate():%Y-%m-%d}" and retail.performed == []


def test_a_proposal_for_a_day_out_of_bounds_is_refused(ann: Principal, put_in_force: Put) -> None:
    put_in_force(within_a_month())
    for day in ("2020-01-01", "2099-01-01"):
        with pytest.raises(InvalidArguments) as refused:
            arguments = {"order_id": "#W0000001", "arrival": day}
            propose(ann, "cancel_pending_order", arguments, proposal_key=f"turn:1:{day}")
        assert list(refused.value.fields) == ["arrival"]
    assert not ActionRequest.objects.exists()


@pytest.mark.parametrize("bound", ["today + 30", "arguments.order_id", "now", "'2026-12-31'", "true"])
def test_a_bound_that_is_not_a_day_is_refused(bound: str) -> None:
    made = within_a_month()
    made["arguments"]["arrival"]["maximum"] = bound
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert any(path.startswith("arguments.arrival.maximum") for path in refused.value.fields)


def test_a_bound_that_fails_later_allows_no_day(ann: Principal, put_in_force: Put) -> None:
    made = within_a_month()
    made["arguments"]["arrival"]["maximum"] = "date('2099-12-31') if today == date('2026-05-31') else 'open'"
    put_in_force(made)
    arguments = {"order_id": "#W0000001", "arrival": f"{localdate():%Y-%m-%d}"}
    refused = propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    assert (refused.state, refused.reason_code) == ("refused", "definition_failed")
    assert "formatMaximum" not in action_named("cancel_pending_order").labelled_schema("en")["properties"]["arrival"]


def test_a_past_request_is_judged_by_its_own_date(
    ann: Principal, put_in_force: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_force(within_a_month())
    arguments = {"order_id": "#W0000001", "arrival": f"{localdate() + timedelta(days=25):%Y-%m-%d}"}
    propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    live = action_named("cancel_pending_order")
    assert isinstance(live, DefinedWrite)
    later = now() + timedelta(days=29)
    monkeypatch.setattr("actions.definitions.backtest.now", lambda: later)
    found = judge_past_requests(live, live)
    assert (found.judged, found.left, found.changes) == (1, 0, [])


def test_a_case_is_judged_by_the_date_when_it_was_recorded(retail: LoopbackShop) -> None:
    then = now() - timedelta(days=10)
    case = DefinitionCase(name="ten days ago", sub="ann_lee_1", expected="allowed", created_at=then)
    case.arguments = {"order_id": "#W0000001", "arrival": f"{localdate(then):%Y-%m-%d}"}
    case.records = {"GET /orders/%23W0000001": retail.records.records["orders"]["#W0000001"]}
    assert verdict_of(case, action_from(parse_document(within_a_month()), 1)) == "allowed"
    case.created_at = now()
    assert verdict_of(case, action_from(parse_document(within_a_month()), 1)) == "invalid_arguments"
