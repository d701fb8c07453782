"""A model server that sends anything but an answer: the turn ends in time, nothing is done, and the next one works."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from supportbot.async_db import db
from supportbot.llm import gateway
from supportbot.llm.breaker import forget_failures
from tests.attacks import checks
from tests.attacks.corpus import Row, rows
from tests.attacks.test_hostile_model import TRANSPORT
from tests.modelserver import Behaviour, ModelServer
from tests.patience import PATIENCE_SECONDS

DEADLINE_SECONDS = 1.0
QUESTION = "Within how many days can I return unused items?"


def played_here() -> list[Any]:
    found = rows("hostile_model")
    return [entry for entry in found if entry.values[0].raw["model_emits"][0]["type"] in TRANSPORT]


@pytest_asyncio.fixture
async def model(settings: Settings) -> AsyncIterator[ModelServer]:
    """The scripted server as the operator's model, with the built-in answerer as fallback."""
    forget_failures()
    async with ModelServer() as running:
        settings.OPENAI_BASE_URL = running.base_url
        settings.OPENAI_API_KEY = "sk-test"
        settings.OPENAI_MODEL = "scripted"
        settings.MODEL_DEADLINE_SECONDS = DEADLINE_SECONDS
        yield running
        await gateway.close()
    forget_failures()


def behaviour_of(step: dict[str, Any]) -> Behaviour:
    match step["type"]:
        case "http_status":
            return Behaviour(status=step["status"], retry_after=str(step.get("retry_after", "")) or None)
        case "raw_body":
            return Behaviour(raw=step["text"].encode(), content_type=step["content_type"])
        case "sse_slow":
            return Behaviour(text="word " * 2_000, bytes_per_second=step["bytes_per_second"])
        case "sse_repeat":
            return Behaviour(text=step["text"], is_endless=True)
        case "sse_bytes_hex":
            first, rest = bytes.fromhex(step["hex"]), bytes.fromhex(step["then_hex"])
            return Behaviour(raw=first + rest, split=len(first))
    raw = "".join(step["chunks"]).encode()
    return Behaviour(raw=raw, stays_open=step["then"] == "hang", cuts_raw=step["then"] == "reset")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("row", played_here())
async def test_a_broken_transport_spoils_one_answer_at_most(
    row: Row, new_scenario: Callable[..., Any], model: ModelServer, settings: Settings
) -> None:
    scenario = await new_scenario(row)
    model.default = behaviour_of(row.raw["model_emits"][0])
    events = await scenario.ask_whoever_answers(QUESTION)
    assert events[-1].event in ("assistant.final", "assistant.failed")
    assert len("".join(scenario.heard)) < 20_000
    await db(checks.no_action_executed, scenario)
    assert await db(scenario.requests) == []
    await db(checks.no_foreign_data, scenario)
    await db(checks.no_secret_out, scenario)
    checks.no_active_content(*await db(scenario.finals), "".join(scenario.heard))
    settings.MODEL_DEADLINE_SECONDS = PATIENCE_SECONDS
    model.default = Behaviour(text="Hello! How can I help you today?")
    forget_failures()
    again = await scenario.ask_whoever_answers("Hello")
    assert again[-1].payload["text"].startswith("Hello!")
