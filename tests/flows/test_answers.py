"""A question becomes a streamed, cited answer that every reader sees alike."""

import asyncio
from typing import Any

import pytest

from tests.flows.people import Agent, Visitor, answer_of, ask, assert_whole, call, say, shown
from tests.flows.stack import Stack

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
    """Span and quote agree with the stored article, and the link opens a page that marks a passage."""
    body = (await agent.does("GET", f"articles/{citation['article']}"))["body"]
    assert body[citation["start"] : citation["end"]] == citation["quote"]
    status, page = await call("", "GET", citation["url"])
    assert status == 200
    assert "<mark" in page


async def test_what_is_not_known_is_said_so_and_a_person_offered(visitor: Visitor) -> None:
    async with visitor.chat() as socket:
        final = await ask(socket, "Which football team will win the cup this year?")
    assert (final["abstained"], final["offers_human"], final["citations"]) == (True, True, [])


async def test_the_customer_is_told_that_it_is_an_ai_before_the_first_answer(visitor: Visitor) -> None:
    async with visitor.chat() as socket:
        notice = socket.frames[0]["notice"]
        await ask(socket, "How do I wash my rain jacket?")
    log = await visitor.log()
    names = [event["event"] for event in log]
    assert log[0]["payload"]["text"] == notice
    assert log[0]["payload"]["source"] == "system"
    assert names.index("assistant.started") > 0


async def test_two_sockets_see_the_same_log_and_the_same_words(visitor: Visitor) -> None:
    async with visitor.chat() as first, visitor.chat() as second:
        await say(first, "How long do I have to return something?")
        await asyncio.gather(answer_of(first), answer_of(second))
        assert first.events == second.events
        assert shown(first.frames, 1) == shown(second.frames, 1) != ""


async def test_the_http_twin_tells_the_same_log(visitor: Visitor) -> None:
    async with visitor.chat(last_seq=0) as socket:
        await ask(socket, "How do I wash my rain jacket?")
        log = await visitor.log()
        assert [{"type": "event", **event} for event in log] == socket.events
    assert_whole(log)


async def test_forty_conversations_at_once(stack: Stack, visitor: Visitor) -> None:
    async def one() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        own = Visitor(stack, visitor.address)
        async with own.chat(last_seq=0) as socket:
            return await ask(socket, "How do I wash my rain jacket?"), socket.events

    results = await asyncio.gather(*[one() for _ in range(40)])
    assert len({final["message"] for final, _ in results}) == 40
    # Under a rush words alone choose what else is quoted; the best sentence is the same for all.
    assert len({final["citations"][0]["quote"] for final, _ in results}) == 1
    for final, events in results:
        assert final["citations"]
        assert_whole(events)
