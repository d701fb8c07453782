"""Unclear outcomes of actions that cannot be looked up: sent again unchanged, or settled by a person."""

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal

import pytest
from django.utils.timezone import now
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from actions.audit import verify
from actions.cards import reason_of
from actions.catalogue.refund_order import RefundOrder
from actions.errors import NotApprover, NotWaiting, OwnRequest
from actions.models import ActionRequest, Attempt, AuditEntry, LedgerEntry
from actions.outcomes import OutcomeKind
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.requests.execution import MAX_ATTEMPTS, REPLAY_FOR, recover
from actions.requests.sweeps import sweep
from actions.services import Finding, confirm, propose, settle_by_hand
from actions.states import State
from actions.testing import FakeShop, ProcessDied, make_due, run_queued
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import CustomerCaller
from supportbot.chat.erasure import erase_conversation
from supportbot.chat.models import Conversation
from supportbot.handoff.models import Ticket
from supportbot.outbox.delivery import deliver_due
from tests.actions.begun import alice as alice
from tests.actions.begun import begun
from tests.actions.begun import policies as policies
from tests.actions.begun import workspace as workspace
from tests.actions.conftest import REFUND
from tests.actions.rounds import rounds
from tests.rest import person

pytestmark = pytest.mark.django_db
FAULTS = ("", "commit_then_silence", "silence", "nonsense", "refuse_connection", "die_before", "die_after")
HAS_MOVED = ("", "commit_then_silence", "refuse_connection", "die_after")  # in the end, sent once


@pytest.fixture(autouse=True)
def _no_broker(messages: list[str]) -> None:
    """The test delivers all messages itself."""


@pytest.fixture(scope="module")
def begun_once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[ActionRequest]:
    with begun(django_db_blocker, confirmed) as request:
        yield request


def confirmed(principal: Principal) -> ActionRequest:
    chat = Conversation.objects.create(customer_id=principal.customer_id)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=chat.pk)
    return confirm(card.pk, principal=principal, digest=card.digest)


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    return Conversation.objects.get(customer=alice)


@pytest.fixture
def queued(shop: FakeShop, begun_once: ActionRequest) -> ActionRequest:
    return ActionRequest.objects.get(pk=begun_once.pk)


def behave(monkeypatch: pytest.MonkeyPatch, kind: OutcomeKind) -> None:
    monkeypatch.setattr(RefundOrder, "outcome", kind)


