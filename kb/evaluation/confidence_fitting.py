"""Fitting the confidence to questions known to have an answer, or known to have none. Pure; uses no numeric library."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from kb.search.confidence import Calibration, Evidence, Grounds

# The goal is to answer 90 % of answerable questions and to refuse 80 % of the others. The fit aims higher for the first
# goal, since its share drops on unseen articles.
WANTED_ANSWERED, WANTED_REFUSED = 0.95, 0.80
# Few features, and no negative weights: anything more would overfit a handful of corpora.
WITH_VECTORS = ("similarity", "lead", "best_share", "overlap")
WITHOUT_VECTORS = ("best_share", "joint_share", "length")
# Features for "these passages contain the answer". Near misses are harder to distinguish than questions from other
# fields.
ON_GROUNDS = ("nearest", "share")
WANTED_OF_NEAR_MISSES = (0.85, 0.65)
# Questions in a language other than that of the passages share no words with them, and their vectors are farther apart.
# They use the same weights plus an offset that lets this share of the answerable ones through. With fewer rows than
# MIN_ACROSS, no offset is fitted.
WANTED_ACROSS, MIN_ACROSS = 0.85, 20
# The regularisation is strong, so that no evidence is trusted as much as these corpora suggest.
_STEPS, _RATE, _DECAY = 400, 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """One question for one corpus; `parts` is the evidence for each of its parts."""

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
    """Return a logistic model over the evidence in `names`, fitted so that every corpus and both classes have equal
    weight.

    A question with several parts counts with its best part, as in the search. Questions in a language other than that
    of the passages determine only the offset for such questions.
    """
    everything, examples = examples, [example for example in examples if not is_across(example)]
    best = [max(example.parts, key=_nearness) for example in examples]
    rows = [[asdict(evidence)[name] for name in names] for evidence in best]
    centres = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    scales = [_deviation(column, centre) for column, centre in zip(zip(*rows, strict=True), centres, strict=True)]
    scaled = [[(x - c) / s for x, c, s in zip(row, centres, scales, strict=True)] for row in rows]
    labels, shares = [example.is_answerable for example in examples], _balance(examples)
    slopes, bias = _rescale(*_gradient_descent(scaled, labels, shares, _DECAY), scaled, labels, shares)
    weights = {name: slope / scale for name, slope, scale in zip(names, slopes, scales, strict=True)}
    shift = sum(slope * centre / scale for slope, centre, scale in zip(slopes, centres, scales, strict=True))
    fitted = Calibration(weights, bias - shift, 0.5)
    return with_language_offset(replace(fitted, threshold=threshold(fitted, examples, wanted)), everything)


def is_across(example: Example) -> bool:
    """Return whether everything found for a question is in another language."""
    return all(part.across for part in example.parts)


def with_language_offset(calibration: Calibration, examples: Sequence[Example]) -> Calibration:
    """Return the calibration with an offset that lets enough answerable questions in another language through."""
    bare = replace(calibration, weights={name: w for name, w in calibration.weights.items() if name != "across"})
    asked = [confidence(bare, example) for example in examples if example.is_answerable and is_across(example)]
    if len(asked) < MIN_ACROSS:
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
    """Return the minimum probability for an answer: the one at which the worst corpus best meets both goals."""
    judged: dict[str, list[tuple[float, bool]]] = {}
    for example in examples:
        judged.setdefault(example.corpus, []).append((confidence(calibration, example), example.is_answerable))
    levels = [step / 200 for step in range(1, 200)]
    return max(levels, key=lambda level: min(_headroom(corpus, level, wanted) for corpus in judged.values()))


def answered_share(calibration: Calibration, examples: Sequence[Example]) -> float:
    """Return the share of `examples` that would be answered; 0 if there are none."""
    taken = [confidence(calibration, example) >= calibration.threshold for example in examples]
    return sum(taken) / len(taken) if taken else 0.0


def auc(calibration: Calibration, answerable: Sequence[Example], other: Sequence[Example]) -> float:
    """Return the probability that an answerable question gets a higher confidence than an unanswerable one (AUC)."""
    first, second = ([confidence(calibration, example) for example in group] for group in (answerable, other))
    wins = sum((a > b) + (a == b) / 2 for a in first for b in second)
    return wins / (len(first) * len(second)) if first and second else 0.0


def _headroom(judged: Sequence[tuple[float, bool]], level: float, wanted: tuple[float, float]) -> float:
    """Return how well both goals are met at `level`: 0 means just met, 1 means perfectly."""
    right = [value >= level for value, is_answerable in judged if is_answerable]
    wrong = [value < level for value, is_answerable in judged if not is_answerable]
    answered_room = (sum(right) / len(right) - wanted[0]) / (1 - wanted[0])
    refused_room = (sum(wrong) / len(wrong) - wanted[1]) / (1 - wanted[1])
    return min(answered_room, refused_room)


def _balance(examples: Sequence[Example]) -> list[float]:
    """Return a weight per example, so that a corpus with more questions does not count more."""
    groups = [(example.corpus, example.is_answerable) for example in examples]
    sizes = Counter(groups)
    return [1 / (len(sizes) * sizes[group]) for group in groups]


def _rescale(
    slopes: list[float],
    bias: float,
    rows: Sequence[Sequence[float]],
    labels: Sequence[bool],
    shares: Sequence[float],
) -> tuple[list[float], float]:
    """Return the model rescaled to probabilities, since the regularisation has compressed them."""
    totals = [bias + sum(slope * x for slope, x in zip(slopes, row, strict=True)) for row in rows]
    scale = _deviation(totals, 0.0)
    (stretch,), shift = _gradient_descent([[total / scale] for total in totals], labels, shares, 0.0)
    return [stretch / scale * slope for slope in slopes], stretch / scale * bias + shift


def _gradient_descent(
    rows: Sequence[Sequence[float]], labels: Sequence[bool], shares: Sequence[float], decay: float
) -> tuple[list[float], float]:
    """Minimise the weighted log loss by gradient descent, keeping all slopes non-negative."""
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
