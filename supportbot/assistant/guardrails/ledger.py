"""Whether a sentence about something done says what the ledger says, and nothing beside it. Pure.

It is compared with our own words for requests that have succeeded. Each of its words must stand there or in a short
list of words that carry no news, each of its numbers there, and at least one number must: so it cannot add a "today",
another amount, another order, a "not" or a deed of another kind. The number in an order's name is none without the rest
of the name: "a refund of 20410" says another thing than "for order WF-20410".
"""

import re
from collections.abc import Iterable
from typing import Final

from supportbot.assistant.guardrails.quantities import Quantity, currencies_in, quantities_in
from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import stem

_PART: Final = re.compile(r"[^\W_]+")
_NUMBERED: Final = re.compile(r"(?<![\w-])[\w-]*\d[\w-]*(?:[.,]\d+)*")  # "79.00", "WF-20410"
_DASHES: Final = str.maketrans("‐‑‒–", "----")
# No word of time but the past, no place where money arrives, no "more", "again", "not" or "all".
_NEUTRAL: Final = word_set(
    "i we you your the a an of for to from with under in on it its this that and was were is are has have had been "
    "number reference amount totalling total done made issued completed complete processed successfully already yes "
    "ich wir sie ihr ihre ihrer ihren ihnen der die das den dem des ein eine einer eines von vom für über mit unter in "
    "es und wurde wurden worden ist sind hat haben habe nummer referenz betrag höhe lautet erledigt ausgeführt "
    "durchgeführt abgeschlossen veranlasst erfolgreich bereits ja "
    "eur euro euros usd dollar dollars gbp pound pounds chf franken"
)


def is_on_record(sentence: str, done: Iterable[str]) -> bool:
    """Return whether the sentence only repeats one of our own words for what was done."""
    numbers = quantities_in(sentence)
    words = {part for part in _PART.findall(sentence.lower()) if not part.isdigit()} - _NEUTRAL
    return bool(numbers) and any(
        numbers <= quantities_in(text)
        and currencies_in(sentence) <= currencies_in(text)
        and _names_in(sentence, numbers) <= _numbered(text)
        and _holds(text, words)
        for text in done
    )


def _names_in(sentence: str, numbers: set[Quantity]) -> set[str]:
    """Return what has a number in it but for amounts, which are compared as such: "€79" is "79,00 €"."""
    return {name for name in _numbered(sentence) if not numbers.isdisjoint(quantities_in(name))}


def _numbered(text: str) -> set[str]:
    return set(_NUMBERED.findall(text.lower().translate(_DASHES)))


def _holds(text: str, words: set[str]) -> bool:
    known = {stem(part) for part in _PART.findall(text.lower())}
    return all(stem(word) in known for word in words)
