"""Whether a clause asks what became of a wish: "did my refund go through?", "ist meine Bestellung storniert?" Pure."""

import re
from typing import Final

from supportbot.llm.wishes import stance

# A German "was" is a "what".
_BEGINS_AS_PAST: Final = re.compile(
    r"(?:(?:was|were|is|are) (?:my|our|the|it|this|that|order|i|you|\w*\d)|has|had|did|am i|wurde\w*|hat|haben"
    r"|have(?= (?:you|we|they|i)\b|.*\bbeen\b)"  # "have it cancelled" gives an order
    r"|habt|habe|(?:ist|sind|war|waren) (?:mein\w*|unser\w*|die|das|der|es|\w*\d)|bin ich)\b",
    re.IGNORECASE,
)
# "Are you able to get it cancelled?", "Did I say that I want it cancelled?"
_IS_A_WISH: Final = re.compile(r"\b(?:able|want\w*|need\w*|would like|möchte\w*|will|wollte\w*)\b", re.IGNORECASE)
_DONE: Final = re.compile(
    r"^did\b|\b(?:\w+ed|gone|through|successful|complete|done|out|durch|erfolgreich|fertig|raus|da|\w+iert"
    r"|\w*(?:stattet|ändert|zahlt|wiesen|führt|arbeitet|gangen|kommen|ledigt|nehmigt|anlasst|leitet|bucht))\b",
    re.IGNORECASE,
)
_SELF: Final = re.compile(r"\b(?:i|me|we|us|you|ich|mir|mich|wir|uns|ihr|haben sie)\b", re.IGNORECASE)


def asks_if_done(text: str) -> bool:
    """Return whether a clause without its fillers asks if something has been done, and not how it is done."""
    asked = text.partition(" ")[2]  # without the English "was"
    is_past = _BEGINS_AS_PAST.match(text) is not None and _DONE.search(text) is not None
    return is_past and not (_IS_A_WISH.search(text) or stance.is_about(asked, is_asked=True))


def speaks_of_self(text: str) -> bool:
    """Return whether it is about the customer, or what we did for them."""
    return _SELF.search(text) is not None
