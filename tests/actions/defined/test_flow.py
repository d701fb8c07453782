"""A defined action takes the same steps as one in code: it is proposed, confirmed, and carried out once."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from actions.approvers import allow_approval
from actions.audit import verify
from actions.cards import card_of, reason_of
from actions.deferred_text import DeferredText
from actions.definitions.models import ActionDefinitionVersion
from actions.errors import NotApprover
from actions.models import ActionRequest, AuditEntry, LedgerEntry
from actions.policy_store import policy_of
from actions.principals import Principal
from actions.reasons import MAX_PLACE, failed_at, failure_text
from actions.registry import action_as_made
from actions.services import approve, confirm, may_decide, propose
from actions.states import State
from actions.testing import run_queued
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.team_members import add_member
from supportbot.chat.erasure import erase_conversation
from supportbot.chat.services import start_conversation
from supportbot.errors import NotFound
from supportbot.handoff.desk.action_records import action_record
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import signed_in_as
from tests.actions.defined.conftest import CANCEL, KINDS, document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
AskFor = Callable[..., ActionRequest]


@pytest.mark.parametrize("kind", KINDS)
def test_a_defined_action_goes_from_the_proposal_to_the_receipt(
    kind: str, put_in_force: Put, agreed: AskFor, retail: LoopbackShop
) -> None:
    put_in_force(document(kind=kind))
    request = agreed()
    assert (request.subject_kind, request.subject_id, request.amount) == ("order", "#W0000001", Decimal("20.10"))
    assert request.arguments == {**CANCEL, "money": {"amount": "20.10", "currency": "USD"}}
    card = card_of(request)
    assert card.summary == "Cancel order #W0000001 and pay back $20.10."
    assert [(row.label, row.value) for row in card.rows][-1] == ("Reason", "I no longer need it")
    assert retail.performed == []
    run_queued()
    request.refresh_from_db()
    assert (request.state, request.receipt) == (State.SUCCEEDED, {"reference": "r-1"})
    assert retail.performed == [(str(request.pk), "/orders/#W0000001/cancel")]
    assert LedgerEntry.objects.get().status == "spent" and verify().is_whole


def test_a_guard_refuses_in_the_words_of_the_definition(put_in_force: Put, ask_for: AskFor) -> None:
    put_in_force(document())
    refused = ask_for(arguments={**CANCEL, "order_id": "#W0000003"})
    assert (refused.state, refused.reason_code) == (State.REFUSED, "not_pending")
    reason = reason_of(refused)
    assert reason is not None
    assert reason["text"] == "Order #W0000003 is processed, so this can no longer be changed."


def test_another_customers_record_and_a_missing_one_get_the_same_refusal(
    put_in_force: Put, ann: Principal, retail: LoopbackShop, ask_for: AskFor
) -> None:
    put_in_force(document())
    retail.records.records["orders"]["#W0000003"]["user_id"] = "bob_ray_2"
    texts = []
    for order in ("#W0000003", "#W0000009"):
        refused = ask_for(arguments={**CANCEL, "order_id": order})
        reason = reason_of(refused)
        assert (refused.state, refused.reason_code, refused.subject_id) == (State.REFUSED, "order_not_found", "")
        texts.append((reason or {})["text"].replace(order, "#"))
    assert texts[0] == texts[1] == "There is no order # in your account."


def test_another_customer_cannot_confirm_the_card(put_in_force: Put, ask_for: AskFor) -> None:
    put_in_force(document())
    card = ask_for()
    mallory = signed_in_as(Customer.objects.create(external_id="bob_ray_2"))
    with pytest.raises(NotFound):
        confirm(card.pk, principal=mallory, digest=card.digest)


def test_a_request_whose_record_has_changed_since_the_card_is_not_carried_out(
    put_in_force: Put, ask_for: AskFor, ann: Principal, retail: LoopbackShop
) -> None:
    put_in_force(document())
    card = ask_for()
    retail.records.records["orders"]["#W0000001"]["payment_history"][0]["amount"] = 500
    ended = confirm(card.pk, principal=ann, digest=card.digest)
    assert (ended.state, ended.reason_code, retail.performed) == (State.CANCELLED, "record_changed", [])


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"require": "order.state == 'pending'"}, "guards.is_pending"),
        ({"require": "order.status > 3"}, "guards.is_pending"),
        ({"require": "1 / (order.payment_history[0].amount - 20.1) > 0"}, "guards.is_pending"),
    ],
)
def test_a_rule_without_a_value_refuses_and_names_its_place(
    put_in_force: Put, ask_for: AskFor, changes: dict[str, Any], place: str
) -> None:
    made = document()
    made["guards"][0] |= changes
    put_in_force(made)
    refused = ask_for()
    assert (refused.state, refused.reason_code) == (State.REFUSED, "definition_failed")
    entry = AuditEntry.objects.filter(request_id=refused.pk, event="request.refused").get()
    assert entry.payload["place"].startswith(place)
    reason = reason_of(refused)
    assert reason is not None and "colleague" in reason["text"]
    # The team reads the place, too.
    assert f"cannot be decided automatically at the moment. ({place}" in action_record(refused).steps[-1].reason


def test_money_and_owners_without_a_value_refuse(put_in_force: Put, ask_for: AskFor) -> None:
    made = document()
    made["money"]["amount"] = "order.total"
    put_in_force(made)
    assert ask_for().reason_code == "definition_failed"
    made = document()
    made["lookups"][0]["owner"] = "order.owner.id"
    put_in_force(made)
    assert ask_for().reason_code == "definition_failed"


def test_only_the_role_named_in_the_definition_can_approve(
    put_in_force: Put, agreed: AskFor, workspace: Workspace, admin: User, bob: User
) -> None:
    put_in_force(document(approval={"role": "supervisor"}))
    request, policy = agreed(), policy_of("cancel_pending_order")
    assert policy is not None and request.state == State.AWAITING_APPROVAL
    for person in (bob, admin):  # Bob is an agent
        allow_approval(policy, person, actor="test")
    assert [may_decide(request, person) for person in (bob, admin)] == [False, True]
    with pytest.raises(NotApprover):
        approve(request.pk, approver=bob, digest=request.digest)
    add_member(workspace, bob, Membership.Role.SUPERVISOR)
    assert approve(request.pk, approver=bob, digest=request.digest).state == State.QUEUED


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("stored", "may"),
    [
        ({"subject": 7, "approval": {"role": "supervisor"}}, [False, True, True]),
        ({"subject": 7, "approval": {"role": "king"}}, [False, False, True]),  # a role of another release
        ({"subject": 7, "approval": "supervisor"}, [False, True, True]),
        ({"subject": 7, "approval": {}}, [True, True, True]),
        ({"format": 99, "approval": {"role": "supervisor"}}, [False, False, True]),
        ({"format": 99, "approvals": [{"role": "supervisor"}]}, [False, False, True]),
        (None, [False, False, True]),
    ],
)
def test_a_definition_that_cannot_be_read_keeps_its_approval_role_and_without_one_only_admins_decide(
    put_in_force: Put, agreed: AskFor, workspace: Workspace, admin: User, bob: User, mallory: User,
    stored: dict[str, Any] | None, may: list[bool],
) -> None:  # fmt: skip
    put_in_force(document(approval={"role": "supervisor"}))
    request, policy = agreed(), policy_of("cancel_pending_order")
    assert policy is not None
    add_member(workspace, mallory, Membership.Role.SUPERVISOR)
    for person in (bob, mallory, admin):
        allow_approval(policy, person, actor="test")
    request.spec_version = 2
    if stored is not None:
        version = ActionDefinitionVersion.objects.get(definition__name=request.action)
        version.pk, version.number, version.document = uuid4(), request.spec_version, document(**stored)
        version.save(force_insert=True)
    assert action_as_made(request.action, request.spec_version) is None
    assert [may_decide(request, person) for person in (bob, mallory, admin)] == may


def test_a_request_needs_approval_if_the_definition_requires_it(put_in_force: Put, agreed: AskFor) -> None:
    put_in_force(document(approval={"when": "money > money(20, 'USD')"}))
    assert agreed().state == State.AWAITING_APPROVAL


def test_a_definition_can_require_two_approvals(put_in_force: Put, agreed: AskFor, admin: User, bob: User) -> None:
    put_in_force(document(approval={"approvers": 2}))
    request, policy = agreed(), policy_of("cancel_pending_order")
    assert policy is not None and (request.state, request.approvals_needed) == (State.AWAITING_APPROVAL, 2)
    for person in (bob, admin):
        allow_approval(policy, person, actor="test")
    assert approve(request.pk, approver=bob, digest=request.digest).state == State.AWAITING_APPROVAL
    assert approve(request.pk, approver=admin, digest=request.digest).state == State.QUEUED


def test_a_new_version_expires_cards_of_the_old_one_and_keeps_their_texts(put_in_force: Put, ask_for: AskFor) -> None:
    put_in_force(document())
    card = ask_for()
    made = document()
    made["card"]["summary"] = {"en": "Something else"}
    put_in_force(made)
    card.refresh_from_db()
    assert (card.state, card.reason_code) == (State.EXPIRED, "policy_changed")
    assert card_of(card).summary == "Cancel order #W0000001 and pay back $20.10."
    assert ask_for().spec_version == 2


def test_a_newer_card_for_the_same_record_replaces_the_older(
    put_in_force: Put, ann: Principal, retail: LoopbackShop
) -> None:
    put_in_force(document(subject={"kind": "purchase", "id": "order.order_id"}))
    conversation = start_conversation(ann.customer_id)
    first, second = (
        propose(
            ann, "cancel_pending_order", {**CANCEL, "reason": reason}, proposal_key=f"turn:{number}:1:1",
            conversation_id=conversation.pk,
        )
        for number, reason in enumerate(("no longer needed", "ordered by mistake"))
    )  # fmt: skip
    first.refresh_from_db()
    assert (first.state, first.reason_code, first.order_id) == (State.CANCELLED, "replaced_card", "")
    assert (second.state, second.subject_kind) == (State.AWAITING_CONFIRMATION, "purchase")


def test_the_words_of_a_refusal_are_erased_with_the_chat(put_in_force: Put, ann: Principal) -> None:
    put_in_force(document())
    conversation = start_conversation(ann.customer_id)
    refused = propose(
        ann, "cancel_pending_order", {**CANCEL, "order_id": "#W0000003"}, proposal_key="turn:1:1:1",
        conversation_id=conversation.pk,
    )  # fmt: skip
    assert refused.reason_facts["words.en"].startswith("Order #W0000003 is processed")
    caller = CustomerCaller(conversation.workspace_pk, conversation.customer_id, is_verified=True)
    erase_conversation(caller, conversation.pk)
    deliver_due()
    refused.refresh_from_db()
    assert (refused.reason_code, refused.reason_facts, refused.arguments) == ("not_pending", {}, {})
    reason = reason_of(refused)
    assert reason is not None and "colleague" in reason["text"] and verify().is_whole


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_the_reason_of_a_failed_definition_is_erased_with_the_chat(
    put_in_force: Put, ann: Principal, retail: LoopbackShop, is_confirmed: bool
) -> None:
    made = document()
    made["guards"][0] |= {"require": "time(now, order.status) > now"}
    put_in_force(made)
    retail.records.records["orders"][CANCEL["order_id"]]["status"] = "Mars/Olympus"
    conversation = start_conversation(ann.customer_id)
    refused = propose(
        ann, "cancel_pending_order", CANCEL, proposal_key="turn:1:1:1", conversation_id=conversation.pk
    )  # fmt: skip
    assert refused.reason_code == "definition_failed"
    assert refused.reason_facts.keys() == {"place", "place_text"}
    if is_confirmed:
        ActionRequest.objects.filter(pk=refused.pk).update(confirmed_by="customer:1")
    caller = CustomerCaller(conversation.workspace_pk, conversation.customer_id, is_verified=True)
    erase_conversation(caller, conversation.pk)
    deliver_due()
    refused.refresh_from_db()
    assert (refused.reason_code, refused.reason_facts) == ("definition_failed", {})
    # The audit trail keeps the place, which contains no value of the record.
    place = AuditEntry.objects.get(request_id=refused.pk, event="request.refused").payload["place"]
    assert place == "guards.is_pending: there is no time zone with this name (in: time(now, order.status))"


def test_the_place_of_a_failure_has_a_limited_length() -> None:
    why = DeferredText("there is no field {field}", field="f" * 5000)
    facts = failed_at(DeferredText("{where}: {why}", where="w" * 5000, why=why)).facts
    assert len(facts["place"]) == MAX_PLACE and len(facts["place_text"]) < 3 * MAX_PLACE
    assert failure_text(facts) == f"{'w' * MAX_PLACE}: there is no field {'f' * MAX_PLACE}"
