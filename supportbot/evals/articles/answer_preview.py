"""Previews of answers, from the live articles and with unpublished text.

A text is published inside a transaction, searched with the same code as in production, and rolled back, so nothing is
stored. The passages' vectors are made beforehand, so no model is called while rows are locked. The answer is generated
from the search results after the rollback.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from time import perf_counter
from typing import Final
from uuid import UUID

from django.db import transaction

from kb.access import Viewer
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.chunking import chunk, content_hash, embedding_text
from kb.indexing.models import Chunk
from kb.indexing.recipes import active_recipe, embedder_of
from kb.models import Phrasing
from kb.phrasings import fill_phrasings, phrasing_vectors, set_phrasings
from kb.ports import Embedder
from kb.search import Passage, search
from kb.services import Change, create_article, publish, save_draft
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from supportbot.assistant.single_answer import answer_once, quote_once
from supportbot.assistant.turn_search import Found, seek
from supportbot.chat.answers import Answer
from supportbot.language.detection import base_language, detect
from supportbot.releases.selectors import current

DEPTH: Final = 60
Vectors = Mapping[str, Sequence[float]]
# A vector takes a quarter of a second, so only the first passages are searched by meaning; all are searched by words.
MAX_EMBEDDED: Final = 40


@dataclass(frozen=True, slots=True)
class Text:
    """The text in the editor, for an existing or a new article."""

    article_id: UUID | None
    change: Change
    wording: ArticleText
    phrasings: tuple[str, ...] | None = None  # None leaves them unchanged


@dataclass(frozen=True, slots=True)
class Place:
    """A passage's rank and score in one stage of a search. Scores can be compared only within the same stage and
    search.
    """

    number: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A passage that search found, with its place by words and by meaning. A place is None if that stage did not find
    the passage.
    """

    passage: Passage
    by_words: Place | None
    by_meaning: Place | None
    is_cited: bool


@dataclass(frozen=True, slots=True)
class AnswerPreview:
    """An answer and its sources. If `is_live`, it comes from the live articles only, without the editor's text."""

    is_live: bool
    answer: Answer
    stages: tuple[Stage, ...]
    confidence: float
    is_answerable: bool  # according to search; the answerer may still find nothing
    took_ms: float


@dataclass(frozen=True, slots=True)
class _Found:
    retrieved: Found
    by_words: Mapping[UUID, Place]
    by_meaning: Mapping[UUID, Place]


def preview_answer(question: str, *, workspace: Workspace, audience: str) -> AnswerPreview:
    """Return the answer that a customer would get now, from the live articles."""
    began = perf_counter()
    viewer = _viewer(question, audience, workspace.locale)
    return _answered(question, workspace, viewer, _find(question, viewer), is_live=True, began=began)


def preview_answer_with(text: Text, question: str, *, workspace: Workspace, audience: str) -> AnswerPreview:
    """Return the answer that a customer would get if `text` were published. Raises the same errors as publishing."""
    began = perf_counter()
    viewer = _viewer(question, audience, workspace.locale)
    published = publication_of(text)
    assert published.make is not None
    with transaction.atomic():
        published.make()
        found = _find(question, viewer)
        transaction.set_rollback(True)
    return _answered(question, workspace, viewer, found, is_live=False, began=began)


@dataclass(frozen=True, slots=True)
class Quoted:
    """The built-in answerer's answer to a question, and how confident search was."""

    answer: Answer
    confidence: float


@dataclass(frozen=True, slots=True)
class PreviewQuestion:
    """A question, the audience of the customer who asks it, and the language to assume if detection fails."""

    question: str
    audience: str
    locale: str


@dataclass(frozen=True, slots=True)
class State:
    """A state of the articles that questions are asked in. `make` creates it; it is rolled back afterwards.

    `without` contains the articles hidden from search, and `names` the external ids that copies are cited by.
    """

    make: Callable[[], object] | None = None
    without: frozenset[UUID] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)


AS_IT_IS: Final = State()


def quoted_if(
    state: State, questions: Sequence[PreviewQuestion], *, workspace: Workspace, seconds: float | None = None
) -> list[Quoted]:
    """Return the built-in answerer's answers in this state of the articles.

    Questions that cannot be asked within `seconds` are left out. Raises the errors of `state.make`.
    """
    ends = None if seconds is None else perf_counter() + seconds
    found: list[Found] = []
    viewers = [_viewer(one.question, one.audience, one.locale, state.without) for one in questions]
    with transaction.atomic() if state.make else nullcontext():
        if state.make:
            state.make()
        for one, viewer in zip(questions, viewers, strict=True):
            if ends is not None and perf_counter() > ends:
                break
            found.append(seek(one.question, viewer, limit=current().document.passages))
        if state.make:
            transaction.set_rollback(True)
    rows = zip(questions, viewers, found, strict=False)
    return [_quoted(one.question, workspace, viewer, seen, state.names) for one, viewer, seen in rows]


