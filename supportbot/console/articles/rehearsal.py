"""Dry runs of answers, with the live articles and with an unpublished text.

A text is tried by publishing it inside a transaction that is then rolled back: search reads it through the very code
that will read it one day, and nothing of it is ever stored. Its passages get their vectors beforehand, so that no
model is waited for while rows are locked; the answer is made after the roll-back, from what was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Final, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction

from kb.access import Viewer
from kb.documents import ArticleText
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.chunking import chunk, content_hash, embedding_text
from kb.indexing.recipes import active_recipe, embedder_of
from kb.models import Chunk
from kb.search import Passage, search
from kb.services import Change, create_article, publish, save_draft
from supportbot.accounts.models import Workspace
from supportbot.assistant.checks.verdict import Strictness
from supportbot.assistant.drafting import Draft
from supportbot.assistant.prompts import ANSWER_VERSION, answer_instructions
from supportbot.assistant.retrieval import Found, in_parts, seek
from supportbot.assistant.sentence_similarity import with_similarity
from supportbot.assistant.vectors import settle
from supportbot.chat.answers import Answer
from supportbot.language.detection import base_language, detect
from supportbot.llm import gateway, loop_thread
from supportbot.llm.sources import numbered
from supportbot.llm.types import CUT_OFF, ChatMessage, ModelRequest

DEPTH: Final = 60
# A vector takes a quarter of a second: only the first passages are searched by meaning, all of them by words.
MOST_EMBEDDED: Final = 40


@dataclass(frozen=True, slots=True)
class Text:
    """The text in the editor, of an existing or a new article."""

    article_id: UUID | None
    change: Change
    wording: ArticleText


@dataclass(frozen=True, slots=True)
class Place:
    """A passage's place and score in one stage; scores are only comparable within one stage of one question."""

    number: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Stage:
    """One passage with its place by words, by meaning and overall; None if a stage did not find it."""

    passage: Passage
    by_words: Place | None
    by_meaning: Place | None
    is_cited: bool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One answer and its sources. `is_live`: from the live articles only, without the editor's text."""

    is_live: bool
    answer: Answer
    stages: tuple[Stage, ...]
    confidence: float
    is_answerable: bool  # according to the search; the answerer may still find nothing
    took_ms: float


@dataclass(frozen=True, slots=True)
class _Found:
    sought: Found
    by_words: Mapping[UUID, Place]
    by_meaning: Mapping[UUID, Place]


def rehearse(question: str, *, workspace: Workspace, audience: str) -> Rehearsal:
    """Return the answer that a customer would get now."""
    began = perf_counter()
    viewer = _viewer(question, workspace, audience)
    return _answered(question, workspace, viewer, _find(question, viewer), is_live=True, began=began)


def rehearse_with(text: Text, question: str, *, workspace: Workspace, audience: str) -> Rehearsal:
    """Return the answer a customer would get if `text` were published. Raises what publishing it would."""
    began = perf_counter()
    viewer = _viewer(question, workspace, audience)
    vectors = _vectors_of(text.wording)
    with transaction.atomic():
        _publish(text, vectors)
        found = _find(question, viewer)
        transaction.set_rollback(True)
    return _answered(question, workspace, viewer, found, is_live=False, began=began)


def _viewer(question: str, workspace: Workspace, audience: str) -> Viewer:
    return Viewer(audience=audience, locale=detect(question, base_language(workspace.locale)))


def _publish(text: Text, vectors: Mapping[str, Sequence[float]]) -> None:
    if text.article_id is None:
        article = create_article(text.change)
    else:
        article = save_draft(text.article_id, text.change, is_published_at_once=True)
    publish(article.pk)
    waiting = Chunk.objects.filter(article=article, embedding=None)
    rows = [row for row in waiting.only("content_hash", "embedding") if row.content_hash in vectors]
    for row in rows:
        row.embedding = list(vectors[row.content_hash])
    Chunk.objects.bulk_update(rows, ["embedding"])


def _vectors_of(wording: ArticleText) -> dict[str, Sequence[float]]:
    """Return vectors for passages that are not indexed yet; none if the model is unavailable."""
    recipe = active_recipe()
    texts = [embedding_text(wording.title, piece) for piece in chunk(wording.title, wording.body)]
    hashes = {content_hash(recipe.name, text): text for text in texts}
    known = Chunk.objects.filter(content_hash__in=list(hashes), embedding__isnull=False)
    rows = known.only("content_hash", "embedding")
    found: dict[str, Sequence[float]] = {row.content_hash: row.embedding or () for row in rows}
    missing = [key for key in hashes if key not in found][:MOST_EMBEDDED]
    try:
        embedder_of(recipe)
        return found | {key: _vector(recipe.name, hashes[key]) for key in missing}
    except (EmbeddingUnavailable, RecipeMismatch):
        return found


@lru_cache(maxsize=512)
def _vector(_recipe: str, text: str) -> Sequence[float]:
    """Cached, because an editor asks repeatedly with mostly the same text."""
    (vector,) = embedder_of(active_recipe()).passages([text])
    return tuple(vector)


def _find(question: str, viewer: Viewer) -> _Found:
    sought = seek(question, viewer)
    by_words = search(sought.text, viewer=viewer, limit=DEPTH, mode="lexical").passages
    try:
        by_meaning = search(sought.text, viewer=viewer, limit=DEPTH, mode="vector").passages
    except (EmbeddingUnavailable, RecipeMismatch):
        by_meaning = ()
    words = {found.chunk_id: Place(number, found.score) for number, found in enumerate(by_words, start=1)}
    meaning = {found.chunk_id: Place(number, found.similarity) for number, found in enumerate(by_meaning, start=1)}
    return _Found(sought, words, meaning)


def _answered(
    question: str, workspace: Workspace, viewer: Viewer, found: _Found, *, is_live: bool, began: float
) -> Rehearsal:
    retrieval = found.sought.retrieval
    passages = retrieval.passages
    request = _request(question, workspace, viewer.locale or "en", found.sought)
    completion = loop_thread.run(gateway.complete(request))
    draft = Draft(
        passages,
        request.locale,
        said=[question],
        site=settings.BASE_URL,
        strictness=cast("Strictness", workspace.answer_strictness),
        by="builtin" if completion.provider == "builtin" else "model",
    )
    draft.write(completion.text)
    settle(draft)
    if completion.finish_reason in CUT_OFF:
        draft.break_off()
    draft.finish()
    settle(draft)
    answer = draft.answer()
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
    return Rehearsal(is_live, answer, stages, retrieval.confidence, retrieval.is_answerable, took_ms)


def _request(question: str, workspace: Workspace, language: str, sought: Found) -> ModelRequest:
    """Return the request the chat would make for a first message, without tools: the console executes nothing."""
    found = sought.retrieval
    instructions = answer_instructions(company=workspace.name, passages=found.passages, note="", sees_orders=False)
    request = ModelRequest(
        purpose="answer",
        messages=(ChatMessage("system", instructions), ChatMessage("user", question)),
        sources=numbered(found.passages),
        question=question,
        looked_up=sought.text,
        locale=language,
        is_answerable=found.is_answerable,
        hides_personal_data=workspace.hides_personal_data,
        prompt_version=ANSWER_VERSION,
    )
    return with_similarity(in_parts(request, sought), sought)
