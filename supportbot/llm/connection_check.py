"""Tests a connection: whether it answers, streams, calls tools and returns JSON, how fast it is, and what it costs."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Final
from uuid import UUID

from supportbot.accounts.models import Workspace
from supportbot.llm import call_record, loop_thread
from supportbot.llm.attempt import Outcome
from supportbot.llm.connections import Server, connection_with_id, server_of
from supportbot.llm.errors import ProviderError, Reason
from supportbot.llm.json_extraction import json_in
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.pricing import Money
from supportbot.llm.types import ChatMessage, Finished, ModelRequest, TextDelta, ToolCall, ToolSpec, Usage
from supportbot.outbound.errors import NotSent
from supportbot.outbound.targets import checked_target

if TYPE_CHECKING:
    from supportbot.llm.providers.guarded import ConnectedProvider

SECONDS: Final = 20.0
_PING: Final = ToolSpec("ping", "Call this tool once.", {"type": "object", "properties": {}})
_FOR_TOOLS: Final = "Call the tool ping. If you have no tools, answer with the word ready."
_FOR_JSON: Final = 'Answer with this JSON and nothing else: {"ready": true}'
_SCHEMA: Final = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}},
    "required": ["ready"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class ConnectionTestResult:
    """The result of a test. `refused` says why the address was not called; `reason` says why there was no answer."""

    refused: str = ""
    reason: Reason | None = None
    streams: bool = False
    calls_tools: bool = False
    gives_json: bool = False
    first_seconds: float = 0.0
    cost: Money | None = None  # None if there is no price

    @property
    def is_answering(self) -> bool:
        return not self.refused and self.reason is None


@dataclass(frozen=True, slots=True)
class _Answer:
    events: Sequence[ProviderEvent]
    is_whole: bool
    first_seconds: float

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def usage(self) -> Usage:
        last = self.events[-1]
        return last.usage if isinstance(last, Finished) else Usage()


def try_connection(connection_id: UUID) -> ConnectionTestResult:
    """Ask a stored connection's model two short questions, and record what they cost."""
    row = connection_with_id(connection_id)
    server = server_of(row, Workspace.objects.values_list("currency", flat=True).get(pk=row.workspace_pk))
    try:
        checked_target(server.base_url)
    except NotSent as error:
        return ConnectionTestResult(refused=error.why)
    # import it here instead of in the shared event loop, because it takes a while
    import_module("supportbot.llm.providers.guarded")
    started_at, began = datetime.now(UTC), time.monotonic()
    try:
        for_tools, for_json = loop_thread.run(_ask(server))
    except ProviderError as error:
        return ConnectionTestResult(reason=error.reason)
    except TimeoutError:
        return ConnectionTestResult(reason=Reason.DEADLINE)
    usage = _sum(for_tools.usage, for_json.usage)
    _record(server, usage, started_at, time.monotonic() - began)
    return ConnectionTestResult(
        streams=not for_tools.is_whole,
        calls_tools=any(isinstance(event, ToolCall) for event in for_tools.events),
        gives_json=isinstance(json_in(for_json.text), dict),
        first_seconds=for_tools.first_seconds,
        cost=server.price.of(usage) if server.price else None,
    )


async def _ask(server: Server) -> tuple[_Answer, _Answer]:
    from supportbot.llm.providers.guarded import ConnectedProvider

    provider = ConnectedProvider(server)
    for_tools = ModelRequest("answer", (ChatMessage("user", _FOR_TOOLS),), tools=(_PING,), max_output_tokens=200)
    for_json = ModelRequest("answer", (ChatMessage("user", _FOR_JSON),), answer_schema=_SCHEMA, max_output_tokens=200)
    try:
        async with asyncio.timeout(SECONDS):
            return await _one(provider, for_tools), await _one(provider, for_json)
    finally:
        await provider.close()


async def _one(provider: "ConnectedProvider", request: ModelRequest) -> _Answer:
    began, first = time.monotonic(), 0.0
    events: list[ProviderEvent] = []
    async with aclosing(provider.stream(request)) as stream:
        async for event in stream:
            first = first or time.monotonic() - began
            events.append(event)
    return _Answer(events, provider.answers_whole, first)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
        one.is_estimated or other.is_estimated,
    )


def _record(server: Server, usage: Usage, started_at: datetime, seconds: float) -> None:
    call = call_record.CallRecord(
        purpose="test",
        provider=server.name,
        model=server.model,
        is_local=False,
        outcome=Outcome.DONE,
        usage=usage,
        started_at=started_at,
        duration_seconds=seconds,
        price=server.price,
    )
    call_record.save_calls([call])
