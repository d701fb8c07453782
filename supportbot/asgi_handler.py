"""Django's ASGI handler, extended to answer requests whose body does not fit on the disk."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from io import BytesIO
from typing import IO, Any, Final

import django
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponse
from django.utils.translation import override

from supportbot.errors import NoSpace, is_out_of_space
from supportbot.team_language import team_language

REST_SECONDS: Final = 30.0
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Handler(ASGIHandler):
    """Responds with `NoSpace` if a body does not fit on the disk.

    Before any middleware runs, Django writes a large body to a temporary file. Its own handler would not catch the
    error, and the server would end the connection with "Internal Server Error".
    """

    async def read_body(self, receive: Receive) -> IO[bytes]:
        is_more = True

        async def noted() -> Mapping[str, Any]:
            nonlocal is_more
            message = await receive()
            is_more = bool(message.get("more_body", False))
            return message

        try:
            body: IO[bytes] = await super().read_body(noted)
        except OSError as error:
            if not is_out_of_space(error):
                raise
            if is_more:  # after the last piece, the next message comes only when the browser disconnects
                await _read_rest(receive)
            raise NoSpace from error
        return body

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().handle(scope, receive, send)
        except NoSpace:  # from `read_body`: errors of views have already become responses
            response = await sync_to_async(_answer)(ASGIRequest(scope, BytesIO()))
            await self.send_response(response, send)


def application() -> Handler:
    """Set Django up and return its application, as `get_asgi_application` does."""
    django.setup(set_prefix=False)
    return Handler()


async def _read_rest(receive: Receive) -> None:
    """Read the rest of the request, because a browser shows no response until it has sent everything.

    Give up if it sends too slowly.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(REST_SECONDS):
            while (await receive()).get("more_body", False):
                pass


def _answer(request: ASGIRequest) -> HttpResponse:
    # It imports models, which can only be imported once Django is set up.
    from supportbot.content_security_policy import ContentSecurityPolicy
    from supportbot.home_and_error_pages import no_space

    with override(team_language("", request.headers.get("Accept-Language", ""))):
        return ContentSecurityPolicy(no_space)(request)
