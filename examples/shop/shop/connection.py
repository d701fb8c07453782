"""Losing a response on purpose: uvicorn's connection, extended so that it can close without sending one. ASGI has no
such feature: if an application fails, the server still sends a 500. So the protocol class lets each request close its
own connection.
"""

import asyncio
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from uvicorn.protocols.http.h11_impl import H11Protocol

_HANG_UP = "shop.hang_up"


class DroppableConnection(H11Protocol):
    # Any: the base class has no types for the ASGI application's arguments.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        serve = self.app

        async def serve_with_hang_up(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {_HANG_UP: lambda: self.loop.call_soon_threadsafe(transport.abort)}
            await serve(scope, receive, send)

        self.app = serve_with_hang_up


def drop_connection(request: ASGIRequest) -> None:
    """Close the request's connection. The view's response is discarded, because the loop closes the connection
    first.
    """
    request.scope["extensions"][_HANG_UP]()
