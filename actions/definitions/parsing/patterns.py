"""Checking the patterns that a definition sets for texts: a small subset of regular expressions that always runs fast.
A pattern comes from an editor or an imported file, and is applied to what customers write. So nested repetition is not
allowed, and the number of ways the pattern could match is limited.
"""

import re
from typing import Final

from django.utils.translation import gettext

MAX_CHARACTERS: Final = 200
MAX_TEXT: Final = 100  # characters of text with a pattern
_MOST_WAYS: Final = 1_200_000  # enough for three unbounded repetitions in 100 characters
_PIECE: Final = re.compile(
    r"""(?P<open>\((?:\?:)?)
      | (?P<close>\)) (?P<repeated>[*+?{])?
      | (?P<bar>\|)
      | (?P<atom>\[\^?\]?(?:[^\[\]\\]|\\[^A-Za-z0-9]|\\[dws])+\] | \\[dws] | \\[^A-Za-z0-9] | [^\\\[\](){}*+?|^$])
        (?P<times>[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})?""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)


def problem_of(pattern: str) -> str:
    """Return why a pattern may not be used, or ""."""
    if len(pattern) > MAX_CHARACTERS:
        return gettext("A pattern can have at most {most} characters.").format(most=MAX_CHARACTERS)
    ways, at, depth = 1, 0, 0
    while at < len(pattern):
        match = _PIECE.match(pattern, at)
        if match is None or match["repeated"]:
            text = gettext(
                "A pattern can contain letters, digits, [classes], \\d \\w \\s, groups (a|b), and * + ? {repetition} "
                "after a single character or class. Character {number} is none of these."
            )
            return text.format(repetition="{n,m}", number=at + 1)
        depth += bool(match["open"]) - bool(match["close"])
        if depth < 0 or (match["bar"] and not depth):
            return (
                gettext("Put alternatives in brackets: (a|b).") if match["bar"] else gettext("A ) has no ( before it.")
            )
        ways *= 2 if match["bar"] else _ways(match["times"] or "")
        at = match.end()
    if depth:
        return gettext("A ( has no ) after it.")
    if ways > _MOST_WAYS:
        return gettext(
            "A pattern can have at most three open repetitions (*, + or {n,}). Give the others a fixed number: {4}."
        )
    try:
        re.compile(pattern, re.ASCII)
    except re.error as error:
        return gettext("The pattern is not valid: {error}.").format(error=error)
    return ""


def _ways(times: str) -> int:
    """Return how many lengths a repetition can have."""
    if not times:
        return 1
    if times == "?":
        return 2
    fewest, comma, most = times.strip("{}").partition(",")
    if times in "*+" or (comma and not most):
        return MAX_TEXT + 1
    return max(1, int(most) - int(fewest) + 1) if comma else 1
