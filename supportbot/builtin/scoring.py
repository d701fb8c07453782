"""Which units of the retrieved passages answer the question. Pure.

A unit earns by the rare words it shares with the question, its heading and title by the same at a discount, and by how
near its meaning is, where that was measured. Search has already weighed the passages: that speaks for all units of a
passage, and decides alone where question and passage share no words.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supportbot.builtin.units import Unit
from supportbot.language.detection import base_language
from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import STOP_WORDS, common_terms, likeness, stem, words

HEADING_SHARE = 0.35
SOURCE_WEIGHT = 0.3
# What the nearest in meaning earns; the farthest that was measured earns nothing, since every embedding model has its
# own band of cosines. Chosen on two help centres (bench/quotes.py); anything from 0.6 to 1.2 does about as well.
NEARNESS_WEIGHT = 0.7
OTHER_LANGUAGE_SHARE = 0.6
KIND_OF_ANSWER_BONUS = 0.12
OPENING_BONUS = 0.05
NO_ANSWER_SHARE = 0.4
# "We do not ship to other countries outside Switzerland" is no answer to "do you ship to Switzerland?"
UNASKED_NO_SHARE = 0.9
EXCEPTED_SHARE = 0.7
UNASKED_ROW_SHARE = 0.75  # a row is a figure: it answers who asks for one
UNASKED_STEP_SHARE = 0.8  # a step answers who asks how, and not who asks for the whole of a subject
NEWEST_WEIGHT = 2.0  # of a follow-up's own words beside those it leans on: "And to Austria?" is no more about Italy
OVERVIEW_BONUS = 0.25  # where no more than a subject is named, a page's first sentence is its sum
SHORT_WORDS, SHORT_SHARE = 4, 0.6
LONG_WORDS, LONG_SHARE = 60, 0.8

_TIME = re.compile(
    r"\d.{0,20}\b(?:minute|hour|day|week|month|year|stunde|tag|werktag|woche|monat|jahr|uhr)|\d{1,2}:\d\d"
    r"|\b\d{1,2}\.? (?:jan|feb|mar|mär|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])",
    re.I,
)
_AMOUNT = re.compile(r"[€$£¥]|\b(?:eur|euro|usd|free|kostenlos|gratis|percent|prozent)\b|\d ?%", re.I)
_ABOUT_THE_PAGE = re.compile(
    r"\b(?:this (?:page|article|guide|section) (?:says|explains|describes|covers|shows|tells|lists|is about)|"
    r"diese (?:seite|anleitung|übersicht) (?:sagt|erklärt|beschreibt|zeigt|nennt)|dieser artikel|auf dieser seite|"
    r"on this page|in this article)\b"
    r"|^(?:learn|find out|read) (?:how|what|more|about)\b|^see (?!if|that|whether)|^(?:erfahren sie|lesen sie|siehe)\b",
    re.I,
)
_NO = re.compile(r"\b(?:not|never|cannot|no longer|neither|nor|\w+n['’]t|nicht|nie|niemals|kein\w*|weder)\b", re.I)
_ASKS_TIME = re.compile(
    r"\b(?:how long|how (?:many|much) (?:days|time)|when|until|deadline|wie lange|wann|bis wann|frist|dauert)\b", re.I
)
# "Not outside the EU and Switzerland" says nothing against Switzerland: what it excepts is not what it speaks of.
_EXCEPTED = re.compile(
    r"\b(?:outside|except(?: for)?|other than|apart from|besides|außerhalb|außer|ausgenommen|abgesehen von)\b"
    r"[^.,;:()]*",
    re.I,
)
# What a question for the whole of a subject is made of beside the subject.
_OVERVIEW = word_set(
    "policy policies rule rules information info infos details conditions terms overview regelung regelungen regeln "
    "bedingungen informationen überblick richtlinie richtlinien"
)
# "How long does it take" asks for a time; its verb would find "we cannot take it back".
_TAKES_LONG = re.compile(r"(\bhow long\b.*?)\btakes?\b", re.I)
_ASKS_AMOUNT = re.compile(
    r"\b(?:how much|cost|costs|price|fee|fees|charge|wie ?viel|kostet|kosten|preis|gebühr|gebühren|teuer)\b", re.I
)
_OVERVIEW_STEMS = frozenset(map(stem, _OVERVIEW))


@dataclass(frozen=True, slots=True)
class Scored:
    """`match` is what the unit's own words and headings earn; `score` adds what speaks for its place and form."""

    unit: Unit
    score: float
    match: float


