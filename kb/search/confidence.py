"""An estimate of how likely it is that the passages found contain an answer. Pure: from the passages found and fitted
numbers, it computes a probability.

The numbers are fitted per embedding recipe by `manage.py kb_calibrate` and shipped in `calibrations/`.
docs/decisions/abstention.md describes the data and how well the numbers generalise.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from kb.search.fusion import Candidate, PartCandidates, lead, nearest
from kb.search.lexical_query import ScopeStats, idf, known_share
from kb.search.query_preparation import is_foreign
from kb.search.query_terms import Term

logger = logging.getLogger(__name__)
_COMPARED = 10
_SHIPPED = Path(__file__).parent / "calibrations"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for an answer. Shares are of the question's words, weighted by rarity; unknown words weigh most."""

    similarity: float = 0.0  # cosine of the nearest passage
    lead: float = 0.0  # how much nearer it is than a far neighbour
    best_share: float = 0.0  # found in one of the first passages
    joint_share: float = 0.0  # found in the first passages together
    known_share: float = 0.0  # found anywhere in what the viewer may read
    overlap: float = 0.0  # share of the ten nearest passages that are also among the first ten by words
    length: float = 0.0  # logarithm of the number of query terms: with a single one, a share means little
    across: float = 0.0  # 1 if the passages are in a different language from the question, so that no words can match
    # For a question in a language without articles: cosine and lead without the part common to all questions.
    centred: float = 0.0
    centred_lead: float = 0.0


@dataclass(frozen=True, slots=True)
class Grounds:
    """The evidence that the passages contain the answer and are not just about the same topic."""

    nearest: float = 0.0  # cosine of the nearest paragraph, list or table to the question
    share: float = 0.0  # share of the question's words, weighted by rarity, in one of the first passages
    across: float = 0.0  # 1 if the passages are in a different language from the question


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weights of a logistic model over some of the evidence, and the minimum probability for an answer."""

    weights: Mapping[str, float]
    bias: float
    threshold: float

    def confidence(self, evidence: Evidence | Grounds) -> float:
        """Return the probability, between 0 and 1, that the passages found contain an answer."""
        total = self.bias + sum(weight * getattr(evidence, name) for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))

    def answers(self, evidence: Evidence | Grounds) -> bool:
        """Return whether a question with this evidence is answered."""
        return self.confidence(evidence) >= self.threshold


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """The calibration with vectors, and the one without vectors, used when the embedder is unavailable."""

    full: Calibration
    words_only: Calibration


def calibration_set(stored: Mapping[str, Any], recipe_name: str) -> CalibrationSet:
    """Return the calibration stored with a recipe, or else the shipped one.

    A recipe without a calibration uses words only, since the cosines of two models cannot be compared. A stored
    calibration that this version cannot read counts as missing.
    """
    for found in (stored, shipped_calibration(recipe_name)):
        if not found:
            continue
        try:
            return CalibrationSet(_parse(found["full"]), _parse(found["words_only"]))
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("the calibration of %s cannot be used, run kb_calibrate again: %s", recipe_name, error)
    words_only = _parse(shipped_calibration("words")["words_only"])
    return CalibrationSet(words_only, words_only)


def answer_calibration(recipe_name: str) -> Calibration | None:
    """Return the calibration over `Grounds`; None if the recipe has none.

    `python -m bench.grounds` fits it; docs/decisions/abstention.md describes the data.
    """
    found = shipped_calibration("answers").get(recipe_name)
    return _parse(found, Grounds) if found else None


def abroad_calibration(recipe_name: str) -> Calibration | None:
    """Return the calibration for questions in a language without articles; None if the recipe has none.

    `python scripts/fit_centre.py` fits it.
    """
    found = shipped_calibration("abroad").get(recipe_name)
    return _parse(found) if found else None


def elsewhere_calibration(recipe_name: str) -> Calibration | None:
    """Return the calibration for pages that have no version in the question's language, if other pages are in it; None
    if the recipe has none. docs/decisions/abstention.md describes the data.
    """
    found = shipped_calibration("elsewhere").get(recipe_name)
    return _parse(found) if found else None


@cache
def shipped_calibration(recipe_name: str) -> dict[str, Any]:
    """Return the calibration shipped for a recipe, in the format of `Recipe.calibration`; empty if there is none.

    The file is read once per process, so that no search depends on a file that changes.
    """
    path = _SHIPPED / f"{recipe_name}.json"
    if not recipe_name.replace("-", "").replace(".", "").isalnum() or not path.exists():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def _parse(stored: Mapping[str, Any], kind: type[Evidence | Grounds] = Evidence) -> Calibration:
    known = {field.name for field in fields(kind)}
    weights = {name: float(weight) for name, weight in stored["weights"].items()}
    if unknown := set(weights) - known:
        raise ValueError(f"unknown evidence: {', '.join(sorted(unknown))}")
    return Calibration(weights, float(stored["bias"]), float(stored["threshold"]))


def gather_evidence(
    terms: Sequence[Term],
    stats: ScopeStats,
    locale: str | None,
    *,
    first: Sequence[Candidate],
    part: PartCandidates,
) -> Evidence:
    """Return the evidence for one part of a question in the language `locale`; `first` are its best passages."""
    weights = [idf(stats.counts[term.word], stats.chunks) for term in terms]
    found = [candidate.contains for candidate in first]
    return Evidence(
        similarity=nearest(part),
        lead=lead(part.by_vector),
        best_share=max((_share(weights, row) for row in found), default=0.0),
        joint_share=_share(weights, [any(column) for column in zip(*found, strict=True)]),
        known_share=known_share(terms, stats),
        overlap=_overlap(part.by_vector, part.by_words),
        length=math.log1p(len(terms)),
        across=float(is_foreign(locale, [candidate.locale for candidate in first])),
    )


def _share(weights: Sequence[float], hits: Sequence[bool]) -> float:
    """Return the share of the weights that was found; 0 for a question without query terms."""
    total = sum(weights)
    return sum(weight for weight, hit in zip(weights, hits, strict=False) if hit) / total if total else 0.0


def _overlap(by_vector: Sequence[Candidate], by_words: Sequence[Candidate]) -> float:
    """Return the share of the nearest passages that full text also ranks first; sharing two is rarely a coincidence."""
    first = {candidate.chunk_id for candidate in by_words[:_COMPARED]}
    return sum(candidate.chunk_id in first for candidate in by_vector[:_COMPARED]) / _COMPARED
