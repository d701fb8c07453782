"""The probes of a web process.

They are answered before anything else, because they need no host, session or database.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from supportbot.health.probe_responses import WEB, ProbeRequest, answer

PATHS = {"/livez", "/readyz", "/healthz", "/metrics"}
Respond = Callable[[HttpRequest], HttpResponse]


def probes(get_response: Respond) -> Respond:
    """Answer requests for the probes' addresses, and pass on all others. This comes first in MIDDLEWARE."""

    def respond(request: HttpRequest) -> HttpResponse:
        return _answered(request) if request.path_info in PATHS else get_response(request)

    return respond


def _answered(request: HttpRequest) -> HttpResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    client = str(request.META.get("REMOTE_ADDR", ""))
    found = answer(ProbeRequest(request.path_info, client, settings.HOST, headers), WEB)
    assert found is not None  # PATHS contains WEB's addresses
    response = HttpResponse(found.body, status=found.status, content_type=found.content_type)
    # Django's own attribute: without it, there would be a log line every few seconds
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
