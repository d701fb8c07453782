"""A conversation in a workspace with an article, and functions that run its turns."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions.approvers import allow_approval
from actions.policy_store import policy_of
from actions.testing import FakeShop, connected
from kb import ports
from kb.indexing.sync import sync_articles
from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.signals import EventView
from supportbot.chat.turns import Claim, claim_turn
from tests.events import check_event
from tests.policies import store_policies
from tests.stored_rows import created_once

RETURNS = """## Returning things

You can return unused items within 60 days of delivery. The label is free within Germany.

## Getting your money back

Your refund is paid within 5 working days after we received the parcel.
"""


@pytest.fixture(autouse=True)
def hashed_vectors(settings: Settings) -> Iterator[None]:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    yield
    ports._load.cache_clear()


@pytest.fixture
def returns_article(workspace: Workspace) -> Article:
    return created_once("returns_article", workspace, write_returns_article)


def write_returns_article() -> Article:
    article = create_article(
        Change(title="Returns", body=RETURNS, locale="en", url="/help/wrenfell/returns/"), external_id="returns"
    )
    publish(article.pk)
    sync_articles([article.pk])
    return article


@pytest.fixture
def conversation(alice: Customer, returns_article: Article) -> Conversation:
    return start_conversation(alice.pk)


@pytest.fixture
def log(workspace: Workspace, conversation: Conversation) -> Callable[[], list[EventView]]:
    """Return the conversation's log without the notice; call it in a database thread."""

    def read() -> list[EventView]:
        with workspace_scope(workspace.pk):
            events = events_after(conversation.pk, 1)
        for event in events:
            check_event(event.event, event.payload)
        return events

    return read


def say(conversation: Conversation, text: str) -> Claim:
    """Write a message as the customer, and claim the turn that follows."""
    with workspace_scope(conversation.workspace_id):
        add_customer_message(conversation.pk, text=text, client_id=f"c{len(text)}")
        claim = claim_turn("test-runner")
    assert claim is not None
    return claim


def payloads(events: list[EventView], event: str) -> list[dict[str, Any]]:
    return [entry.payload for entry in events if entry.event == event]


@pytest.fixture
def shop(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeShop]:
    """A merchant with two of Alice's orders and one of a stranger's; no message is sent to a broker."""
    monkeypatch.setattr("actions.requests.celery_publisher.publish", lambda workspace_id, request_id: None)
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1001", "cus_alice", total="49.90")
        fake.add_order("A-1005", "cus_alice", total="60.00", delivered_days_ago=90)
        fake.add_order("B-2002", "cus_stranger", total="75.00", delivered_days_ago=2)
        yield fake


@pytest.fixture
def lead(workspace: Workspace, shop: FakeShop) -> User:
    """A person who may approve refunds."""
    person = User.objects.create_user("nadja", password="correct horse battery")
    Membership.objects.create(workspace=workspace, user=person, role=Membership.Role.SUPERVISOR)
    policy = policy_of("refund_order")
    assert policy is not None
    allow_approval(policy, person, actor="test")
    return person
