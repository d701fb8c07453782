"""`search` and `ask`: public knowledge for everybody with a key, and more with a customer's token."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions.testing import FakeShop
from kb import ports
from kb.indexing.sync import sync_articles
from kb.models import Audience
from kb.services import Change, create_article, publish
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Customer, Workspace
from supportbot.assistant.ask_and_wait import AskResult
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.turns import claim_turn
from supportbot.ids import uuid7
from supportbot.llm import gateway
from supportbot.mcp import knowledge_tools
from tests.mcp.agent import ForeignAgent, token_of
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = {
    "returns": (Audience.PUBLIC, "You can return unused items within 60 days of delivery."),
    "perks": (Audience.SIGNED_IN, "Members can return unused items within 90 days of delivery."),
    "secret": (Audience.INTERNAL, "Agents may accept unused items within 120 days of delivery."),
}
QUESTION = "Within how many days can I return unused items?"


@pytest.fixture(autouse=True)
def pages(settings: Settings, workspace: Workspace, server: str) -> Iterator[None]:
    """An article for each audience."""
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    ports._load.cache_clear()
    for name, (audience, text) in PAGES.items():
        article = create_article(
            Change(title=name.title(), body=text, locale="en", audience=audience, url=f"/help/wrenfell/{name}/"),
            external_id=name,
        )
        publish(article.pk)
        sync_articles([article.pk])
    yield
    ports._load.cache_clear()


@contextmanager
def answering() -> Iterator[None]:
    """Carry out turns as a web process's runner does, since the test's server has none."""
    is_over = threading.Event()

    async def run() -> None:
        while not is_over.is_set():
            claim = await db(claim_turn, "test")
            if claim is not None:
                await carry_out(claim)
            await asyncio.sleep(0.02)
        await gateway.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_search_finds_what_the_reader_may_read(
    agent: ForeignAgent, alice: Customer, channel: NewChannel, mode: str
) -> None:
    agent.mode = mode
    public = agent.call("search", {"query": QUESTION}).structured_content
    assert {one["external_id"] for one in public["passages"]} == {"returns"}
    assert public["passages"][0]["url"].endswith("/help/wrenfell/returns/")
    signed_in = agent.call("search", {"query": QUESTION, "limit": 5, "locale": "en"}, token=token_of(channel))
    assert {one["external_id"] for one in signed_in.structured_content["passages"]} == {"returns", "perks"}


@pytest.mark.long
def test_ask_answers_with_sources_in_a_separate_conversation(agent: ForeignAgent) -> None:
    with answering():
        answer = agent.call("ask", {"question": QUESTION}).structured_content
    assert "60 days" in answer["answer"] and "90 days" not in answer["answer"]
    assert [one["title"] for one in answer["citations"]] == ["Returns"]
    conversation = Conversation.objects.get(pk=answer["conversation"])
    assert (conversation.customer.is_anonymous, conversation.customer.name) == (True, "Travel agency")
    assert answer["proposals"] == []


def test_ask_names_the_pages_that_an_abstention_offers(agent: ForeignAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"article": str(uuid7()), "external_id": "returns", "title": "Returns", "url": "/help/wrenfell/returns/"}
    told = {"text": "I could not find this.", "citations": [], "abstained": True, "pages": [page]}

    async def found_nothing(conversation: Conversation, *_: Any, **__: Any) -> AskResult:
        return AskResult(conversation.pk, told, [], has_handoff=False, took_ms=1.0)

    monkeypatch.setattr(knowledge_tools, "ask_runner", found_nothing)
    assert agent.call("ask", {"question": QUESTION}).structured_content["pages"] == [page]


def test_ask_with_a_token_uses_the_customers_own_conversation(
    agent: ForeignAgent, alice: Customer, channel: NewChannel, shop: FakeShop
) -> None:
    with answering():
        answer = agent.call("ask", {"question": "Please refund A-1001, it arrived damaged"}, token=token_of(channel))
    found = answer.structured_content
    assert Conversation.objects.get(pk=found["conversation"]).customer_id == alice.pk
    assert [one["status"] for one in found["proposals"]] == ["input_required"]
    assert "/confirm/" in found["proposals"][0]["confirm_url"]
    assert shop.refunds == []


def test_a_knowledge_key_has_no_actions_and_no_customers(
    server: str, workspace: Workspace, channel: NewChannel, shop: FakeShop
) -> None:
    agent = ForeignAgent(server, issue_api_key(workspace, "Search", scopes=["mcp:use"]).plain)
    assert agent.tools().keys() == {"search", "ask"}
    refused = agent.call("search", {"query": QUESTION}, token=token_of(channel))
    assert (refused.is_error, refused.structured_content["code"]) == (True, "scope_missing")


@pytest.mark.long
def test_bad_arguments_are_named(agent: ForeignAgent) -> None:
    bad: list[tuple[dict[str, object], str]] = [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": 7}, "query"),
        ({"query": "x" * 4_001}, "query"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": "many"}, "limit"),
        ({"query": "x", "customer": "cus_alice"}, "customer"),
        ({"query": "x", "audience": "internal"}, "audience"),
        ({"query": "nul \u0000"}, "query"),
        ({"query": "x", "locale": "not a language"}, ""),
    ]
    for arguments, field in bad:
        refused = agent.call("search", arguments)
        assert refused.is_error, arguments
        assert not field or field in refused.structured_content["fields"], (arguments, refused)


@pytest.mark.long
def test_questions_have_their_own_rate_limit(agent: ForeignAgent, settings: Settings) -> None:
    settings.MCP_QUESTIONS_PER_MINUTE = 1
    with answering():
        agent.call("ask", {"question": QUESTION})
        refused = agent.call("ask", {"question": QUESTION})
    assert (refused.is_error, refused.structured_content["code"]) == (True, "throttled")
    assert Conversation.objects.count() == 1
