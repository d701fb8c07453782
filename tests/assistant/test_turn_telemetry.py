"""An operator sees one log line per answer, with its phases and ids, and the metrics."""

import json
import logging

import pytest
from prometheus_client import REGISTRY

from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.observing.logs import Event, JsonFormatter, events_suppressed, log_event
from tests.assistant.conftest import say

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long can I return something?"
QUOTE = "You can return unused items within 60 days of delivery."


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Log lines as JSON, formatted when they are logged, since the ids depend on the context."""
    written: list[str] = []
    formatter = JsonFormatter()
    # All tests share one handler.
    monkeypatch.setattr(caplog.handler, "emit", lambda record: written.append(formatter.format(record)))
    caplog.set_level(logging.INFO)
    return written


async def test_an_answer_is_one_line_with_its_phases(conversation: Conversation, lines: list[str]) -> None:
    before = counted("supportbot_turns_total", outcome="answered", by="model")
    claim = await db(say, conversation, QUESTION)
    with answering(ScriptedModel(Says((QUOTE, " [1]")))):
        await carry_out(claim)

    [line] = [json.loads(line) for line in lines if '"message": "answer"' in line]
    assert (line["outcome"], line["by"], line["attempt"]) == ("answered", "model", 1)
    assert (line["turn"], line["conversation"]) == (str(claim.turn_id), str(conversation.pk))
    assert line["workspace"] == str(conversation.workspace_id)
    phases = {name.removesuffix("_seconds"): value for name, value in line.items() if name.endswith("_seconds")}
    assert set(phases) == {"queue", "search", "model", "tools", "check", "store", "first_text", "total"}
    parts = [phases[name] for name in ("search", "model", "tools", "check", "store")]
    assert sum(parts) <= phases["total"] + 0.01
    assert counted("supportbot_turns_total", outcome="answered", by="model") == before + 1
    assert counted("supportbot_turn_seconds_count", phase="search") >= 1
    assert not any(word in line for line in lines for word in ("return unused", "How long")), "no text in the log"


async def test_a_failed_answer_names_its_code(conversation: Conversation, lines: list[str]) -> None:
    claim = await db(say, conversation, QUESTION)
    with answering(ScriptedModel(Says(fails=ProviderRefused(Reason.NOT_AUTHORISED)))):
        await carry_out(claim)
    [line] = [json.loads(line) for line in lines if '"message": "answer"' in line]
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
