"""A person is requested, joins, answers and returns the chat; or nobody is available and the answer comes by mail."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import celery
import kombu
import psycopg
import pytest

from tests.flows.people import Visitor, answer_of, ask, assert_whole, call
from tests.flows.stack import Stack
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.long


async def test_a_person_joins_answers_and_returns_the_chat(visitor: Visitor) -> None:
    agent = visitor.agent
    async with visitor.chat(last_seq=0) as socket:
        await socket.say("request_human", reason="My parcel is lost")
        ticket = (await socket.until("handoff.requested"))["payload"]["ticket"]
        waiting = await agent.does("GET", "tickets?state=waiting")
        assert ticket in [row["id"] for row in waiting["results"]]

        await agent.does("POST", f"tickets/{ticket}/claim", {})
        assert (await socket.until("handoff.joined"))["payload"]["agent"] == "Daniel Brandt"
        reply = {"client_id": "reply-1", "text": "Hello, Daniel here."}
        await agent.does("POST", f"conversations/{visitor.conversation}/messages", reply)
        seen = (await socket.until("message"))["payload"]
        assert (seen["source"], seen["text"]) == ("agent", reply["text"])

        await agent.does("POST", f"tickets/{ticket}/return", {"note": "Promised a call before noon."})
        assert (await socket.until("handoff.ended"))["payload"]["outcome"] == "returned"
        final = await ask(socket, "How long do I have to return something?")
        assert final["citations"]
    log = await visitor.log()
    assert_whole(log)
    assert "before noon" not in str(log)


async def test_the_assistant_recognises_a_request_for_a_person(visitor: Visitor) -> None:
    async with visitor.chat(last_seq=0) as socket:
        await socket.say("message", client_id="m1", text="Can I talk to a human please?")
        await answer_of(socket)
        assert "handoff.requested" in [event["event"] for event in await visitor.log()]


@pytest.fixture
def no_agents_online(stack: Stack) -> None:
    """Make all agents offline: after claiming or reading the queue, they count as online for two minutes."""
    with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as connection:
        connection.execute("DELETE FROM handoff_presence")


@pytest.fixture
def mail_tick(stack: Stack) -> Iterator[Callable[[], None]]:
    """A worker, and the tick that beat gives it every ten seconds."""
    worker = stack.child("worker")
    worker.start()
    # Celery prefers the broker from the environment, which is that of the other tests.
    with celery.Celery() as app, kombu.Connection(f"{stack.valkey.url()}/0") as broker:

        def tick() -> None:
            app.send_task("supportbot.handoff.tasks.send_mail", queue="mail", connection=broker)

        yield tick
    worker.stop()


async def test_nobody_is_available_and_the_answer_comes_by_mail(
    stack: Stack, visitor: Visitor, no_agents_online: None, mail_tick: Callable[[], None]
) -> None:
    async with visitor.chat() as socket:
        await socket.say("request_human")
        ticket = (await socket.until("handoff.requested"))["payload"]["ticket"]
        told = (await socket.until("message"))["payload"]
        assert (told["source"], "e-mail" in told["text"]) == ("system", True)
        status, _ = await call(
            visitor.address,
            "POST",
            f"/api/v1/tickets/{ticket}/contact",
            {"email": "alice@example.com"},
            Authorization=f"Bearer {visitor.secret}",
        )
        assert status == 200
        await socket.until("message")
    agent = visitor.agent
    await agent.does("POST", f"tickets/{ticket}/claim", {})
    reply = {"client_id": "reply-1", "text": "Your parcel was found in Leipzig."}
    await agent.does("POST", f"conversations/{visitor.conversation}/messages", reply)
    letter = await arrived(stack, mail_tick)
    assert "To: alice@example.com" in letter
    assert reply["text"] in letter


async def arrived(stack: Stack, tick: Callable[[], None]) -> str:
    """Return the first mail, sent by a tick after the outbox has delivered the reply."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await asyncio.to_thread(tick)
            letters: list[Any] = list(stack.mailbox.glob("*")) if stack.mailbox.exists() else []
            if letters and (text := letters[0].read_text()):
                return str(text)
            await asyncio.sleep(0.2)
