"""Fit the confidence on questions that are known to have an answer or none. Pure, and without a numeric library."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from kb.search.confidence import Calibration, Evidence, Grounds

# Promised are 90 % of answerable questions answered and 80 % of the others refused. The fit aims higher on the first,
# which is the one that unseen knowledge costs.
WANTED_ANSWERED, WANTED_REFUSED = 0.95, 0.80
# Few, and each may only speak for an answer: what a handful of corpora teaches beyond that is about these corpora.
WITH_VECTORS = ("similarity", "lead", "best_share", "overlap")
WITHOUT_VECTORS = ("best_share", "joint_share", "length")
# For "the answer stands in these passages": near misses cannot be told from answerable questions as foreign ones can.
ON_GROUNDS = ("nearest", "share")
WANTED_OF_NEAR_MISSES = (0.85, 0.65)
# Questions in another language than the passages share no words with them and lie farther off. They are judged by the
# same weights with as much added as lets this share of the answerable ones through; fewer rows than these say nothing.
WANTED_ACROSS, LEAST_ACROSS = 0.85, 20
# The decay is strong, so that no evidence is trusted as far as the corpora at hand would have it.
_STEPS, _RATE, _DECAY = 400, 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """One question put to one corpus; `parts` is the evidence of each of its parts."""

    corpus: str
    name: str
    kind: str
    is_answerable: bool
    parts: Sequence[Evidence | Grounds]
    locale: str = ""


def confidence(calibration: Calibration, example: Example) -> float:
    return max(map(calibration.confidence, example.parts), default=0.0)


def fit(
    examples: Sequence[Example], names: Sequence[str], wanted: tuple[float, float] = (WANTED_ANSWERED, WANTED_REFUSED)
) -> Calibration:
    """Return the logistic model over the evidence `names`; every corpus and either answer count the same in it.

    A question of several parts teaches by the part that is nearest to something, as the search judges by the best one.
    Those in another language than the passages teach only what to add for them.
    """
    everything, examples = examples, [example for example in examples if not is_across(example)]
    best = [max(example.parts, key=_nearness) for example in examples]
    rows = [[asdict(evidence)[name] for name in names] for evidence in best]
    centres = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    scales = [_deviation(column, centre) for column, centre in zip(zip(*rows, strict=True), centres, strict=True)]
    scaled = [[(x - c) / s for x, c, s in zip(row, centres, scales, strict=True)] for row in rows]
    labels, shares = [example.is_answerable for example in examples], _balance(examples)
    slopes, bias = _stretched(*_descend(scaled, labels, shares, _DECAY), scaled, labels, shares)
    weights = {name: slope / scale for name, slope, scale in zip(names, slopes, scales, strict=True)}
    shift = sum(slope * centre / scale for slope, centre, scale in zip(slopes, centres, scales, strict=True))
    fitted = Calibration(weights, bias - shift, 0.5)
    return reaching_across(replace(fitted, threshold=threshold(fitted, examples, wanted)), everything)


def is_across(example: Example) -> bool:
    """Say whether all that was found for a question is in another language."""
    return all(part.across for part in example.parts)


def reaching_across(calibration: Calibration, examples: Sequence[Example]) -> Calibration:
    """Return a calibration that lets enough of the answerable questions in another language through."""
    bare = replace(calibration, weights={name: w for name, w in calibration.weights.items() if name != "across"})
    asked = [confidence(bare, example) for example in examples if example.is_answerable and is_across(example)]
    if len(asked) < LEAST_ACROSS:
        return bare
    lacking = sorted(_logit(calibration.threshold) - _logit(value) for value in asked)
    return replace(
        bare, weights={**bare.weights, "across": max(0.0, lacking[math.ceil(WANTED_ACROSS * len(asked)) - 1])}
    )


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _nearness(part: Evidence | Grounds) -> float:
    return part.nearest + part.share if isinstance(part, Grounds) else part.similarity + part.best_share


def threshold(
    calibration: Calibration,
    examples: Sequence[Example],
    wanted: tuple[float, float] = (WANTED_ANSWERED, WANTED_REFUSED),
) -> float:
    """Return the probability from which on to answer: where the worst corpus keeps both aims with the most room."""
    judged: dict[str, list[tuple[float, bool]]] = {}
    for example in examples:
        judged.setdefault(example.corpus, []).append((confidence(calibration, example), example.is_answerable))
    levels = [step / 200 for step in range(1, 200)]
    return max(levels, key=lambda level: min(_room(corpus, level, wanted) for corpus in judged.values()))


def answered(calibration: Calibration, examples: Sequence[Example]) -> float:
    """Return the share of `examples` that would be answered; 0 of none."""
    taken = [confidence(calibration, example) >= calibration.threshold for example in examples]
    return sum(taken) / len(taken) if taken else 0.0


def area(calibration: Calibration, answerable: Sequence[Example], other: Sequence[Example]) -> float:
    """Return the probability that an answerable question is judged surer than another one (AUC)."""
    first, second = ([confidence(calibration, example) for example in group] for group in (answerable, other))
    wins = sum((a > b) + (a == b) / 2 for a in first for b in second)
    return wins / (len(first) * len(second)) if first and second else 0.0


def _room(judged: Sequence[tuple[float, bool]], level: float, wanted: tuple[float, float]) -> float:
    """Return how far both aims are kept at `level`, 0 being just so and 1 perfection."""
    right = [value >= level for value, is_answerable in judged if is_answerable]
    wrong = [value < level for value, is_answerable in judged if not is_answerable]
    answered_room = (sum(right) / len(right) - wanted[0]) / (1 - wanted[0])
    refused_room = (sum(wrong) / len(wrong) - wanted[1]) / (1 - wanted[1])
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
