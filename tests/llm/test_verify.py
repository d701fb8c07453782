"""The second look: a separate purpose, off until it has a model, with its own deadline, budget and circuit breaker."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.checks import run_checks

from supportbot.async_db import db
from supportbot.llm import gateway
from supportbot.llm.errors import BudgetExceeded, DeadlineExceeded, ModelUnavailable
from supportbot.llm.json_extraction import json_in
from supportbot.llm.models import Budget
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ChatMessage, ModelRequest, Usage
from tests.llm.conftest import BUILTIN_ANSWER, read, text_of
from tests.modelserver import Behaviour, ModelServer
from tests.patience import PATIENCE_SECONDS

Ask = Callable[..., ModelRequest]
Stored = Callable[[], Any]
SCHEMA = {"type": "object", "properties": {"holds": {"type": "boolean"}}, "required": ["holds"]}
VERDICT = '{"holds": true}'


@pytest.fixture
def look() -> Callable[..., ModelRequest]:
    def make(**changes: Any) -> ModelRequest:
        messages = (ChatMessage("system", "Judge. Answer in JSON."), ChatMessage("user", "Returns are free."))
        return ModelRequest(**({"purpose": "verify", "messages": messages, "answer_schema": SCHEMA} | changes))

    return make


@pytest.fixture
def verifier(settings: Any, server: ModelServer) -> ModelServer:
    settings.OPENAI_VERIFY_MODEL = "small"
    return server


async def test_the_second_look_is_off_by_default(server: ModelServer, look: Ask, unstored: None) -> None:
    assert not gateway.has_route("verify")
    with pytest.raises(ModelUnavailable):
        await gateway.complete(look())
    assert server.chats == []
    assert [gateway.has_route(purpose) for purpose in ("answer", "summarise", "judge", "embed")] == [
        True, True, True, False,
    ]  # fmt: skip


async def test_the_second_look_asks_its_own_model_for_json(
    verifier: ModelServer, look: Ask, ask: Ask, stored: Stored
) -> None:
    verifier.will(Behaviour(text=VERDICT), Behaviour(text="Fine."))
    assert gateway.has_route("verify")
    assert json_in((await gateway.complete(look())).text) == {"holds": True}
    await read(ask())
    second, answer = verifier.chats
    assert (second["model"], answer["model"]) == ("small", "scripted")
    assert second["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "response_format" not in answer
    assert [(row.purpose, row.model) for row in await stored()] == [("verify", "small"), ("answer", "scripted")]


async def test_the_second_look_has_no_fallback(verifier: ModelServer, look: Ask, stored: Stored) -> None:
    verifier.default = Behaviour(status=500)
    with pytest.raises(ModelUnavailable):
        await gateway.complete(look())
    assert {row.provider for row in await stored()} == {"openai"}


async def test_the_second_look_has_its_own_deadline(
    verifier: ModelServer, look: Ask, unstored: None, settings: Any
) -> None:
    settings.LLM_VERIFY_DEADLINE_SECONDS = 0.2
    settings.MODEL_DEADLINE_SECONDS = 2 * PATIENCE_SECONDS
    verifier.will(Behaviour(first_after=PATIENCE_SECONDS))
    began = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded):
        await gateway.complete(look())
    assert asyncio.get_running_loop().time() - began < PATIENCE_SECONDS / 2


async def test_failures_of_the_second_look_do_not_affect_answers(
    verifier: ModelServer, look: Ask, ask: Ask, unstored: None, settings: Any
) -> None:
    settings.OPENAI_VERIFY_MODEL = settings.OPENAI_MODEL  # one model for answers and second looks
    verifier.default = Behaviour(status=500)
    for _ in range(6):
        with pytest.raises(ModelUnavailable):
            await gateway.complete(look())
    asked = len(verifier.chats)
    with pytest.raises(ModelUnavailable):
        await gateway.complete(look())
    assert len(verifier.chats) == asked, "its circuit is open"
    verifier.default = Behaviour(text="Fine.")
    assert text_of(await read(ask())) == "Fine."


async def test_answers_work_without_a_second_look(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.default = Behaviour(status=500)
    assert text_of(await read(ask())) == BUILTIN_ANSWER


@pytest.mark.parametrize(
    ("said", "forms"),
    [
        ("'response_format.type' must be 'json_object'", ["json_schema", "json_object"]),
        ("Unsupported parameter: response_format", ["json_schema", "json_object", None]),
        ("Bad request.", ["json_schema", "json_schema", None]),  # the usage option is dropped first
    ],
)
async def test_a_server_without_json_schema_is_asked_without(
    verifier: ModelServer, look: Ask, unstored: None, said: str, forms: list[str | None]
) -> None:
    verifier.will(*[Behaviour(status=400, error=said)] * (len(forms) - 1), Behaviour(text=VERDICT))
    assert json_in((await gateway.complete(look())).text) == {"holds": True}
    assert [(body.get("response_format") or {}).get("type") for body in verifier.chats] == forms
    verifier.will(Behaviour(text=VERDICT))
    await gateway.complete(look())
    assert (verifier.chats[-1].get("response_format") or {}).get("type") == forms[-1], "learnt once"


async def test_a_refused_plain_request_does_not_switch_json_off(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.default = Behaviour(status=400, error="response_format is odd")
    assert text_of(await read(ask())) == BUILTIN_ANSWER
    assert len(server.chats) == 2  # once more, without usage


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (VERDICT, {"holds": True}),
        (f"```json\n{VERDICT}\n```", {"holds": True}),
        (f"Here it is: {VERDICT} I hope it helps.", {"holds": True}),
        (f"<think>maybe {{}} or [1]</think>\n{VERDICT}", {"holds": True}),
        ('[{"id": 1, "holds": false}]', [{"id": 1, "holds": False}]),
        ("{ no } [x] " + VERDICT, {"holds": True}),
        ("I cannot say.", None),
        ('{"holds": tru', None),
        ('{"score": NaN}', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_the_json_in_an_answer_is_found(text: str, value: Any) -> None:
    assert json_in(text) == value


async def test_tests_can_enable_the_second_look_with_its_own_model(look: Ask, ask: Ask, unstored: None) -> None:
    with answering(ScriptedModel(Says("Fine."))) as model:
        assert not gateway.has_route("verify")
        await read(ask())
    with answering(model, verifying=ScriptedModel(Says(VERDICT))):
        assert gateway.has_route("verify")
        assert (await gateway.complete(look())).text == VERDICT
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"LLM_VERIFY_DAILY_BUDGET": "ten"},
        {"LLM_VERIFY_DEADLINE_SECONDS": 0.0},
        {"OPENAI_VERIFY_MODEL": "small", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "OPENAI_MODEL": ""},
    ],
)
def test_wrong_settings_stop_the_start(settings: Any, broken: dict[str, Any]) -> None:
    for name, value in broken.items():
        setattr(settings, name, value)
    assert [error.id for error in run_checks(tags=["llm"]) if error.is_serious()]


@pytest.mark.django_db(transaction=True)
class TestBudget:
    @pytest.fixture(autouse=True)
    def priced(self, settings: Any) -> None:
        priced = {"input": "0", "output": "1000"}  # a second look of 10 tokens: 0.01
        settings.LLM_PRICES = {"currency": "EUR", "per_million_tokens": {"scripted-1": priced}}

    async def books(self) -> dict[str, tuple[Decimal, Decimal]]:
        await gateway.close()
        return {row.purpose: (row.reserved, row.spent) for row in await db(list, Budget.objects.all())}

    async def test_the_budget_of_the_second_look_is_part_of_the_total(
        self, look: Ask, ask: Ask, stored: Stored, settings: Any
    ) -> None:
        settings.LLM_DAILY_BUDGET, settings.LLM_VERIFY_DAILY_BUDGET = "1.00", "0.02"
        said = Says(VERDICT, usage=Usage(0, 10))
        with answering(ScriptedModel(said), verifying=ScriptedModel(said, said)):
            for _ in range(2):
                await gateway.complete(look(max_output_tokens=10))
            with pytest.raises(BudgetExceeded):
                await gateway.complete(look(max_output_tokens=10))
            await read(ask(max_output_tokens=10))  # answers use the rest of the total
        spent = {"verify": (Decimal(0), Decimal("0.02")), "": (Decimal(0), Decimal("0.03"))}
        assert await self.books() == spent

    async def test_the_total_budget_limits_the_second_look_and_nothing_stays_reserved(
        self, look: Ask, stored: Stored, settings: Any
    ) -> None:
        settings.LLM_DAILY_BUDGET, settings.LLM_VERIFY_DAILY_BUDGET = "0.005", "1.00"
        with answering(ScriptedModel(), verifying=ScriptedModel()), pytest.raises(BudgetExceeded):
            await gateway.complete(look(max_output_tokens=10))
        assert {held + spent for held, spent in (await self.books()).values()} == {Decimal(0)}

    async def test_the_second_look_can_be_limited_alone(self, look: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_VERIFY_DAILY_BUDGET = "0.01"
        with answering(ScriptedModel(), verifying=ScriptedModel(Says(VERDICT, usage=Usage(0, 10)))):
            await gateway.complete(look(max_output_tokens=10))
            with pytest.raises(BudgetExceeded):
                await gateway.complete(look(max_output_tokens=10))
        assert await self.books() == {"verify": (Decimal(0), Decimal("0.01"))}
