"""How similar the best pieces of the passages are to the question in meaning, for the built-in answerer to choose by.

Search finds passages about the same topic, but such a passage may not answer the question. Two things tell whether it
does: the similarity of the nearest line to be quoted, and the share of the question's words in one passage
(`kb.search.confidence.Grounds`).

This is measured here because the model room knows no embedder. With a remote model nothing is measured: it reads the
passages itself, and as its stand-in the built-in answerer goes by words.
"""

import math
import threading
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from kb.errors import EmbeddingUnavailable
from kb.ports import embedder
from kb.search.confidence import Grounds, answer_calibration
from supportbot.assistant.retrieval import Found
from supportbot.builtin.ranking import worth_checking, worth_comparing
from supportbot.llm.remote import is_remote_configured
from supportbot.llm.types import ModelRequest

# Customers repeat questions, so few pieces are needed; one vector takes 1.5 kB.
_CACHE_SIZE: Final = 4_096
_MAX_AT_ONCE: Final = 2
_slots = threading.BoundedSemaphore(_MAX_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Similarities:
    """Cosines to the question by text: of the pieces worth comparing, and of the best lines to be quoted."""

    pieces: Mapping[str, float] = field(default_factory=dict)
    lines: Mapping[str, float] = field(default_factory=dict)


def with_similarity(request: ModelRequest, found: Found) -> ModelRequest:
    """Return the request with the similarity of its pieces; answerable only if they seem to hold the answer."""
    if request.parts:
        pairs = zip(request.parts, found.parts, strict=True)
        parts = tuple(with_similarity(part, own) for part, own in pairs)
        return replace(request, parts=parts, is_answerable=any(part.is_answerable for part in parts))
    similarities = similarities_of(request)
    is_answerable = request.is_answerable and holds_answer(similarities, found)
    return replace(request, nearness=similarities.pieces, is_answerable=is_answerable)


def holds_answer(similarities: Similarities, found: Found) -> bool:
    """Return whether the passages seem to hold the answer; true if nothing was compared."""
    calibration = answer_calibration(embedder().recipe.name)
    return not similarities.lines or calibration is None or calibration.answers(grounds(similarities, found))


def grounds(similarities: Similarities, found: Found) -> Grounds:
    """Return the grounds for assuming that the passages hold the answer."""
    retrieval = found.retrieval
    nearest = max(similarities.lines.values(), default=0.0)
    return Grounds(nearest, 0.0 if retrieval.is_across else retrieval.share, float(retrieval.is_across))


def similarities_of(request: ModelRequest) -> Similarities:
    """Return the similarity of pieces and lines to the question; empty without a free slot or an embedder.

    Measuring costs up to half a second of a core. While enough others are measuring, the built-in answerer goes by
    words alone, so that under load customers wait for their own question only.
    """
    if is_remote_configured() or not _slots.acquire(blocking=False):
        return Similarities()
    try:
        return _measure(request)
    finally:
        _slots.release()


def _measure(request: ModelRequest) -> Similarities:
    texts = worth_comparing(request)
    if len(texts) < 2:  # nothing to choose between
        return Similarities()
    try:
        asked = embedder().query(request.sought)
        pieces = _cosines(asked, texts)
        return Similarities(pieces, _cosines(asked, worth_checking(replace(request, nearness=pieces))))
    except EmbeddingUnavailable:
        return Similarities()


def _cosines(asked: Sequence[float], texts: Mapping[str, str]) -> dict[str, float]:
    return {said: _cosine(asked, _vector(embedder().recipe.name, text)) for said, text in texts.items()}


@lru_cache(maxsize=_CACHE_SIZE)
def _vector(_recipe: str, text: str) -> Sequence[float]:
    (vector,) = embedder().passages([text])
    return array("f", vector)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
