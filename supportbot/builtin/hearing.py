"""What kind of message the customer wrote. The one place that knows the recognisers."""

from typing import Final, Literal, get_args

from supportbot.builtin import intents
from supportbot.builtin.actions.next_step import Step, next_step
from supportbot.builtin.actions.phrases import phrase_in

__all__ = ["Step", "accepts", "asks_about_a_wish", "asks_how_to_reach", "courtesy", "next_step", "wants_person"]

Courtesy = Literal[
    "greeting", "thanks", "farewell", "acknowledgement", "complaint", "unclear", "who", "can_do", "how_are_you"
]
_SURE: Final = 0.6


def courtesy(text: str) -> Courtesy | None:
    """Return which courtesy the whole message is, None if it says anything more: what is one is never searched for."""
    if text.strip() and text.isascii() and not any(sign.isalnum() for sign in text):
        return "how_are_you"  # "??"
    return next((name for name in get_args(Courtesy) if _is(name, text)), None)


def wants_person(text: str) -> bool:
    """Return whether the customer asks to be put in touch with a human being."""
    return _is("person", text)


def asks_how_to_reach(text: str) -> bool:
    """Return whether the customer asks how the team is reached: they are nearly there."""
    return _is("contact", text)


def accepts(text: str) -> bool:
    """Return whether the message is nothing but a yes."""
    return _is("affirm", text)


def asks_about_a_wish(text: str) -> bool:
    """Return whether a text of ours is about a wish: it asks for what is missing, or says how to go on."""
    return phrase_in(text) is not None


def _is(kind: str, text: str) -> bool:
    return bool(text.strip()) and intents.read(text).kinds.get(kind, 0.0) >= _SURE
