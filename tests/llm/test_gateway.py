"""The gateway with the real SDK and a server that misbehaves in every known way."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from importlib import import_module
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import translation

from supportbot import sql
from supportbot.accounts.errors import UnscopedQuery
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.llm import gateway, loop_thread, routing
from supportbot.llm.errors import ModelMisconfigured, ModelUnavailable
from supportbot.llm.models import LLMCall
from supportbot.llm.types import (
    Finished,
    ModelRequest,
    Restarted,
    RouteStarted,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
)
from tests.llm.conftest import BUILTIN_ANSWER, read, text_of
from tests.log_lines import counted
from tests.modelserver import Behaviour, Call, ModelServer
from tests.patience import PATIENCE_SECONDS

Ask = Callable[..., ModelRequest]
Stored = Callable[[], Any]


async def test_an_answer_streams_with_usage_and_a_record(server: ModelServer, ask: Ask, stored: Stored) -> None:
    server.will(Behaviour(text="Within 60 days. [1]"))
    events = await read(ask(prompt_version="answer-3"))
    assert events[0] == RouteStarted("openai", "scripted")
    assert text_of(events) == "Within 60 days. [1]"
    assert events[-1] == Finished("stop", Usage(11, 4, 3), "openai", "scripted")
    (row,) = await stored()
    assert (row.outcome, row.reason, row.purpose, row.prompt_version) == ("done", "", "answer", "answer-3")
    assert (row.input_tokens, row.output_tokens, row.cached_tokens, row.cost) == (11, 4, 3, None)
    assert row.time_to_first_token_ms is not None
    assert row.duration_ms >= row.time_to_first_token_ms


async def test_calls_that_end_together_are_stored_together_each_in_its_workspace(
    server: ModelServer, ask: Ask, stored: Stored, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted: list[int] = []
    insert = sql.insert
    monkeypatch.setattr(sql, "insert", lambda *rows: (inserted.append(len(rows)), insert(*rows)))
    await asyncio.gather(read(ask()), read(ask()))
    with workspace_scope(other_workspace.pk):
        await read(ask())
    assert len(await stored()) == 2
    with workspace_scope(other_workspace.pk):
        assert len(await stored()) == 1
    assert sorted(inserted) == [1, 2]


async def test_records_are_stored_while_the_process_goes_on(server: ModelServer, ask: Ask, stored: Stored) -> None:
    await read(ask())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await db(LLMCall.objects.count):  # noqa: ASYNC110  # no event is set
            await asyncio.sleep(0.05)


async def test_the_record_of_a_synchronous_call_waits_for_no_others(
    server: ModelServer, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command may end right after its only call, and no process drains this loop."""
    monkeypatch.setattr(gateway, "SAVE_AFTER_SECONDS", 600.0)
    await asyncio.to_thread(lambda: loop_thread.run(gateway.complete(ask())))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await db(LLMCall.objects.count):  # noqa: ASYNC110  # no event is set
            await asyncio.sleep(0.05)
    await asyncio.to_thread(lambda: loop_thread.run(gateway.close()))


