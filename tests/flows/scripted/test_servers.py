"""Valkey and PostgreSQL are killed and started again under open chats: nothing is lost, and everything continues."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.flows.people import Visitor, answer_of, ask, assert_whole, call, finals, shown
from tests.flows.speech import ask_until_the_middle, paused
from tests.flows.stack import Stack
from tests.modelserver import ModelServer
from tests.patience import PATIENCE_SECONDS
from tests.widget.page import Socket

pytestmark = pytest.mark.long


def kill_and_start(server: Any) -> None:
    """Kill a server and restart it on its old port, from the main thread as the supervisor does, since it ends with
    that thread.
    """
    server._process.kill()
    server._process.wait()
    server.start()


async def test_valkey_restarts_under_an_open_chat(stack: Stack, models_visitor: Visitor, model: ModelServer) -> None:
    behaviour, gate = paused()
    model.will(behaviour)
    async with models_visitor.chat(last_seq=0) as socket:
        await ask_until_the_middle(socket)
        kill_and_start(stack.valkey)
        gate.set()
        final = (await answer_of(socket))["payload"]
        assert shown(socket.frames, 1).strip() == final["text"].strip()
        await models_visitor.ticket()  # reads the cache over another connection
    log = await models_visitor.log()
    assert_whole(log)
    assert [frame["seq"] for frame in socket.events] == [event["seq"] for event in log]


async def test_without_valkey_an_answer_still_arrives(
    stack: Stack, models_visitor: Visitor, model: ModelServer
) -> None:
    async with models_visitor.chat(last_seq=0) as socket:
        stack.valkey.stop()
        try:
            final = await ask(socket, "How long do I have to return something?")
        finally:
            stack.valkey.start()
    assert final["message"]
    assert_whole(await models_visitor.log())


async def test_postgresql_restarts_in_the_middle_of_an_answer(
    stack: Stack, models_visitor: Visitor, model: ModelServer
) -> None:
    behaviour, gate = paused()
    model.will(behaviour)
    async with models_visitor.chat(last_seq=0) as socket:
        await ask_until_the_middle(socket)
        kill_and_start(stack.postgres)
        gate.set()
        await answered(socket, models_visitor)
    again = Visitor(stack, models_visitor.address)
    async with again.chat() as socket:
        assert (await ask(socket, "How do I wash my rain jacket?"))["message"]
    log = await models_visitor.log()
    assert_whole(log)
    assert len(finals(log)) == 1


async def answered(socket: Socket, visitor: Visitor) -> None:
    """Return once the question has its answer, over as many sockets as it takes."""
    try:
        await answer_of(socket)
    except ConnectionClosed:
        async with asyncio.timeout(PATIENCE_SECONDS), visitor.chat(last_seq=socket.events[-1]["seq"]) as another:
            await answer_of(another)


async def test_a_message_sent_while_postgresql_is_down_is_refused_and_stored_when_resent(
    stack: Stack, models_visitor: Visitor, model: ModelServer
) -> None:
    frame = {"client_id": "m1", "text": "How do I wash my rain jacket?"}
    async with models_visitor.chat(last_seq=0) as socket:
        stack.postgres.stop()
        await socket.say("message", **frame)
        path = f"/api/v1/conversations/{models_visitor.conversation}"
        own = {"Authorization": f"Bearer {models_visitor.secret}"}
        refused, (status, answer) = await asyncio.gather(
            socket.until("error", PATIENCE_SECONDS), call(models_visitor.address, "GET", path, **own)
        )
        assert (refused["code"], refused["client_id"]) == ("unavailable", "m1")
        assert (status, answer["code"]) == (503, "unavailable")
        stack.postgres.start()
        while True:
            await socket.say("message", **frame)
            if (await socket.next(PATIENCE_SECONDS))["type"] != "error":
                break
        await answer_of(socket)
    log = await models_visitor.log()
    assert_whole(log)
    texts = [event["payload"]["text"] for event in log if event["payload"].get("source") == "customer"]
    assert texts == [frame["text"]]
