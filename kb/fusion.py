"""Put what two indexes found into one order. Pure: candidates in, scores out.

Within one part of a question a passage scores by its nearness plus a bonus for its words; nearness is measured against
how far the part's neighbours lie apart, since every model has its own band of cosines. Several parts are put together
by rank, so that a part with strong matches does not silence the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from kb.candidates import Candidate

# The neighbour against whose distance nearness is measured: far enough down to be about something else.
FAR_NEIGHBOUR = 40


@dataclass(frozen=True, slots=True)
class Weights:
    """Fitted on help-centre corpora by bench/; docs/decisions/ has the figures."""

    # What the best passage by words gains, in units of the distance between the nearest and a far neighbour.
    words: float = 1.5
    # The larger, the more two middling ranks outweigh one first place.
    smoothing: float = 10.0
    # What a passage in the viewer's language gains, as a share of the best score.
    language: float = 0.25


DEFAULT = Weights()


def scored(near: Sequence[Candidate], worded: Sequence[Candidate], weights: Weights = DEFAULT) -> dict[UUID, float]:
    """Return the score of every passage found for one part of a question; the nearest one has 1 plus its words."""
    shares = _shares_of_words(worded)
    if not near:
        return shares
    nearest = near[0].similarity or 0.0
    spread = nearest - (near[min(FAR_NEIGHBOUR, len(near)) - 1].similarity or 0.0) or 1.0
    return {
        found.chunk_id: 1
        - (nearest - (nearest - spread if found.similarity is None else found.similarity)) / spread
        + weights.words * shares.get(found.chunk_id, 0.0)
        for found in (*worded, *near)
    }


def _shares_of_words(worded: Sequence[Candidate]) -> dict[UUID, float]:
    best = max((candidate.words for candidate in worded), default=0.0) or 1.0
    return {candidate.chunk_id: candidate.words / best for candidate in worded}


def merged(parts: Iterable[dict[UUID, float]], weights: Weights = DEFAULT) -> dict[UUID, float]:
    """Return one score a passage for all parts of a question; that of a single part stays as it is."""
    scores = list(parts)
    if len(scores) == 1:
        return scores[0]
    total: dict[UUID, float] = {}
    for part in scores:
        for rank, key in enumerate(ordered(part), start=1):
            total[key] = total.get(key, 0.0) + (weights.smoothing + 1) / (weights.smoothing + rank)
    return total


def ordered(scores: Mapping[UUID, float]) -> list[UUID]:
    """Return the passages best first, equal ones always in the same order."""
    return sorted(scores, key=lambda key: (-scores[key], key))


def preferring(
    scores: Mapping[UUID, float], locales: Mapping[UUID, str], locale: str, weights: Weights = DEFAULT
) -> dict[UUID, float]:
    """Return the scores with passages in the language of `locale` raised; the others stay reachable below."""
    language = _language(locale)
    bonus = weights.language * max(scores.values(), default=0.0)
    return {key: score + bonus * (_language(locales.get(key, "")) == language) for key, score in scores.items()}


def _language(locale: str) -> str:
    return locale.casefold().replace("_", "-").split("-")[0]
