"""Fit the confidence on questions that are known to have an answer or none. Pure, and without a numeric library."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kb.confidence import Calibration, Evidence

# Promised are 90 % of answerable questions answered and 80 % of the others refused. The fit aims higher on the first,
# which is the one that unseen knowledge costs.
WANTED_ANSWERED, WANTED_REFUSED = 0.95, 0.80
# Few, and each may only speak for an answer: what a handful of corpora teaches beyond that is about these corpora.
WITH_VECTORS = ("similarity", "lead", "best_share", "overlap")
WITHOUT_VECTORS = ("best_share", "joint_share", "length")
# The decay is strong, so that no evidence is trusted as far as the corpora at hand would have it.
_STEPS, _RATE, _DECAY = 400, 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """One question put to one corpus; `parts` is the evidence of each of its parts."""

    corpus: str
    name: str
    kind: str
    is_answerable: bool
    parts: list[Evidence]
    locale: str = ""


def confidence(calibration: Calibration, example: Example) -> float:
    return max(map(calibration.confidence, example.parts), default=0.0)


def fit(examples: Sequence[Example], names: Sequence[str]) -> Calibration:
    """Return the logistic model over the evidence `names`; every corpus and either answer count the same in it.

    A question of several parts teaches by the part that is nearest to something, as the search judges by the best one.
    """
    best = [max(example.parts, key=lambda part: part.similarity + part.best_share) for example in examples]
    rows = [[asdict(evidence)[name] for name in names] for evidence in best]
    centres = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    scales = [_deviation(column, centre) for column, centre in zip(zip(*rows, strict=True), centres, strict=True)]
    scaled = [[(x - c) / s for x, c, s in zip(row, centres, scales, strict=True)] for row in rows]
    labels, shares = [example.is_answerable for example in examples], _balance(examples)
    slopes, bias = _stretched(*_descend(scaled, labels, shares, _DECAY), scaled, labels, shares)
    weights = {name: slope / scale for name, slope, scale in zip(names, slopes, scales, strict=True)}
    shift = sum(slope * centre / scale for slope, centre, scale in zip(slopes, centres, scales, strict=True))
    fitted = Calibration(weights, bias - shift, 0.5)
    return Calibration(weights, bias - shift, threshold(fitted, examples))


def threshold(calibration: Calibration, examples: Sequence[Example]) -> float:
    """Return the probability from which on to answer: where the worst corpus keeps both aims with the most room."""
    judged: dict[str, list[tuple[float, bool]]] = {}
    for example in examples:
        judged.setdefault(example.corpus, []).append((confidence(calibration, example), example.is_answerable))
    levels = [step / 200 for step in range(1, 200)]
    return max(levels, key=lambda level: min(_room(corpus, level) for corpus in judged.values()))


def answered(calibration: Calibration, examples: Sequence[Example]) -> float:
    """Return the share of `examples` that would be answered; 0 of none."""
    taken = [confidence(calibration, example) >= calibration.threshold for example in examples]
    return sum(taken) / len(taken) if taken else 0.0


def area(calibration: Calibration, answerable: Sequence[Example], other: Sequence[Example]) -> float:
    """Return the probability that an answerable question is judged surer than another one (AUC)."""
    first, second = ([confidence(calibration, example) for example in group] for group in (answerable, other))
    wins = sum((a > b) + (a == b) / 2 for a in first for b in second)
    return wins / (len(first) * len(second)) if first and second else 0.0


def _room(judged: Sequence[tuple[float, bool]], level: float) -> float:
    """Return how far both aims are kept at `level`, 0 being just so and 1 perfection."""
    right = [value >= level for value, is_answerable in judged if is_answerable]
    wrong = [value < level for value, is_answerable in judged if not is_answerable]
    answered_room = (sum(right) / len(right) - WANTED_ANSWERED) / (1 - WANTED_ANSWERED)
    refused_room = (sum(wrong) / len(wrong) - WANTED_REFUSED) / (1 - WANTED_REFUSED)
    return min(answered_room, refused_room)


def _balance(examples: Sequence[Example]) -> list[float]:
    """Return a weight an example, so that no corpus speaks louder for having more questions."""
    groups = [(example.corpus, example.is_answerable) for example in examples]
    sizes = Counter(groups)
    return [1 / (len(sizes) * sizes[group]) for group in groups]


def _stretched(
    slopes: list[float],
    bias: float,
    rows: Sequence[Sequence[float]],
    labels: Sequence[bool],
    shares: Sequence[float],
) -> tuple[list[float], float]:
    """Return the same order of questions as probabilities again: the decay has pressed them together."""
    totals = [bias + sum(slope * x for slope, x in zip(slopes, row, strict=True)) for row in rows]
    scale = _deviation(totals, 0.0)
    (stretch,), shift = _descend([[total / scale] for total in totals], labels, shares, 0.0)
    return [stretch / scale * slope for slope in slopes], stretch / scale * bias + shift


def _descend(
    rows: Sequence[Sequence[float]], labels: Sequence[bool], shares: Sequence[float], decay: float
) -> tuple[list[float], float]:
    """Minimise the weighted log loss by plain gradient steps that leave no slope below zero."""
    slopes, bias = [0.0] * len(rows[0]), 0.0
    for _ in range(_STEPS):
        downhill, level = [decay * slope for slope in slopes], 0.0
        for row, label, share in zip(rows, labels, shares, strict=True):
            total = bias + sum(slope * x for slope, x in zip(slopes, row, strict=True))
            error = share * (1 / (1 + math.exp(-max(-50.0, min(50.0, total)))) - label)
            level += error
            for column, x in enumerate(row):
                downhill[column] += error * x
        slopes = [max(0.0, slope - _RATE * step) for slope, step in zip(slopes, downhill, strict=True)]
        bias -= _RATE * level
    return slopes, bias


def _deviation(column: Sequence[float], centre: float) -> float:
    return math.sqrt(sum((x - centre) ** 2 for x in column) / len(column)) or 1.0
