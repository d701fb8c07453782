"""An argument that customers choose from their own records: with buttons, or by its value if there is a model."""

import json
from typing import Any

import pytest

from actions.models import ActionRequest, AuditEntry
from actions.policy_store import ensure_policies
from actions.principals import Principal
from actions.record_choices import Offer, offer_of
from actions.registry import code_actions
from actions.services import propose
from supportbot.accounts.models import Customer, Workspace
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.actions.conftest import signed_in_as
from tests.actions.defined.chats import final, log_after, reply
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import (
    FIRST,
    ORDERS,
    SECOND,
    WISH,
    Put,
    call_off,
    call_off_but_keep,
)
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def conversation(ann: Principal, put_in_force: Put) -> Conversation:
    put_in_force(call_off())
    return start_conversation(ann.customer_id)


async def test_a_record_is_chosen_with_a_button(conversation: Conversation, retail: LoopbackShop) -> None:
    asked = await final(conversation, WISH)
    assert asked["text"].startswith("Which one do you mean?")
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    assert asked["blocks"][0]["options"][1]["label"] == f"{SECOND}: Order {SECOND}"
    await reply(conversation, asked, SECOND)
    why = await final(conversation)
    assert why["text"].startswith("Please choose: Why the customer cancels.")
    await reply(conversation, why, "no longer needed")
    [card] = payloads(await log_after(conversation), "action.proposed")
    request = await db(ActionRequest.objects.get)
    assert (card["arguments"]["order_id"], request.subject_kind, request.subject_id) == (SECOND, "order", SECOND)
    assert retail.performed == []


@pytest.mark.long
@pytest.mark.parametrize(("by_button", "other"), [(True, FIRST), (False, FIRST), (True, SECOND), (False, SECOND)])
async def test_two_arguments_choose_from_one_list(
    ann: Principal, put_in_force: Put, by_button: bool, other: str
) -> None:
    await db(put_in_force, call_off_but_keep())
    conversation = await db(start_conversation, ann.customer_id)

    async def answer(asked: dict[str, Any], option: str) -> dict[str, Any]:
        if not by_button:
            # Different words each time, since the tests derive a message's id from the length of its text.
            return await final(conversation, f"the order {option}" if "The one to keep" in asked["text"] else option)
        await reply(conversation, asked, option)
        return await final(conversation)

    asked = await final(conversation, WISH)
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    asked = await answer(asked, SECOND)
    assert asked["text"].startswith("Which one do you mean?") and "The one to keep" in asked["text"]
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    await reply(conversation, await answer(asked, other), "no longer needed")
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert (card["arguments"]["order_id"], card["arguments"]["kept_id"]) == (SECOND, other)


@pytest.mark.long
@pytest.mark.parametrize("said", ["", FIRST])
async def test_a_list_with_choices_of_two_arguments_is_fetched_once_per_turn(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, said: str
) -> None:
    await db(put_in_force, call_off_but_keep())
    conversation = await db(start_conversation, ann.customer_id)
    if said:
        await final(conversation, WISH)
    retail.asked.clear()
    asked = await final(conversation, said or WISH)
    assert asked["text"].startswith("Which one do you mean?")
    assert retail.asked == ["GET /users/ann_lee_1"]


async def test_a_model_gets_the_records_of_both_arguments_at_once(ann: Principal, put_in_force: Put) -> None:
    await db(put_in_force, call_off_but_keep())
    offer = await db(offer_of, ann, "cancel_pending_order", {})
    assert offer is not None and [*offer.choices] == ["order_id", "kept_id"]
    assert all([one.value for one in choices] == [FIRST, SECOND] for choices in offer.choices.values())


@pytest.mark.parametrize(("first", "second", "records"), [("'#W0000001'", "''", 2), ("''", "'#W0000001'", 2)])
def test_the_audit_counts_the_records_of_every_list_once(
    ann: Principal, put_in_force: Put, first: str, second: str, records: int
) -> None:
    made = call_off_but_keep()
    for name, left_out in (("order_id", first), ("kept_id", second)):
        shown = {"list": f"filter(customer.orders, o, o != {left_out})", "words": {"en": f"{name} {{one}}"}}
        made["arguments"][name]["choose_from"] = ORDERS | shown
    put_in_force(made)
    offer_of(ann, "cancel_pending_order", {})
    assert AuditEntry.objects.get(event="read.answered").payload["records"] == records


