"""Interruptions of an answer: stop, a lost connection, a takeover."""

from typing import Any

import pytest

from tests.flows.people import Visitor, answer_of, ask, assert_whole, finals, shown
from tests.flows.speech import BEGINNING, QUESTION, ask_until_the_middle, paused, stalled, whole
from tests.modelserver import ModelServer
from tests.widget.page import Socket

pytestmark = pytest.mark.long


async def test_a_models_answer_is_streamed_and_cited(models_visitor: Visitor, model: ModelServer) -> None:
    model.will(whole())
    async with models_visitor.chat() as socket:
        final = await ask(socket, QUESTION)
        assert shown(socket.frames, 1).strip() == final["text"].strip()
    assert (final["by"], final["abstained"]) == ("model", False)
    assert {citation["external_id"] for citation in final["citations"]} == {"returns-and-refunds"}


async def test_stop_ends_an_answer_with_the_text_shown_so_far(models_visitor: Visitor, model: ModelServer) -> None:
    model.will(stalled())
    async with models_visitor.chat() as socket:
        await ask_until_the_middle(socket)
        await socket.say("stop")
        final = (await answer_of(socket))["payload"]
        assert final["stopped"] is True
        assert final["text"].strip() == shown(socket.frames, 1).strip()
    await model.until_idle()  # nobody pays for tokens that nobody reads
    assert finals(await models_visitor.log()) == [final]


async def test_a_stopped_answer_can_be_requested_again(models_visitor: Visitor, model: ModelServer) -> None:
    model.will(stalled(), whole())
    async with models_visitor.chat() as socket:
        await ask_until_the_middle(socket)
        await socket.say("stop")
        stopped = (await answer_of(socket))["payload"]
        await socket.say("retry", message=stopped["message"])
        again = (await answer_of(socket))["payload"]
    assert again["message"] != stopped["message"]
    assert again["text"].startswith(BEGINNING)
    assert "stopped" not in again


async def test_a_reader_who_reconnects_in_the_middle_continues(models_visitor: Visitor, model: ModelServer) -> None:
    behaviour, gate = paused()
    model.will(behaviour)
    async with models_visitor.chat(last_seq=0) as before:
        await ask_until_the_middle(before)
        last_seq = before.events[-1]["seq"]
    async with models_visitor.chat(last_seq=last_seq) as after:
        gate.set()
        final = (await answer_of(after))["payload"]
        assert read_on(after) == final["text"].strip()
        assert before.events + after.events == socket_log(await models_visitor.log())
    assert_whole(await models_visitor.log())
    assert [event["event"] for event in after.events] == ["assistant.final"]


def read_on(socket: Socket) -> str:
    """Return the text of a client that starts with the welcome's text and appends each delta."""
    turn = socket.frames[0]["turn"]
    deltas = [frame for frame in socket.frames if frame["type"] == "delta"]
    assert all(delta["index"] >= turn["index"] for delta in deltas)
    assert {(delta["message"], delta["attempt"]) for delta in deltas} == {(turn["message"], turn["attempt"])}
    return (turn["text"] + shown(socket.frames, turn["attempt"])).strip()


def socket_log(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "event", **event} for event in events]


async def test_the_assistant_says_nothing_after_a_takeover(models_visitor: Visitor, model: ModelServer) -> None:
    agent = models_visitor.agent
    behaviour, gate = paused()
    model.will(behaviour)
    async with models_visitor.chat() as socket:
        await ask_until_the_middle(socket)
        ticket = await agent.does("POST", "tickets", {"conversation": models_visitor.conversation})
        await agent.does("POST", f"tickets/{ticket['id']}/claim", {})
        await socket.until("handoff.joined")
        gate.set()
        await model.until_idle()
        assert await socket.quiet() == []
    log = await models_visitor.log()
    assert finals(log) == []
    assert log[-1]["event"] == "handoff.joined"
    await agent.does("POST", f"tickets/{ticket['id']}/resolve", {})