async def test_records_that_cannot_be_stored_do_not_affect_those_of_other_workspaces(
    server: ModelServer, ask: Ask, stored: Stored, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = sql.insert

    def insert_unless_other(*rows: LLMCall) -> None:
        if rows[0].workspace_id == other_workspace.pk:
            raise DatabaseError("this workspace's rows are refused")
        insert(*rows)

    monkeypatch.setattr(sql, "insert", insert_unless_other)
    with workspace_scope(other_workspace.pk):
        await read(ask())
    await read(ask())
    assert len(await stored()) == 1


@pytest.mark.parametrize("step", ["call_record._count", "attempt.Attempt.record"])
async def test_an_answer_is_complete_whatever_fails_in_its_record(
    server: ModelServer, ask: Ask, stored: Stored, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("not expected here")

    monkeypatch.setattr(f"supportbot.llm.{step}", fail)
    server.will(Behaviour(text="Within 60 days. [1]"))
    assert text_of(await read(ask())) == "Within 60 days. [1]"
    assert len(await stored()) == (1 if step == "call_record._count" else 0)


async def test_the_sdk_is_loaded_outside_the_event_loop(
    server: ModelServer, ask: Ask, unstored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: dict[str, threading.Thread] = {}

    def load(name: str) -> Any:
        loaded[name] = threading.current_thread()
        return import_module(name)

    monkeypatch.setattr(routing, "import_module", load)
    await read(ask())
    assert loaded["supportbot.llm.providers.openai"] is not threading.current_thread()


@pytest.mark.long
async def test_loading_the_sdk_does_not_count_against_the_deadline(
    server: ModelServer, ask: Ask, unstored: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MODEL_DEADLINE_SECONDS = 3.0
    monkeypatch.setattr(routing, "import_module", lambda name: time.sleep(3.1))
    assert (await gateway.complete(ask())).provider == "openai"
    await gateway.close()


async def test_the_request_to_the_server_has_the_expected_fields(server: ModelServer, ask: Ask, unstored: None) -> None:
    tool = ToolSpec("request_human", "Hand over.", {"type": "object", "properties": {}})
    await read(ask(tools=(tool,), max_output_tokens=77))
    (body,) = server.chats
    assert body["model"] == "scripted"
    assert body["messages"][-1] == {"role": "user", "content": "How long can I return items?"}
    assert body["max_tokens"] == 77
    assert body["stream_options"] == {"include_usage": True}
    assert body["tools"][0]["function"]["name"] == "request_human"
    assert server.asked[0].headers["authorization"] == "Bearer sk-test"
    assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_parallel_tool_calls_are_joined_by_index(server: ModelServer, ask: Ask, unstored: None) -> None:
    calls = (Call("order_status", '{"order_id": "A-1"}', "c1", 3), Call("refund", '{"order_id": "A-2"}', "c2", 5))
    server.will(Behaviour(text="", calls=calls))
    events = await read(ask())
    assert [event for event in events if isinstance(event, ToolCall)] == [
        ToolCall("c1", "order_status", '{"order_id": "A-1"}'),
        ToolCall("c2", "refund", '{"order_id": "A-2"}'),
    ]
    assert isinstance(events[-1], Finished)
    assert events[-1].finish_reason == "tool_calls"


@pytest.mark.parametrize("split", [1, 2, 3, 7, 1000])
async def test_chunks_of_a_response_may_end_anywhere(server: ModelServer, ask: Ask, unstored: None, split: int) -> None:
    server.will(Behaviour(text="Rückgabe für 12,50 € – 🏕️ 返品", split=split, newline="\r\n"))
    assert text_of(await read(ask())) == "Rückgabe für 12,50 € – 🏕️ 返品"


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("fault", "outcome", "reason", "tries"),
    [
        (Behaviour(status=500), "unclear", "server_error", 2),
        (Behaviour(status=503), "refused", "server_error", 2),
        (Behaviour(status=429, retry_after="0"), "refused", "rate_limited", 2),
        (Behaviour(status=429, retry_after="3600"), "refused", "rate_limited", 1),
        (Behaviour(status=429, error_code="insufficient_quota"), "refused", "quota", 1),
        (Behaviour(status=401), "refused", "not_authorised", 1),
        (Behaviour(status=404), "refused", "not_found", 1),
        (Behaviour(cut_after=0), "unclear", "cut", 2),
        (Behaviour(raw=b"<html><body>502 Bad Gateway</body></html>\n"), "unclear", "garbage", 2),
        (Behaviour(raw=b"data: {not json}\n\n"), "unclear", "garbage", 2),
        (Behaviour(raw=b'data: {"choices":[{"delta":{"content":"caf\xc3"}}]}\n\n'), "unclear", "garbage", 2),
        (Behaviour(raw=b'data: {"choices":[{"delta":{"content":5}}]}\n\n'), "unclear", "garbage", 2),
        (Behaviour(raw=b"data: " + b"[" * 100_000 + b"\n\n"), "unclear", "garbage", 2),
        (Behaviour(raw=b"data: " + b"x" * 300_000), "unclear", "too_large", 1),
        (Behaviour(raw=b""), "unclear", "cut", 2),
        (Behaviour(text=""), "unclear", "garbage", 2),
        (Behaviour(text="", error_inside=True), "unclear", "server_error", 2),
        (Behaviour(content_type="application/json", raw=b"[]"), "unclear", "garbage", 2),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Behaviour) else None,
)
async def test_a_fault_before_the_first_token_is_answered_by_the_fallback(
    server: ModelServer, ask: Ask, stored: Stored, fault: Behaviour, outcome: str, reason: str, tries: int
) -> None:
    server.will(*[fault] * tries)
    events = await read(ask())
    assert text_of(events) == BUILTIN_ANSWER
    assert Restarted("builtin", "extractive", reason) in events
    rows = await stored()
    assert [(row.provider, row.outcome, row.reason) for row in rows] == [
        *[("openai", outcome, reason)] * tries,
        ("builtin", "done", ""),
    ]
    assert server.left_over == 0
    assert rows[-1].cost == 0


@pytest.mark.parametrize(
    ("fault", "input_tokens", "output_tokens"),
    [(Behaviour(text="", model_reasons=5), 11, 0), (Behaviour(text="", model_reasons=5, reports_usage=False), None, 5)],
)
async def test_an_answer_of_only_reasoning_is_charged(
    server: ModelServer, ask: Ask, stored: Stored, fault: Behaviour, input_tokens: int | None, output_tokens: int
) -> None:
    server.will(fault)
    await read(ask())
    row = (await stored())[0]
    assert (row.outcome, row.reason, row.is_estimated) == ("unclear", "garbage", input_tokens is None)
    assert row.output_tokens == output_tokens
    assert input_tokens in (None, row.input_tokens)


async def test_a_successful_retry_is_invisible(server: ModelServer, ask: Ask, stored: Stored) -> None:
    server.will(Behaviour(status=500), Behaviour(text="Second try."))
    events = await read(ask())
    assert text_of(events) == "Second try."
    assert not any(isinstance(event, Restarted) for event in events)
    assert [row.outcome for row in await stored()] == ["unclear", "done"]


async def test_an_answer_cut_off_after_text_falls_back_without_a_retry(
    server: ModelServer, ask: Ask, stored: Stored
) -> None:
    server.will(Behaviour(text="One two three four", cut_after=2))
    events = await read(ask())
    assert TextDelta("One ") in events or TextDelta("One two ") in events
    assert text_of(events) == BUILTIN_ANSWER
    assert len(server.chats) == 1
    row = (await stored())[0]
    assert (row.outcome, row.reason, row.is_estimated) == ("unclear", "cut", True)
    assert row.output_tokens > 0


async def test_a_turn_that_may_not_fall_back_ends_in_an_error(server: ModelServer, ask: Ask, stored: Stored) -> None:
    server.will(Behaviour(text="One two", cut_after=1))
    with pytest.raises(ModelUnavailable):
        await read(ask(), may_fall_back=lambda: False)
    assert [row.provider for row in await stored()] == ["openai"]


async def test_an_answer_ends_even_without_done_or_a_finish_reason(
    server: ModelServer, ask: Ask, unstored: None, monkeypatch: Any
) -> None:
    monkeypatch.setattr("supportbot.llm.providers.openai.TAIL_SECONDS", 0.05)
    server.will(Behaviour(text="Fine.", sends_done=False, reports_usage=False, stays_open=True))
    events = await read(ask())
    assert text_of(events) == "Fine."
    assert isinstance(events[-1], Finished)
    assert events[-1].usage.is_estimated
    await server.until_idle()


async def test_done_without_a_finish_reason_ends_the_answer(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(Behaviour(text="Fine.", finish_reason=None))
    assert (await read(ask()))[-1].finish_reason == "stop"  # type: ignore[union-attr]


async def test_an_answer_without_done_and_finish_reason_was_cut_off(
    server: ModelServer, ask: Ask, unstored: None
) -> None:
    server.will(Behaviour(text="Half an", finish_reason=None, sends_done=False))
    assert Restarted("builtin", "extractive", "cut") in await read(ask())


async def test_an_endless_answer_is_stopped_at_the_token_limit(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(Behaviour(text="and so on ", is_endless=True))
    events = await read(ask(max_output_tokens=50))
    assert isinstance(events[-1], Finished)
    assert events[-1].finish_reason == "length"
    assert len(text_of(events)) < 50 * 16 * 3
    await server.until_idle()


async def test_nul_bytes_never_reach_the_database(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(Behaviour(text="a\0b"))
    assert text_of(await read(ask())) == "ab"


async def test_a_reader_who_leaves_closes_the_connection_and_is_recorded(
    server: ModelServer, ask: Ask, stored: Stored
) -> None:
    server.will(Behaviour(text="One two three", stall_after=1))
    async with aclosing(gateway.stream(ask())) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    await server.until_idle()
    (row,) = await stored()
    assert (row.outcome, row.reason, row.is_estimated) == ("stopped", "", True)


async def test_cancelling_closes_the_connection_and_is_recorded(server: ModelServer, ask: Ask, stored: Stored) -> None:
    server.will(Behaviour(text="One two three", stall_after=1))
    seen = asyncio.Event()

    async def reading() -> None:
        async with aclosing(gateway.stream(ask())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    seen.set()

    task = asyncio.create_task(reading())
    await seen.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.until_idle()
    assert [row.outcome for row in await stored()] == ["stopped"]


async def test_an_unreachable_server_falls_back(settings: Any, ask: Ask, stored: Stored, unused_port: int) -> None:
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{unused_port}/v1"
    settings.OPENAI_MODEL = "scripted"
    events = await read(ask())
    assert text_of(events) == BUILTIN_ANSWER
    rows = await stored()
    assert [(row.reason, row.input_tokens) for row in rows[:-1]] == [("unreachable", 0)] * 2


async def test_the_built_in_answerer_replaces_a_server_that_does_not_name_its_model(
    server: ModelServer, ask: Ask, unstored: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OPENAI_MODEL = ""
    server.models = []
    assert (await gateway.complete(ask())).provider == "builtin"
    server.models = ["just-one"]
    assert (await gateway.complete(ask())).provider == "builtin", "it was asked a moment ago"
    await gateway.close()
    monkeypatch.setattr(routing, "ASK_AGAIN_SECONDS", 0.0)
    server.models = []
    assert (await gateway.complete(ask())).provider == "builtin"
    server.models = ["just-one"]
    assert (await gateway.complete(ask())).model == "just-one"


async def test_the_log_says_in_english_why_the_built_in_answerer_answers(
    server: ModelServer, ask: Ask, unstored: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OPENAI_MODEL = ""
    server.models = []
    with translation.override("de"):
        assert (await gateway.complete(ask())).provider == "builtin"
    assert (
        "the built-in answerer answers instead: OPENAI_MODEL is not set and the server offers no model" in caplog.text
    )


async def test_the_built_in_answerer_replaces_a_server_that_lists_no_models_in_time(
    ask: Ask, unstored: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def listen_in_silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(routing, "NAME_SECONDS", 0.2)
    async with await asyncio.start_server(listen_in_silence, "127.0.0.1", 0) as silent:
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/v1"
        settings.OPENAI_MODEL = ""
        assert (await gateway.complete(ask())).provider == "builtin"
        with pytest.raises(ModelMisconfigured, match="did not list its models"):
            await gateway.complete(ask(purpose="judge"))
        await gateway.close()


async def test_the_breaker_opens_after_five_failures_and_probes_once(
    server: ModelServer, ask: Ask, unstored: None, settings: Any, monkeypatch: Any
) -> None:
    settings.LLM_RETRIES = 0
    server.default = Behaviour(status=500)
    hits = counted("breaker_hits_total", kind="answers")
    for _ in range(5):
        assert counted("breakers_open", kind="answers") == 0
        await read(ask())
    assert len(server.chats) == 5
    assert (counted("breakers_open", kind="answers"), counted("breaker_hits_total", kind="answers")) == (1, hits)
    events = await read(ask())
    assert events[0] == RouteStarted("builtin", "extractive")
    assert len(server.chats) == 5, "nothing is requested while the breaker is open"
    assert counted("breaker_hits_total", kind="answers") == hits + 1

    now = time.monotonic()
    monkeypatch.setattr("supportbot.llm.breaker.monotonic", lambda: now + 11)
    await asyncio.gather(*(read(ask()) for _ in range(4)))
    assert len(server.chats) == 6, "one probe at most"

    monkeypatch.setattr("supportbot.llm.breaker.monotonic", lambda: now + 22)
    server.default = Behaviour(text="Back again.")
    assert text_of(await read(ask())) == "Back again."
    assert text_of(await read(ask())) == "Back again."
    assert (counted("breakers_open", kind="answers"), counted("breaker_hits_total", kind="answers")) == (0, hits + 6)


async def test_a_refused_request_does_not_open_the_breaker(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.default = Behaviour(status=400, error="context too long")
    for _ in range(7):
        await read(ask())
    server.default = Behaviour(text="Still here.")
    assert text_of(await read(ask())) == "Still here."


async def test_complete_returns_only_the_last_route(server: ModelServer, ask: Ask, unstored: None) -> None:
    server.will(Behaviour(text="One two", cut_after=1))
    completion = await gateway.complete(ask())
    assert (completion.text, completion.provider) == (BUILTIN_ANSWER, "builtin")


async def test_a_call_without_a_workspace_is_refused_before_anything_is_sent(server: ModelServer, ask: Ask) -> None:
    with pytest.raises(UnscopedQuery):
        await read(ask())
    assert server.asked == []
