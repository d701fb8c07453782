"""The interface that the gateway expects of a provider."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from supportbot.llm.types import Blocks, Finished, ModelRequest, TextDelta, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class ModelWorking:
    """A sign of life: the model is producing something that is not shown, such as reasoning or a tool call's
    arguments.
    """


WORKING = ModelWorking()
ProviderEvent = TextDelta | Blocks | ToolCall | Finished | ModelWorking


class Provider(Protocol):
    """One way to reach one model. The gateway handles retries and deadlines."""

    name: str
    model: str
    # Whether it runs in this process: then it is free and always available, so breaker and budget do not apply.
    is_local: bool

    def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Yield events; the last one is `Finished`. Closing this also closes the connection to the model. Raises
        ProviderRefused or ProviderUnclear.
        """

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
        """Return one vector for each text, in order. Raises ProviderRefused or ProviderUnclear."""

    async def close(self) -> None: ...
