"""Embeddings through the gateway for kb's synchronous calls, and reports of start-up and `doctor` about servers."""

import asyncio
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from kb.errors import EmbeddingUnavailable
from supportbot import async_db
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces
from supportbot.llm import gateway, loop_thread
from supportbot.llm.embeddings.gateway_embedder import TEXTS_PER_CALL, GatewayEmbedder
from supportbot.llm.errors import BudgetExceeded, DeadlineExceeded, ModelMisconfigured, ModelUnavailable
from supportbot.llm.models import Budget
from supportbot.llm.operator_model import check_model, resolve_model
from supportbot.llm.types import ModelRequest
from tests.llm.conftest import read
from tests.modelserver import Behaviour, Call, ModelServer
from tests.modelserver.server import VECTOR_SIZE, vector_of

Stored = Callable[[], Any]
Ask = Callable[..., ModelRequest]


class TestGateway:
    @pytest.fixture(autouse=True)
    def named(self, settings: Any, server: ModelServer) -> None:
        settings.OPENAI_EMBEDDING_MODEL = "vectors"

    async def test_vectors_come_in_the_order_of_the_texts(self, server: ModelServer, stored: Stored) -> None:
        assert await gateway.embed(["one", "two"]) == [vector_of("one"), vector_of("two")]
        (row,) = await stored()
        assert (row.purpose, row.model, row.outcome, row.input_tokens) == ("embed", "vectors", "done", 5)

    async def test_one_failure_is_retried(self, server: ModelServer, stored: Stored) -> None:
        server.will(Behaviour(status=500))
        assert await gateway.embed(["one"]) == [vector_of("one")]
        assert [row.outcome for row in await stored()] == ["unclear", "done"]

    @pytest.mark.one_in(4)
    @pytest.mark.parametrize(
        "fault",
        [
            Behaviour(status=500),
            Behaviour(raw=b"{}"),
            Behaviour(raw=b'{"data":[]}'),
            Behaviour(raw=b'{"data":[{"index":0,"embedding":["x"]}]}'),
        ],
        ids=["500", "no data", "too few", "no numbers"],
    )
    async def test_a_server_that_keeps_failing_is_reported(
        self, server: ModelServer, stored: Stored, fault: Behaviour
    ) -> None:
        server.default = fault
        with pytest.raises(ModelUnavailable):
            await gateway.embed(["one"])
        assert [row.outcome for row in await stored()] == ["unclear"] * 2

    async def test_a_call_ends_at_the_deadline(self, server: ModelServer, unstored: None, settings: Any) -> None:
        settings.MODEL_DEADLINE_SECONDS = 0.2
        server.default = Behaviour(first_after=60)
        with pytest.raises(DeadlineExceeded):
            await gateway.embed(["one"])
        await server.until_idle()

    async def test_vectors_are_charged_to_the_budget(
        self, server: ModelServer, stored: Stored, settings: Any, workspace: Workspace
    ) -> None:
        settings.LLM_PRICES = {"currency": "EUR", "per_million_tokens": {"vectors": {"input": "1000", "output": "0"}}}
        settings.LLM_DAILY_BUDGET = "0.03"
        await gateway.embed(["one", "two"])  # reserves at most 20 tokens, uses 5
        (row,) = await async_db.db(lambda: list(Budget.objects.all()))
        assert (row.reserved, row.spent) == (Decimal(0), Decimal("0.005"))
        settings.LLM_DAILY_BUDGET = "0.01"
        with pytest.raises(BudgetExceeded):
            await gateway.embed(["one", "two"])
        assert len(server.asked) == 1
        ends = [(row.outcome, row.reason, row.input_tokens, row.cost) for row in await stored()]
        assert ends == [("done", "", 5, Decimal("0.005")), ("skipped", "budget", 0, Decimal(0))]
        with across_workspaces("a server's own facts"):
            await gateway.embed(["one"])

    async def test_embeddings_work_while_answers_fail(self, server: ModelServer, unstored: None, ask: Ask) -> None:
        server.will(*[Behaviour(status=500)] * 6)
        for _ in range(3):
            await read(ask())
        assert await gateway.embed(["one"]) == [vector_of("one")]

    async def test_without_a_model_the_error_names_the_setting(self, settings: Any, unstored: None) -> None:
        settings.OPENAI_EMBEDDING_MODEL = ""
        with pytest.raises(ModelUnavailable, match="OPENAI_EMBEDDING_MODEL"):
            await gateway.embed(["one"])


