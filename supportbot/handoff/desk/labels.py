"""The desk's labels for durations and people. Pure."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, ngettext

from supportbot.accounts.models import User

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
