"""Embedding chunk rows that have no vector: outside any transaction, in small commits, with the work shared between
processes.

Session-level advisory locks show which process embeds which article, so a killed process leaves none behind. The locks
only save work: two processes that embed the same chunk write the same vector. They are held while the model runs, so
they are not tied to a transaction.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from pgvector import HalfVector

from kb.indexing.chunking import ChunkText, embedding_text
from kb.indexing.models import Chunk, Recipe
from kb.indexing.recipes import embedder_of
from kb.models import Article, Revision, State

CHUNKS_PER_COMMIT = 32
# The number of commits whose vectors are computed at the same time: threads that have finished one begin the next, and
# no thread waits while vectors are stored. After a process is killed, this many commits must be embedded again.
COMMITS_AHEAD = 2
# The number of chunks that others may have to wait for: about half a minute with the packaged model.
CHUNKS_PER_LOCK = 128
# PostgreSQL's own hash makes the 64-bit key; the seed separates these keys from other advisory locks.
_KEY = "hashtextextended({}::text, 27490)"


class Progress(Protocol):
    def __call__(self, done: int, total: int, /) -> None: ...


class KnownVectors(Protocol):
    """A store of known vectors by content hash, such as `kb.indexing.vector_file.VectorFile`."""

    def get(self, content_hash: str, /) -> Sequence[float] | None: ...

    def add(self, vectors: Sequence[tuple[str, Sequence[float]]], /) -> None: ...


class NoVectors:
    """A store that has no vectors and keeps none."""

    def get(self, content_hash: str, /) -> None:
        return None

    def add(self, vectors: Sequence[tuple[str, Sequence[float]]], /) -> None:
        return None


@dataclass(frozen=True, slots=True)
class ReadOnlyVectors:
    """A read-only view of known vectors, for a file that belongs to the product."""

    known: KnownVectors

    def get(self, content_hash: str, /) -> Sequence[float] | None:
        return self.known.get(content_hash)

    def add(self, vectors: Sequence[tuple[str, Sequence[float]]], /) -> None:
        return None


def no_progress(done: int, total: int, /) -> None:
    """Ignore progress."""


@dataclass(slots=True)
class SyncReport:
    """The number of chunks that the model has embedded, and the number that reused a known vector."""

    embedded: int = 0
    reused: int = 0

    @property
    def chunks(self) -> int:
        return self.embedded + self.reused


def embed_missing(
    article_ids: Sequence[UUID], recipe: Recipe, *, known: KnownVectors | None = None, progress: Progress = no_progress
) -> SyncReport:
    """Embed every chunk of these articles that has no vector for `recipe`; returns when none is left.

    Articles that another process is embedding are left to it, and checked again at the end.
    """
    store = NoVectors() if known is None else known  # not `or`: an empty store is falsy, but has to be filled
    total = _without_vector(article_ids, recipe).count()
    with ThreadPoolExecutor(COMMITS_AHEAD, "vectors") as threads:
        work = _EmbeddingRun(recipe, store, progress, total, threads)
        for article_id in _embed_free(_groups(article_ids, recipe), work):
            with wait_for_article(article_id):
                work.begin([article_id])
                work.finish()
    return work.report


def _embed_free(groups: Iterable[Sequence[UUID]], work: "_EmbeddingRun") -> list[UUID]:
    """Embed the articles of these groups that no other process is embedding, and return the others.

    The next group begins while the last vectors of a group are being computed; a group's lock lasts until its vectors
    are stored.
    """
    busy: list[UUID] = []
    with ExitStack() as earlier:
        for group in groups:
            with ExitStack() as locks:
                held = locks.enter_context(lock_free_articles(group))
                busy.extend(set(group) - set(held))
                work.begin(held)
                if work.is_computing_only(held):
                    earlier.close()
                earlier.push(locks.pop_all())
        work.finish()
    return busy


def mark_indexed(article_ids: Sequence[UUID], recipe: Recipe) -> None:
    """Mark the live articles without missing vectors as indexed; does nothing for an inactive recipe."""
    if not Recipe.objects.filter(pk=recipe.pk, is_active=True).exists():
        return
    # Without order_by() the subquery would join kb_article under the same name and no longer refer to the outer row.
    live_number = Revision.objects.filter(pk=OuterRef("live_revision")).order_by().values("number")[:1]
    missing = Chunk.objects.filter(article=OuterRef("pk"), recipe=recipe, embedding=None)
    done = Article.objects.filter(pk__in=article_ids, state=State.LIVE).exclude(Exists(missing))
    done.update(indexed_revision=Subquery(live_number))


@dataclass(frozen=True, slots=True)
class _Batch:
    """The rows of one commit, with their known vectors and the missing ones that are being computed."""

    rows: Sequence[Chunk]
    found: Mapping[str, Sequence[float] | None]
    missing: Sequence[str]
    computed: Future[list[list[float]]] | None


@dataclass(slots=True)
class _EmbeddingRun:
    recipe: Recipe
    known: KnownVectors
    progress: Progress
    total: int
    threads: ThreadPoolExecutor
    report: SyncReport = field(default_factory=SyncReport)
    begun: deque[_Batch] = field(default_factory=deque)

    def begin(self, article_ids: Sequence[UUID]) -> None:
        """Embed in small commits, and store all but those whose vectors are still being computed.

        Rows that a publication has replaced in the meantime simply no longer exist.
        """
        while (batch := self._next(article_ids)) is not None:
            self.begun.append(batch)
            if len(self.begun) == COMMITS_AHEAD:
                self._store_next()

    def finish(self) -> None:
        """Wait for the vectors that are still being computed, and store them."""
        while self.begun:
            self._store_next()

    def is_computing_only(self, article_ids: Sequence[UUID]) -> bool:
        """Return whether all vectors being computed belong to these articles."""
        return {row.article_id for batch in self.begun for row in batch.rows} <= set(article_ids)

    def _next(self, article_ids: Sequence[UUID]) -> _Batch | None:
        """Begin with rows that no batch has yet; return None if there are none."""
        taken = [row.pk for batch in self.begun for row in batch.rows]
        rows = list(_without_vector(article_ids, self.recipe).exclude(pk__in=taken)[:CHUNKS_PER_COMMIT])
        if not rows:
            return None
        found = {row.content_hash: self.known.get(row.content_hash) for row in rows}
        missing = _texts([row for row in rows if found[row.content_hash] is None])
        if not missing:
            return _Batch(rows, found, (), None)
        # The copied context contains the workspace, which the gateway needs to record its calls.
        embed, texts = embedder_of(self.recipe).passages, list(missing.values())
        return _Batch(rows, found, list(missing), self.threads.submit(copy_context().run, embed, texts))

    def _store_next(self) -> None:
        """Store the vectors of the batch that began first, once they are computed."""
        batch = self.begun.popleft()
        new = [] if batch.computed is None else list(zip(batch.missing, batch.computed.result(), strict=True))
        if new:
            self.known.add(new)
        found = {**batch.found, **dict(new)}
        vectors = [vector for row in batch.rows if (vector := found[row.content_hash]) is not None]
        touched = sorted({row.article_id for row in batch.rows})
        with transaction.atomic():
            # Lock first: otherwise a publication could slip in, and the wrong revision would be marked below.
            list(Article.objects.filter(pk__in=touched).select_for_update(no_key=True).order_by("id").values("id"))
            _store(batch.rows, vectors)
            mark_indexed(touched, self.recipe)
        embedded = sum(row.content_hash in batch.missing for row in batch.rows)
        self.report.embedded += embedded
        self.report.reused += len(batch.rows) - embedded
        self.progress(min(self.report.chunks, self.total), self.total)


def _without_vector(article_ids: Sequence[UUID], recipe: Recipe) -> QuerySet[Chunk]:
    rows = Chunk.objects.filter(article__in=article_ids, recipe=recipe, embedding=None)
    return rows.order_by("article", "position")


def _texts(rows: Sequence[Chunk]) -> dict[str, str]:
    """Return the text to embed for each content hash.

    The text contains the title of the row's own revision, since a newer revision's title would give a vector that does
    not match the hash.
    """
    revisions = Revision.objects.filter(
        article__in={row.article_id for row in rows}, number__in={row.revision_number for row in rows}
    )
    titles = {
        (article, number): title for article, number, title in revisions.values_list("article", "number", "title")
    }
    return {row.content_hash: _text_of(row, titles[row.article_id, row.revision_number]) for row in rows}


def _text_of(row: Chunk, title: str) -> str:
    return embedding_text(title, ChunkText(row.position, row.heading_path, row.text, row.start, row.end))


def _store(rows: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
    pairs = [(HalfVector(list(vector)).to_text(), row.pk) for row, vector in zip(rows, vectors, strict=True)]
    with connection.cursor() as cursor:  # bulk_update would send every vector inside one CASE of hundreds of kilobytes
        cursor.executemany("UPDATE kb_chunk SET embedding = %s::halfvec WHERE id = %s", pairs)


def _groups(article_ids: Sequence[UUID], recipe: Recipe) -> Iterator[list[UUID]]:
    """Yield groups of articles with missing vectors, each with about as many chunks as one lock covers."""
    counts = _without_vector(article_ids, recipe).values("article").annotate(left=Count("id")).order_by("article")
    group: list[UUID] = []
    size = 0
    for article_id, left in counts.values_list("article", "left"):
        group.append(article_id)
        size += left
        if size >= CHUNKS_PER_LOCK:
            yield group
            group, size = [], 0
    if group:
        yield group


@contextmanager
def lock_free_articles(article_ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    """Lock and yield the articles that no other process is embedding."""
    taken = f"SELECT id FROM unnest(%s::uuid[]) AS wanted(id) WHERE pg_try_advisory_lock({_KEY.format('id')})"
    with connection.cursor() as cursor:
        cursor.execute(taken, [list(article_ids)])
        held = [row[0] for row in cursor.fetchall()]
    try:
        yield held
    finally:
        _release(held)


@contextmanager
def wait_for_article(article_id: UUID) -> Iterator[None]:
    """Wait until no other process is embedding the article, then lock it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock({_KEY.format('%s')})", [str(article_id)])
    try:
        yield
    finally:
        _release([article_id])


def _release(article_ids: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_advisory_unlock({_KEY.format('id')}) FROM unnest(%s::uuid[]) AS held(id)", [list(article_ids)]
        )
