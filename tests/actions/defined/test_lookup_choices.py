"""Look-ups about one of the customer's records: a single one is looked up at once, otherwise the customer chooses."""

import json
from typing import Any

import pytest

from actions import lookup_refusals
from actions.definitions.errors import InvalidDefinition
from actions.definitions.parsing.document import check_draft, parse_document
from actions.errors import NotSignedIn, OutdatedAction, ReadRefused
from actions.models import AuditEntry
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.record_choices import offer_of
from actions.services import run_read
from actions.spec import ReadAction
from supportbot.accounts.models import Workspace
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.evals.simulation.simulated_conversation import simulate_conversation
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.actions.defined.chats import final, reply
from tests.actions.defined.conftest import visitor
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import (
    FIRST,
    NAME,
    ORDERS,
    QUESTION,
    SECOND,
    Put,
    call_off,
    how_far,
)
from tests.evals.test_simulated_conversation import play

pytestmark = pytest.mark.django_db(transaction=True)
STRANGER = "#W0000002"


@pytest.fixture
def conversation(ann: Principal, put_in_force: Put) -> Conversation:
    put_in_force(how_far())
    return start_conversation(ann.customer_id)


@pytest.fixture
def only_one(retail: LoopbackShop) -> None:
    retail.records.records["users"]["ann_lee_1"]["orders"] = [FIRST]


async def test_one_of_several_records_is_chosen_with_a_button(conversation: Conversation, retail: LoopbackShop) -> None:
    asked = await final(conversation, QUESTION)
    assert asked["text"].startswith("Which one do you mean?") and "Parcel" in asked["text"]
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    assert f"GET /orders/{FIRST}" not in retail.asked
    retail.records.records["orders"][SECOND]["user_id"] = "ann_lee_1"
    await reply(conversation, asked, SECOND)
    told = await final(conversation)
    assert told["text"].startswith(f"Your parcel {SECOND}:") and "blocks" not in told


@pytest.mark.long
@pytest.mark.parametrize("said", [FIRST, f"order {FIRST} please"])
async def test_one_of_several_records_is_named(conversation: Conversation, said: str) -> None:
    await final(conversation, QUESTION)
    assert (await final(conversation, said))["text"].startswith(f"Your parcel {FIRST}:")


async def test_the_only_record_is_looked_up_at_once(conversation: Conversation, only_one: None) -> None:
    assert (await final(conversation, QUESTION))["text"].startswith(f"Your parcel {FIRST}:")


async def test_the_only_record_is_not_looked_up_if_another_one_is_named(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, only_one: None
) -> None:
    retail.records.records["orders"][STRANGER]["user_id"] = "bob_ray_2"
    await db(put_in_force, how_far(pattern="#W[0-9]{7}"))
    conversation = await db(start_conversation, ann.customer_id)
    told = await final(conversation, f"How far is my parcel {STRANGER}?")
    assert told["text"] == f"There is no parcel {STRANGER} of yours."


@pytest.mark.one_in(3)
@pytest.mark.parametrize("argument", [{}, {"pattern": "P-[0-9]{4}"}])
@pytest.mark.parametrize("said", [f"How far is my parcel {STRANGER}?", "How far is my parcel? The number is 4711."])
async def test_the_only_record_is_offered_if_another_number_is_named(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, only_one: None, said: str, argument: dict[str, Any]
) -> None:
    if argument:
        retail.records.records["users"]["ann_lee_1"]["orders"] = ["P-0001"]
        retail.records.records["orders"]["P-0001"] = dict(retail.records.records["orders"][FIRST])
    await db(put_in_force, how_far(**argument))
    conversation = await db(start_conversation, ann.customer_id)
    asked = await final(conversation, said)
    assert asked["text"].startswith("Which one do you mean?") and len(asked["blocks"][0]["options"]) == 1
    assert not [one for one in retail.asked if one.startswith("GET /orders/")]
    await reply(conversation, asked, asked["blocks"][0]["options"][0]["id"])
    assert (await final(conversation))["text"].startswith(f"Your parcel {FIRST}:")


