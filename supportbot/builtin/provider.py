"""The built-in answerer with the interface of a provider. It needs no network, no key and no model.

It only quotes, so it never makes anything up. Its own phrases are in `builtin.phrases`.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Final

from supportbot.builtin.answerer import reply_to
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.types import Blocks, Finished, ModelRequest, TextDelta, Usage

_PIECE: Final = re.compile(r".{1,32}\S*\s*", re.DOTALL)  # a piece ends between words


class BuiltinProvider:
    """Answers from the passages in the request."""

    name = "builtin"
    model = "extractive"
    is_local = True

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        """Yield the answer in small pieces, then a tool call if the customer requests a person."""
        # Reading a long conversation takes time, and this event loop also serves other customers' sockets and leases.
        reply = await asyncio.to_thread(reply_to, request)
        for piece in _PIECE.findall(reply.text):
            yield TextDelta(piece)
            await asyncio.sleep(0)  # lets a "stop" arrive between pieces; typing is not simulated
        if reply.blocks:
            yield Blocks(reply.blocks)
        for call in reply.calls:
            yield call
        yield Finished("tool_calls" if reply.calls else "stop", Usage(), self.name, self.model)

    async def close(self) -> None:
        """Do nothing: nothing is open."""
