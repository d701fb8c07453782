"""Decides which sentences of a model's answer deserve a second look. Pure: no model and no vectors.

A sentence is doubtful if it is on the topic of the sources but may say something else: a figure from the next line, an
added or missing "not", "also" instead of "only", "we" instead of "you".

The sentence is compared with the nearest unit of the sources (a sentence, a table row or a cell): in figures, and in
the categories of its operators, which are the same in all languages. `data/categories.json` lists categories that may
mean the same ("once" and "after") or the opposite. A logistic model (`data/doubt.json`) weighs the differences;
`scripts/train_doubt.py` fits it to pairs of true and altered sentences (`data/twins.<language>.jsonl`). See
docs/decisions/second-look.md.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from supportbot.language.detection import detect
from supportbot.language.figures import Figure, Known, all_figures_in, known_figures
from supportbot.language.operators import languages_with_operators, operators
from supportbot.language.sentences import sentences_of, without_list_mark, without_markers
from supportbot.language.words import beginning, stop_words, words

DATA: Final = Path(__file__).parent / "data"
# The model's weights are set so that a fifth of the true sentences in unseen rows reach this value.
LOOK_FROM: Final = 0.5
_MOST_UNITS: Final = 600
_MOST_FIGURES: Final = 12
_HELD: Final = 0.15  # weight of shared figures, in addition to the share of words
_EACH_KEY: Final = 0.001  # deducted per word of a unit, so that a shorter unit with the same shared words is nearer
DENYING: Final = frozenset({"not", "none", "without", "except"})
# A sentence with at least this share of its content words in the nearest unit is a copy, so a "not" in it changes the
# meaning.
_SAME_WORDS: Final = 0.75
_ROW: Final = re.compile(r"\s*\|.*\|\s*$")
_NO_TEXT: Final = re.compile(r"[\s|:=-]*$")  # an empty line, or the line below a table's header

Features = dict[str, float]


class _Unit(NamedTuple):
    keys: frozenset[str]  # the beginnings of its content words
    operators: frozenset[str] | None  # None if the operators of the language are not known
    figures: Known


class Doubts:
    """Rates how doubtful the sentences of an answer are. The sources are read only once.

    `language` is the ISO 639-1 code of the answer's language; the language of each source is detected. Reading six
    sources of 1,500 characters takes about 10 ms and is cached; rating a sentence takes a fifth of a millisecond.
    """

    def __init__(self, sources: Sequence[str], *, language: str) -> None:
        self._language = language
        read = [unit for source in sources for unit in _units_of(source, language)]
        self._units = read[:_MOST_UNITS]

    def of(self, sentence: str) -> float:
        """Return how likely the sentence is (0 to 1) to say something other than the sources on the same topic; 0 if
        there is nothing to compare it with.
        """
        seen = self.features(sentence)
        if seen is None:
            return 0.0
        weights = _data("doubt")
        return 1 / (1 + math.exp(-weights["bias"] - sum(value * weights.get(name, 0) for name, value in seen.items())))

    def features(self, sentence: str) -> Features | None:
        """Return how a sentence differs from the nearest unit, by name of the feature; None if there is nothing to
        compare it with.
        """
        text = without_list_mark(without_markers(sentence))
        own, figures = _unit(text, self._language), all_figures_in(text, self._language)[:_MOST_FIGURES]
        if not self._units or not (own.keys or own.operators or figures):
            return None

        nearness = _nearness_to(own, figures)
        nearest = max(self._units, key=nearness)
        found = _of_operators(own, nearest)
        shared = len(own.keys & nearest.keys) / max(1, len(own.keys))
        if any(name[1:] in DENYING for name in found) and shared >= _SAME_WORDS:
            found["denied"] = 1.0
        if not all(map(nearest.figures.holds, figures)):
            found["figure"] = 1.0
        return found


def nearest_pieces(sources: Sequence[str], sentence: str, language: str, *, most: int, least: int = 0) -> list[str]:
    """Return the sentences, rows and cells of the sources that share the most with a sentence, best first.

    If `least` is given, a piece must have at least that many content words, which excludes headings, and share one of
    them with the sentence.
    """
    text = without_list_mark(without_markers(sentence))
    own = _unit(text, language)
    nearness = _nearness_to(own, all_figures_in(text, language)[:_MOST_FIGURES])
    pieces = [piece for source in sources for piece in _pieces_of(source)][:_MOST_UNITS]
    units = [unit for source in sources for unit in _units_of(source, language)]
    comparable = [
        at for at in range(len(pieces)) if not least or (len(units[at].keys) >= least and own.keys & units[at].keys)
    ]
    return [pieces[at] for at in sorted(comparable, key=lambda at: -nearness(units[at]))[:most]]


def _nearness_to(own: _Unit, figures: Sequence[Figure]) -> Callable[[_Unit], float]:
    """Return a function that rates what a unit shares with a sentence: its words and, with less weight, its figures."""
    each_key, each_figure = 1 / max(1, len(own.keys)), _HELD / max(1, len(figures))

    def nearness(unit: _Unit) -> float:
        shared = each_key * len(own.keys & unit.keys) + each_figure * sum(map(unit.figures.holds, figures))
        return shared - _EACH_KEY * len(unit.keys)

    return nearness


def _of_operators(own: _Unit, nearest: _Unit) -> Features:
    if own.operators is None or nearest.operators is None:
        return {}
    categories = _data("categories")
    akin, opposites = categories["akin"], categories["opposite"]
    more, less = own.operators - nearest.operators, nearest.operators - own.operators
    found = {f"+{one}": 1.0 for one in more if nearest.operators.isdisjoint(akin.get(one, ()))}
    found |= {f"-{one}": 1.0 for one in less if own.operators.isdisjoint(akin.get(one, ()))}
    turned = sum((one in more and other in less) or (other in more and one in less) for one, other in opposites)
    return found | {"opposite": float(turned)}


@lru_cache(maxsize=256)
def _units_of(source: str, language: str) -> tuple[_Unit, ...]:
    spoken = detect(source, language)
    return tuple(_unit(text, spoken) for text in _pieces_of(source))


@lru_cache(maxsize=256)
def _pieces_of(source: str) -> tuple[str, ...]:
    return tuple(_split(source))


def _split(source: str) -> Iterator[str]:
    """Yield the sentences and table rows of a source, and the cells of tables with the names of their row and
    column.
    """
    head: list[str] = []
    for line in source.split("\n"):
        if _NO_TEXT.match(line):
            continue
        if not _ROW.match(line):
            head = []
            yield from sentences_of(line)
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if head:
            yield " ".join(cells)
            yield from (f"{cells[0]} {name}: {cell}" for name, cell in list(zip(head, cells, strict=False))[1:])
        head = head or cells


def _unit(text: str, language: str) -> _Unit:
    silent = stop_words(language)
    telling = (word for word in words(text) if word not in silent and word.isalpha() and len(word) > 1)
    known = frozenset(operators(text, language)) if language in languages_with_operators() else None
    return _Unit(frozenset(map(beginning, telling)), known, known_figures([text]))


@cache
def _data(name: str) -> Any:
    """Return the contents of a data file: the weights by difference, or the lists of categories."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