class TestEmbedder:
    @pytest.fixture(autouse=True)
    def closed(self, settings: Any, server: ModelServer, unstored: None) -> Iterator[None]:
        settings.OPENAI_EMBEDDING_MODEL = "vectors"
        yield
        loop_thread.run(gateway.close())

    async def test_the_recipe_is_read_from_the_server(self, server: ModelServer) -> None:
        recipe = await asyncio.to_thread(lambda: GatewayEmbedder().recipe)
        assert (recipe.name, recipe.dimensions) == (f"openai:vectors:{VECTOR_SIZE}", VECTOR_SIZE)

    async def test_vectors_are_normalised_and_batched(self, server: ModelServer) -> None:
        texts = [f"text {number}" for number in range(TEXTS_PER_CALL + 1)]
        embedder = GatewayEmbedder()
        vectors = await asyncio.to_thread(embedder.passages, texts)
        assert len(vectors) == len(texts)
        assert all(math.isclose(math.hypot(*vector), 1.0) for vector in vectors)
        asked = [len(request.body["input"]) for request in server.asked]
        assert asked == [TEXTS_PER_CALL, 1, 1], "two batches, and one text to find out the size"

    async def test_a_model_with_a_changed_vector_size_is_refused(self, server: ModelServer, settings: Any) -> None:
        settings.OPENAI_EMBEDDING_DIMENSIONS = VECTOR_SIZE + 1
        with pytest.raises(EmbeddingUnavailable, match="vectors of a different size"):
            await asyncio.to_thread(GatewayEmbedder().query, "one")

    async def test_a_server_that_is_down_raises_kbs_own_error(self, server: ModelServer) -> None:
        server.default = Behaviour(status=503)
        with pytest.raises(EmbeddingUnavailable):
            await asyncio.to_thread(GatewayEmbedder().query, "one")

    async def test_a_question_waits_for_less_time_than_an_article(
        self, server: ModelServer, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A question holds one of the few database threads, and every chat needs one."""
        settings.MODEL_DEADLINE_SECONDS = 600.0
        monkeypatch.setattr("supportbot.llm.embeddings.gateway_embedder.QUESTION_SECONDS", 0.2)
        server.default = Behaviour(first_after=600)
        with pytest.raises(EmbeddingUnavailable):
            await asyncio.to_thread(GatewayEmbedder().query, "one")
        server.default = Behaviour(first_after=0.5)
        assert await asyncio.to_thread(GatewayEmbedder().passages, ["one"])


class TestResolving:
    async def test_a_configured_model_is_used_without_asking_the_server(self, server: ModelServer) -> None:
        assert await resolve_model() == "scripted"
        assert server.asked == []

    async def test_a_servers_only_model_is_used(self, server: ModelServer, settings: Any) -> None:
        settings.OPENAI_MODEL = ""
        server.models = ["just-one"]
        assert await resolve_model() == "just-one"

    async def test_several_models_are_listed_in_one_sentence(self, server: ModelServer, settings: Any) -> None:
        settings.OPENAI_MODEL = ""
        server.models = [f"m{number:02}" for number in range(23)]
        with pytest.raises(ModelMisconfigured) as caught:
            await resolve_model()
        assert "OPENAI_MODEL is not set" in caught.value.message
        assert "m00, m01" in caught.value.message
        assert caught.value.message.endswith("m19 and 3 more.")

    async def test_no_model_and_an_unreachable_server_are_distinguished(
        self, server: ModelServer, settings: Any, unused_port: int
    ) -> None:
        settings.OPENAI_MODEL = ""
        server.models = []
        with pytest.raises(ModelMisconfigured, match="offers no model"):
            await resolve_model()
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{unused_port}/v1"
        with pytest.raises(ModelMisconfigured, match="does not list its models"):
            await resolve_model()


class TestDoctor:
    async def test_a_fully_capable_model_is_reported(self, server: ModelServer) -> None:
        server.will(Behaviour(text="", calls=(Call("ping"),)))
        assert await check_model() == (True, "scripted answers; it streams and calls tools.")

    async def test_doctor_reports_a_model_without_tools(self, server: ModelServer) -> None:
        server.default = Behaviour(text="ready", refuses="tools")
        is_fine, sentence = await check_model()
        assert is_fine
        assert "called no tool" in sentence

    async def test_doctor_reports_a_server_that_does_not_stream(self, server: ModelServer) -> None:
        server.default = Behaviour(text="ready", is_whole=True)
        is_fine, sentence = await check_model()
        assert is_fine
        assert "does not stream" in sentence

    async def test_doctor_reports_a_wrong_key(self, server: ModelServer) -> None:
        server.default = Behaviour(status=401, error="bad key")
        is_fine, sentence = await check_model()
        assert not is_fine
        assert "OPENAI_API_KEY" in sentence
