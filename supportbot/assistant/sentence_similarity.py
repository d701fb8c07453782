"""Measures the similarity in meaning between the question and the best pieces of the passages, for the built-in
answerer's choice.

Search finds passages on the same topic, but they may not answer the question. Two values indicate whether they do: the
similarity of the nearest piece, and the share of the question's words in one passage (`kb.search.confidence.Grounds`).

This is measured here because `llm` has no access to an embedder. With a remote model, nothing is measured: the model
reads the passages itself, and the built-in answerer, as its fallback, uses words.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kb.errors import EmbeddingUnavailable
from kb.indexing.recipes import embedder_in_use
from kb.indexing.shared_vectors import passage_vectors
from kb.ports import Embedder
from kb.search.confidence import Grounds, abroad_calibration, answer_calibration
from supportbot.assistant.turn_search import Found
from supportbot.builtin.ranking import worth_comparing
from supportbot.llm.budget import is_evaluating
from supportbot.llm.conf import is_remote_configured
from supportbot.llm.types import ModelRequest

_MAX_AT_ONCE: Final = 2
_slots = threading.BoundedSemaphore(_MAX_AT_ONCE)


def with_similarity(request: ModelRequest, found: Found) -> ModelRequest:
    """Return the request with the similarities of its pieces; it is marked as answerable only if they seem to contain
    the answer.
    """
    return _with(similarities_of, request, found)


def with_sure_similarity(request: ModelRequest, found: Found) -> ModelRequest:
    """Like `with_similarity`, for a quotation that judges an article; always measures, whatever the model or the
    load.
    """
    return _with(_measured_in_turn, request, found)


def _with(measure: Callable[[ModelRequest], Mapping[str, float]], request: ModelRequest, found: Found) -> ModelRequest:
    if request.parts:
        pairs = zip(request.parts, found.parts, strict=True)
        parts = tuple(_with(measure, part, own) for part, own in pairs)
        return replace(request, parts=parts, is_answerable=any(part.is_answerable for part in parts))
    similarities = measure(request)
    is_answerable = request.is_answerable and holds_answer(similarities, found)
    return replace(request, similarities=similarities, is_answerable=is_answerable)


def holds_answer(similarities: Mapping[str, float], found: Found) -> bool:
    """Return whether the passages seem to contain the answer; true if nothing was compared. In a language without
    articles, a piece's similarity is less reliable than the confidence of search, which is calibrated for this case.
    """
    if found.retrieval.is_abroad and abroad_calibration(embedder_in_use().recipe.name):
        return True
    calibration = answer_calibration(embedder_in_use().recipe.name)
    return not similarities or calibration is None or calibration.answers(grounds(similarities, found))


def grounds(similarities: Mapping[str, float], found: Found) -> Grounds:
    """Return the grounds for assuming that the passages contain the answer."""
    retrieval = found.retrieval
    nearest = max(similarities.values(), default=0.0)
    return Grounds(nearest, 0.0 if retrieval.is_across else retrieval.share, float(retrieval.is_across))


def similarities_of(request: ModelRequest) -> Mapping[str, float]:
    """Return the cosine similarity of the question and each piece worth comparing; empty without a free slot or an
    embedder.

    Measuring takes up to half a second of a core. While enough other turns are measuring, the built-in answerer uses
    only words, so customers wait only for their own question under load. An evaluation waits for a slot, because its
    result must not depend on the load.
    """
    if is_remote_configured() or not _slots.acquire(blocking=is_evaluating()):
        return {}
    try:
        return _measure(request)
    finally:
        _slots.release()


def _measured_in_turn(request: ModelRequest) -> Mapping[str, float]:
    with _slots:
        return _measure(request)


def _measure(request: ModelRequest) -> Mapping[str, float]:
    texts = worth_comparing(request)
    if len(texts) < 2:  # nothing to choose between
        return {}
    try:
        return _cosines(request.sought, texts, embedder_in_use())
    except EmbeddingUnavailable:
        return {}


def _cosines(sought: str, texts: Mapping[str, str], used: Embedder) -> dict[str, float]:
    """Return cosine similarities of vectors by one embedder, even if search switches to another in the meantime."""
    asked, vectors = used.query(sought), passage_vectors(texts.values(), by=used)
    return {said: _cosine(asked, vectors[text]) for said, text in texts.items()}


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
