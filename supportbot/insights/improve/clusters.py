"""Findings of the same kind, grouped by question: first by identical wording, then by meaning."""

import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np

from kb.errors import EmbeddingUnavailable
from kb.indexing.recipes import embedder_in_use
from supportbot.errors import NotFound
from supportbot.insights.improve.findings import Finding, Kind, findings

logger = logging.getLogger(__name__)
ALIKE: Final = 0.94  # cosine similarity: paraphrases are above it, and other questions on the same topic below
MOST_EMBEDDED: Final = 150  # findings compared by meaning; the others are grouped only by their wording
_NO_LETTERS: Final = re.compile(r"[\W\d_]+")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Findings about the same question, newest first."""

    findings: tuple[Finding, ...]

    @property
    def newest(self) -> Finding:
        return self.findings[0]

    @property
    def questions(self) -> tuple[str, ...]:
        """The different wordings, newest first."""
        return tuple(dict.fromkeys(one.question for one in self.findings))

    @property
    def replies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reply for one in self.findings for reply in one.replies))


def clusters(found: Sequence[Finding]) -> list[Cluster]:
    """Return the groups of these findings, largest first, then newest first. Without an embedder, only identical
    wordings are grouped.
    """
    groups = _groups(found)
    try:
        groups = _by_meaning(groups[:MOST_EMBEDDED]) + groups[MOST_EMBEDDED:]
    except EmbeddingUnavailable:
        logger.warning("the embedder is unavailable; findings are grouped only by wording")
    return _sorted(groups)


def group_with(kind: Kind, subject: UUID) -> Cluster:
    """Return the group that contains this finding. Raises NotFound if the finding has been dealt with or erased."""
    for one in clusters(findings(kind)):
        if any(finding.subject == subject for finding in one.findings):
            return one
    raise NotFound()


def alike_in_letters(found: Sequence[Finding]) -> list[Cluster]:
    """Return groups of findings with identical wording. No embedder is needed for this."""
    return _sorted(_groups(found))


def _groups(found: Sequence[Finding]) -> list[list[Finding]]:
    by_letters: defaultdict[str, list[Finding]] = defaultdict(list)
    for one in found:
        by_letters[_NO_LETTERS.sub(" ", one.question).strip().casefold()].append(one)
    return sorted(by_letters.values(), key=len, reverse=True)


def _sorted(groups: Sequence[list[Finding]]) -> list[Cluster]:
    made = [Cluster(tuple(sorted(group, key=lambda one: one.at, reverse=True))) for group in groups]
    return sorted(made, key=lambda one: (-len(one.findings), -one.newest.at.timestamp()))


def _by_meaning(groups: Sequence[list[Finding]]) -> list[list[Finding]]:
    """Return the groups, each merged into the most similar larger group if that is similar enough."""
    joined: list[list[Finding]] = []
    used = embedder_in_use()
    vectors = np.empty((0, 0), dtype=np.float32)
    for group in groups:
        vector = np.asarray(used.query(group[0].question), dtype=np.float32)
        vector /= max(float(np.linalg.norm(vector)), 1e-9)
        likeness = vectors @ vector if joined else np.empty(0)
        if joined and likeness.max() >= ALIKE:
            joined[int(likeness.argmax())] += group
        else:
            joined.append(list(group))
            vectors = np.vstack([vectors, vector]) if vectors.size else vector[np.newaxis]
    return joined
