"""The progress of calls that a system has accepted and carries out later.

A look-up says whether the system is still working on the call. `Attempt` stores what the newest look-up said, and when
a look-up last said that the call was in progress. If a look-up fails or no longer says this, it is repeated for a while
before the call counts as no longer in progress.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max
from django.utils.timezone import now

from actions.models import ActionRequest, Attempt

FIRST_RECHECK: Final = timedelta(seconds=5)
MAX_PAUSE: Final = timedelta(hours=1)
# A person has to check a call that has been in progress for longer than IN_PROGRESS_FOR, or that the system has
# reported neither as in progress nor as done for UNCLEAR_FOR after a check was due. Until then, a failed look-up is
# repeated.
IN_PROGRESS_FOR: Final = timedelta(hours=24)
UNCLEAR_FOR: Final = timedelta(seconds=30)


def note_look_up(request: ActionRequest, *, is_in_progress: bool) -> None:
    """Store whether a look-up has just said that a call with an unknown outcome is in progress."""
    attempts = Attempt.objects.filter(request_id=request.pk)
    if is_in_progress:
        attempts.filter(number=request.attempt_count).update(is_in_progress=True, in_progress_at=now())
    else:
        attempts.filter(is_in_progress=True).update(is_in_progress=False)


def is_in_progress(request: ActionRequest) -> bool:
    """Return whether the system is known to be working on the call: the newest look-up said so, or an earlier one did
    and the later ones have not been repeated for long enough to count. The answer does not depend on whether a person
    is already checking the request.
    """
    newest_says_so = Attempt.objects.filter(request_id=request.pk, is_in_progress=True).exists()
    if request.reason_code == "in_progress" or newest_says_so:
        return True
    return in_progress_at(request) is not None and now() < unclear_from(request)


def is_overdue(request: ActionRequest) -> bool:
    """Return whether the call was sent so long ago that the person who was asked to check it decides in any case."""
    sent_at: datetime | None = Attempt.objects.filter(request_id=request.pk).aggregate(at=Max("sent_at"))["at"]
    is_with_a_person = request.reason_code != "in_progress"
    return is_with_a_person and sent_at is not None and now() >= sent_at + IN_PROGRESS_FOR


def in_progress_at(request: ActionRequest) -> datetime | None:
    """Return when the system last said that it was working on one of this request's calls; None if it never did."""
    found: datetime | None = Attempt.objects.filter(request_id=request.pk).aggregate(at=Max("in_progress_at"))["at"]
    return found


def unclear_from(request: ActionRequest) -> datetime:
    """Return the time after which a call is no longer known to be in progress: UNCLEAR_FOR after the next check was
    due, counted from the last look-up that said so.
    """
    last_known = in_progress_at(request) or request.changed_at
    return last_known + pause(request, last_known) + UNCLEAR_FOR


def pause(request: ActionRequest, moment: datetime) -> timedelta:
    """Return how long to wait after a check at this moment before the next one: half the time that the outcome has been
    unknown, but at least FIRST_RECHECK and at most MAX_PAUSE.
    """
    return min(max((moment - request.changed_at) / 2, FIRST_RECHECK), MAX_PAUSE)
