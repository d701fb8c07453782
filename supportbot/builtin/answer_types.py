"""Recognises the kind of figure that a question asks for, such as an amount or a duration, and whether the pieces to
quote contain one. Pure.

However similar a piece is to the question, it does not answer "How much is the jacket?" if it contains no amount.
`scripts/train_answer_types.py` trains the model on our own rows in six languages (`data/answer_types.jsonl`) and on the
rows of the intents. The model reads only words, so in other languages, questions rarely seem to ask for a figure, and
nothing changes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, Literal, get_args

import numpy as np

from supportbot.builtin.intents import DATA, FEATURE_WORDS_MOST, normalised
from supportbot.builtin.quoting import to_quote
from supportbot.builtin.ranking import Ranked, ranked
from supportbot.language.blocks import Kind
from supportbot.language.classifiers import Linear, hashed_features, linear_in
from supportbot.language.detection import base_language, detect
from supportbot.language.figure_vocabulary import units_of
from supportbot.language.figures import Figure, all_figures_in, known_figures
from supportbot.language.normalise import fold_homoglyphs
from supportbot.language.operators import operators
from supportbot.language.words import stop_words, words
from supportbot.llm.types import ModelRequest

AnswerType = Literal["other", "money", "duration", "weight", "size", "count", "temperature"]
TYPES: Final[tuple[AnswerType, ...]] = get_args(AnswerType)
OTHER: Final[AnswerType] = "other"
CERTAIN_FROM: Final = 0.5  # minimum probability of a kind
# The share of the best piece's score that the next one of its page needs, if only the next one contains the figure.
FIGURE_SHARE: Final = 0.35
_TYPES_OF_UNITS: Final[Mapping[str, AnswerType]] = {
    "second": "duration", "month": "duration",
    "milligram": "weight", "ounce": "weight", "pound": "weight",
    "millimetre": "size", "inch": "size", "foot": "size", "yard": "size", "mile": "size",
    "millilitre": "size", "gallon": "size", "square_metre": "size",
    "celsius": "temperature", "fahrenheit": "temperature",
}  # fmt: skip
_SHORT_WORD: Final = re.compile(r"[ \u00a0]?([^\W\d_]{1,4})\b")  # perhaps an unknown unit, as in "420 g"
_COMPOUND: Final = re.compile(r"\w+(?:-\w+)+")  # "free-standing" does not mean that it costs nothing
_TIMES: Final = frozenset({"minute", "hour", "day", "night", "week", "month", "year"})
_TYPES_OF_OPERATORS: Final[Mapping[str, frozenset[AnswerType]]] = {
    "free": frozenset({"money"}), "none": frozenset({"count"}),
    "before": frozenset({"duration"}), "once": frozenset({"duration"}), "always": frozenset({"duration", "count"}),
    "twice": frozenset({"count"}), "all": frozenset({"count"}),
}  # fmt: skip
_COSTS_NOTHING: Final = frozenset({"none", "paid"})  # "it costs you nothing", but not "we have no shop"


def lacks_figure(request: ModelRequest) -> bool:
    """Return whether the question seems to ask for a kind of figure that none of the pieces to quote contains."""
    asked = asked_type(request.question, weights_shipped())
    if asked == OTHER:
        return False
    language = detect(request.question, base_language(request.locale))
    entries = _with_figure(ranked(request), request.question, language, asked)
    return bool(entries) and not any(asked in types_in(entry) for entry in entries)


def figure_first(entries: Sequence[Ranked], question: str, language: str) -> list[Ranked]:
    """Return the pieces to quote of these ranked ones, beginning with one that contains the kind of figure that the
    question asks for. Pieces of one passage stay in reading order.
    """
    asked = asked_type(question, weights_shipped())
    entries = _with_figure(entries, question, language, asked)
    if asked == OTHER or len({entry.piece.source.number for entry in entries}) < 2:
        return list(entries)
    first = next((entry for entry in entries if asked in types_in(entry)), entries[0])
    return [first, *(entry for entry in entries if entry is not first)]


def _with_figure(entries: Sequence[Ranked], question: str, language: str, asked: AnswerType) -> list[Ranked]:
    """Return the pieces to quote. If only the best piece would be quoted and it lacks the kind of figure asked for, the
    next one is quoted, too, provided that it is from the same page and contains such a figure: "This page tells you
    what shipping costs" only resembles the question.
    """
    chosen = to_quote(entries, question, language)
    if asked == OTHER or len(chosen) != 1 or asked in types_in(chosen[0]) or len(entries) < 2:
        return chosen
    best, second = entries[:2]
    is_near = second.piece.source.title == best.piece.source.title and second.score >= FIGURE_SHARE * best.score
    return [best, second] if is_near and chosen == [best] and asked in types_in(second) else chosen


def asked_type(question: str, weights: Linear) -> AnswerType:
    """Return the kind of figure that a question asks for; "other" if it asks for none or if the kind is not certain."""
    plain = fold_homoglyphs(normalised(question))
    chances = weights.chances(hashed_features(plain, most=FEATURE_WORDS_MOST))
    best = int(chances.argmax())
    return TYPES[best] if chances[best] >= CERTAIN_FROM else OTHER


def types_in(entry: Ranked) -> frozenset[str]:
    """Return the kinds of the figures in a piece, including those expressed in words in its best line."""
    piece = entry.piece
    language = base_language(piece.source.locale)
    found = types_of_figures(f"{piece.heading}\n{piece.lead}\n{piece.text}", language)
    if piece.kind is Kind.TABLE and "count" in found:  # a number's unit may be in the name of its column
        return frozenset(TYPES)
    return found | types_in_words(entry.line.text, language)


def types_in_words(text: str, language: str) -> frozenset[str]:
    """Return the kinds of figures that a text expresses in words: "free", "until it ships", "in a week"."""
    named = operators(_COMPOUND.sub("", text), language).keys()
    found = (_TYPES_OF_OPERATORS.get(name, frozenset()) for name in named)
    has_time = any(not _TIMES.isdisjoint(units_of(word, language)) for word in words(text))
    is_free = named >= _COSTS_NOTHING
    expressed = {"duration": has_time, "money": is_free}
    return frozenset(name for name, is_expressed in expressed.items() if is_expressed).union(*found)


def types_of_figures(text: str, language: str) -> frozenset[str]:
    """Return the kinds of the figures in a text. A plain number may be of several kinds."""
    found = frozenset().union(*(_types_of(figure, text, language) for figure in all_figures_in(text, language)))
    # "Six" is a stop word in English, but it is a number, too.
    return found | {"count"} if known_figures([text]).bare - {"1"} else found


def _types_of(figure: Figure, text: str, language: str) -> Iterable[str]:
    units = {unit for unit, _ in figure.readings}
    if figure.kind == "money":
        return ("money", "weight") if "GBP" in units else ("money",)
    if figure.kind != "count":
        return {_TYPES_OF_UNITS[unit] for unit in units if unit in _TYPES_OF_UNITS}
    behind = _SHORT_WORD.match(text, figure.end)
    is_measure = behind is not None and behind[1].lower() not in stop_words(language)
    return ("count", "temperature", "weight", "size") if is_measure else ("count", "temperature")


@cache
def weights_shipped() -> Linear:
    """Return the weights, read once per process."""
    with np.load(DATA / "answer_types.npz") as stored:
        return linear_in(stored)
