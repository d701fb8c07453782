"""What the built-in answerer says in its own words (`data/phrases.*.json`), and what of it is known again.

Short, plain, honest; no promise that it cannot keep.
"""

import re
from functools import cache
from typing import Final, Literal

from supportbot.builtin.hearing import asks_about_a_wish
from supportbot.builtin.pieces import sentences
from supportbot.language.phrases import Phrases
from supportbot.language.sentences import unmarked

Phrase = Literal[
    "offer", "not_found", "nothing_on", "foreign_page", "goes_on", "to_person", "no_person", "greeting", "thanks",
    "farewell", "acknowledgement", "complaint", "unclear", "who", "can_do", "how_are_you",
    "wants", "last_said", "answered", "nothing_said",
]  # fmt: skip

PHRASES: Final = Phrases("supportbot.builtin", "phrases")
_ASKING: Final[tuple[Phrase, ...]] = ("unclear", "acknowledgement")
_VALUE_MOST: Final = 300


def say(phrase: Phrase, language: str, /, **values: str) -> str:
    """Return a phrase in `language`, in English where we have no other."""
    return PHRASES.say(phrase, language, **values)


def language_name(of: str, language: str) -> str:
    """Return what `language` calls the language `of`."""
    texts = PHRASES.by_language.get(language, PHRASES.by_language["en"])
    return texts.get(f"language_{of}", texts["language_other"])


def names_the_way_to_a_person(text: str) -> bool:
    """Return whether `text` tells how a person is reached, and nothing else."""
    return text in PHRASES.in_all("no_person")


def is_offer_of_a_person(text: str) -> bool:
    """Return whether `text` ends in our question whether to talk to a person."""
    return text.rstrip().endswith(tuple(PHRASES.in_all("offer")))


def asks_back(text: str) -> bool:
    """Return whether `text` asks the customer for more: what a wish lacks, or what their trouble is."""
    return any(text in PHRASES.in_all(phrase) for phrase in _ASKING) or asks_about_a_wish(text)


def is_ours(sentence: str) -> bool:
    """Return whether a sentence is one of ours, word for word but for the values in it: it states no fact."""
    said = unmarked(sentence).strip()
    return any(pattern.fullmatch(said) for pattern in _sentences())


@cache
def _sentences() -> tuple[re.Pattern[str], ...]:
    texts = (text for phrases in PHRASES.by_language.values() for text in phrases.values())
    return tuple(map(_pattern, {unmarked(sentence) for text in texts for sentence in sentences(text)}))


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", rf"[^\\n]{{1,{_VALUE_MOST}}}?", re.escape(text)))
