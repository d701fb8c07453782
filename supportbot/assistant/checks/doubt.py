"""Which sentences of a model's answer deserve a second look. Pure: no model and no vectors.

A sentence is doubtful if it speaks of what the sources speak of and may say something else: a figure of the next line,
a "not" too much or too few, "also" for "only", "we" for "you". The evidence is a comparison with the nearest sentence
or table cell of the sources, weighed by a logistic model (`data/doubt.json`) that `scripts/train_doubt.py` fits to
pairs of true and turned sentences (`data/twins.<language>.jsonl`). Where sentence and source are in two languages,
figures, names and the categories of operators are compared, words are not. How well it tells them is in
docs/decisions/second-look.md.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from supportbot.assistant.checks.units import Unit, figures_of, has_money, measures_of, unit_of, units_of_source
from supportbot.language.figures import Figure
from supportbot.language.sentences import without_list_mark, without_markers

DATA: Final = Path(__file__).parent / "data"
# The weights are shifted so that of the true sentences in rows not fitted on a fifth is at or above it.
LOOK_FROM: Final = 0.5
_MOST_UNITS: Final = 600
_MOST_FIGURES: Final = 12

# How much besides its words speaks for a unit: its passage's words, the figures it shares.
_TOPIC: Final = 0.3
_HELD: Final = 0.15
_HELD_FOREIGN: Final = 0.6
_EACH_KEY: Final = 0.001  # of two that cover the same the shorter one is nearer
# What is left of the weight of an operator that the nearest unit lacks.
_NEARBY: Final = 0.6  # another unit of the passage has it
_KIN: Final = 0.3  # the unit has one that may mean the same
_DENIALS: Final = frozenset({"not", "none", "without", "except"})
# Categories of `language/data/operators.*.json` that may say the same in other words: "once" and "after".
_AKIN: Final = {
    "all": {"always", "also"}, "also": {"all", "even"}, "always": {"all", "even"}, "before": {"most", "once"},
    "end": {"not", "none"}, "even": {"also", "all", "always"}, "except": {"not", "only", "without", "if"},
    "free": {"none", "without", "not"}, "if": {"only", "once", "after", "except"}, "instead": {"not", "except"},
    "keep": {"not"}, "least": {"once", "after", "only", "must"}, "less": {"before", "most"}, "more": {"after"},
    "may": {"also", "all", "free"}, "most": {"before", "only", "not"}, "must": {"only", "if", "not"},
    "none": {"not", "without", "free"}, "not": {"none", "without", "only", "except", "free"},
    "once": {"after", "least", "before"}, "after": {"once", "least"}, "only": {"not", "if", "except", "most", "none"},
    "some": {"except", "sometimes"}, "sometimes": {"some"}, "twice": {"more", "all"}, "we": {"free"},
    "without": {"not", "none", "except", "free"}, "you": {"paid", "must"},
}  # fmt: skip
_OPPOSITES: Final = (
    ("also", "only"), ("also", "except"), ("also", "without"), ("all", "only"), ("all", "some"), ("all", "except"),
    ("always", "sometimes"), ("always", "only"), ("even", "if"), ("even", "only"), ("more", "less"), ("must", "may"),
    ("free", "paid"), ("before", "after"), ("once", "after"), ("least", "most"), ("we", "you"), ("keep", "end"),
    ("end", "open"), ("twice", "half"),
)  # fmt: skip

Features = dict[str, float]


class _Place(NamedTuple):
    unit: Unit
    passage: int
    is_foreign: bool


class _Near(NamedTuple):
    unit: Unit
    is_foreign: bool
    coverage: float  # share of the sentence's words that the unit has; a word of few units weighs more
    score: float


class Doubts:
    """The sources of one answer, read once, and how doubtful each of its sentences is.

    `language` is the ISO 639-1 code of the answer's language; that of each source is detected. Reading six sources of
    1,500 characters takes about 20 ms the first time and is remembered; a sentence takes about a third of one.
    """

    def __init__(self, sources: Sequence[str], *, language: str) -> None:
        self._language = language
        read = [(number, *units_of_source(source, language)) for number, source in enumerate(sources)]
        places = [_Place(unit, number, is_foreign) for number, units, is_foreign in read for unit in units]
        self._places = places[:_MOST_UNITS]
        self._passages: dict[int, set[str]] = {}
        self._having: dict[tuple[str, bool], list[int]] = {}  # (how a word begins, of a foreign unit) -> places
        spread: Counter[str] = Counter()
        for at, place in enumerate(self._places):
            keys = place.unit.keys_for(is_foreign=place.is_foreign)
            self._passages.setdefault(place.passage, set()).update(keys)
            spread.update(keys)
            for key in keys:
                self._having.setdefault((key, place.is_foreign), []).append(at)
        self._weights = {key: 1.0 / (1.0 + math.log1p(count)) for key, count in spread.items()}

    def of(self, sentence: str) -> float:
        """Return how likely (0 to 1) the sentence says something else than the sources although it speaks of the same.

        0 where sentence or sources hold nothing to compare.
        """
        seen = self.features(sentence)
        return _likelihood(seen) if seen else 0.0

    def features(self, sentence: str) -> Features:
        """Return the evidence by name; none where sentence or sources hold nothing to compare."""
        text = without_list_mark(without_markers(sentence))
        said = unit_of(text, self._language)
        figures = figures_of(text, self._language)[:_MOST_FIGURES]
        if not self._places or not (said.keys or said.operators or figures):
            return {}
        beside = self._nearest(said, figures)
        return self._of_words(said, beside) | self._of_figures(said, figures, beside) | _of_operators(said, beside)

    def _nearest(self, said: Unit, figures: Sequence[Figure]) -> list[_Near]:
        """Return the units of the passage that holds the nearest one, the nearest first."""
        whole = {is_foreign: self._sum(said.keys_for(is_foreign=is_foreign)) or 1.0 for is_foreign in (True, False)}
        covered = [0.0] * len(self._places)
        for is_foreign in (True, False):
            for key in said.keys_for(is_foreign=is_foreign):
                for at in self._having.get((key, is_foreign), ()):
                    covered[at] += self._weights[key] / whole[is_foreign]
        both = said.keys | said.foreign_keys
        topics = {number: _TOPIC * self._sum(both & keys) for number, keys in self._passages.items()}
        scores = []
        for (unit, passage, is_foreign), coverage in zip(self._places, covered, strict=True):
            held = sum([unit.figures.holds(figure) for figure in figures]) / len(figures) if figures else 0.0
            score = coverage + topics[passage] / whole[is_foreign] + (_HELD_FOREIGN if is_foreign else _HELD) * held
            scores.append(score - _EACH_KEY * len(unit.foreign_keys if is_foreign else unit.keys))
        passage = self._places[scores.index(max(scores))].passage
        near = [
            _Near(place.unit, place.is_foreign, coverage, score)
            for place, coverage, score in zip(self._places, covered, scores, strict=True)
            if place.passage == passage
        ]
        return sorted(near, key=lambda one: -one.score)

    def _sum(self, keys: frozenset[str] | set[str]) -> float:
        """Return the weight of some words: of those that no source has, 1 each."""
        return sum([self._weights.get(key, 1.0) for key in keys])

    def _of_words(self, said: Unit, beside: Sequence[_Near]) -> Features:
        best = beside[0]
        if best.is_foreign:
            return {"foreign": 1.0, "foreign_coverage": best.coverage}
        known = frozenset().union(*(one.unit.keys for one in beside))
        count = len(said.keys) or 1
        return {
            "coverage": best.coverage,
            "lead": best.score - (beside[1].score if len(beside) > 1 else 0.0),
            "new": len(said.keys - known) / count,
            "elsewhere": len((said.keys & known) - best.unit.keys) / count,
            "length": math.log1p(len(said.keys)),
        }

    def _of_figures(self, said: Unit, figures: Sequence[Figure], beside: Sequence[_Near]) -> Features:
        if not figures:
            return {}
        found: Features = {"figures": 1.0}
        leads = []
        for number, figure in enumerate(figures):
            if beside[0].unit.figures.holds(figure):
                pass
            elif any(one.unit.figures.holds(figure) for one in beside):
                found["figure_elsewhere"] = 1.0
            else:
                is_known = any(place.unit.figures.holds(figure) for place in self._places)
                found["figure_of_another" if is_known else "figure_unknown"] = 1.0
                continue
            own = said.around[number] if number < len(said.around) else said
            leads.append(self._lead(own, figure, beside))
        if leads:
            found["figure_behind"] = max(-min(leads), 0.0)
            found["figure_ahead"] = max(min(leads), 0.0)
        return found

    def _lead(self, own: Unit, figure: Figure, beside: Sequence[_Near]) -> float:
        """Return how much more of the words beside a figure stand beside it in the source than beside another one."""
        measures = measures_of(figure.readings)
        with_it, without_it = 0.0, 0.0
        for one in beside:
            ours = own.keys_for(is_foreign=one.is_foreign)
            for piece in one.unit.around:
                holds = piece.figures.holds(figure)
                if not holds and measures.isdisjoint(measures_of(piece.figures.readings)):
                    continue
                covered = self._sum(ours & piece.keys_for(is_foreign=one.is_foreign)) / (self._sum(ours) or 1.0)
                if holds:
                    with_it = max(with_it, covered)
                else:
                    without_it = max(without_it, covered)
        return with_it - without_it


def _of_operators(said: Unit, beside: Sequence[_Near]) -> Features:
    nearest = beside[0].unit
    if said.operators is None or nearest.operators is None:
        return {}
    ours, theirs = said.operators.keys(), nearest.operators.keys()
    everywhere = {category for one in beside for category in one.unit.operators or ()}
    extra, missing = ours - theirs, theirs - ours
    found: Features = {"extra": math.sqrt(len(extra)), "missing": math.sqrt(len(missing))}
    for category in extra:
        is_akin = not _AKIN.get(category, set()).isdisjoint(theirs)
        found[f"+{category}"] = _KIN if is_akin else _NEARBY if category in everywhere else 1.0
    for category in missing:
        found[f"-{category}"] = 1.0 if _AKIN.get(category, set()).isdisjoint(ours) else _KIN
    found["opposite"] = float(
        sum((a in extra and b in missing) or (b in extra and a in missing) for a, b in _OPPOSITES)
    )
    found["denied_more"] = float(not _DENIALS.isdisjoint(ours) and _DENIALS.isdisjoint(theirs))
    found["denied_less"] = float(_DENIALS.isdisjoint(ours) and not _DENIALS.isdisjoint(theirs))
    if has_money(said):
        found["money_for_free"] = float("free" in missing and _DENIALS.isdisjoint(ours))
    else:
        found["free_for_money"] = float("free" in extra and has_money(nearest))
    return found


def doubt(sentence: str, sources: Sequence[str], *, language: str) -> float:
    """Return how doubtful (0 to 1) one sentence is; for the sentences of an answer make `Doubts` once.

    `language` is the ISO 639-1 code of the sentence's language; that of each source is detected.
    """
    return Doubts(sources, language=language).of(sentence)


def _likelihood(seen: Features) -> float:
    weights = weights_shipped()
    odds = weights["bias"] + sum(value * weights.get(name, 0.0) for name, value in seen.items())
    return 1.0 / (1.0 + math.exp(-odds))


@cache
def weights_shipped() -> Mapping[str, float]:
    """Return the weight of each piece of evidence; read once a process."""
    read: dict[str, float] = json.loads((DATA / "doubt.json").read_text(encoding="utf-8"))
    return read
