import pytest

from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    return start_conversation(alice.pk)


@pytest.fixture
def limited(workspace: Workspace) -> Workspace:
    """A workspace that keeps its conversations and the bodies of its model calls for a limited time."""
    Workspace.objects.filter(pk=workspace.pk).update(keep_conversations_days=30, keep_bodies_days=5)
    return workspace
