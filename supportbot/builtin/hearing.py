"""What kind of message the customer wrote. The one place that knows the recognisers."""

from typing import Final, Literal

from supportbot.llm.extractive.person import accepts, asks_how_to_reach, wants_person
from supportbot.llm.extractive.smalltalk import courtesy_in
from supportbot.llm.wishes.answering import Step, next_step
from supportbot.llm.wishes.phrases import asks_back as asks_about_a_wish

__all__ = ["Step", "accepts", "asks_about_a_wish", "asks_how_to_reach", "courtesy", "next_step", "wants_person"]

Courtesy = Literal[
    "greeting", "thanks", "farewell", "acknowledgement", "complaint", "unclear", "who", "can_do", "how_are_you"
]
_NAMES: Final[dict[str, Courtesy]] = {
    "greeting": "greeting", "thanks": "thanks", "goodbye": "farewell", "upset": "complaint", "who": "who",
    "can_do": "can_do", "how_are_you": "how_are_you",
}  # fmt: skip


def courtesy(text: str) -> Courtesy | None:
    """Return which courtesy the whole message is, None if it says anything more: what is one is never searched for."""
    found = courtesy_in(text)
    return _NAMES[found] if found else None
