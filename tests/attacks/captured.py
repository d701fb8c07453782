"""A model controlled by an attacker: it emits the texts of a row, then asks a harmless question."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from supportbot.llm.ports import ProviderEvent
from supportbot.llm.types import Finished, ModelRequest, TextDelta, ToolCall, Usage

HARMLESS = "How can I help you?"


@dataclass(frozen=True)
class Emission:
    """One answer: pieces of text, then tool calls."""

    pieces: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()


@dataclass
class CapturedModel:
    """A model that sends the emissions in order; `parrot` turns the request into an answer."""

    emissions: list[Emission] = field(default_factory=list)
    parrot: Callable[[ModelRequest], tuple[str, ...]] | None = None
    name: str = "captured"
    model: str = "captured-1"
    is_local: bool = False
    requests: list[ModelRequest] = field(default_factory=list)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        self.requests.append(request)
        emission = self.emissions.pop(0) if self.emissions else Emission((HARMLESS,))
        if self.parrot is not None:
            emission = Emission(self.parrot(request))
        for piece in emission.pieces:
            yield TextDelta(piece)
        for call in emission.calls:
            yield call
        yield Finished("tool_calls" if emission.calls else "stop", Usage(10, 5), self.name, self.model)

    async def close(self) -> None:
        """Do nothing: nothing is open."""
