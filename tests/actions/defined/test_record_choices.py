"""An argument that customers choose from their own records: with buttons, or by its value if there is a model."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from actions.cards import card_of
from actions.definitions.document import missing, parse_document
from actions.definitions.errors import InvalidDefinition
from actions.definitions.references import uses_of, with_renamed
from actions.models import ActionRequest, AuditEntry
from actions.policy_store import ensure_policies
from actions.principals import Principal
from actions.record_choices import Offer, offer_of
from actions.registry import code_actions
from actions.services import propose
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.blocks import BlockRef, choose
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import start_conversation
from supportbot.chat.turns import Claim, claim_turn
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.actions.conftest import signed_in_as
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)
Put = Callable[[dict[str, Any]], None]
WISH = "I want to call off something that I bought"
FIRST, SECOND = "#W0000001", "#W0000002"
ORDERS = {"list": "customer.orders", "as": "one", "value": "one", "words": {"en": "Order {one}"}}


def call_off(**choosing: Any) -> dict[str, Any]:
    """Return an action about one of the orders that the customer's own record lists."""
    made = document() | {"examples": {"en": [WISH, "Please call off my purchase"]}, "title": {"en": "Call off"}}
    made["arguments"] = {
        "order_id": {"type": "string", "description": "The order.", "choose_from": ORDERS | choosing},
        "reason": made["arguments"]["reason"],
    }
    made["lookups"] = [
        {
            "name": "customer", "owner": "customer.user_id", "call": {"method": "GET", "path": "/users/{identity.sub}"},
            "otherwise": {"code": "no_customer", "words": {"en": "We do not know you."}},
        }
    ]  # fmt: skip
    made["values"] = {"number": "first(customer.orders, o, o == arguments.order_id)"}
    made["guards"] = [
        {
            "name": "is_theirs", "require": "arguments.order_id in customer.orders", "code": "not_theirs",
            "words": {"en": "There is no order {arguments.order_id} in your account."},
        }
    ]  # fmt: skip
    made["subject"] = {"kind": "order", "id": "number"}
    made["money"] = {"amount": "20.10", "currency": "'USD'"}
    made["call"] = {**made["call"], "path": "/orders/{number}/cancel"}
    made["card"] = {**made["card"], "title": {"en": "Call off {number}"}, "summary": {"en": "Call off {number}."}}
    made["card"]["rows"] = [{"label": {"en": "Order"}, "value": "number"}]
    return made


@pytest.fixture
def conversation(ann: Principal, put_in_force: Put) -> Conversation:
    put_in_force(call_off())
    return start_conversation(ann.customer_id)


async def log_after(conversation: Conversation, *texts: str) -> list[Any]:
    for text in texts:
        await carry_out(await db(say, conversation, text))

    def read() -> list[Any]:
        with workspace_scope(conversation.workspace_id):
            return list(events_after(conversation.pk, 1))

    return await db(read)


async def final(conversation: Conversation, *texts: str) -> dict[str, Any]:
    return payloads(await log_after(conversation, *texts), "assistant.final")[-1]


async def press(conversation: Conversation, answer: dict[str, Any], option: str) -> None:
    def send() -> Claim | None:
        with workspace_scope(conversation.workspace_id):
            key = f"press-{answer['message']}"
            choose(conversation.pk, block=BlockRef(UUID(answer["message"]), 0), option=option, client_id=key)
            return claim_turn("test-runner")

    claim = await db(send)
    assert claim is not None
    await carry_out(claim)


async def test_a_record_is_chosen_with_a_button(conversation: Conversation, retail: LoopbackShop) -> None:
    asked = await final(conversation, WISH)
    assert asked["text"].startswith("Which one do you mean?")
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    assert asked["blocks"][0]["options"][1]["label"] == f"{SECOND}: Order {SECOND}"
    await press(conversation, asked, SECOND)
    why = await final(conversation)
    assert why["text"].startswith("Please choose: Why the customer cancels.")
    await press(conversation, why, "no longer needed")
    [card] = payloads(await log_after(conversation), "action.proposed")
    request = await db(ActionRequest.objects.get)
    assert (card["arguments"]["order_id"], request.subject_kind, request.subject_id) == (SECOND, "order", SECOND)
    assert retail.performed == []


