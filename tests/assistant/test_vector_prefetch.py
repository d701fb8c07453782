"""A question's vectors are computed once, before its turn takes a database thread."""

import asyncio
import threading
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from kb import ports
from kb.embedders import packaged
from kb.testing import hashed_vector
from supportbot.assistant import vector_prefetch
from supportbot.assistant.vector_prefetch import prefetch_vectors, vectors_prefetched
from supportbot.builtin import intents
from supportbot.ids import uuid7
from tests.patience import PATIENCE_SECONDS


class Engine:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = threading.Event()

    def query(self, text: str) -> Any:
        import numpy as np

        self.asked.append(text)
        assert self.may_answer.wait(timeout=PATIENCE_SECONDS)
        return np.array(hashed_vector(text, 384), dtype=np.float32)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Any:
    settings.KB_EMBEDDER = "packaged"
    engine = Engine()
    monkeypatch.setattr(packaged.PackagedEmbedder, "_model", engine)
    for kept in (packaged._question, intents.classify, ports._load):
        kept.cache_clear()
    yield engine
    for kept in (packaged._question, intents.classify, ports._load):
        kept.cache_clear()


async def test_a_turn_waits_for_the_prefetched_vector_and_uses_it(engine: Engine) -> None:
    conversation = uuid7()
    prefetch_vectors(conversation, "How long is the guarantee on a tent?")
    prefetch_vectors(conversation, "And on a boot?")  # one vector at a time for each customer
    turn = asyncio.create_task(vectors_prefetched(conversation))
    await asyncio.sleep(0)
    assert not turn.done()
    engine.may_answer.set()
    await turn
    await vectors_prefetched(conversation)
    assert engine.asked == ["How long is the guarantee on a tent?"]
    assert ports.embedder().query("How long is the guarantee on a tent?")
    assert len(engine.asked) == 1


async def test_a_failed_prefetch_does_not_prevent_an_answer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(vector_prefetch, "courtesy", fail)
    conversation = uuid7()
    prefetch_vectors(conversation, "How long?")
    await vectors_prefetched(conversation)


async def test_without_a_search_no_vector_is_computed(engine: Engine, settings: Settings) -> None:
    settings.KB_RETRIEVAL = False
    prefetch_vectors(uuid7(), "How long?")
    assert not vector_prefetch._running
