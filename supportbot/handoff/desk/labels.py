"""The desk's labels for reasons, durations and people. Pure."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, gettext_noop, ngettext

from supportbot.accounts.models import User
from supportbot.handoff.models import Reason, Requester, Ticket

REASONS: Final = {
    Reason.CUSTOMER_ASKED: gettext_noop("Asked for a person"),
    Reason.NO_ANSWER: gettext_noop("Not covered by our articles"),
    Reason.ACTION: gettext_noop("An action needs a person"),
    Reason.GUARDRAIL: gettext_noop("Stopped by a safety rule"),
    Reason.MODEL_DOWN: gettext_noop("The assistant was unavailable"),
    Reason.OTHER: gettext_noop("Other reason"),
}
REQUESTERS: Final = {
    Requester.CUSTOMER: gettext_noop("Requested by the customer"),
    Requester.ASSISTANT: gettext_noop("Requested by the assistant"),
    Requester.GUARDRAIL: gettext_noop("Requested by a safety rule"),
    Requester.RULE: gettext_noop("Requested by a rule"),
    Requester.AGENT: gettext_noop("Requested by a colleague"),
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
    """Return a duration in its largest unit, rounded down, such as `now`, `5 min`, `2 h` or `3 days`."""
    minutes = int(time.total_seconds() // 60)
    if minutes < 1:
        return gettext("now")
    if minutes < 60:
        return gettext("{number} min").format(number=minutes)
    if minutes < 24 * 60:
        return gettext("{number} h").format(number=minutes // 60)
    days = minutes // (24 * 60)
    return ngettext("{number} day", "{number} days", days).format(number=days)


def initials(name: str) -> str:
    """Return a name's initials, at most two: "ML" for `Mara Lindner`."""
    words = [word for word in name.split() if word[0].isalnum()]
    letters = [word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)]
    return "".join(letters).upper()


def first_name(person: User) -> str:
    """Return a colleague's first name."""
    return person.display_name.partition(" ")[0]


def avatar_hue(person: UUID) -> int:
    """Return the number of a person's avatar colour, from 1 to 4. A person always gets the same number."""
    return person.int % HUE_COUNT + 1


def reason_label(ticket: Ticket) -> str:
    return gettext(REASONS[Reason(ticket.reason)])


def requester_label(ticket: Ticket) -> str:
    return gettext(REQUESTERS[Requester(ticket.requested_by)])
