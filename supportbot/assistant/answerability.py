"""Whether the passages found contain the answer to a question. Measures how similar in meaning their best pieces are to
the question, so that the built-in answerer can choose among them.

Search finds passages on the same topic, but they may not answer the question. Two values indicate whether they do: the
similarity of the nearest piece, and the share of the question's words in one passage (`kb.search.confidence.Grounds`).
If the question asks for a kind of figure, such as an amount, the pieces to quote must also contain one.

This is measured here because `llm` has no access to an embedder. With a remote model, nothing is measured: the model
reads the passages itself, and its fallback, the built-in answerer, uses only words.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kb.errors import EmbeddingUnavailable
from kb.indexing.recipes import embedder_in_use
from kb.indexing.vector_cache import passage_vectors
from kb.ports import Embedder
from kb.search import Retrieval
from kb.search.confidence import Grounds, abroad_calibration, answer_calibration
from kb.search.query_preparation import is_long
from supportbot.assistant.turn_search import ON_TOPIC_FROM, Found
from supportbot.builtin.answer_types import lacks_figure
from supportbot.builtin.ranking import worth_comparing
from supportbot.llm import types as llm
from supportbot.llm.budget import is_evaluating
from supportbot.llm.call_settings import is_remote_configured

_MAX_AT_ONCE: Final = 2
_slots = threading.BoundedSemaphore(_MAX_AT_ONCE)


def with_similarity(request: llm.ModelRequest, found: Found) -> llm.ModelRequest:
    """Return the request with the similarities of its pieces. It is marked as answerable only if these seem to contain
    the answer.
    """
    return _with(similarities_of, request, found)


def with_sure_similarity(request: llm.ModelRequest, found: Found) -> llm.ModelRequest:
    """Like `with_similarity`, but always measures, whatever the model or the load. This is for quotations that are used
    to judge an article.
    """
    return _with(_measured_in_turn, request, found)


def _with(measure: Callable[..., Mapping[str, float]], request: llm.ModelRequest, found: Found) -> llm.ModelRequest:
    if request.parts:
        pairs = zip(request.parts, found.parts, strict=True)
        parts = tuple(_with(measure, part, own) for part, own in pairs)
        return replace(request, parts=parts, is_answerable=any(part.is_answerable for part in parts))
    similarities = measure(request)
    measured = replace(request, similarities=similarities)
    is_answerable = request.is_answerable and holds_answer(similarities, found)
    if is_answerable and similarities:
        is_answerable = not lacks_figure(measured)
        if is_answerable and found.own is not None:
            is_answerable = _holds_answer_to_follow_up(measure(request, request.question), found, found.own)
    return replace(measured, is_answerable=is_answerable)


def _holds_answer_to_follow_up(similarities: Mapping[str, float], found: Found, own: Retrieval) -> bool:
    """Return whether the passages seem to contain the answer to a follow-up. The search included the question before it
    and may have found the answer to that, so the follow-up is also judged by itself.
    """
    if found.retrieval.is_abroad:
        return own.confidence >= ON_TOPIC_FROM
    return holds_answer(similarities, replace(found, retrieval=replace(found.retrieval, share=own.share)))


def holds_answer(similarities: Mapping[str, float], found: Found) -> bool:
    """Return whether the passages seem to contain the answer; True if nothing was compared. If there are no articles in
    the question's language, the similarity is less reliable than the confidence of search, which is calibrated for this
    case.
    """
    if found.retrieval.is_abroad and abroad_calibration(embedder_in_use().recipe.name):
        return True
    calibration = answer_calibration(embedder_in_use().recipe.name)
    return not similarities or calibration is None or calibration.answers(grounds(similarities, found))


def grounds(similarities: Mapping[str, float], found: Found) -> Grounds:
    """Return the values that indicate whether the passages contain the answer."""
    retrieval = found.retrieval
    nearest = max(similarities.values(), default=0.0)
    return Grounds(nearest, 0.0 if retrieval.is_across else retrieval.share, float(retrieval.is_across))


def similarities_of(request: llm.ModelRequest, query_text: str = "") -> Mapping[str, float]:
    """Return the cosine similarity between `query_text` (by default, the query of the request) and each piece worth
    comparing, by piece; {} if there is no free slot or no embedder.

    Measuring takes up to half a second on one core. While other turns use all slots, the built-in answerer uses only
    words, so that customers do not wait for each other's questions. An evaluation waits for a slot, because its result
    must not depend on the load.
    """
    if is_remote_configured() or not _slots.acquire(blocking=is_evaluating()):
        return {}
    try:
        return _measure(request, query_text)
    finally:
        _slots.release()


def _measured_in_turn(request: llm.ModelRequest, query_text: str = "") -> Mapping[str, float]:
    with _slots:
        return _measure(request, query_text)


def _measure(request: llm.ModelRequest, query_text: str) -> Mapping[str, float]:
    pieces = worth_comparing(request)
    if len(pieces) < 2:  # nothing to choose between
        return {}
    texts = {name: piece.text for name, piece in pieces.items()}
    try:
        found = _cosines(query_text or request.sought, texts, embedder_in_use())
    except EmbeddingUnavailable:
        return {}
    if query_text or is_long(request.sought):  # the passages were compared with another text, or with parts of this one
        return found
    return {name: max(cosine, pieces[name].of_passage or cosine) for name, cosine in found.items()}


def _cosines(query_text: str, texts: Mapping[str, str], used: Embedder) -> dict[str, float]:
    """Return cosine similarities of vectors from the same embedder, even if search switches to another one in the
    meantime.
    """
    query, vectors = used.query(query_text), passage_vectors(texts.values(), by=used)
    return {name: _cosine(query, vectors[text]) for name, text in texts.items()}


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
