"""How pages write a duration."""

from datetime import timedelta
from typing import Final

from django.utils.translation import gettext, gettext_noop

from supportbot.team_formats import number

_UNITS: Final = (
    (86400, 3600, gettext_noop("{many} d"), gettext_noop("{many} d {rest} h")),
    (3600, 60, gettext_noop("{many} h"), gettext_noop("{many} h {rest} min")),
    (60, 1, gettext_noop("{many} min"), gettext_noop("{many} min {rest} s")),
)


def in_words(took: timedelta | None) -> str:
    """Return "1.3 s", "52 s", "1 min 52 s", "2 h 5 min" or "3 d 4 h"; "–" for None."""
    if took is None:
        return "–"
    seconds = max(took.total_seconds(), 0.0)
    if seconds < 10:
        return gettext("{number} s").format(number=number(seconds, decimals=1))
    whole = round(seconds)
    for size, small_size, even, with_rest in _UNITS:
        if whole >= size:
            many, rest = whole // size, whole % size // small_size
            return gettext(with_rest if rest else even).format(many=many, rest=rest)
    return gettext("{number} s").format(number=whole)
