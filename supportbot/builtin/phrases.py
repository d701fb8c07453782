"""What the built-in answerer says in its own words (`data/phrases.*.json`), and what of it is known again.

Short, plain, honest; no promise that it cannot keep. Around a wish it asks and points at the card, and never says that
something was done: each such sentence is a question or a courtesy, so it needs no source. A conversation is the only
memory of what was asked.
"""

import re
from functools import cache
from typing import Final, Literal, get_args

from supportbot.language.phrases import Phrases, pattern_of
from supportbot.language.sentences import sentences_of, unmarked

AroundAWish = Literal[
    "which_of_these", "order_number", "amount", "address", "other", "choice", "sign_in", "use_card",
    "left_alone", "meant",
]  # fmt: skip
Courtesy = Literal[
    "greeting", "thanks", "farewell", "acknowledgement", "complaint", "unclear", "who", "can_do", "how_are_you"
]
Phrase = Literal[
    AroundAWish, Courtesy, "only_asks", "no_reason", "offer", "not_found", "nothing_on", "foreign_page", "goes_on",
    "to_person", "no_person", "wants", "last_said", "answered", "nothing_said",
]  # fmt: skip

PHRASES: Final = Phrases("supportbot.builtin", "phrases")


def say(phrase: Phrase, language: str, /, **values: str) -> str:
    """Return a phrase in `language`, in English where we have no other."""
    return PHRASES.say(phrase, language, **values)


def language_name(of: str, language: str) -> str:
    """Return what `language` calls the language `of`."""
    return PHRASES.named(f"language_{of}", language) or PHRASES.say("language_other", language)


def field_name(name: str, language: str) -> str:
    """Return how a question calls a field of an action, or what stands before a date of an order."""
    return PHRASES.named(f"field_{name}", language) or name.replace("_", " ")


def field_title(name: str, language: str) -> str:
    """Return what stands beside a field of a form."""
    plain = name.replace("_", " ")
    return PHRASES.named(f"title_{name}", language) or f"{plain[:1].upper()}{plain[1:]}"


def titles_of(name: str) -> frozenset[str]:
    """Return what stands beside a field of a form, in any of our languages."""
    return frozenset(field_title(name, language) for language in PHRASES.by_language)


def phrase_in(text: str) -> AroundAWish | None:
    """Return what a text of the assistant says around a wish; None if it says nothing of the kind."""
    phrases: tuple[AroundAWish, ...] = get_args(AroundAWish)
    return next((phrase for phrase in phrases if any(said.search(text) for said in PHRASES.patterns(phrase))), None)


def only_asks(text: str) -> bool:
    """Return whether a text is what our button says for a question that was no wish."""
    return text.strip() in PHRASES.in_all("only_asks")


def names_the_way_to_a_person(text: str) -> bool:
    """Return whether `text` tells how a person is reached, and nothing else."""
    return text in PHRASES.in_all("no_person")


def is_offer_of_a_person(text: str) -> bool:
    """Return whether `text` ends in our question whether to talk to a person."""
    return text.rstrip().endswith(tuple(PHRASES.in_all("offer")))


def is_small_talk(text: str) -> bool:
    """Return whether `text` is what we answer to a courtesy: nothing was asked, so nothing is left unanswered."""
    return any(text in PHRASES.in_all(courtesy) for courtesy in get_args(Courtesy))


def asks_back(text: str) -> bool:
    """Return whether `text` asks the customer for what a wish lacks."""
    return phrase_in(text) is not None


def is_ours(sentence: str) -> bool:
    """Return whether a sentence is one of ours, word for word but for the values in it: it states no fact."""
    said = unmarked(sentence).strip()
    return any(pattern.fullmatch(said) for pattern in _sentences())


@cache
def _sentences() -> tuple[re.Pattern[str], ...]:
    texts = {text for phrase in get_args(Phrase) for text in PHRASES.in_all(phrase)}
    return tuple(map(pattern_of, {unmarked(said).strip() for text in texts for said in sentences_of(text)}))
