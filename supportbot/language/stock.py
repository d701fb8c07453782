"""Recognises whether a text is about what is in stock. Pure.

The words are data (`data/stock.json`). "Available" is not among them: delivery, a size or an offer may be available,
too.
"""

import json
from functools import cache
from pathlib import Path
from typing import Final

from supportbot.language.words import words

_DATA: Final = Path(__file__).parent / "data" / "stock.json"


def names_stock(text: str, language: str) -> bool:
    """Return whether a text names stock; False in a language without a list."""
    spaced = f" {' '.join(words(text))} "
    return any(phrase in spaced for phrase in _phrases().get(language, ()))


@cache
def _phrases() -> dict[str, tuple[str, ...]]:
    read: dict[str, list[str]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return {language: tuple(f" {' '.join(words(phrase))} " for phrase in listed) for language, listed in read.items()}
