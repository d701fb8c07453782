"""Slips of the keyboard in what a customer wishes, put right by the words of the actions' own examples. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from supportbot.language.spelling import as_written, counted, meant_by
from supportbot.llm.extractive.words import STOP_WORDS
from supportbot.llm.types import ToolSpec
from supportbot.llm.wishes.concepts import KNOWN, mentions_in
from supportbot.llm.wishes.values import without_values

_WORD: Final = re.compile(r"(?<![\w-])[^\W\d_]{4,40}(?![\w-])")


def without_slips(text: str, tools: Sequence[ToolSpec]) -> str:
    """Return the text as it was meant. One with a figure beside its order numbers may hold an address: it stays."""
    if any(sign.isdigit() for sign in without_values(text)):
        return text
    known = tuple(tools)
    return _WORD.sub(lambda match: as_written(_meant(match.group().lower(), known), match.group()), text)


@lru_cache(maxsize=4_096)
def _meant(word: str, tools: tuple[ToolSpec, ...]) -> str:
    """Return what a word in small letters is a slip of, "" if it is none."""
    if word in STOP_WORDS or any(mention.concept in KNOWN for mention in mentions_in(word)):
        return ""
    return meant_by(word, _words_of(tools))


@lru_cache(maxsize=64)
def _words_of(tools: tuple[ToolSpec, ...]) -> Mapping[str, int]:
    words: Counter[str] = Counter()
    for example in (example for tool in tools for example in tool.examples):
        words += counted(without_values(example))
    return words
