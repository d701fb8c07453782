"""The probes of a web process, answered before everything else because they need no host, session or database."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from supportbot.health.probe_responses import WEB, ProbeRequest, answer

PATHS = {"/livez", "/readyz", "/healthz", "/metrics"}
Respond = Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]]


@sync_and_async_middleware
def probes(get_response: Respond) -> Respond:
    """Answer requests to the probes' addresses, and pass on everything else. First in MIDDLEWARE."""
    if iscoroutinefunction(get_response):

        async def respond(request: HttpRequest) -> HttpResponse:
            # without using a thread, because all threads may be waiting for the database
            if request.path_info == "/livez":
                return _answered(request)
            if request.path_info in PATHS:
                return await sync_to_async(_answered)(request)
            response: HttpResponse = await get_response(request)
            return response

        return respond

    def respond_at_once(request: HttpRequest) -> HttpResponse:
        if request.path_info in PATHS:
            return _answered(request)
        return get_response(request)  # type: ignore[return-value]  # it is not a coroutine function

    return respond_at_once


def _answered(request: HttpRequest) -> HttpResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    client = str(request.META.get("REMOTE_ADDR", ""))
    found = answer(ProbeRequest(request.path_info, client, settings.HOST, headers), WEB)
    assert found is not None  # PATHS contains WEB's addresses
    response = HttpResponse(found.body, status=found.status, content_type=found.content_type)
    # Django's own; a line every few seconds helps nobody
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
