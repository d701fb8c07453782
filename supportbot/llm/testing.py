"""Scripted models for the tests of the packages above.

with answering(ScriptedModel(Says("Within 60 days. [1]"))) as model:
    ...
# leaving the block fails if a step is left over; a call beyond the script fails at once
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from supportbot.llm import routing
from supportbot.llm.breaker import forget_failures
from supportbot.llm.errors import ProviderError
from supportbot.llm.ports import Provider, ProviderEvent
from supportbot.llm.types import Finished, ModelRequest, TextDelta, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Says:
    """One answer: its pieces, then its tool calls. If `fails` is given, it is raised after the pieces."""

    pieces: str | tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    fails: ProviderError | None = None
    finish_reason: str = "stop"
    usage: Usage = field(default=Usage(10, 5))
    # Awaited before the first piece, so a test can hold back the answer without sleeping.
    waits_for: asyncio.Event | None = None


class ScriptedModel:
    """Answers from a script, and collects the requests it receives in `requests`.

    Too many or too few calls fail the test.
    """

    is_local = False

    def __init__(self, *steps: Says, name: str = "scripted", model: str = "scripted-1") -> None:
        self.name = name
        self.model = model
        self.requests: list[ModelRequest] = []
        self.active = 0
        self._steps = list(steps)

    def will(self, *steps: Says) -> None:
        """Add steps to the script."""
        self._steps.extend(steps)

    @property
    def left_over(self) -> int:
        return len(self._steps)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        self.requests.append(request)
        if not self._steps:
            raise AssertionError(
                f"{self.name} was called {len(self.requests)} times, once more than its script has steps"
            )
        step = self._steps.pop(0)
        self.active += 1
        try:
            if step.waits_for is not None:
                await step.waits_for.wait()
            for piece in (step.pieces,) if isinstance(step.pieces, str) else step.pieces:
                yield TextDelta(piece)
            if step.fails is not None:
                raise step.fails
            for call in step.calls:
                yield call
            yield Finished("tool_calls" if step.calls else step.finish_reason, step.usage, self.name, self.model)
        finally:
            self.active -= 1

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


@contextmanager
def answering(
    model: ScriptedModel,
    *fallbacks: Provider,
    with_builtin: bool = False,
    verifying: ScriptedModel | None = None,
) -> Iterator[ScriptedModel]:
    """Within this block, `model` serves every purpose, followed by the fallbacks and, if requested, the built-in
    answerer.

    The second look is off, as in a new installation, unless `verifying` is given.
    """
    before = routing.override, routing.override_verify
    routing.override = (model, *fallbacks, *((routing.builtin_provider(),) if with_builtin else ()))
    routing.override_verify = (verifying,) if verifying else None
    forget_failures()
    try:
        yield model
    finally:
        routing.override, routing.override_verify = before
        forget_failures()
    scripted = [provider for provider in (model, *fallbacks, verifying) if isinstance(provider, ScriptedModel)]
    for provider in scripted:
        assert not provider.left_over, f"{provider.name} has {provider.left_over} steps of its script left over"
