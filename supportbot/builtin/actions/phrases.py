"""What the built-in answerer says around a wish (`data/actions.*.json`). It asks and points at the card; it never says
that something was done.

Each sentence is a question or a courtesy, so it needs no source; and each can be known again in the conversation,
which is the only memory of what was asked.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, get_args

from supportbot.builtin.intents import DATA
from supportbot.language.phrases import Phrases

Phrase = Literal[
    "which_of_these", "order_number", "amount", "address", "address_part", "other", "choice", "sign_in", "use_card",
    "left_alone", "meant", "only_asks", "no_reason",
]  # fmt: skip
PHRASES: Final = Phrases("supportbot.builtin", "actions")


@cache
def words_known() -> Mapping[str, Any]:
    """Return the words of places in a list, in all our languages."""
    words: Mapping[str, Any] = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
    return words


def say(phrase: Phrase, language: str, /, **values: str) -> str:
    """Return a phrase in the language, in English where we have no other."""
    return PHRASES.say(phrase, language, **values)


def field_name(name: str, language: str) -> str:
    """Return how a question calls a field of an action, or what stands before a date of an order."""
    texts = PHRASES.by_language.get(language, PHRASES.by_language["en"])
    return texts.get(f"field_{name}", name.replace("_", " "))


def field_title(name: str, language: str) -> str:
    """Return what stands beside a field of a form."""
    texts = PHRASES.by_language.get(language, PHRASES.by_language["en"])
    plain = name.replace("_", " ")
    return texts.get(f"title_{name}", f"{plain[:1].upper()}{plain[1:]}")


def titles_of(name: str) -> frozenset[str]:
    """Return what stands beside a field of a form, in any of our languages."""
    return frozenset(field_title(name, language) for language in PHRASES.by_language)


def phrase_in(text: str) -> Phrase | None:
    """Return which of our phrases a text of the assistant holds; None if it says nothing of ours."""
    return next((phrase for phrase, pattern in _ours() if pattern.search(text)), None)


def only_asks(text: str) -> bool:
    """Return whether a text is what our button says for a question that was no wish."""
    return text.strip() in PHRASES.in_all("only_asks")


def title_in(text: str) -> str:
    """Return the title that our question names, whether it was meant; "" if we did not ask that."""
    found = (pattern.search(text) for phrase, pattern in _ours() if phrase == "meant")
    return next((match[1] for match in found if match), "")


@cache
def _ours() -> tuple[tuple[Phrase, re.Pattern[str]], ...]:
    asked = [phrase for phrase in get_args(Phrase) if phrase not in ("only_asks", "no_reason")]
    return tuple((phrase, _pattern(text)) for phrase in asked for text in PHRASES.in_all(phrase))


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "(.{1,200}?)", re.escape(text)))