def call_off_but_keep() -> dict[str, Any]:
    """Return an action with two arguments whose choices come from the same list."""
    made = call_off()
    kept = {"type": "string", "description": "The one to keep.", "choose_from": ORDERS}
    own = made["arguments"]
    return made | {"arguments": {"order_id": own["order_id"], "kept_id": kept, "reason": own["reason"]}}


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
        await press(conversation, asked, option)
        return await final(conversation)

    asked = await final(conversation, WISH)
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    asked = await answer(asked, SECOND)
    assert asked["text"].startswith("Which one do you mean?") and "The one to keep" in asked["text"]
    assert [option["id"] for option in asked["blocks"][0]["options"]] == [FIRST, SECOND]
    await press(conversation, await answer(asked, other), "no longer needed")
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert (card["arguments"]["order_id"], card["arguments"]["kept_id"]) == (SECOND, other)


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


async def test_an_answer_that_names_no_record_is_asked_for_again(conversation: Conversation) -> None:
    assert (await final(conversation, WISH))["text"].startswith("Which one do you mean?")
    for text in ("the green one", "#W9999999"):
        asked = await final(conversation, text)
        assert asked["text"].startswith("I could not read that. Which one do you mean?")
    assert not await db(ActionRequest.objects.exists)


async def test_another_record_replaces_the_card(conversation: Conversation) -> None:
    asked = await final(conversation, WISH)
    await press(conversation, asked, FIRST)
    await press(conversation, await final(conversation), "no longer needed")
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
    assert told["text"].startswith("I could not find anything of yours") and told["offers_human"]
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


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"list": "arguments.reason"}, "choose_from.list"),
        ({"list": "['#W0000001']"}, "choose_from.list"),
        ({"list": "map(customer.orders, o, arguments.reason)"}, "choose_from.list"),
        ({"list": "customer.orders", "value": "nothing.here"}, "choose_from.value"),
        ({"as": "X"}, "choose_from.as"),
        ({"words": {}}, "choose_from.words"),
        ({"more": 1}, "choose_from.more"),
    ],
)
def test_choices_from_anything_but_the_customers_own_list_are_a_mistake(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(call_off(**changes))
    assert f"arguments.order_id.{wrong}" in refused.value.fields


def test_records_that_are_found_by_the_argument_itself_cannot_be_its_choices() -> None:
    made = call_off()
    made["lookups"][0]["call"] = {
        "method": "GET",
        "path": "/users/{identity.sub}",
        "query": {"of": "{arguments.order_id}"},
    }
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert "arguments.order_id.choose_from.list" in refused.value.fields


@pytest.mark.parametrize("reads", ["filter(customer.orders, o, o == arguments.order_id)", "customer.orders"])
def test_a_list_that_depends_on_the_argument_itself_cannot_be_its_choices(reads: str) -> None:
    value = "one" if "arguments" in reads else "one if arguments.order_id == one else one"
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(call_off(list=reads, value=value))
    assert list(refused.value.fields) == ["arguments.order_id.choose_from.list"]


def test_an_optional_argument_cannot_have_choices() -> None:
    made = call_off()
    made["arguments"]["order_id"]["required"] = False
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert "arguments.order_id.choose_from" in refused.value.fields


@pytest.mark.parametrize("kind", ["choice", "integer", "date"])
def test_only_a_text_argument_can_have_choices(kind: str) -> None:
    made = call_off()
    made["arguments"]["order_id"] |= {"type": kind} | ({"options": [{"value": "a"}]} if kind == "choice" else {})
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(made)
    assert any(path.startswith("arguments.order_id.choose_from") for path in refused.value.fields)


def test_a_renamed_argument_is_renamed_in_the_choices_of_another() -> None:
    made = call_off(list="filter(customer.orders, o, o != arguments.reason)")
    assert "arguments.order_id.choose_from.list" in uses_of(made, "reason")
    renamed = with_renamed(made, {"reason": "why"})
    assert "arguments.why" in renamed["arguments"]["order_id"]["choose_from"]["list"]


@pytest.mark.parametrize(
    "subject",
    [
        "first(customer.orders, o, o == arguments.order_id)",
        "number",
        "filter(customer.orders, o, true)[0]",
    ],
)
def test_an_argument_may_choose_the_subject_from_the_customers_own_list(subject: str) -> None:
    assert parse_document(call_off() | {"subject": {"kind": "order", "id": subject}}).subject is not None


@pytest.mark.parametrize(
    "subject",
    [
        "first([arguments.order_id], o, true)", "map(customer.orders, o, arguments.order_id)[0]",
        "customer[arguments.order_id]", "number if number == arguments.order_id else 'x'",
        "text(count(customer.orders, o, o == arguments.order_id))", "first(['a', 'b'], o, o == arguments.order_id)",
    ],
)  # fmt: skip
def test_a_subject_from_an_argument_without_choices_is_still_a_mistake(subject: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_document(call_off() | {"subject": {"kind": "order", "id": subject}})
    assert "subject.id" in refused.value.fields


def cancel_with_gift() -> dict[str, Any]:
    """Return an action about an order that the customer names, with a choice from a public list: that order's goods."""
    made = document() | {"examples": {"en": [WISH]}, "title": {"en": "Call off"}}
    gift = {
        "list": "values(goods.variants)", "as": "one", "value": "one.item_id", "words": {"en": "{one.options.colour}"},
    }  # fmt: skip
    made["arguments"] = {
        "gift": {"type": "string", "label": {"en": "Gift"}, "description": "A gift.", "choose_from": gift},
        "purchase": made["arguments"]["order_id"] | {"label": {"en": "Purchase number"}},
        "reason": made["arguments"]["reason"],
    }
    made = with_renamed(made, {"order_id": "purchase"})
    product = {"method": "GET", "path": "/products/{order.items[0].product_id}"}
    made["lookups"].append({"name": "goods", "public": True, "call": product})
    made["guards"].append({
        "name": "is_offered", "require": "any(values(goods.variants), v, v.item_id == arguments.gift)",
        "code": "not_offered", "words": {"en": "This is not on offer."},
    })  # fmt: skip
    made["call"]["body"] |= {"gift": "{arguments.gift}"}
    made["card"]["rows"].append({"label": {"en": "Gift"}, "value": "arguments.gift"})
    return made


async def test_the_value_that_finds_the_records_is_asked_for_first(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    await db(put_in_force, cancel_with_gift())
    conversation = await db(start_conversation, ann.customer_id)
    assert "Purchase number" in (await final(conversation, WISH))["text"] and retail.asked == []
    asked = await final(conversation, FIRST)
    assert "Gift" in asked["text"] and asked["blocks"][0]["options"][0]["id"] == "1000000001"
    await press(conversation, asked, "1000000001")
    await press(conversation, await final(conversation), "no longer needed")
    [card] = payloads(await log_after(conversation), "action.proposed")
    assert (card["arguments"]["gift"], card["arguments"]["purchase"]) == ("1000000001", FIRST)


@pytest.mark.parametrize("guard", ["arguments.gift != order.status", "goods.name != arguments.gift or true", ""])
@pytest.mark.parametrize(("gift", "state"), [("1000000001", "awaiting_confirmation"), ("999", "refused")])
def test_a_value_that_a_public_list_does_not_have_is_refused_whatever_the_guards_say(
    ann: Principal, put_in_force: Put, guard: str, gift: str, state: str
) -> None:
    made = cancel_with_gift()
    made["guards"][-1]["require"] = guard
    if not guard:
        made["guards"].pop()
    assert missing(made) == []
    put_in_force(made)
    arguments = {"purchase": FIRST, "gift": gift, "reason": "no longer needed"}
    proposed = propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    assert (proposed.state, proposed.reason_code) == (state, "choice_not_offered" if state == "refused" else "")


@pytest.mark.parametrize(
    ("value", "is_proven"),
    [
        ("arguments.purchase", False),
        ("one.item_id + arguments.purchase", False),
        ("one.item_id + arguments.reason", True),  # one of its options
        ("one.item_id + text(today)", True),
        ("one.item_id + text(now)", True),
        ("identity.sub + one.item_id + 'x'", True),
    ],
)
def test_a_choice_is_proven_unless_its_value_is_computed_from_words_of_the_chat(value: str, is_proven: bool) -> None:
    made = cancel_with_gift()
    made["arguments"]["gift"]["choose_from"]["value"] = value
    assert missing(made) == ([] if is_proven else ["arguments.gift.names_no_record"])


def goods_of(retail: LoopbackShop, *ids: Any) -> None:
    """Let the order's product have these variants, by `item_id`."""
    variants = {str(place): {"item_id": one, "options": {"colour": "red"}} for place, one in enumerate(ids)}
    retail.records.records["products"]["5000000001"]["variants"] = variants


def with_open_guard() -> dict[str, Any]:
    """Return the action with a gift that only its public list restricts."""
    made = cancel_with_gift()
    made["guards"].pop()
    return made


@pytest.mark.parametrize(
    "ids",
    [
        ["60 ", "Cafe\N{COMBINING ACUTE ACCENT}", 7],  # not in the form in which an argument is stored
        [*(f"i-{place}" for place in range(60)), None],  # beyond those that are offered
        [None, "two\nlines", "x" * 300, "1"],
    ],
)
def test_each_offered_value_is_accepted(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, ids: list[Any]
) -> None:
    put_in_force(with_open_guard())
    goods_of(retail, *ids)
    given = {"purchase": FIRST, "reason": "no longer needed"}
    offer = offer_of(ann, "cancel_pending_order", given)
    assert offer is not None
    offered = [one.value for one in offer.choices["gift"]]
    assert len(offered) == min(50, sum(isinstance(one, int) or len(one or "\n" * 9) < 9 for one in ids))
    for gift in (*offered[:3], offered[-1]):
        proposed = propose(ann, "cancel_pending_order", given | {"gift": gift}, proposal_key=f"turn:1:{gift}")
        assert (proposed.state, proposed.reason_code) == ("awaiting_confirmation", "")
    refused = propose(ann, "cancel_pending_order", given | {"gift": "else"}, proposal_key="turn:2:1")
    assert refused.reason_code == "choice_not_offered"


def test_a_row_of_the_card_shows_the_line_that_was_chosen(ann: Principal, put_in_force: Put) -> None:
    made = cancel_with_gift()
    put_in_force(made)
    given = {"purchase": FIRST, "gift": "1000000001", "reason": "no longer needed"}
    card = propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1")
    assert (card_of(card).rows[-1].label, card_of(card).rows[-1].value) == ("Gift", "1000000001: blue")


@pytest.mark.parametrize(("gift", "shown"), [("1", "1: A cup"), ("2", "2")])
def test_a_choice_that_the_list_cannot_describe_is_shown_by_its_value(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, gift: str, shown: str
) -> None:
    made = cancel_with_gift()
    made["arguments"]["gift"]["choose_from"]["words"] = {"en": "{one.title}"}
    put_in_force(made)
    goods_of(retail, "1", "2")
    retail.records.records["products"]["5000000001"]["variants"]["0"]["title"] = "A cup"
    given = {"purchase": FIRST, "gift": gift, "reason": "no longer needed"}
    card = propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1")
    assert card_of(card).rows[-1].value == shown


@pytest.mark.parametrize("row", ["text(arguments.gift)", "lower(arguments.gift)"])
def test_only_a_row_with_nothing_but_the_choice_shows_its_line(
    ann: Principal, put_in_force: Put, retail: LoopbackShop, row: str
) -> None:
    made = cancel_with_gift()
    made["card"]["rows"][-1]["value"] = row
    put_in_force(made)
    given = {"purchase": FIRST, "gift": "1000000001", "reason": "no longer needed"}
    card = propose(ann, "cancel_pending_order", given, proposal_key="turn:1:1")
    assert card_of(card).rows[-1].value == "1000000001"


def test_a_list_whose_entries_all_lack_the_value_is_a_mistake_of_the_definition(
    ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(with_open_guard())
    goods_of(retail, None, None)
    given = {"purchase": FIRST, "reason": "no longer needed"}
    offer = offer_of(ann, "cancel_pending_order", given)
    assert offer is not None and offer.reason is not None and offer.reason.code == "definition_failed"
    refused = propose(ann, "cancel_pending_order", given | {"gift": "1"}, proposal_key="turn:1:1")
    assert refused.reason_code == "definition_failed"


def test_a_value_that_names_no_record_need_not_be_in_its_list(ann: Principal, put_in_force: Put) -> None:
    made = with_open_guard()
    made["arguments"]["gift"]["names_no_record"] = True
    put_in_force(made)
    arguments = {"purchase": FIRST, "gift": "a blue one", "reason": "no longer needed"}
    proposed = propose(ann, "cancel_pending_order", arguments, proposal_key="turn:1:1")
    assert (proposed.state, proposed.reason_code) == ("awaiting_confirmation", "")