def rank(
    question: str, units: Sequence[Unit], *, language: str, nearness: Mapping[str, float], newest: str = ""
) -> list[Scored]:
    """Return the units with their scores, best first; only the order and the ratio to the best have a meaning.

    `nearness` holds the cosine of some units' texts to the question; `newest` is what of it was said last.
    """
    asked = list(dict.fromkeys(common_terms(_TAKES_LONG.sub(r"\1", question))))
    asked = [term for term in asked if term not in _OVERVIEW_STEMS] or asked
    found = [common_terms(_without_exceptions(unit.text)) for unit in units]
    weights, near = _weights(asked, found, common_terms(newest) if newest != question else ()), _spread(nearness)
    own = [
        _share(weights, unit_terms) + NEARNESS_WEIGHT * near.get(unit.text, 0.0)
        for unit, unit_terms in zip(units, found, strict=True)
    ]
    scored = [_scored(unit, earned, weights, question, language) for unit, earned in zip(units, own, strict=True)]
    return sorted(scored, key=lambda entry: -entry.score)


def _spread(nearness: Mapping[str, float]) -> dict[str, float]:
    """Return the cosines between 0 for the farthest and 1 for the nearest; nothing if they do not differ."""
    least, most = min(nearness.values(), default=0.0), max(nearness.values(), default=0.0)
    return {text: (cosine - least) / (most - least) for text, cosine in nearness.items()} if most > least else {}


def _without_exceptions(text: str) -> str:
    return _EXCEPTED.sub("", text) if _NO.search(text) else text


def _excepts(text: str, weights: Mapping[str, float]) -> bool:
    """Return whether a text names something that was asked for in its exception alone."""
    excepted = common_terms(" ".join(_EXCEPTED.findall(text)))
    return not weights.keys().isdisjoint(set(excepted).difference(common_terms(_EXCEPTED.sub("", text))))


def _weights(asked: Sequence[str], found: Sequence[Sequence[str]], newest: Sequence[str]) -> dict[str, float]:
    """Return each asked term's share of the whole: a rare one weighs more, one that is in no unit was still asked."""
    inverse = {}
    for term in asked:
        hits = sum(any(likeness(term, other) for other in unit_terms) for unit_terms in found)
        inverse[term] = math.log(1 + (len(found) + 1) / (hits + 0.5)) * (NEWEST_WEIGHT if term in newest else 1.0)
    total = sum(inverse.values()) or 1.0
    return {term: weight / total for term, weight in inverse.items()}


def _scored(unit: Unit, own: float, weights: dict[str, float], question: str, language: str) -> Scored:
    of_heading = _share(weights, common_terms(f"{unit.source.title} {unit.heading}"))
    match = own + HEADING_SHARE * of_heading + _bonus(unit, question)
    share = _form_share(unit)
    if unit.kind == "row" and not (_ASKS_TIME.search(question) or _ASKS_AMOUNT.search(question)):
        share *= UNASKED_ROW_SHARE
    if unit.kind == "step" and asks_for_the_whole(question):
        share *= UNASKED_STEP_SHARE
    if _NO.search(unit.text) and not _NO.search(question):
        share *= UNASKED_NO_SHARE
        if _excepts(unit.text, weights):
            share *= EXCEPTED_SHARE
    if base_language(unit.source.locale) != language:
        share *= OTHER_LANGUAGE_SHARE
    return Scored(unit, (match + SOURCE_WEIGHT * unit.source.weight) * share, match * share)


def _share(weights: dict[str, float], found: Sequence[str]) -> float:
    """Return which share of the question's weight these terms cover."""
    return sum(
        weight * max((likeness(term, other) for other in found), default=0.0) for term, weight in weights.items()
    )


def _bonus(unit: Unit, question: str) -> float:
    bonus = OPENING_BONUS if unit.position == 0 else 0.0
    if unit.position == 0 and not unit.heading and asks_for_the_whole(question):
        bonus = OVERVIEW_BONUS
    if _ASKS_TIME.search(question) and _TIME.search(unit.text):
        bonus += KIND_OF_ANSWER_BONUS
    if _ASKS_AMOUNT.search(question) and _AMOUNT.search(unit.text):
        bonus += KIND_OF_ANSWER_BONUS
    return bonus


def asks_for_the_whole(question: str) -> bool:
    """Return whether a question names a subject and nothing about it: "returns?", "What is your return policy?"."""
    said = [word for word in words(question) if word not in STOP_WORDS]
    return len(said) == 1 or (len(said) <= 3 and not _OVERVIEW.isdisjoint(said))


def is_about_the_page(text: str) -> bool:
    """Return whether a sentence tells what the page is about, and so answers nothing."""
    return _ABOUT_THE_PAGE.search(text) is not None


def _form_share(unit: Unit) -> float:
    """Return what the form leaves: questions, code and mere pointers answer nothing, a wall of text is not read."""
    is_no_answer = unit.kind in ("header", "code") or unit.is_pointer or unit.text.endswith("?")
    if is_no_answer or is_about_the_page(unit.text):
        return NO_ANSWER_SHARE
    count = len(words(unit.text))
    if count < SHORT_WORDS and unit.kind in ("sentence", "item"):
        return SHORT_SHARE
    return LONG_SHARE if count > LONG_WORDS else 1.0
