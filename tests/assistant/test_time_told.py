"""The model gets the current day and time in the company's time zone."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from supportbot.accounts.models import Workspace
from supportbot.assistant import context
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.signals import EventView
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)


@pytest.fixture
def _in_berlin(conversation: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    Workspace.objects.filter(pk=conversation.workspace_id).update(timezone="Europe/Berlin")
    monkeypatch.setattr(context, "now", lambda: NOW)


@pytest.mark.one_in(4)
@pytest.mark.usefixtures("_in_berlin")
@pytest.mark.parametrize(
    ("said", "is_shown"),
    [
        ("Today is Sunday 29 November 2026.", True),
        ("Today is Monday 30 November 2026.", False),
        ("We are open on Sunday.", False),
        ("The fee is €2026.", False),
    ],
)
async def test_the_model_may_name_the_current_day_and_no_other(
    conversation: Conversation, log: Callable[[], list[EventView]], said: str, is_shown: bool
) -> None:
    claim = await db(say, conversation, "Which day is it today?")
    with answering(ScriptedModel(Says((said,)))) as model:
        await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert (said in final["text"]) is is_shown
    assert "local time is now Sunday, 29 November 2026, 00:30 (Europe/Berlin)." in model.requests[0].messages[0].content


@pytest.mark.usefixtures("_in_berlin")
async def test_each_message_has_its_date_in_the_companys_time_zone(conversation: Conversation) -> None:
    claim = await db(say, conversation, "Please deliver it tomorrow")
    with answering(ScriptedModel(Says(("Let me see.",)))) as model:
        await carry_out(claim)

    newest = model.requests[0].messages[-1]
    assert newest.content == "Please deliver it tomorrow" and isinstance(newest.written_on, date)