def test_a_packaged_action_that_offers_no_records_is_not_an_error(
    ann: Principal, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_policies(actor="operator:test")
    monkeypatch.setattr(type(code_actions()["cancel_order"]), "chosen", frozenset({"order_id"}))
    assert offer_of(ann, "cancel_order", {}) == Offer({})
    assert AuditEntry.objects.get(event="read.answered").payload["records"] == 0


async def test_records_that_depend_on_another_choice_are_offered_after_it(ann: Principal, put_in_force: Put) -> None:
    made = call_off_but_keep()
    made["arguments"]["kept_id"]["choose_from"] = ORDERS | {
        "list": "filter(customer.orders, o, o != arguments.order_id)"
    }
    await db(put_in_force, made)
    first = await db(offer_of, ann, "cancel_pending_order", {})
    second = await db(offer_of, ann, "cancel_pending_order", {"order_id": FIRST})
    assert first is not None and [*first.choices] == ["order_id"]
    assert second is not None and [one.value for one in second.choices["kept_id"]] == [SECOND]


@pytest.mark.long
async def test_a_record_named_once_is_chosen_for_one_argument_only(ann: Principal, put_in_force: Put) -> None:
    await db(put_in_force, call_off_but_keep())
    conversation = await db(start_conversation, ann.customer_id)
    asked = await final(conversation, f"{WISH}: {FIRST}")
    if asked["text"].startswith("Should I"):
        asked = await final(conversation, "Call off")
    assert "The one to keep" in asked["text"]
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]


async def test_a_record_that_the_message_names_is_not_asked_for(conversation: Conversation) -> None:
    asked = await final(conversation, f"{WISH}: {FIRST}")
    if asked["text"].startswith("Should I"):
        asked = await final(conversation, "Call off")
    assert asked["text"].startswith("Please choose: Why the customer cancels.")


@pytest.mark.long
async def test_an_answer_that_names_no_record_is_asked_for_again(conversation: Conversation) -> None:
    assert (await final(conversation, WISH))["text"].startswith("Which one do you mean?")
    for text in ("the green one", "#W9999999"):
        asked = await final(conversation, text)
        assert asked["text"].startswith("I could not read that. Which one do you mean?")
    assert not await db(ActionRequest.objects.exists)


@pytest.mark.long
async def test_another_record_replaces_the_card(conversation: Conversation) -> None:
    asked = await final(conversation, WISH)
    await reply(conversation, asked, FIRST)
    await reply(conversation, await final(conversation), "no longer needed")
    log = await log_after(conversation, f"no, I meant {SECOND}")
    assert [card["arguments"]["order_id"] for card in payloads(log, "action.proposed")] == [FIRST, SECOND]
    made = await db(lambda: list(ActionRequest.objects.order_by("id").values_list("state", "reason_code")))
    assert made == [("cancelled", "replaced_card"), ("awaiting_confirmation", "")]


async def test_a_model_gets_the_records_to_choose_from(conversation: Conversation) -> None:
    name, why = "cancel_pending_order", "no longer needed"
    steps = (
        Says(calls=(ToolCall("1", name, json.dumps({"reason": why})),)),
        Says(calls=(ToolCall("1", name, json.dumps({"reason": why, "order_id": FIRST})),)),
    )
    claim = await db(say, conversation, WISH)
    with answering(ScriptedModel(*steps)) as model:
        await carry_out(claim)
    told = json.loads(model.requests[1].messages[-1].content)
    assert told["choices"] == {"order_id": [{"value": one, "label": f"Order {one}"} for one in (FIRST, SECOND)]}
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert card["arguments"]["order_id"] == FIRST


async def test_a_customer_without_records_is_told_so_and_offered_a_person(
    put_in_force: Put, retail: LoopbackShop, ann: Principal
) -> None:
    await db(put_in_force, call_off())
    bob = await db(lambda: signed_in_as(Customer.objects.create(external_id="bob_ray_2", name="Bob")))
    conversation = await db(start_conversation, bob.customer_id)
    told = await final(conversation, WISH)
    assert told["text"].startswith("I could not find anything in your account") and told["offers_human"]
    stranger = await db(lambda: signed_in_as(Customer.objects.create(external_id="nobody_9", name="N")))
    conversation = await db(start_conversation, stranger.customer_id)
    assert (await final(conversation, WISH))["text"] == "We do not know you."


def test_nothing_is_looked_up_for_a_wrong_request(ann: Principal, put_in_force: Put, retail: LoopbackShop) -> None:
    put_in_force(call_off())
    retail.asked.clear()
    for arguments in ("{", '{"reason": "because"}', '{"unknown": 1}', f'{{"order_id": "{FIRST}"}}'):
        assert offer_of(ann, "cancel_pending_order", arguments) is None
    assert retail.asked == []


def test_another_customers_record_is_refused_as_a_choice(ann: Principal, put_in_force: Put) -> None:
    put_in_force(call_off())
    arguments = {"order_id": "#W0000003", "reason": "no longer needed"}
    refused = propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    assert (refused.state, refused.reason_code) == ("refused", "not_theirs")
