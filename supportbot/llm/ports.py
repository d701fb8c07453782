"""What the gateway expects of a provider."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from supportbot.llm.types import Blocks, Finished, ModelRequest, TextDelta, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Working:
    """The model is working on something that is not shown (reasoning, a tool call's arguments): a sign of life."""


WORKING = Working()
ProviderEvent = TextDelta | Blocks | ToolCall | Finished | Working


class Provider(Protocol):
    """One way to reach one model. Retries and deadlines are left to the gateway."""

    name: str
    model: str
    # Runs in this process: it is free and always available, so breaker and budget do not apply.
    is_local: bool

    def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Yield events, `Finished` last. Raises ProviderRefused or ProviderUnclear; closes upstream when closed."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Embedded:
    vectors: list[list[float]]
    usage: Usage


class EmbeddingProvider(Protocol):
    name: str
    model: str
    is_local: bool

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return one vector for each text, in their order. Raises ProviderRefused or ProviderUnclear."""

    async def close(self) -> None: ...
