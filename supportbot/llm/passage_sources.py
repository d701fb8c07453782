"""Turns passages of the knowledge base into a model's sources."""

from collections.abc import Sequence

from kb.search import Passage
from supportbot.llm.types import Source


def numbered(passages: Sequence[Passage]) -> tuple[Source, ...]:
    """Return the passages in order, numbered from 1, each weighted by its score relative to the best."""
    best = max((passage.score for passage in passages), default=0.0) or 1.0
    return tuple(
        Source(
            number,
            passage.title,
            passage.text,
            passage.locale,
            weight=passage.score / best,
            heading=passage.heading.rpartition(" > ")[2],
            similarity=passage.similarity,
        )
        for number, passage in enumerate(passages, start=1)
    )
