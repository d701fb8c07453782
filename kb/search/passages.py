"""The passages of a search: a Candidate becomes a Passage once `kb.access` has allowed it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from kb.access import readable
from kb.addresses import article_address
from kb.models import Chunk
from kb.search.candidates import Scope


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the viewer may read: `text` is `body[start:end]` of the revision; only scores' order counts."""

    article_id: UUID
    external_id: str
    title: str
    url: str
    locale: str
    revision: int
    heading: str
    text: str
    start: int
    end: int
    score: float
    similarity: float | None
    chunk_id: UUID


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The result of a search; `confidence` is the probability that it contains an answer.

    `share` and `is_across` are for callers that look for the answer in the passages (`kb.search.confidence.Grounds`).
    """

    passages: tuple[Passage, ...]
    confidence: float
    is_answerable: bool
    took_ms: float
    share: float = 0.0
    is_across: bool = False


def load_passages(
    scope: Scope, scores: Mapping[UUID, float], similarities: Mapping[UUID, float | None]
) -> tuple[Passage, ...]:
    """Return those of these chunks that the viewer may read at this moment, best first."""
    rows = Chunk.objects.filter(pk__in=list(scores), recipe=scope.recipe, article__in=readable(scope.viewer))
    found = (
        Passage(
            article_id=row.article_id,
            external_id=row.article.external_id,
            title=title,
            url=article_address(row.article),
            locale=row.article.locale,
            revision=row.revision_number,
            heading=row.heading_path,
            text=row.text,
            start=row.start,
            end=row.end,
            score=scores[row.pk],
            similarity=similarities.get(row.pk),
            chunk_id=row.pk,
        )
        for row, title in _with_titles(
            rows.select_related("article__live_revision", "article__workspace").defer("embedding", "search_vector")
        )
    )
    return tuple(sorted(found, key=lambda passage: (-passage.score, passage.chunk_id)))


def _with_titles(rows: Iterable[Chunk]) -> Iterable[tuple[Chunk, str]]:
    for row in rows:
        revision = row.article.live_revision
        if revision is not None and revision.number == row.revision_number:  # otherwise it is being replaced
            yield row, revision.title
