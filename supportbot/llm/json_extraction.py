"""Extracts the JSON from a model's answer, ignoring any text around it. Pure."""

import json
from typing import Any, Final

TRIES: Final = 20  # opening brackets to try, since not all of them begin JSON
MAX_CHARACTERS: Final = 64 * 1024
_END_OF_THOUGHT: Final = "</think>"


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


def json_in(text: str) -> Any | None:
    """Return the first JSON object or list in the text, skipping fences, greetings and reasoning; None if there is
    none.
    """
    text = text[-MAX_CHARACTERS:].rpartition(_END_OF_THOUGHT)[2]
    place = -1
    for _ in range(TRIES):
        place = min((at for at in (text.find("{", place + 1), text.find("[", place + 1)) if at >= 0), default=-1)
        if place < 0:
            return None
        try:
            return _DECODER.raw_decode(text, place)[0]
        except (ValueError, RecursionError):
            continue
    return None
