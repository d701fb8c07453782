"""Questions asked from an operator's shell, as a visitor or as a customer."""

from typing import Any

import pytest
from django.core.management import call_command

from actions.testing import FakeShop
from supportbot.accounts.models import Customer, Workspace
from supportbot.assistant import ask_and_wait
from supportbot.assistant.ask_and_wait import AskResult, PersonAnswers, ask, conversation_to_ask_in
from supportbot.assistant.management.commands import ask as command
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.errors import NotFound
from supportbot.handoff.tickets import services as handoff

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_customer_without_chats_is_found_by_their_orders(shop: FakeShop) -> None:
    first = conversation_to_ask_in("cus_stranger", None, locale="en")
    again = conversation_to_ask_in("cus_stranger", None, locale="en")
    assert (first.customer.external_id, first.customer_id) == ("cus_stranger", again.customer_id)


@pytest.mark.parametrize("unknown", ["cus_nobody", " ", "a\x00"])
def test_an_unknown_customer_cannot_ask(shop: FakeShop, unknown: str) -> None:
    with pytest.raises(NotFound, match="knows a customer"):
        conversation_to_ask_in(unknown, None, locale="en")
    assert (Customer.objects.count(), Conversation.objects.count()) == (0, 0)


async def test_asking_in_a_conversation_that_waits_for_an_agent_is_refused(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_and_wait, "WAIT_SECONDS", 0.5)
    await db(handoff.request, conversation.pk, reason="customer_asked", by="customer")
    with pytest.raises(PersonAnswers, match="This conversation is with an agent"):
        await ask(conversation, "Within how many days can I return unused items?")


async def test_a_question_is_answered_in_this_process_if_no_other_does(conversation: Conversation) -> None:
    asked = await ask(conversation, "Within how many days can I return unused items?")
    assert "within 60 days of delivery" in asked.payload["text"]
    assert (asked.has_handoff, asked.proposals) == (False, [])


def test_the_command_prints_text_instead_of_markdown(
    workspace: Workspace,
    conversation: Conversation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    payload = {
        "text": "It costs **€6.90**. [1]\n\n- See [delivery](https://shop.example/d).",
        "citations": [{"title": "Delivery", "quote": "| Country | Price |\n|---|--:|\n| *Austria* | €6.90 |"}],
        "abstained": False,
        "by": "model",
    }

    async def answered(*_: Any) -> AskResult:
        return AskResult(conversation.pk, payload, [], False, 1.0)

    monkeypatch.setattr(command, "ask", answered)
    call_command("ask", "How much?", "--workspace", workspace.slug)
    assert capsys.readouterr().out == (
        "It costs €6.90. [1]\n\n- See delivery.\n  [1] Delivery: “Country · Price Austria · €6.90”\n"
    )
