"""A system that accepts a call and carries it out later: the request waits for it, and the chat goes on meanwhile. Only
what the system says counts: a person has to check as soon as that is unclear, and no call is ever assumed not to have
happened.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, NoReturn

import pytest
from django.utils.timezone import now

from actions.approvers import allow_approval
from actions.definitions.errors import InvalidDefinition
from actions.definitions.published import _action as compiled
from actions.errors import NotWaiting
from actions.models import ActionRequest, Attempt, LedgerEntry
from actions.policy_store import policy_of
from actions.principals import Principal
from actions.requests.calls_in_progress import IN_PROGRESS_FOR, UNCLEAR_FOR
from actions.requests.sweeps import sweep
from actions.services import confirm, propose, settle_by_hand
from actions.states import State
from actions.testing import FakeShop, connected, make_due, run_queued
from supportbot.accounts.models import User
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.handoff.approvals.selectors import approval_case
from supportbot.handoff.models import Ticket
from supportbot.outbox.delivery import deliver_due
from supportbot.webhooks.event_facts import facts_of_request
from tests.actions.defined.conftest import CANCEL, document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db
WORKING: Final = (200, {"state": "working"})


@pytest.fixture(autouse=True)
def _no_broker(messages: list[str]) -> None:
    """The test delivers all messages itself."""


@pytest.fixture
def conversation(ann: Principal) -> Conversation:
    return Conversation.objects.create(customer_id=ann.customer_id)


def with_progress(in_progress: str = "body.state == 'working'") -> dict[str, Any]:
    made = document(kind="status_lookup")
    made["outcome"] = {**made["outcome"], "in_progress": in_progress}
    return made


Run = Callable[[dict[str, Any]], ActionRequest]


@pytest.fixture
def run(
    put_in_force: Callable[[dict[str, Any]], None], ann: Principal, conversation: Conversation, retail: LoopbackShop
) -> Run:
    """Return a function that confirms a request of this definition for a shop with these answers, and runs it."""

    def run_one(made: dict[str, Any]) -> ActionRequest:
        put_in_force(made)
        card = propose(ann, "cancel_pending_order", CANCEL, proposal_key="turn:1:1", conversation_id=conversation.pk)
        confirm(card.pk, principal=ann, digest=card.digest)
        for _ in range(6):
            make_due()
            run_queued()
        deliver_due()
        return ActionRequest.objects.get(pk=card.pk)

    return run_one


@pytest.fixture
def accepted(run: Run, retail: LoopbackShop) -> ActionRequest:
    """A request that the shop has accepted with 202 and says that it is still working on."""
    retail.faults, retail.says = ["202 and nothing more"], WORKING
    return run(with_progress())


def told(conversation: Conversation) -> list[str]:
    return [event.event for event in events_after(conversation.pk, 0)]


def check_again(request: ActionRequest) -> ActionRequest:
    make_due()
    sweep()
    deliver_due()
    return ActionRequest.objects.get(pk=request.pk)


def let_pass(request: ActionRequest, time: timedelta) -> None:
    """Move the stored times of the request and its attempts into the past."""
    current = ActionRequest.objects.get(pk=request.pk)
    ActionRequest.objects.filter(pk=request.pk).update(changed_at=current.changed_at - time)
    for attempt in Attempt.objects.filter(request_id=request.pk):
        for column in ("sent_at", "in_progress_at"):
            if (at := getattr(attempt, column)) is not None:
                Attempt.objects.filter(pk=attempt.pk).update(**{column: at - time})


def is_with_a_person(request: ActionRequest) -> bool:
    """Return whether a person has to find out what happened; nothing was sent twice or released meanwhile."""
    request.refresh_from_db()
    is_open = Ticket.objects.filter(conversation_id=request.conversation_id, state="waiting").exists()
    assert LedgerEntry.objects.get(request_id=request.pk).status == "reserved" and request.state == State.UNKNOWN
    assert is_open == (request.reason_code == "outcome_unknown")
    return is_open


def test_an_accepted_call_needs_no_person(
    accepted: ActionRequest, retail: LoopbackShop, conversation: Conversation
) -> None:
    assert (accepted.state, accepted.reason_code, accepted.attempt_count) == (State.UNKNOWN, "in_progress", 1)
    assert told(conversation)[-2:] == ["action.unknown", "assistant.final"]
    assert check_again(accepted).state == State.UNKNOWN
    assert not Ticket.objects.exists()

    retail.says = None
    assert check_again(accepted).state == State.SUCCEEDED
    assert told(conversation)[-2:] == ["action.succeeded", "assistant.final"]
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.mark.long
def test_a_call_that_never_ends_goes_to_a_person_once(
    accepted: ActionRequest, retail: LoopbackShop, conversation: Conversation
) -> None:
    let_pass(accepted, IN_PROGRESS_FOR)
    for _ in range(2):
        assert check_again(accepted).reason_code == "outcome_unknown"
    assert told(conversation)[-4:] == ["action.unknown", "assistant.final", "handoff.requested", "message"]
    assert told(conversation).count("action.unknown") == 2 and Ticket.objects.count() == 1
    reasons = [fact.data["reason"] for fact in facts_of_request(accepted.pk) if fact.kind == "action.unknown"]
    assert reasons == ["in_progress", "outcome_unknown"]  # what webhooks report

    retail.says = None  # it is still looked up
    assert check_again(accepted).state == State.SUCCEEDED
    assert told(conversation)[-3:] == ["action.succeeded", "handoff.ended", "assistant.final"]


@pytest.mark.long
def test_both_events_are_recorded_if_the_first_announcement_comes_late(
    run: Run, retail: LoopbackShop, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    retail.faults, retail.says = ["202 and nothing more"], WORKING
    with monkeypatch.context() as patch:
        patch.setattr("tests.actions.defined.test_in_progress.deliver_due", lambda: None)
        request = run(with_progress())
        let_pass(request, IN_PROGRESS_FOR)
        check_again(request)
    deliver_due()
    unknown = [event for event in events_after(conversation.pk, 0) if event.event == "action.unknown"]
    assert [event.payload["reason"]["code"] for event in unknown] == ["in_progress", "outcome_unknown"]
    assert told(conversation).count("assistant.final") == 1 and is_with_a_person(request)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("time", [timedelta(minutes=5), IN_PROGRESS_FOR])
def test_a_call_that_the_system_has_forgotten_is_not_taken_for_undone(
    time: timedelta, accepted: ActionRequest, retail: LoopbackShop
) -> None:
    let_pass(accepted, time)
    if time == IN_PROGRESS_FOR:  # a person is checking already
        check_again(accepted)
        assert is_with_a_person(accepted)
    retail.says = (404, {})
    for _ in range(2):
        check_again(accepted)
        assert is_with_a_person(accepted)
        let_pass(accepted, timedelta(minutes=5))
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.mark.long
def test_a_call_that_was_first_unclear_and_then_in_progress_is_not_taken_for_undone(
    run: Run, retail: LoopbackShop
) -> None:
    retail.faults, retail.can_be_asked = ["202 and nothing more"], False
    request = run(with_progress())
    assert is_with_a_person(request)
    retail.can_be_asked, retail.says = True, WORKING
    check_again(request)
    retail.says = (404, {})
    let_pass(request, timedelta(minutes=5))
    check_again(request)
    assert is_with_a_person(request)
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.mark.one_in(2)
@pytest.mark.parametrize("fault", ["409", "500 after the work"])
def test_a_refusal_does_not_outweigh_a_system_that_is_still_working(fault: str, run: Run, retail: LoopbackShop) -> None:
    retail.faults, retail.says = [fault], WORKING
    made = with_progress()
    made["answer"] = {**made["answer"], "did_not": "status >= 400"}
    request = run(made)
    assert request.reason_code == "in_progress" and not is_with_a_person(request)
    retail.says = None
    assert check_again(request).state == State.SUCCEEDED
    assert len(retail.performed) == len(retail.commands) == 1


UNCLEAR: Final = {
    "an unlisted state": (200, {"state": "failed"}),
    "an error with 200": (200, {"error": "no such key"}),
    "two conditions at once": (200, {"state": "working", "is_done": True}),
    "an error that says so": (503, {"state": "working"}),
    "no object": (200, []),
}


def careful() -> dict[str, Any]:
    """Return a document that can read an answer as both finished and in progress."""
    made = with_progress()
    made["outcome"]["happened"] = "body.state == 'done' or ('is_done' in body and body.is_done)"
    return made


@pytest.mark.one_in(5)
@pytest.mark.parametrize("says", UNCLEAR.values(), ids=UNCLEAR)
def test_an_answer_that_does_not_mention_progress_is_not_progress(
    says: tuple[int, Any], run: Run, retail: LoopbackShop, conversation: Conversation
) -> None:
    retail.faults, retail.says = ["202 and nothing more"], says
    request = run(careful())
    assert is_with_a_person(request) and told(conversation).count("action.unknown") == 1
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.mark.one_in(5)
@pytest.mark.parametrize("says", UNCLEAR.values(), ids=UNCLEAR)
def test_a_system_that_no_longer_confirms_it_is_left_to_a_person(
    says: tuple[int, Any], run: Run, retail: LoopbackShop
) -> None:
    retail.faults, retail.says = ["202 and nothing more"], WORKING
    request = run(careful())
    assert not is_with_a_person(request)
    retail.says = says
    check_again(request)
    assert not is_with_a_person(request)  # one failed look-up needs nobody
    due_at = ActionRequest.objects.get(pk=request.pk).due_at
    assert due_at is not None and due_at <= now() + UNCLEAR_FOR
    let_pass(request, UNCLEAR_FOR + timedelta(seconds=15))
    check_again(request)
    assert is_with_a_person(request)
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.mark.long
def test_a_look_up_that_fails_once_needs_no_person(accepted: ActionRequest, retail: LoopbackShop) -> None:
    let_pass(accepted, timedelta(hours=5))
    check_again(accepted)
    retail.can_be_asked = False
    let_pass(accepted, timedelta(hours=1))
    check_again(accepted)
    retail.can_be_asked = True
    check_again(accepted)
    assert not is_with_a_person(accepted)


@pytest.mark.long
def test_without_the_condition_an_accepted_call_goes_to_a_person_soon(
    run: Run, retail: LoopbackShop, conversation: Conversation
) -> None:
    retail.faults, retail.says = ["202 and nothing more"], WORKING
    request = run(document(kind="status_lookup"))
    assert (request.reason_code, request.attempt_count) == ("outcome_unknown", 5)
    assert is_with_a_person(request) and told(conversation).count("action.unknown") == 1
    retail.says = None
    assert check_again(request).state == State.SUCCEEDED
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.fixture
def approver(put_in_force: Callable[[dict[str, Any]], None], admin: User) -> User:
    """A person who may settle the requests."""
    put_in_force(with_progress())
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    allow_approval(policy, admin, actor="test")
    return admin


def settle_as_not_done(request: ActionRequest, person: User) -> str:
    """Return the state after the attempt to settle it; "still working" if that is refused."""
    try:
        return str(settle_by_hand(request.pk, outcome="did_not", person=person).state)
    except NotWaiting as error:
        assert "still working" in str(error.message)
        return "still working"


def notice(request: ActionRequest, person: User) -> str:
    """Return whether the desk says that the system is still working on the request."""
    request.refresh_from_db()
    return "working" if approval_case(request, person).is_in_progress else "no answer"


def test_nobody_settles_a_call_in_progress_as_not_done(
    accepted: ActionRequest, retail: LoopbackShop, approver: User
) -> None:
    assert settle_as_not_done(accepted, approver) == "still working"
    assert not is_with_a_person(accepted)

    let_pass(accepted, IN_PROGRESS_FOR)
    check_again(accepted)
    assert notice(accepted, approver) == "working"  # a person has waited for long enough and decides
    assert settle_as_not_done(accepted, approver) == State.FAILED


@pytest.mark.long
def test_nobody_settles_a_call_as_not_done_that_turned_out_to_be_in_progress(
    approver: User, run: Run, retail: LoopbackShop
) -> None:
    retail.faults, retail.can_be_asked = ["202 and nothing more"], False
    request = run(with_progress())
    assert is_with_a_person(request) and notice(request, approver) == "no answer"
    retail.can_be_asked, retail.says = True, WORKING
    check_again(request)
    let_pass(request, timedelta(hours=5))  # no look-up since
    assert settle_as_not_done(request, approver) == "still working"
    assert is_with_a_person(request) and notice(request, approver) == "working"

    check_again(request)
    retail.says = (404, {})
    check_again(request)
    assert settle_as_not_done(request, approver) == "still working"  # its records may only lag
    let_pass(request, timedelta(hours=2))
    check_again(request)
    assert notice(request, approver) == "no answer"
    assert settle_as_not_done(request, approver) == State.FAILED


@pytest.mark.long
def test_nobody_settles_a_call_as_not_done_that_is_in_progress_again(
    accepted: ActionRequest, retail: LoopbackShop, approver: User
) -> None:
    retail.says = (404, {})
    let_pass(accepted, UNCLEAR_FOR + timedelta(seconds=15))
    check_again(accepted)
    assert is_with_a_person(accepted)
    retail.says = WORKING
    check_again(accepted)
    assert notice(accepted, approver) == "working" and settle_as_not_done(accepted, approver) == "still working"
    assert is_with_a_person(accepted)

    retail.says = None
    assert check_again(accepted).state == State.SUCCEEDED
    assert len(retail.performed) == len(retail.commands) == 1


@pytest.mark.long
def test_a_system_that_forgets_a_call_for_a_moment_needs_no_person(
    accepted: ActionRequest, retail: LoopbackShop
) -> None:
    retail.says = (404, {})
    check_again(accepted)
    assert not is_with_a_person(accepted)
    due_at = ActionRequest.objects.get(pk=accepted.pk).due_at
    assert due_at is not None and due_at <= now() + UNCLEAR_FOR
    retail.says = WORKING
    check_again(accepted)
    assert not is_with_a_person(accepted)


@pytest.mark.long
@pytest.mark.parametrize("has_been_in_progress", [True, False])
def test_another_system_is_not_asked_for_a_definition_that_cannot_be_read(
    has_been_in_progress: bool, run: Run, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older release may not know a key of the document. The built-in shop has never seen the call."""
    retail.faults, retail.says = ["202 and nothing more"], WORKING if has_been_in_progress else (503, {})
    request = run(with_progress())

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise InvalidDefinition(fields={"outcome.in_progress": ["There is no such key."]})

    compiled.cache_clear()
    with connected(FakeShop()) as other, monkeypatch.context() as older:
        older.setattr("actions.definitions.published.parse_document", refuse)
        for _ in range(3):
            let_pass(request, timedelta(minutes=5))
            check_again(request)
    assert is_with_a_person(request) and "find" not in other.calls
    compiled.cache_clear()
    retail.says = None  # a release that can read it looks it up again
    assert check_again(request).state == State.SUCCEEDED
