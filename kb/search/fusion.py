"""Put what two indexes found into one order. Pure: candidates in, scores out.

For one part of a question a passage gains by its nearness and by its words. Nearness is measured in units of how far
the part's neighbours lie apart, since every model has its own band of cosines, and from the nearest passage of all
parts, so that a part of mere politeness, near to nothing, does not speak as loud as the one with the request. The gains
of all parts add up as powers: one strong match outweighs many faint ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from supportbot.language.detection import base_language

# The neighbour by whose distance nearness is measured: far enough down to be about something else.
FAR_NEIGHBOUR = 40


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk as one index found it. Not shown to anybody yet.

    `similarity` is its cosine to the question, None without a vector; `words` is what full text makes of it, 0 unless
    it was found by its words.
    """

    chunk_id: UUID
    similarity: float | None
    words: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """What both indexes have for one part of a question, each best first."""

    near: Sequence[Candidate]
    worded: Sequence[Candidate]
    # Which share of the question's words, by rarity, the viewer's passages hold at all. Where the telling word is
    # unknown ("wie lange dauert eine Rückvergütung"), a match of the others says little.
    known: float = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Chosen on four corpora and on long messages; docs/decisions/fusion-of-rankings.md has the figures."""

    # What the best passage by words gains, in units of the distance between the nearest and a far neighbour.
    words: float = 1.0
    # How much louder a strong part speaks than a weak one.
    sharpness: float = 1.5
    # By how much a passage in the viewer's language counts more: enough to pass its twin in another language.
    language: float = 2.0
    # What a question in its context counts beside the question alone: where that is likely a follow-up, and where it
    # finds its answer by itself and a former topic would only lead away from it.
    leaning: float = 1.0
    standing: float = 0.3
    # How far a part of a long message is drawn towards the first passages it finds, before it is searched for again.
    drawn: float = 0.5


DEFAULT = Weights()


def fused(parts: Sequence[Found], weights: Weights = DEFAULT) -> dict[UUID, float]:
    """Return the score of every passage found for any part of a question; only the order of scores has a meaning."""
    top = max(map(_nearest, parts), default=0.0)
    total: dict[UUID, float] = {}
    for part in parts:
        for key, gain in _gains(part, top, weights).items():
            total[key] = total.get(key, 0.0) + math.exp(weights.sharpness * gain)
    return total


def fused_by_article(
    parts: Sequence[Found], articles: Mapping[UUID, UUID], weights: Weights = DEFAULT
) -> dict[UUID, float]:
    """Return the scores of what was found for the parts of a long message, in which articles count and not passages.

    For each part an article gains by its best passage only: a long article would be found by every part. The article's
    sum goes to the passage that has most of it, and half as much to each next one, so that the first few passages
    speak of many things.
    """
    top = max(map(_nearest, parts), default=0.0)
    total: dict[UUID, float] = {}
    own: dict[UUID, float] = {}
    for part in parts:
        best: dict[UUID, float] = {}
        for key, gain in _gains(part, top, weights).items():
            power = math.exp(weights.sharpness * gain)
            own[key] = own.get(key, 0.0) + power
            best[articles[key]] = max(power, best.get(articles[key], 0.0))
        for article, power in best.items():
            total[article] = total.get(article, 0.0) + power
    scores: dict[UUID, float] = {}
    for key in ordered(own):
        scores[key] = total[articles[key]]
        total[articles[key]] /= 2
    return scores


def in_context(alone: Found, context: Found, weight: float, weights: Weights = DEFAULT) -> dict[UUID, float]:
    """Return the score of what was found for a question alone or with what was said before it.

    A passage has to fit both: one that fits the former topic only, or only the bare words of "how is it made?", is
    behind one that is near to each. What one of the two did not find at all counts as the farthest it did find.
    """
    gains = [_gains(found, _nearest(found), weights) for found in (alone, context)]
    floors = [min(own.values(), default=0.0) for own in gains]
    return {
        key: math.exp(weights.sharpness * (gains[0].get(key, floors[0]) + weight * gains[1].get(key, floors[1])))
        for key in {**gains[0], **gains[1]}
    }


def lead(near: Sequence[Candidate]) -> float:
    """Return by how much the nearest passage is nearer than a far neighbour; 0 where there is no second one."""
    if not near:
        return 0.0
    return (near[0].similarity or 0.0) - (near[min(FAR_NEIGHBOUR, len(near)) - 1].similarity or 0.0)


def preferring(
    scores: Mapping[UUID, float], locales: Mapping[UUID, str], locale: str, weights: Weights = DEFAULT
) -> dict[UUID, float]:
    """Return the scores with passages in the language of `locale` raised; the others stay reachable below."""
    wanted = base_language(locale)
    return {
        key: score * (weights.language if base_language(locales.get(key, "")) == wanted else 1.0)
        for key, score in scores.items()
    }


def ordered(scores: Mapping[UUID, float]) -> list[UUID]:
    """Return the passages best first, equal ones always in the same order."""
    return sorted(scores, key=lambda key: (-scores[key], key))


def _nearest(found: Found) -> float:
    return found.near[0].similarity or 0.0 if found.near else 0.0


def _gains(part: Found, top: float, weights: Weights) -> dict[UUID, float]:
    best = max((candidate.words for candidate in part.worded), default=0.0) or 1.0
    shares = {candidate.chunk_id: part.known * candidate.words / best for candidate in part.worded}
    if not part.near:
        return {key: weights.words * (share - 1) for key, share in shares.items()}
    spread = lead(part.near) or 1.0
    nearest = _nearest(part)
    return {
        candidate.chunk_id: weights.words * shares.get(candidate.chunk_id, 0.0)
        # A passage without a vector, found by its words, is taken for a far neighbour.
        + ((nearest - spread if candidate.similarity is None else candidate.similarity) - top) / spread
        for candidate in (*part.worded, *part.near)
    }
