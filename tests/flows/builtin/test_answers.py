"""A question gets a streamed, cited answer that is the same for every reader."""

import asyncio
from typing import Any

import pytest

from tests.flows.people import Agent, Visitor, answer_of, ask, assert_whole, call, say, shown
from tests.flows.stack import Stack

pytestmark = pytest.mark.long

QUESTIONS = [
    ("How long do I have to return something?", "returns-and-refunds", "60 days"),
    ("Was kostet der Versand nach Deutschland?", "delivery-times-and-costs-de", "€"),
]


@pytest.mark.parametrize(("question", "article", "words"), QUESTIONS)
async def test_an_answer_is_streamed_and_cited(visitor: Visitor, question: str, article: str, words: str) -> None:
    async with visitor.chat() as socket:
        final = await ask(socket, question)
        assert words in final["text"]
        assert shown(socket.frames, 1).strip() == final["text"].strip()
    assert (final["by"], final["abstained"]) == ("builtin", False)
    assert article in [citation["external_id"] for citation in final["citations"]]
    for citation in final["citations"]:
        await assert_leads_to_its_passage(citation, visitor.agent)


async def assert_leads_to_its_passage(citation: dict[str, Any], agent: Agent) -> None:
    """Assert that span and quote match the stored article, and that the link opens a page with a marked passage."""
    body = (await agent.does("GET", f"articles/{citation['article']}"))["body"]
    assert body[citation["start"] : citation["end"]] == citation["quote"]
    status, page = await call("", "GET", citation["url"])
    assert status == 200
    assert "<mark" in page


async def test_a_missing_answer_is_admitted_and_a_person_offered(visitor: Visitor) -> None:
    async with visitor.chat() as socket:
        final = await ask(socket, "Which football team will win the cup this year?")
    assert (final["abstained"], final["offers_human"], final["citations"]) == (True, True, [])


async def test_the_customer_is_told_before_the_first_answer_that_it_is_an_ai(visitor: Visitor) -> None:
    async with visitor.chat() as socket:
        notice = socket.frames[0]["notice"]
        await ask(socket, "How do I wash my rain jacket?")
    log = await visitor.log()
    names = [event["event"] for event in log]
    assert log[0]["payload"]["text"] == notice
    assert log[0]["payload"]["source"] == "system"
    assert names.index("assistant.started") > 0


async def test_two_sockets_see_the_same_log_and_the_same_text(visitor: Visitor) -> None:
    async with visitor.chat() as first, visitor.chat() as second:
        await say(first, "How long do I have to return something?")
        await asyncio.gather(answer_of(first), answer_of(second))
        assert first.events == second.events
        assert shown(first.frames, 1) == shown(second.frames, 1) != ""


async def test_rest_returns_the_same_log_as_the_socket(visitor: Visitor) -> None:
    async with visitor.chat(last_seq=0) as socket:
        await ask(socket, "How do I wash my rain jacket?")
        log = await visitor.log()
        assert [{"type": "event", **event} for event in log] == socket.events
    assert_whole(log)


async def test_forty_simultaneous_conversations_are_answered(stack: Stack, visitor: Visitor) -> None:
    async def one() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        own = Visitor(stack, visitor.address)
        async with own.chat(last_seq=0) as socket:
            return await ask(socket, "How do I wash my rain jacket?"), socket.events

    results = await asyncio.gather(*[one() for _ in range(40)])
    assert len({final["message"] for final, _ in results}) == 40
    # Under load, only words decide what else is quoted; the best sentence is always the same.
    assert len({final["citations"][0]["quote"] for final, _ in results}) == 1
    for final, events in results:
        assert final["citations"]
        assert_whole(events)