def publication_of(text: Text) -> State:
    """Return the state after publishing `text`. The vectors are made now, before rows are locked."""
    return State(partial(_publish, text, vectors_of(text.wording), phrasing_vectors(phrasings_in(text))))


def phrasings_in(text: Text) -> tuple[str, ...]:
    """Return the phrasings that the text will have once it is published."""
    if text.phrasings is not None:
        return text.phrasings
    return tuple(Phrasing.objects.filter(article=text.article_id).order_by("pk").values_list("text", flat=True))


def _quoted(question: str, workspace: Workspace, viewer: Viewer, found: Found, names: Mapping[str, str]) -> Quoted:
    answer = quote_once(question, workspace=workspace, language=viewer.locale or "en", retrieved=found)
    if names:
        cited = [replace(one, external_id=names.get(one.external_id, one.external_id)) for one in answer.citations]
        answer = replace(answer, citations=tuple(cited))
    return Quoted(answer, found.retrieval.confidence)


def _viewer(question: str, audience: str, locale: str, without: frozenset[UUID] = frozenset()) -> Viewer:
    return Viewer(audience=audience, locale=detect(question, base_language(locale)), without=without)


def _publish(text: Text, vectors: Vectors, phrasings: Vectors) -> None:
    if text.article_id is None:
        article = create_article(text.change)
    else:
        article = save_draft(text.article_id, text.change, is_published_at_once=True)
    if text.phrasings is not None:
        set_phrasings(article, text.phrasings)
    publish(article.pk)
    fill_vectors(vectors)
    fill_phrasings([article], phrasings)


def fill_vectors(vectors: Vectors) -> None:
    """Store the vectors of new passages; they were computed before the rows were locked."""
    rows = list(Chunk.objects.filter(embedding=None, content_hash__in=list(vectors)).only("content_hash", "embedding"))
    for row in rows:
        row.embedding = list(vectors[row.content_hash])
    Chunk.objects.bulk_update(rows, ["embedding"])


def vectors_of(wording: ArticleText) -> dict[str, Sequence[float]]:
    """Return vectors for passages that are not indexed yet; empty if the model is unavailable."""
    recipe = active_recipe()
    texts = [embedding_text(wording.title, piece) for piece in chunk(wording.title, wording.body)]
    hashes = {content_hash(recipe.name, text): text for text in texts}
    known = Chunk.objects.filter(content_hash__in=list(hashes), embedding__isnull=False)
    rows = known.only("content_hash", "embedding")
    found: dict[str, Sequence[float]] = {row.content_hash: row.embedding or () for row in rows}
    missing = [key for key in hashes if key not in found][:MAX_EMBEDDED]
    try:
        maker = VectorMaker(recipe.name, embedder_of(recipe))
        return found | {key: _vector(maker, hashes[key]) for key in missing}
    except (EmbeddingUnavailable, RecipeMismatch):
        return found


@dataclass(frozen=True, slots=True)
class VectorMaker:
    """Makes the vectors of a recipe. All makers of the same recipe are equal, so caches can share their vectors."""

    recipe: str
    embedder: Embedder = field(compare=False)


@lru_cache(maxsize=512)
def _vector(maker: VectorMaker, text: str) -> Sequence[float]:
    """Return the text's vector. It is cached, because editors often ask again after changing only part of the text."""
    (vector,) = maker.embedder.passages([text])
    return tuple(vector)


def _find(question: str, viewer: Viewer) -> _Found:
    retrieved = seek(question, viewer, limit=current().document.passages)
    by_words = search(retrieved.text, viewer=viewer, limit=DEPTH, mode="lexical").passages
    try:
        by_meaning = search(retrieved.text, viewer=viewer, limit=DEPTH, mode="vector").passages
    except (EmbeddingUnavailable, RecipeMismatch):
        by_meaning = ()
    words = {found.chunk_id: Place(number, found.score) for number, found in enumerate(by_words, start=1)}
    meaning = {found.chunk_id: Place(number, found.similarity) for number, found in enumerate(by_meaning, start=1)}
    return _Found(retrieved, words, meaning)


def _answered(
    question: str, workspace: Workspace, viewer: Viewer, found: _Found, *, is_live: bool, began: float
) -> AnswerPreview:
    retrieval = found.retrieved.retrieval
    passages = retrieval.passages
    answer = answer_once(question, workspace=workspace, language=viewer.locale or "en", retrieved=found.retrieved)
    cited = [(span.article_id, span.start) for span in answer.citations]
    stages = tuple(
        Stage(
            passage,
            found.by_words.get(passage.chunk_id),
            found.by_meaning.get(passage.chunk_id),
            any(passage.article_id == pk and passage.start <= start < passage.end for pk, start in cited),
        )
        for passage in passages
    )
    took_ms = (perf_counter() - began) * 1000
    return AnswerPreview(is_live, answer, stages, retrieval.confidence, retrieval.is_answerable, took_ms)
