"""Lists that have grown for years: their later pages and filters."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.console.conversations import ConversationAdmin
from supportbot.llm.models import LLMCall
from tests.console.conftest import Enter, Sample

pytestmark = pytest.mark.django_db


def test_a_later_page_of_a_list_continues_after_the_previous_one(
    enter: Enter, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConversationAdmin, "list_per_page", 2)
    rows = [sample.conversation, *(start_conversation(sample.customer.pk) for _ in range(4))]
    for hours, row in enumerate(rows):
        Conversation.objects.filter(pk=row.pk).update(last_event_at=now() - timedelta(hours=hours))
    client, listed = enter("admin"), reverse("admin:chat_conversation_changelist")
    pages = [client.get(listed, {"p": page}).context["cl"].result_list for page in (1, 2, 3)]
    assert [row.pk for page in pages for row in page] == [row.pk for row in rows]


def test_calls_are_filtered_by_existing_providers(enter: Enter, sample: Sample) -> None:
    LLMCall.objects.create(purpose="answer", provider="other", model="Zebra", duration_ms=9, outcome="done")
    client, listed = enter("admin"), reverse("admin:llm_llmcall_changelist")
    [choices] = [one for one in client.get(listed).context["cl"].filter_specs if one.title == "provider"]
    assert choices.lookup_choices == [("other", "other"), ("p", "p")]
    shown = client.get(listed, {"provider": "other"})
    assert [call.model for call in shown.context["cl"].result_list] == ["Zebra"]
