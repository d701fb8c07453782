"""The progress of calls that a system has accepted and carries out later.

A look-up says whether the system is still working on the call; `Attempt` keeps what the newest one said, and when one
last said so. A look-up that fails, or no longer says so, is repeated for a while before it counts.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Max
from django.utils.timezone import now

from actions.models import ActionRequest, Attempt

FIRST_RECHECK: Final = timedelta(seconds=5)
MAX_PAUSE: Final = timedelta(hours=1)
# A person has to check a call that a system works on for longer than this, and one that it no longer says it is working
# on, but neither that it is done: after the second time, in which a look-up that failed once is repeated.
IN_PROGRESS_FOR: Final = timedelta(hours=24)
UNCLEAR_FOR: Final = timedelta(seconds=30)


def note_look_up(request: ActionRequest, *, is_in_progress: bool) -> None:
    """Keep what a look-up has just said about a call whose outcome is unknown."""
    attempts = Attempt.objects.filter(request_id=request.pk)
    if is_in_progress:
        attempts.filter(number=request.attempt_count).update(is_in_progress=True, in_progress_at=now())
    else:
        attempts.filter(is_in_progress=True).update(is_in_progress=False)


def is_in_progress(request: ActionRequest) -> bool:
    """Return whether the system is known to be working on the call: the newest look-up said so, or an earlier one, and
    what followed is not yet repeated. This holds whatever the request's reason is: a person may already be checking.
    """
    newest_says_so = Attempt.objects.filter(request_id=request.pk, is_in_progress=True).exists()
    if request.reason_code == "in_progress" or newest_says_so:
        return True
    return in_progress_at(request) is not None and now() < unclear_from(request)


def is_overdue(request: ActionRequest) -> bool:
    """Return whether the call was sent so long ago that a person, who has been told, decides in any case."""
    sent_at: datetime | None = Attempt.objects.filter(request_id=request.pk).aggregate(at=Max("sent_at"))["at"]
    is_with_a_person = request.reason_code != "in_progress"
    return is_with_a_person and sent_at is not None and now() >= sent_at + IN_PROGRESS_FOR


def in_progress_at(request: ActionRequest) -> datetime | None:
    """Return when the system last said that it was working on a call of this request; None if it never did."""
    found: datetime | None = Attempt.objects.filter(request_id=request.pk).aggregate(at=Max("in_progress_at"))["at"]
    return found


def unclear_from(request: ActionRequest) -> datetime:
    """Return the time after which a call is no longer known to be in progress: a while after the look-up that followed
    the last one that said so.
    """
    last_known = in_progress_at(request) or request.changed_at
    return last_known + pause(request, last_known) + UNCLEAR_FOR


def pause(request: ActionRequest, moment: datetime) -> timedelta:
    """Return the time until the check that follows one at this moment: half of how long the outcome has been unknown,
    so little at first, and at most an hour.
    """
    return min(max((moment - request.changed_at) / 2, FIRST_RECHECK), MAX_PAUSE)
