"""Rank fusion: the results of two indexes are merged into one order. Pure.

For each part of a question, a passage's score increases with its similarity and with the words that it shares.
Similarity is measured in units of the spread of the part's neighbours, since every model has its own range of cosines.
It is measured from the nearest passage of all parts, so that a polite phrase, which is not near any passage, counts
less than the actual request. The scores of all parts add up exponentially: one strong match outweighs many weak ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The rank of the neighbour that defines the spread: far enough down to be about something else.
FAR_NEIGHBOUR = 40
# Answers use the first few passages; words found further down do not help.
FIRST_PASSAGES = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk found by one index; not checked for access yet.

    `similarity` is its cosine to the question, None if it has no vector; `words` is its full-text score, 0 unless full
    text found it. It has its article and the article's locale, since ranking needs them. The ids are strings: a search
    looks up two thousand, and a UUID computes its hash each time, in Python. `hits` says for each term of the question
    whether the chunk contains it, in PostgreSQL's notation for arrays; it is read only for the first few candidates.
    """

    chunk_id: str
    similarity: float | None
    words: float = 0.0
    article_id: str | None = None
    locale: str = ""
    hits: str = "{}"

    @property
    def contains(self) -> list[bool]:
        """Whether the chunk contains each term of the question, headings included."""
        return [sign == "t" for sign in self.hits[1:-1].split(",") if sign]


@dataclass(frozen=True, slots=True)
class PartCandidates:
    """The candidates of both indexes for one part of a question, each best first."""

    by_vector: Sequence[Candidate]
    by_words: Sequence[Candidate]
    # The share of the question's words, weighted by rarity, that the viewer's passages contain at all. If the key word
    # is unknown ("wie lange dauert eine Rückvergütung"), matches of the other words mean little.
    known_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of the fusion, tuned on four corpora and on long messages (docs/decisions/fusion-of-rankings.md)."""

    # The score of the best passage by words, in units of the spread between the nearest and a far neighbour.
    words: float = 1.0
    # The extra weight of a strong part compared with a weak one.
    sharpness: float = 1.5
    # The boost for a passage in the viewer's language: enough to rank above its translation.
    language: float = 2.0
    # The weight of the question in its context, next to the question alone: for a likely follow-up, and for a question
    # that finds its answer by itself, where an earlier topic would only distract.
    follow_up: float = 1.0
    standalone: float = 0.3
    # The share by which the vector of a part of a long message moves towards its first passages before the second
    # search.
    feedback: float = 0.5


DEFAULT = Weights()


def fuse(parts: Sequence[PartCandidates], weights: Weights = DEFAULT) -> dict[str, float]:
    """Return the score of every passage found for any part of a question.

    For a single part, the ratio of two scores is exp(sharpness * difference). The difference between their matches is
    in units of the spread of the part's neighbours, so the model's range of cosines does not matter. For several parts,
    only the order of scores is meaningful.
    """
    top = max(map(nearest, parts), default=0.0)
    total: dict[str, float] = {}
    for part in parts:
        for key, gain in _gains(part, top, weights).items():
            total[key] = total.get(key, 0.0) + math.exp(weights.sharpness * gain)
    return total


def fuse_by_article(
    parts: Sequence[PartCandidates], articles: Mapping[str, str], weights: Weights = DEFAULT
) -> dict[str, float]:
    """Return the scores of the passages found for the parts of a long message, scored by article.

    Only an article's best passage counts for each part: otherwise a long article would match every part. The article's
    total goes to its best passage and half as much to each following one, so that the first few passages cover many
    topics.
    """
    top = max(map(nearest, parts), default=0.0)
    total: dict[str, float] = {}
    own: dict[str, float] = {}
    for part in parts:
        best: dict[str, float] = {}
        for key, gain in _gains(part, top, weights).items():
            power = math.exp(weights.sharpness * gain)
            own[key] = own.get(key, 0.0) + power
            best[articles[key]] = max(power, best.get(articles[key], 0.0))
        for article, power in best.items():
            total[article] = total.get(article, 0.0) + power
    scores: dict[str, float] = {}
    for key in ranked(own):
        scores[key] = total[articles[key]]
        total[articles[key]] /= 2
    return scores


def fuse_in_context(
    alone: PartCandidates, context: PartCandidates, weight: float, weights: Weights = DEFAULT
) -> dict[str, float]:
    """Return the scores of the passages found for a question alone or in its context.

    A passage should match both: one that matches only the earlier topic, or only the bare words of "how is it made?",
    ranks below one that matches both. A passage that only one of the two searches found counts as the farthest result
    of the other.
    """
    gains = [_gains(found, nearest(found), weights) for found in (alone, context)]
    floors = [min(own.values(), default=0.0) for own in gains]
    return {
        key: math.exp(weights.sharpness * (gains[0].get(key, floors[0]) + weight * gains[1].get(key, floors[1])))
        for key in {**gains[0], **gains[1]}
    }


def lead(near: Sequence[Candidate], far: int = FAR_NEIGHBOUR) -> float:
    """Return the spread between the nearest passage and the one at rank `far`, or the last one; 0 if there are fewer
    than two.
    """
    if not near:
        return 0.0
    return (near[0].similarity or 0.0) - (near[min(far, len(near)) - 1].similarity or 0.0)


def far_neighbour(passages: int) -> int:
    """Return the rank of the neighbour that defines the spread among this many passages. Of a few dozen passages, the
    fortieth or last is farther away than any in the workspaces that the confidence was fitted on.
    """
    return max(2, min(FAR_NEIGHBOUR, math.ceil(passages / 2)))


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Return the passages best first; ties always have the same order."""
    return sorted(scores, key=lambda key: (-scores[key], key))


def first_passages(part: PartCandidates) -> list[Candidate]:
    """Return the best candidates for a part of a question."""
    found = {candidate.chunk_id: candidate for candidate in (*part.by_words, *part.by_vector)}
    return [found[key] for key in ranked(fuse([part]))[:FIRST_PASSAGES]]


def nearest(found: PartCandidates) -> float:
    """Return the cosine of the nearest passage; 0 if there is none."""
    return found.by_vector[0].similarity or 0.0 if found.by_vector else 0.0


def _gains(part: PartCandidates, top: float, weights: Weights) -> dict[str, float]:
    best = max((candidate.words for candidate in part.by_words), default=0.0) or 1.0
    shares = {candidate.chunk_id: part.known_share * candidate.words / best for candidate in part.by_words}
    if not part.by_vector:
        return {key: weights.words * (share - 1) for key, share in shares.items()}
    spread = lead(part.by_vector) or 1.0
    best_cosine = nearest(part)
    return {
        candidate.chunk_id: weights.words * shares.get(candidate.chunk_id, 0.0)
        # A passage without a vector, found by its words, counts as a far neighbour.
        + ((best_cosine - spread if candidate.similarity is None else candidate.similarity) - top) / spread
        for candidate in (*part.by_words, *part.by_vector)
    }
