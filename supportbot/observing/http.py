"""Counts requests by route and sockets by close code, and adds their ids to log lines."""

import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from supportbot.observing.logs import concerning
from supportbot.observing.metrics import HTTP_SECONDS, SOCKET_CLOSES, SOCKETS

HEADER: Final = "X-Request-ID"
ABNORMAL: Final = 1006
METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,64}")

Respond = Callable[[HttpRequest], HttpResponse]
Application = Callable[[Any, Any, Any], Awaitable[None]]


def observed(get_response: Respond) -> Respond:
    """Count each request, and give it an id. If the proxy sends an id, that one is used."""

    def respond(request: HttpRequest) -> HttpResponse:
        began, request_id = time.monotonic(), _id_of(request)
        with concerning(request=request_id):
            return _counted(request, get_response(request), began, request_id)

    return respond


def observed_socket(kind: str, serve: Application) -> Application:
    """Count an ASGI application's sockets and how they are closed."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        code = ABNORMAL

        async def receive_and_look() -> Any:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or ABNORMAL
            return message

        SOCKETS.labels(kind).inc()
        try:
            with concerning(socket=uuid4().hex):
                await serve(scope, receive_and_look, send)
        finally:
            SOCKETS.labels(kind).dec()
            SOCKET_CLOSES.labels(kind, str(code) if 1000 <= code <= 4999 else "other").inc()

    return application


def _id_of(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "")
    return given if _ID.fullmatch(given) else uuid4().hex


def _counted(request: HttpRequest, response: HttpResponse, began: float, request_id: str) -> HttpResponse:
    match = request.resolver_match
    route = match.route if match else "static" if request.path_info.startswith(settings.STATIC_URL) else "unmatched"
    method = request.method if request.method in METHODS else "other"
    with suppress(OSError):  # the counters' disk is full, which must not affect answers
        HTTP_SECONDS.labels(route, method, str(response.status_code)).observe(time.monotonic() - began)
    response.headers[HEADER] = request_id
    return response
