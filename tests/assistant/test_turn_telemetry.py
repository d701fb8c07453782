"""An operator sees one log line per answer, with its phases and ids, and the metrics."""

import logging

import pytest
from pytest_django.fixtures import Settings

from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import Usage
from supportbot.observing.logs import Event, events_suppressed, log_event
from tests.assistant.conftest import say
from tests.log_lines import LogLines, counted

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long can I return something?"
QUOTE = "You can return unused items within 60 days of delivery."
PRICES = {"currency": "EUR", "per_million_tokens": {"scripted-1": {"input": "100", "output": "400"}}}


async def test_an_answer_and_its_call_to_a_model_are_one_line_each(
    conversation: Conversation, log_lines: LogLines, settings: Settings
) -> None:
    settings.LLM_PRICES = PRICES
    call = {"purpose": "answer", "provider": "remote", "outcome": "done", "reason": ""}
    turns, calls, cost = figures = (
        lambda: counted("turns_total", outcome="answered", by="model"),
        lambda: counted("model_calls_total", **call),
        lambda: counted("model_cost_total", currency="EUR"),
    )
    before = [figure() for figure in figures]
    claim = await db(say, conversation, QUESTION)
    with answering(ScriptedModel(Says((QUOTE, " [1]"), usage=Usage(10, 5)))):
        await carry_out(claim)

    [line] = log_lines.of("answer")
    assert (line["outcome"], line["by"], line["attempt"]) == ("answered", "model", 1)
    assert (line["turn"], line["conversation"]) == (str(claim.turn_id), str(conversation.pk))
    assert line["workspace"] == str(conversation.workspace_id)
    phases = {name.removesuffix("_seconds"): value for name, value in line.items() if name.endswith("_seconds")}
    assert set(phases) == {"queue", "search", "model", "tools", "check", "store", "first_text", "total"}
    parts = [phases[name] for name in ("search", "model", "tools", "check", "store")]
    assert sum(parts) <= phases["total"] + 0.01
    assert (turns(), counted("turn_seconds_count", phase="search") >= 1) == (before[0] + 1, True)

    [line] = log_lines.of("model_call")
    assert (line["turn"], line["conversation"]) == (str(claim.turn_id), str(conversation.pk))
    assert (line["purpose"], line["model"], line["outcome"]) == ("answer", "scripted-1", "done")
    assert (line["input_tokens"], line["output_tokens"]) == (10, 5)
    assert (float(line["cost"]), line["currency"]) == (0.003, "EUR")
    assert 0 <= line["first_token"] <= line["seconds"] <= phases["total"]
    assert (calls(), cost()) == (before[1] + 1, pytest.approx(before[2] + 0.003))
    assert not any(word in line for line in log_lines.written for word in ("return unused", "How long")), "no text"


async def test_a_failed_answer_names_its_code(conversation: Conversation, log_lines: LogLines) -> None:
    claim = await db(say, conversation, QUESTION)
    with answering(ScriptedModel(Says(fails=ProviderRefused(Reason.NOT_AUTHORISED)))):
        await carry_out(claim)
    [line] = log_lines.of("answer")
    assert (line["outcome"], line["by"]) == ("failed", "nobody") and line["code"]


def test_overlapping_commands_do_not_silence_later_events(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first, second = events_suppressed(), events_suppressed()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    log_event(Event.ANSWER)
    assert caplog.records == []
    second.__exit__(None, None, None)
    log_event(Event.ANSWER)
    assert [record.getMessage() for record in caplog.records] == ["answer"]