def work(request: ActionRequest) -> ActionRequest:
    """Run workers and sweeps until they have done all they can."""
    for _ in rounds(MAX_ATTEMPTS + 2):
        with suppress(ProcessDied):
            run_queued()
        make_due()
        recover(request.pk)
        sweep()
    return ActionRequest.objects.get(pk=request.pk)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_replay_safe_action_is_sent_again_with_its_key(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    behave(monkeypatch, OutcomeKind.REPLAY_SAFE)
    shop.faults = [fault]
    request = work(queued)
    assert (request.state, (request.receipt or {})["reference"]) == (State.SUCCEEDED, "RF-1")
    assert [refund.key for refund in shop.refunds] == [str(queued.pk)]
    assert "find" not in shop.calls
    assert LedgerEntry.objects.get().status == "spent"
    assert not Attempt.objects.exclude(command=None).exists()  # the record of the call is gone


@pytest.mark.one_in(3)
@pytest.mark.parametrize("fault", ["silence", "commit_then_silence", "nonsense"])
def test_repetitions_end_and_a_person_takes_over(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    behave(monkeypatch, OutcomeKind.REPLAY_SAFE)
    shop.faults = [fault] * 20
    request = work(queued)
    assert (request.state, request.reason_code) == (State.UNKNOWN, "outcome_unknown")
    assert request.due_at is not None and request.attempt_count == MAX_ATTEMPTS
    Attempt.objects.update(sent_at=now() - REPLAY_FOR)  # the shop may have forgotten the key
    sent = shop.calls.count("run refund")
    request = work(queued)
    assert (request.state, request.due_at, shop.calls.count("run refund")) == (State.UNKNOWN, None, sent)
    assert len(shop.refunds) <= 1 and LedgerEntry.objects.get().status == "reserved"


def test_the_sweep_repeats_the_call_again(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, approver: User
) -> None:
    """A slow shop answers after all attempts: no person is needed, and until then, the request must not count as
    not done.
    """
    behave(monkeypatch, OutcomeKind.REPLAY_SAFE)
    shop.faults = ["commit_then_silence", *["silence"] * MAX_ATTEMPTS]
    for _ in range(MAX_ATTEMPTS):
        run_queued()
        make_due()
    assert ActionRequest.objects.get(pk=queued.pk).state == State.UNKNOWN
    with pytest.raises(NotWaiting):
        settle_by_hand(queued.pk, outcome="did_not", person=approver)
    assert work(queued).state == State.SUCCEEDED and len(shop.refunds) == 1


def test_a_repetition_does_not_read_the_records_again(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records already show the effect of the first call: checked again, the action would refuse itself and count as
    not done.
    """
    behave(monkeypatch, OutcomeKind.REPLAY_SAFE)
    shop.faults = ["commit_then_silence"]
    run_queued()
    assert shop.orders["A-1001"].remaining.amount == 0
    shop.is_reachable = False
    assert work(queued).state == State.SUCCEEDED and len(shop.refunds) == 1


def test_the_kill_switch_stops_repetitions(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, OutcomeKind.REPLAY_SAFE)
    shop.faults = ["silence"]
    run_queued()
    policy = policy_of("refund_order")
    assert policy is not None
    switch(policy, is_enabled=False, actor="test")
    assert (work(queued).state, shop.refunds) == (State.UNKNOWN, [])


@pytest.mark.parametrize("fault", FAULTS)
def test_an_at_most_once_action_is_never_sent_twice(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    behave(monkeypatch, OutcomeKind.AT_MOST_ONCE)
    shop.faults = [fault]
    request = work(queued)
    is_clear = fault in ("", "refuse_connection")  # it has never been sent, so it may be sent
    assert request.state == (State.SUCCEEDED if is_clear else State.UNKNOWN)
    assert shop.calls.count("run refund") == (2 if fault == "refuse_connection" else 1)
    assert len(shop.refunds) == (1 if fault in HAS_MOVED else 0)
    assert "find" not in shop.calls


def test_an_unclear_outcome_opens_a_ticket_and_informs_the_customer(
    queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch, conversation: Conversation
) -> None:
    behave(monkeypatch, OutcomeKind.AT_MOST_ONCE)
    shop.faults = ["silence"]
    work(queued)
    deliver_due()
    ticket = Ticket.objects.get(conversation=conversation)
    assert "A colleague will find out whether the request went through" in ticket.summary


@pytest.fixture
def unknown(queued: ActionRequest, shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> ActionRequest:
    behave(monkeypatch, OutcomeKind.AT_MOST_ONCE)
    shop.faults = ["silence"]
    return work(queued)


@pytest.mark.parametrize(
    ("finding", "state", "ledger"), [("happened", State.SUCCEEDED, "spent"), ("did_not", State.FAILED, "released")]
)
def test_a_person_settles_it_manually(
    unknown: ActionRequest, approver: User, finding: Finding, state: State, ledger: str
) -> None:
    settled = settle_by_hand(unknown.pk, outcome=finding, person=approver, note="Asked the bank")
    assert (settled.state, settled.reason_code) == (state, f"settled_{finding}")
    assert LedgerEntry.objects.get().status == ledger
    reason = reason_of(settled)
    assert reason is not None and "Asked" not in reason["text"]
    last = AuditEntry.objects.filter(request_id=unknown.pk).order_by("-seq")[0]
    assert (last.event, last.actor) == (f"request.{state}", f"user:{approver.pk}")
    with pytest.raises(NotWaiting):
        settle_by_hand(unknown.pk, outcome="did_not", person=approver)
    assert verify().is_whole


def test_only_people_with_the_right_and_without_a_conflict_settle(
    unknown: ActionRequest, approver: User, alice: Customer, mallory: User
) -> None:
    with pytest.raises(NotApprover):
        settle_by_hand(unknown.pk, outcome="happened", person=mallory)
    approver.email = alice.email = "same@example.com"
    approver.save(update_fields=["email"])
    alice.save(update_fields=["email"])
    with pytest.raises(OwnRequest):
        settle_by_hand(unknown.pk, outcome="happened", person=approver)
    unknown.refresh_from_db()
    assert unknown.state == State.UNKNOWN


def test_running_and_waiting_requests_cannot_be_settled_manually(queued: ActionRequest, approver: User) -> None:
    with pytest.raises(NotWaiting):
        settle_by_hand(queued.pk, outcome="happened", person=approver)


def test_an_outcome_is_settled_over_rest(unknown: ActionRequest, approver: User, workspace: Workspace) -> None:
    bob_client: APIClient = person(workspace, approver, role="supervisor")
    address = f"/api/v1/action-requests/{unknown.pk}/settle"
    wrong = bob_client.post(address, {"outcome": "perhaps"}, format="json")
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["outcome"])
    told = bob_client.post(address, {"outcome": "happened", "note": "RF-20 in their ledger"}, format="json").json()
    assert (told["state"], told["reason"]["code"]) == ("succeeded", "settled_happened")
    assert bob_client.post(address, {"outcome": "happened"}, format="json").status_code == 409


def test_the_note_is_erased_with_the_chat(unknown: ActionRequest, approver: User, conversation: Conversation) -> None:
    settled = settle_by_hand(unknown.pk, outcome="happened", person=approver, note="She called in tears")
    caller = CustomerCaller(conversation.workspace_pk, conversation.customer_id, is_verified=True)
    erase_conversation(caller, conversation.pk)
    deliver_due()
    settled.refresh_from_db()
    assert (settled.reason_code, settled.reason_facts, settled.state) == ("settled_happened", {}, State.SUCCEEDED)
    assert settled.amount == Decimal("49.90")
