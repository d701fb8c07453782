"""A look-up that is about one of the customer's records: the only one is looked up at once, of several they choose."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from actions import reads
from actions.definitions.document import check_draft
from actions.definitions.errors import InvalidDefinition
from actions.errors import ReadRefused
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.record_choices import offer_of
from actions.services import run_read
from supportbot.accounts.models import Workspace
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.evals.simulated_conversation import rehearsal_for
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.test_chat_lookups import visitor
from tests.actions.defined.test_record_choices import FIRST, ORDERS, SECOND, final, press
from tests.evals.test_simulated_conversation import play

pytestmark = pytest.mark.django_db(transaction=True)
Put = Callable[[dict[str, Any]], None]
NAME, QUESTION, STRANGER = "get_order_details", "How far is my parcel?", "#W0000002"


def how_far(**argument: Any) -> dict[str, Any]:
    """Return a look-up of one of the orders that the customer's own record lists."""
    made = document(NAME) | {"title": {"en": "How far it is"}, "examples": {"en": [QUESTION, "Where is my parcel?"]}}
    own = {"type": "string", "label": {"en": "Parcel"}, "description": "The parcel.", "choose_from": ORDERS}
    made["arguments"] = {"parcel": own | argument}
    made["lookups"] = [
        {
            "name": "customer", "owner": "customer.user_id", "call": {"method": "GET", "path": "/users/{identity.sub}"},
            "otherwise": {"code": "no_customer", "words": {"en": "We do not know you."}},
        },
        {
            "name": "order", "owner": "order.user_id", "call": {"method": "GET", "path": "/orders/{arguments.parcel}"},
            "otherwise": {"code": "not_found", "words": {"en": "There is no parcel {arguments.parcel} of yours."}},
        },
    ]  # fmt: skip
    made["result"] = {
        "fields": [{"name": "status", "label": {"en": "Status"}, "value": "order.status"}],
        "words": {"en": "Your parcel {order.order_id}:"},
    }
    return made


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
    await press(conversation, asked, SECOND)
    told = await final(conversation)
    assert told["text"].startswith(f"Your parcel {SECOND}:") and "blocks" not in told


@pytest.mark.parametrize("said", [FIRST, f"order {FIRST} please"])
async def test_one_of_several_records_is_named(conversation: Conversation, said: str) -> None:
    await final(conversation, QUESTION)
    assert (await final(conversation, said))["text"].startswith(f"Your parcel {FIRST}:")


async def test_the_only_record_is_looked_up_at_once(conversation: Conversation, only_one: None) -> None:
    assert (await final(conversation, QUESTION))["text"].startswith(f"Your parcel {FIRST}:")


async def test_the_only_record_does_not_stand_for_another_one_that_is_named(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, only_one: None
) -> None:
    retail.records.records["orders"][STRANGER]["user_id"] = "bob_ray_2"
    await db(put_in_force, how_far(pattern="#W[0-9]{7}"))
    conversation = await db(start_conversation, ann.customer_id)
    told = await final(conversation, f"How far is my parcel {STRANGER}?")
    assert told["text"] == f"There is no parcel {STRANGER} of yours."


async def test_without_any_record_a_person_is_offered(conversation: Conversation, retail: LoopbackShop) -> None:
    retail.records.records["users"]["ann_lee_1"]["orders"] = []
    told = await final(conversation, QUESTION)
    assert told["text"].startswith("I could not find anything of yours") and told["offers_human"]


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
        (reply,) = play(rehearsal_for(workspace, "ann_lee_1"), QUESTION)
    assert [(call.name, call.end) for call in reply.calls] == [(NAME, "answered")]
    assert f"Your parcel {FIRST}:" in reply.calls[0].words


def test_nothing_is_offered_while_the_look_up_is_switched_off(ann: Principal, put_in_force: Put) -> None:
    put_in_force(how_far())
    assert offer_of(ann, NAME, {}) is not None
    policy = policy_of(NAME)
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    assert offer_of(ann, NAME, {}) is None


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
    monkeypatch.setattr(reads, "VISITOR_REQUESTS_PER_HOUR", 3)
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
