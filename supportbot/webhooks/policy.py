"""When a delivery is retried, and when an endpoint pauses or is given up. Pure."""

from datetime import datetime, timedelta
from typing import Final

# The attempts after the first: over about a day, as Standard Webhooks recommends.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=8),
    timedelta(hours=8),
)
MAX_REST: Final = timedelta(minutes=5)
GIVEN_UP_AFTER: Final = timedelta(days=3)


def next_attempt(attempts: int, moment: datetime) -> datetime | None:
    """Return when a delivery that failed `attempts` times is retried; None if it is given up."""
    return moment + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def rest_until(failures: int, moment: datetime) -> datetime:
    """Return until when nothing is sent to an endpoint after this many failures in a row."""
    return moment + min(timedelta(seconds=2 ** min(failures, 12)), MAX_REST)


def is_given_up(failing_since: datetime, moment: datetime) -> bool:
    """Return whether an endpoint has failed for so long without a success that it is switched off."""
    return moment - failing_since >= GIVEN_UP_AFTER


def is_success(status: int) -> bool:
    return 200 <= status < 300
