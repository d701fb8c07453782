from datetime import timedelta

import pytest

from supportbot.accounts.models import Customer, Workspace
from supportbot.chat import turns
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    return start_conversation(alice.pk)


@pytest.fixture
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the tests end a lease: on a busy machine, five seconds may pass between two statements."""
    lease = turns._LONGEST_LEASE - timedelta(seconds=1)
    monkeypatch.setattr(turns, "LEASE", lease)
    ends = f"{turns._NOW} + interval '{lease.total_seconds()} seconds'"
    monkeypatch.setitem(turns._OF_A_CLAIM, "lease_until", ends)


@pytest.fixture
def limited(workspace: Workspace) -> Workspace:
    """A workspace that keeps its conversations and the bodies of its model calls for a limited time."""
    Workspace.objects.filter(pk=workspace.pk).update(keep_conversations_days=30, keep_bodies_days=5)
    return workspace
