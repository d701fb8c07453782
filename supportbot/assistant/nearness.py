"""How near the best pieces of the passages are to the question in meaning, for the built-in answerer.

It chooses by it. Search says that passages are about the same things, and such a passage may well say nothing of what
was asked: how near the nearest line of what is to be quoted is, and how much of the question's words one passage holds,
tell whether the answer stands there (`kb.search.confidence.Grounds`).

It is measured here because the model room knows no embedder. With a model of one's own nothing is measured: that model
reads for itself, and as its stand-in the built-in answerer goes by words.
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

# Customers ask the same again: the pieces that answer are few, and one vector takes 1.5 kB.
_REMEMBERED: Final = 4_096
_AT_ONCE: Final = 2
_room = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Nearness:
    """Cosines to the question by text: of the pieces worth comparing, and of the best lines of those to be quoted."""

    pieces: Mapping[str, float] = field(default_factory=dict)
    lines: Mapping[str, float] = field(default_factory=dict)


def compared(request: ModelRequest, found: Found) -> ModelRequest:
    """Return the request with the nearness of its pieces; answerable only if they seem to hold the answer."""
    if request.parts:
        pairs = zip(request.parts, found.parts, strict=True)
        parts = tuple(compared(part, own) for part, own in pairs)
        return replace(request, parts=parts, is_answerable=any(part.is_answerable for part in parts))
    near = nearness_of(request)
    is_answerable = request.is_answerable and holds_answer(near, found)
    return replace(request, nearness=near.pieces, is_answerable=is_answerable)


def holds_answer(near: Nearness, found: Found) -> bool:
    """Say whether the passages found seem to hold the answer; true where nothing was compared."""
    calibration = answer_calibration(embedder().recipe.name)
    return not near.lines or calibration is None or calibration.answers(grounds(near, found))


def grounds(near: Nearness, found: Found) -> Grounds:
    """Return what speaks for the passages found to hold the answer."""
    retrieval = found.retrieval
    nearest = max(near.lines.values(), default=0.0)
    return Grounds(nearest, 0.0 if retrieval.is_across else retrieval.share, float(retrieval.is_across))


def nearness_of(request: ModelRequest) -> Nearness:
    """Return how near pieces and lines are to the question; nothing where there is no time or no embedder.

    It costs up to half a second of a core: while enough others are measuring, words alone choose, so that many
    customers at once wait for their own question only.
    """
    if is_remote_configured() or not _room.acquire(blocking=False):
        return Nearness()
    try:
        return _measured(request)
    finally:
        _room.release()


def _measured(request: ModelRequest) -> Nearness:
    texts = worth_comparing(request)
    if len(texts) < 2:  # nothing to choose between
        return Nearness()
    try:
        asked = embedder().query(request.sought)
        pieces = _cosines(asked, texts)
        return Nearness(pieces, _cosines(asked, worth_checking(replace(request, nearness=pieces))))
    except EmbeddingUnavailable:
        return Nearness()


def _cosines(asked: Sequence[float], texts: Mapping[str, str]) -> dict[str, float]:
    return {said: _cosine(asked, _vector(embedder().recipe.name, text)) for said, text in texts.items()}


@lru_cache(maxsize=_REMEMBERED)
def _vector(_recipe: str, text: str) -> Sequence[float]:
    (vector,) = embedder().passages([text])
    return array("f", vector)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
