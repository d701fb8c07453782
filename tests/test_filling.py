"""The rows that benchmarks fill a database with."""

from typing import Any

import pytest

from bench.filling import EVENTS, Size, fill
from kb import ports
from kb.indexing.recipes import active_recipe
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import create_workspace
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.handoff.models import Ticket

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]


def test_every_conversation_may_have_a_ticket(settings: Any) -> None:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    try:
        workspace = create_workspace("Grown", slug="grown")
        with workspace_scope(workspace.pk):
            fill(workspace.pk, Size(conversations=40, passages=20, ticket_every=1), active_recipe())
            assert Conversation.objects.count() == 40
            assert ConversationEvent.objects.count() == 40 * EVENTS
            assert set(Ticket.objects.values_list("conversation", flat=True)) == {
                *Conversation.objects.values_list("pk", flat=True)
            }
            assert {ticket.is_open for ticket in Ticket.objects.all()} == {False}
    finally:
        ports._load.cache_clear()
