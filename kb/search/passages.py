"""The passages of a search: a Candidate becomes a Passage once `kb.access` has allowed it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kb.access import condition_on_articles
from kb.article_urls import article_address
from kb.models import Article
from kb.search.candidates import Scope
from supportbot import sql
from supportbot.accounts.models import Workspace

# The fields that make up an article's address: reading whole rows of articles and workspaces would take longer than the
# search.
_OF_ARTICLE: Final = ("id", "workspace_id", "external_id", "locale", "audience", "on_help_pages", "url", "slug")
# Chunks of other revisions are skipped, since they are about to be replaced.
_PASSAGES: Final = f"""
SELECT w.slug, c.id, c.revision_number, r.title, c.heading_path, c.text, c.start, c."end", c.page,
       {sql.columns(Article, "a", *_OF_ARTICLE)}
FROM kb_chunk c
JOIN kb_article a ON a.id = c.article_id
JOIN accounts_workspace w ON w.id = a.workspace_id
JOIN kb_revision r ON r.id = a.live_revision_id AND r.number = c.revision_number
WHERE c.id = ANY(%s::uuid[]) AND c.workspace_id = %s AND c.recipe_id = %s"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the viewer may read: `text` is `body[start:end]` of the revision.

    If the question was searched as one part and without a context, the ratio of two scores says how much better one
    passage matches than the other (`fusion.fuse`); otherwise, only the order of scores is meaningful.
    """

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
    page: int | None = None  # the page of the file on which `text` begins


@dataclass(frozen=True, slots=True)
class Curated:
    """The answer that an editor wrote for a question, and what it cites."""

    article_id: UUID
    external_id: str
    title: str
    url: str
    revision: int
    text: str


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The result of a search; `confidence` is the probability that it contains an answer.

    `share` and `is_across` are for callers that look for the answer in the passages (`kb.search.confidence.Grounds`).
    `is_abroad` says that no article is in the question's language.
    """

    passages: tuple[Passage, ...]
    confidence: float
    is_answerable: bool
    took_ms: float
    share: float = 0.0
    is_across: bool = False
    is_abroad: bool = False
    curated: Curated | None = None  # the answer that an editor wrote for this question
    parts: int = 1  # the number of parts into which a long question was split


def load_passages(
    scope: Scope, scores: Mapping[str, float], similarities: Mapping[str, float | None]
) -> tuple[Passage, ...]:
    """Return the passages among these chunks that the viewer may read now, best first."""
    readable, parameters = condition_on_articles(scope.workspace_id, scope.viewer)
    statement = f"{_PASSAGES} AND {readable}"
    rows = sql.fetch(statement, [list(scores), scope.workspace_id, scope.recipe.pk, *parameters])
    workspace = Workspace(pk=scope.workspace_id, slug=rows[0][0] if rows else "")
    found = [_passage(row, workspace, scores, similarities) for _, *row in rows]
    return tuple(sorted(found, key=lambda passage: (-passage.score, passage.chunk_id)))


def _passage(
    row: Sequence[Any], workspace: Workspace, scores: Mapping[str, float], similarities: Mapping[str, float | None]
) -> Passage:
    key, number, title, heading, text, start, end, page, *others = row
    article = sql.loaded(Article, others, *_OF_ARTICLE)
    article.workspace = workspace
    return Passage(
        article_id=article.pk,
        external_id=article.external_id,
        title=title,
        url=article_address(article),
        locale=article.locale,
        revision=number,
        heading=heading,
        text=text,
        start=start,
        end=end,
        score=scores[str(key)],
        similarity=similarities.get(str(key)),
        chunk_id=key,
        page=page,
    )
