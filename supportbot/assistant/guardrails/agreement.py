"""Whether a sentence says what a sentence of its source says: the same yes or no, figures, countries and days. Pure.

Words alone cannot tell it: "Gift cards can be paid out" shares all of them with "cannot be paid out", and a price
stands right beside that of another country. So sentences are compared clause by clause, and what a clause pins down
must stand together in one sentence, or one row, of the source.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from supportbot.assistant.guardrails.opposites import Sides, turns
from supportbot.assistant.guardrails.said import Said, counts_otherwise

NEARLY: Final = 0.999  # of the most, for sums of fractions to count as the same
MIN_SHARE: Final = 0.5  # of a clause's meaningful words, for a sentence of the source to speak of it
STRONG_SHARE: Final = 0.75  # from here on a sentence anywhere in the sources may speak against it
LONG_STEM: Final = 12  # letters of a compound that is no chance
_OPENS_CONDITION: Final = re.compile(r"\s*(?:if|when|once|wenn|falls|sobald)\b", re.IGNORECASE)

Weights = Mapping[str, float]


def shares_enough(sentence: Said, stems: Iterable[str]) -> bool:
    """Return whether the words that both have are more than chance: two of them, or one long compound."""
    shared = sentence.stems.intersection(stems)
    return len(shared) > 1 or any(len(word) >= LONG_STEM for word in shared)


def agrees(sentence: Said, units: Sequence[Said]) -> bool:
    """Return whether these sentences of a source bear each clause, and hold together what it pins down."""
    weights = _weights(units)
    return all(_is_said(clause, sentence, units, weights) for clause in _stating(sentence)) and all(
        _is_pinned(piece, places, sentence, units, weights) for piece, places in _placed(sentence)
    )


def _stating(sentence: Said) -> Sequence[Said]:
    """Return the clauses that say something: a condition besides only narrows it."""
    stating = [clause for clause in sentence.clauses if not _is_condition(clause)]
    return stating or sentence.clauses


def _is_condition(clause: Said) -> bool:
    return _OPENS_CONDITION.match(clause.text) is not None and not clause.concedes


def _placed(sentence: Said) -> Iterator[tuple[Said, frozenset[str]]]:
    """Yield each piece with the countries it is about: its own, or those of the one before."""
    places: frozenset[str] = frozenset()
    for piece in sentence.pieces:
        places = piece.pins.places or places
        yield piece, places


def is_contradicted(sentence: Said, units: Sequence[Said]) -> bool:
    """Return whether a sentence of the sources that speaks plainly of a clause says the opposite, and none agrees."""
    weights = _weights(units)
    return any(_is_opposed(clause, sentence, units, weights) for clause in _stating(sentence) if len(clause.stems) > 1)


def _weights(units: Sequence[Said]) -> Weights:
    """Return how much a word tells: one that many sentences have tells little of any."""
    counts = Counter(stem for unit in units for stem in unit.stems)
    return {stem: math.log(1 + len(units) / count) for stem, count in counts.items()}


def _weight(stems: Iterable[str], weights: Weights) -> float:
    return sum(weights.get(stem, 0.0) for stem in stems)


def _is_opposed(clause: Said, sentence: Said, units: Sequence[Said], weights: Weights) -> bool:
    whole = _weight(clause.topic, weights)
    agreeing = against = 0.0
    for unit in units:
        share = _weight(clause.topic & unit.stems, weights)
        if share and _says_yes_or_no_alike(clause, sentence, unit, weights):
            agreeing = max(agreeing, share)
        else:
            against = max(against, share)
    return against >= STRONG_SHARE * whole and against > agreeing


def _is_said(clause: Said, sentence: Said, units: Sequence[Said], weights: Weights) -> bool:
    """Return whether one of the sentences nearest to the clause agrees with it, conditions included."""
    most = max((len(clause.stems & unit.stems) for unit in units), default=0)
    if most < MIN_SHARE * len(clause.stems):
        of_all = frozenset().union(*(unit.stems for unit in units))
        is_enough = len(clause.stems & of_all) >= MIN_SHARE * len(clause.stems) and not clause.concedes
        return is_enough and any(unit.is_negated for unit in units) == clause.is_negated_in(sentence)
    shared = [_weight(clause.topic & unit.stems, weights) for unit in units]
    nearest = [unit for unit, share in zip(units, shared, strict=True) if share >= max(shared) * NEARLY]
    return any(
        _says_yes_or_no_alike(clause, sentence, unit, weights)
        and (clause.is_conditional or sentence.is_conditional or not unit.is_conditional or _covers(sentence, unit))
        and (unit.concedes or not clause.concedes)
        for unit in nearest
    )


def _covers(sentence: Said, unit: Said) -> bool:
    return 2 * len(sentence.stems & unit.stems) >= len(unit.stems)


def _says_yes_or_no_alike(clause: Said, sentence: Said, unit: Said, weights: Weights) -> bool:
    """Return whether both say "not", or neither: "must not be another" turns it twice, and is "must be the same"."""
    sides = clause.sides.union(*(part.sides for part in sentence.clauses if _is_condition(part)))
    is_turned = turns(sides, _sides_there(unit, clause, weights)) % 2 == 1
    return (_is_negated_there(unit, clause, weights) == clause.is_negated_in(sentence)) != is_turned


def _sides_there(unit: Said, clause: Said, weights: Weights) -> Sides:
    """Return the sides of the parts of a sentence that speak of a clause: it may tell both, each of another thing."""
    parts = unit.clauses or (unit,)
    shares = [_weight(clause.topic & part.stems, weights) for part in parts]
    near = (part.sides for part, share in zip(parts, shares, strict=True) if share >= max(shares) * MIN_SHARE)
    return frozenset[tuple[str, bool]]().union(*near)


def _is_negated_there(unit: Said, clause: Said, weights: Weights) -> bool:
    """Return the yes or no of the part of a sentence that says most of the clause."""
    if not unit.clauses or not clause.has_verb:
        return unit.is_negated
    return max(unit.clauses, key=lambda part: _weight(clause.stems & part.stems, weights)).is_negated_in(unit)


def _is_pinned(piece: Said, places: frozenset[str], sentence: Said, units: Sequence[Said], weights: Weights) -> bool:
    """Return whether what a piece pins down stands together in a sentence that speaks of it, and in none otherwise."""
    pins = piece.pins
    if not (pins.values or places or pins.dates or pins.secrets or pins.is_free):
        return True
    asked = piece.stems if len(piece.stems) > 1 else sentence.stems
    shares = [_weight(asked & unit.stems, weights) for unit in units]
    fitting = [
        share
        for unit, share in zip(units, shares, strict=True)
        if share >= max(shares) * MIN_SHARE
        and pins.within(unit.pins, places=places)
        and (not piece.has_verb or _says_yes_or_no_alike(piece, sentence, unit, weights))
    ]
    if not fitting:
        return False
    return not any(
        share > max(fitting) and any(counts_otherwise(figure, unit.pins.figures) for figure in pins.figures)
        for unit, share in zip(units, shares, strict=True)
    )
