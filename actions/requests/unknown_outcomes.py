"""Finding out what became of requests with an unknown outcome, and deciding when to ask again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from actions.models import ActionRequest, Attempt
from actions.outcomes import DidNot, Found, Happened, NeverSeen, Unclear
from actions.reasons import Reason
from actions.requests.calls_in_progress import IN_PROGRESS_FOR, in_progress_at, note_look_up, pause, unclear_from
from actions.requests.execution import fail, find_out, may_find_out, refusal_reason, succeed
from actions.requests.transitions import lock_request, transition
from actions.states import State

# "Never seen" proves that nothing happened once no call can still be in progress. A merchant may still be working on a
# call that we stopped waiting for; a call that it has answered is finished, and its records may only lag a little.
SETTLED_AFTER: Final = timedelta(seconds=150)
SETTLED_AFTER_ANSWER: Final = timedelta(seconds=15)


def reconcile(request_id: UUID) -> None:
    """Find out a request's unknown outcome, by the means that its outcome kind allows."""
    found = find_out(ActionRequest.objects.get(pk=request_id))
    with _lock_unknown(request_id) as request:
        if request is None:
            return
        if isinstance(found, Happened):
            succeed(request, found)
        elif isinstance(found, DidNot) and found.is_final:
            fail(request, refusal_reason(found))
        elif isinstance(found, NeverSeen) and _is_never_seen_reliable(request):
            fail(request, Reason("not_carried_out"))
        else:
            _note_progress(request, found)
            _schedule_recheck(request)


def _is_never_seen_reliable(request: ActionRequest) -> bool:
    """Return whether "never seen" proves that nothing happened. If a system once said that it was working on the call,
    it has merely forgotten the call, perhaps because it is done.
    """
    was_in_progress = request.reason_code == "in_progress" or in_progress_at(request) is not None
    return not was_in_progress and _settles_at(request) <= now()


def _note_progress(request: ActionRequest, found: Found) -> None:
    """Store whether the system is still working on a call. If a call in progress takes too long, or the system no
    longer says that it is in progress, leave it to a person and tell the customer. Look-ups continue.
    """
    is_working = isinstance(found, Unclear) and found.is_in_progress
    note_look_up(request, is_in_progress=is_working)
    if request.reason_code != "in_progress":
        return
    is_unclear = not is_working and now() >= unclear_from(request)
    if is_unclear or now() >= request.changed_at + IN_PROGRESS_FOR:
        transition(request, State.UNKNOWN, actor="worker", reason=Reason("outcome_unknown"))


@contextmanager
def _lock_unknown(request_id: UUID) -> Iterator[ActionRequest | None]:
    with transaction.atomic():
        request = lock_request(request_id)
        yield request if request.state == State.UNKNOWN else None


def _settles_at(request: ActionRequest) -> datetime:
    """Return when all of this request's calls have certainly ended, so that "never seen" is a reliable answer."""
    sent = Attempt.objects.filter(request_id=request.pk, sent_at__isnull=False)
    ends = [
        attempt.sent_at + (SETTLED_AFTER_ANSWER if attempt.was_answered else SETTLED_AFTER)
        for attempt in sent
        if attempt.sent_at is not None
    ]
    return max(ends, default=request.changed_at)


def _schedule_recheck(request: ActionRequest) -> None:
    """Schedule the next check for no later than the end of all calls, or the time when a call is no longer known to be
    in progress.
    """
    if not may_find_out(request):  # a person must handle it from now on
        ActionRequest.objects.filter(pk=request.pk, state=State.UNKNOWN).update(due_at=None)
        return
    moment = now()
    moments = [_settles_at(request)]
    if request.reason_code == "in_progress":
        moments += [unclear_from(request), request.changed_at + IN_PROGRESS_FOR]
    due_at = min([moment + pause(request, moment), *(one for one in moments if one > moment)])
    ActionRequest.objects.filter(pk=request.pk, state=State.UNKNOWN).update(due_at=due_at)
