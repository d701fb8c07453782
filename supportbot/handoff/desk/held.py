"""What the checks found in an answer, as the team reads it: at the desk, in the console and beside a draft. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from supportbot.chat.answers import Withheld
from supportbot.chat.readings import Reading

WHY: Final = {
    "figure": "a figure that no article holds",
    "link": "a link that no article holds",
    "secret": "our instructions, a key or a card number",
    "disguise": "look-alike letters",
    "deed": "a deed or a promise that is not on record",
    "listing": "code or commands that no article holds",
    "cut_off": "cut off in mid-sentence",
    "contradicted": "the articles say otherwise",
    "unconfirmed": "the articles do not bear the answer as a whole",
    "unsupported": "far from anything the articles say",
    "repeated": "said again and again",
    "little_support": "little of it stands in the articles",
}
OTHERWISE: Final = "it failed a check"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A sentence that customers never read; `support` is between 0 and 1, None where nobody could tell."""

    text: str
    why: str
    support: float | None


def held_back(withheld: Sequence[Withheld]) -> tuple[HeldBack, ...]:
    """Return what was withheld of an answer, with the check in words."""
    return tuple(HeldBack(one.text.strip(), why(one.code), one.score) for one in withheld)


def why(code: str) -> str:
    """Return a check in words."""
    return WHY.get(code, OTHERWISE)


def verdict(reading: Reading | None) -> str:
    """Return whether the articles confirm an answer, in words; empty for one that claims nothing."""
    if reading is None or reading.is_confirmed is None:
        return ""
    return "Our articles confirm it" if reading.is_confirmed else "Our articles do not confirm it"