async def test_the_only_record_is_looked_up_at_once_if_its_number_is_named(
    conversation: Conversation, only_one: None
) -> None:
    assert (await final(conversation, f"How far is my parcel {FIRST}?"))["text"].startswith(f"Your parcel {FIRST}:")


def test_a_record_is_not_the_only_one_if_the_list_has_others_that_cannot_be_chosen(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(how_far())
    for others in ([None], ["x" * 300], [f"{FIRST} ", f"{FIRST}  "]):
        retail.records.records["users"]["ann_lee_1"]["orders"] = [FIRST, *others]
        offer = offer_of(ann, NAME, {})
        assert offer is not None and [one.value for one in offer.choices["parcel"]] == [FIRST]
        assert bool(offer.complete) == (others[0] == f"{FIRST} ")  # in this case, all are spellings of one record


def test_the_records_are_read_once_for_a_look_up_of_the_only_one(
    workspace: Workspace, ann: Principal, put_in_force: Put, retail: LoopbackShop, only_one: None
) -> None:
    put_in_force(how_far())
    retail.asked.clear()
    with answering(ScriptedModel(Says(calls=(ToolCall("1", NAME, "{}"),)), Says("It is pending."))):
        play(simulate_conversation(workspace, "ann_lee_1"), QUESTION)
    assert retail.asked == ["GET /users/ann_lee_1", f"GET /orders/{FIRST}"]


@pytest.mark.parametrize(
    ("choosing", "reason"),
    [({"list": "customer.nothing"}, "definition_failed"), ({"list": "other.orders"}, "no_customer")],
)
def test_the_audit_trail_says_why_no_records_can_be_offered(
    ann: Principal, put_in_force: Put, choosing: dict[str, Any], reason: str
) -> None:
    made = how_far()
    made["arguments"]["parcel"]["choose_from"] = ORDERS | choosing
    theirs = {"name": "other", "call": {"method": "GET", "path": "/users/bob_ray_2"}, "owner": "other.user_id"}
    made["lookups"].insert(0, made["lookups"][0] | theirs)
    put_in_force(made)
    if reason == "definition_failed":
        made["lookups"].pop(0)
        put_in_force(made)
    offer = offer_of(ann, NAME, {})
    assert offer is not None and offer.reason is not None and offer.reason.code == reason
    entry = AuditEntry.objects.get(event="read.refused")
    assert (entry.payload["action"], entry.payload["reason"]) == (NAME, reason)
    assert ("customer.nothing" in entry.payload["place"]) == (reason == "definition_failed")
    assert not AuditEntry.objects.filter(event="read.answered").exists()


def test_a_visitor_who_asks_for_a_customers_records_is_in_the_audit_trail(
    workspace: Workspace, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(how_far())
    retail.asked.clear()
    with pytest.raises(NotSignedIn):
        offer_of(visitor(), NAME, {})
    entry = AuditEntry.objects.get(event="wish.refused")
    assert (entry.payload["action"], retail.asked) == (NAME, [])


async def test_without_any_record_a_person_is_offered(conversation: Conversation, retail: LoopbackShop) -> None:
    retail.records.records["users"]["ann_lee_1"]["orders"] = []
    told = await final(conversation, QUESTION)
    assert told["text"].startswith("I could not find anything in your account") and told["offers_human"]


async def test_a_model_gets_the_records_and_passes_one_of_them(conversation: Conversation) -> None:
    calls = (ToolCall("1", NAME, "{}"), ToolCall("2", NAME, json.dumps({"parcel": FIRST})))
    with answering(ScriptedModel(*(Says(calls=(call,)) for call in calls), Says("It is pending."))) as model:
        await final(conversation, QUESTION)
    told = json.loads(model.requests[1].messages[-1].content)
    assert [one["value"] for one in told["choices"]["parcel"]] == [FIRST, SECOND]
    assert "pending" in model.requests[2].messages[-1].content


def test_a_model_gets_the_only_record_at_once(
    workspace: Workspace, ann: Principal, put_in_force: Put, only_one: None
) -> None:
    made = how_far()
    made["arguments"]["days"] = {"type": "integer", "description": "For how many days."}
    put_in_force(made)
    call = ToolCall("1", NAME, '{"days": 2}')
    with answering(ScriptedModel(Says(calls=(call,)), Says("It is pending."))):
        (reply,) = play(simulate_conversation(workspace, "ann_lee_1"), QUESTION)
    assert [(call.name, call.end) for call in reply.calls] == [(NAME, "answered")]
    assert f"Your parcel {FIRST}:" in reply.calls[0].words


@pytest.mark.parametrize("definition", [how_far(), call_off()], ids=["a look-up", "a change"])
def test_no_records_are_asked_for_while_an_action_is_switched_off(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, definition: dict[str, Any]
) -> None:
    put_in_force(definition)
    given = {} if definition["name"] == NAME else {"reason": "no longer needed"}
    assert offer_of(ann, definition["name"], given) is not None
    policy, before = policy_of(definition["name"]), len(retail.asked)
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    assert offer_of(ann, definition["name"], given) is None
    assert len(retail.asked) == before


def test_only_required_arguments_offer_records() -> None:
    with pytest.raises(InvalidDefinition) as refused:
        check_draft(how_far(required=False))
    assert "arguments.parcel.choose_from" in refused.value.fields


def for_visitors() -> dict[str, Any]:
    """Return a look-up of public products that visitors choose from a public list, too."""
    made = how_far()
    made["visitors"] = True
    made["arguments"]["parcel"]["choose_from"] = {
        "list": "shelf.orders", "as": "one", "value": "one", "words": {"en": "{one}"}
    }  # fmt: skip
    made["lookups"] = [
        {"name": "shelf", "public": True, "call": {"method": "GET", "path": "/users/ann_lee_1"}},
        {"name": "order", "public": True, "call": {"method": "GET", "path": "/orders/{arguments.parcel}"}},
    ]
    return made


def test_visitors_choose_from_public_lists(workspace: Workspace, put_in_force: Put) -> None:
    put_in_force(for_visitors())
    somebody = visitor()
    offer = offer_of(somebody, NAME, {})
    assert offer is not None and [one.value for one in offer.choices["parcel"]] == [FIRST, SECOND]
    assert run_read(somebody, NAME, {"parcel": FIRST})["fields"] == {"Status": "pending"}


def test_each_request_for_a_visitor_counts(
    workspace: Workspace, put_in_force: Put, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_refusals, "VISITOR_REQUESTS_PER_HOUR", 3)
    put_in_force(for_visitors())
    somebody = visitor()
    retail.asked.clear()
    run_read(somebody, NAME, {"parcel": FIRST})
    with pytest.raises(ReadRefused) as refused:
        run_read(somebody, NAME, {"parcel": FIRST})
    assert refused.value.reason_code == "too_many_lookups" and len(retail.asked) == 3
    with pytest.raises(ReadRefused):
        offer_of(somebody, NAME, {})
    assert len(retail.asked) == 3


def test_a_look_up_without_requests_counts_as_one(
    workspace: Workspace, put_in_force: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup_refusals, "VISITOR_REQUESTS_PER_HOUR", 2)
    put_in_force(for_visitors())
    policy, somebody = policy_of(NAME), visitor()
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    codes = []
    for _ in range(3):
        with pytest.raises(ReadRefused) as refused:
            run_read(somebody, NAME, {"parcel": FIRST})
        codes.append(refused.value.reason_code)
    assert codes == ["action_disabled", "action_disabled", "too_many_lookups"]


@pytest.mark.parametrize(("at_most", "is_allowed"), [(58, True), (59, False)])
def test_a_look_up_for_visitors_makes_no_more_requests_than_allowed(at_most: int, is_allowed: bool) -> None:
    made = for_visitors()
    each = {"for_each": "shelf.orders", "as": "one", "at_most": at_most}
    made["lookups"].append(made["lookups"][1] | each | {"name": "parts"})
    if is_allowed:
        parse_document(made)
        return
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert "61 requests" in str(refused.value.fields["visitors"])
    assert parse_document(made, is_published=True).for_visitors  # its lists may be shorter


def test_a_look_up_in_code_must_count_its_requests() -> None:
    with pytest.raises(OutdatedAction, match="requests"):
        type("Old", (ReadAction,), {"look_up": lambda self, asked, identity: ()})
