"""The desk's labels for reasons, durations and people. Pure."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from supportbot.accounts.models import User
from supportbot.handoff.models import Reason, Ticket

REASONS: Final = {
    Reason.CUSTOMER_ASKED: "Asked for a person",
    Reason.NO_ANSWER: "Not covered by our articles",
    Reason.ACTION: "An action needs a person",
    Reason.GUARDRAIL: "Stopped by a safety rule",
    Reason.MODEL_DOWN: "The assistant was unavailable",
    Reason.OTHER: "Other reason",
}
REASON_ICONS: Final = {
    Reason.CUSTOMER_ASKED: "person",
    Reason.NO_ANSWER: "book",
    Reason.ACTION: "shield",
    Reason.GUARDRAIL: "lock",
    Reason.MODEL_DOWN: "alert",
    Reason.OTHER: "flag",
}
HUE_COUNT: Final = 4


def duration_label(time: timedelta) -> str:
    """Return a duration in its largest unit, rounded down: `now`, `5 min`, `2 h`, `3 days`."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h"
    days = minutes // (24 * 60)
    return "1 day" if days == 1 else f"{days} days"


def initials(name: str) -> str:
    """Return a name's initials, at most two: `Mara Lindner` is ML."""
    words = [word for word in name.split() if word[0].isalnum()]
    letters = [word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)]
    return "".join(letters).upper()


def first_name(person: User) -> str:
    """Return a colleague's first name."""
    return person.display_name.partition(" ")[0]


def avatar_hue(person: UUID) -> int:
    """Return the number of a person's avatar colour, 1 to 4, always the same for one person."""
    return person.int % HUE_COUNT + 1


def reason_label(ticket: Ticket) -> str:
    return REASONS[Reason(ticket.reason)]
