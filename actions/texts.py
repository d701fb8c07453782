"""Texts by locale."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def in_locale(texts: Mapping[str, T], locale: str) -> T:
    """Return the text of a locale, else of its language, else the English one, else the first."""
    for name in (locale, locale.partition("-")[0], "en"):
        if name in texts:
            return texts[name]
    return next(iter(texts.values()))
