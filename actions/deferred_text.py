"""Sentences for the team that are stored or logged in English, and translated when they are shown."""

from collections.abc import Mapping
from typing import Any, Union

from django.utils.translation import gettext

from supportbot.team_formats import number

Value = Union[str, int, "DeferredText"]


class DeferredText(str):
    """An English sentence stored as a message (marked with `gettext_noop`) and its values, so that `translated` can
    show it in the reader's language. A value is a number, another deferred sentence, or external text, which stays
    untranslated.
    """

    message: str
    values: Mapping[str, Value]

    def __new__(cls, message: str, /, **values: Value) -> "DeferredText":
        plain = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        made = super().__new__(cls, message.format(**plain) if plain else message)
        made.message, made.values = message, values
        return made

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form that `from_json` reads."""
        values = {
            name: value.as_json() if isinstance(value, DeferredText) else value for name, value in self.values.items()
        }
        return {"message": self.message, "values": values}


def from_json(stored: Any) -> str:
    """Return a stored sentence. Earlier versions stored only the English sentence, which is returned as it is."""
    if not isinstance(stored, Mapping):
        return str(stored)
    values = {
        name: from_json(value) if isinstance(value, Mapping) else value for name, value in stored["values"].items()
    }
    return DeferredText(stored["message"], **values)


def deferred(message: str, /, **values: Value) -> DeferredText:
    """Return a message with its values as a deferred sentence, or the message itself if it already is one."""
    return message if isinstance(message, DeferredText) else DeferredText(message, **values)


def translated(text: str) -> str:
    """Return a sentence in the active language; text that is not a deferred sentence is returned as it is."""
    if not isinstance(text, DeferredText):
        return text
    values = {name: number(one) if isinstance(one, int) else translated(one) for name, one in text.values.items()}
    message = gettext(text.message)
    return message.format(**values) if values else message
