"""Low-priority threads compute vectors of articles; questions share theirs and do not block others."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from kb.embedders import packaged
from kb.embedders.packaged import PackagedEmbedder
from tests.patience import PATIENCE_SECONDS


class Engine:
    """A model that records its texts and how many threads call it at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.fails = False
        self._lock = threading.Lock()

    def query(self, text: str) -> Any:
        with self._lock:
            self.asked.append(text)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.01)  # like the engine, which lets other threads run
        with self._lock:
            self.at_once -= 1
        if self.fails:
            raise RuntimeError("out of memory")
        return np.full(3, len(text), dtype=np.float32)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = Engine()
    monkeypatch.setattr(PackagedEmbedder, "_model", engine)
    packaged._question.cache_clear()
    yield engine
    packaged._question.cache_clear()


def test_the_same_question_is_computed_once_however_many_threads_need_it(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        vectors = list(threads.map(PackagedEmbedder().query, ["How long?"] * 8))
    assert engine.asked == ["How long?"]
    assert vectors == [[9.0, 9.0, 9.0]] * 8


def test_only_a_few_questions_are_computed_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "_slots", threading.BoundedSemaphore(2))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(PackagedEmbedder().query, [f"Question {number}?" for number in range(12)]))
    assert len(engine.asked) == 12
    assert engine.most_at_once <= 2


def test_a_failure_is_not_cached(engine: Engine) -> None:
    engine.fails = True
    with pytest.raises(RuntimeError):
        PackagedEmbedder().query("How long?")
    engine.fails = False
    assert PackagedEmbedder().query("How long?") == [9.0, 9.0, 9.0]


TEXTS = [f"Part {number} of the pump." for number in range(6)]


class Model:
    """A model that returns the number in a text and its thread's priority, once two threads have called it."""

    def __init__(self) -> None:
        self.together = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def passage(self, text: str) -> Any:
        self.together.wait()
        return Floats([float(text.split()[1]), float(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))])


class Floats(list[float]):
    def tolist(self) -> list[float]:
        return self


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority belongs to the whole process")
def test_articles_are_embedded_by_several_threads_in_order(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.KB_EMBEDDING_THREADS = 2
    monkeypatch.setattr(PackagedEmbedder, "_model", Model())
    packaged._threads.cache_clear()
    try:
        vectors = PackagedEmbedder().passages(TEXTS)
    finally:
        packaged._threads().shutdown()
        packaged._threads.cache_clear()
    assert vectors == [[float(number), float(packaged.LOWEST_PRIORITY)] for number in range(6)]
