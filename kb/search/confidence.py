"""How sure a search may be that what it found holds an answer. Pure: evidence and fitted numbers in, a probability out.

The numbers are fitted per embedding recipe by `manage.py kb_calibrate` and shipped in `calibrations/`;
docs/decisions/abstention.md says on what they were fitted and how well they carry over to knowledge they have not seen.
"""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)
_SHIPPED = Path(__file__).parent / "calibrations"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an answer. Shares are of the question's words by rarity; a word found nowhere weighs most."""

    similarity: float = 0.0  # cosine of the nearest passage
    lead: float = 0.0  # by how much it is nearer than a far neighbour
    best_share: float = 0.0  # found in one of the first passages
    joint_share: float = 0.0  # found in the first passages together
    known_share: float = 0.0  # found anywhere in what the viewer may read
    overlap: float = 0.0  # share of the ten nearest passages that are also among the first ten by words
    length: float = 0.0  # logarithm of the number of telling words: a share of one word says little
    across: float = 0.0  # 1 where the passages are in another language than the question: no share can be found


@dataclass(frozen=True, slots=True)
class Grounds:
    """What speaks for the answer to stand in the passages, beside their being about the same things."""

    nearest: float = 0.0  # cosine of the nearest sentence to the question
    share: float = 0.0  # of the question's words by rarity: found in one of the first passages
    across: float = 0.0  # 1 where the passages are in another language than the question


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of a logistic model over some of the evidence, and from which probability on a question is answered."""

    weights: Mapping[str, float]
    bias: float
    threshold: float

    def confidence(self, evidence: Evidence | Grounds) -> float:
        """Return the probability, between 0 and 1, that the passages found hold an answer."""
        values = asdict(evidence)
        total = self.bias + sum(weight * values[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))

    def answers(self, evidence: Evidence | Grounds) -> bool:
        """Say whether a question of that evidence is answered."""
        return self.confidence(evidence) >= self.threshold


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """The calibration with vectors and the one for when the embedder does not answer."""

    full: Calibration
    words_only: Calibration


def calibration_set(stored: Mapping[str, Any], recipe_name: str) -> CalibrationSet:
    """Return what is stored with a recipe, else what is shipped for it.

    A recipe that nobody has fitted is judged by words alone: cosines of two models cannot be compared. What another
    version of this program stored and this one cannot read counts as not stored.
    """
    for found in (stored, shipped_calibration(recipe_name)):
        if not found:
            continue
        try:
            return CalibrationSet(_parsed(found["full"]), _parsed(found["words_only"]))
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("the calibration of %s is not used, fit it again: %s", recipe_name, error)
    words_only = _parsed(shipped_calibration("words")["words_only"])
    return CalibrationSet(words_only, words_only)


def answer_calibration(recipe_name: str) -> Calibration | None:
    """Return by which `Grounds` passages are taken to hold the answer; None for a recipe that nobody has fitted.

    `python -m bench.grounds` fits it; docs/decisions/abstention.md says on what.
    """
    found = shipped_calibration("answers").get(recipe_name)
    return _parsed(found, Grounds) if found else None


@cache
def shipped_calibration(recipe_name: str) -> dict[str, Any]:
    """Return what is shipped under a recipe's name, as stored in `Recipe.calibration`; empty if there is nothing.

    Read once a process: a search must not depend on a file that changes under it.
    """
    path = _SHIPPED / f"{recipe_name}.json"
    if not recipe_name.replace("-", "").replace(".", "").isalnum() or not path.exists():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def _parsed(stored: Mapping[str, Any], kind: type[Evidence | Grounds] = Evidence) -> Calibration:
    known = {field.name for field in fields(kind)}
    weights = {name: float(weight) for name, weight in stored["weights"].items()}
    if unknown := set(weights) - known:
        raise ValueError(f"the calibration weighs evidence unknown here: {', '.join(sorted(unknown))}")
    return Calibration(weights, float(stored["bias"]), float(stored["threshold"]))
