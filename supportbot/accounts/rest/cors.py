"""CORS for merchants' pages, based on the exact origins of their channels.

Credentials mode (cookies) is never allowed.
"""

from contextlib import suppress
from typing import Any, ClassVar, Final, cast

from django.db import Error as AnyDatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.origins import is_known, is_known_in, read_origin
from supportbot.accounts.principals import Caller, Staff
from supportbot.accounts.rest.views import ScopedAPIView

PREFLIGHT_SECONDS: Final = 600
EXPOSED_HEADERS: Final = "Content-Disposition, Retry-After"  # otherwise, browsers hide these headers


def add_cors_headers(request: HttpRequest | Request, response: HttpResponseBase, *, methods: str, headers: str) -> None:
    """Let the requesting page read the response."""
    response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
    response.headers["Access-Control-Allow-Methods"] = methods
    response.headers["Access-Control-Allow-Headers"] = headers
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS


class CustomerPagesAPIView(ScopedAPIView):
    """A view that pages of a customer's channel may call with the customer's credential, but never with a team
    member's.
    """

    cors_methods: ClassVar[str]
    _principal: Caller | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            # A preflight carries no credential, so it is answered before authentication.
            return self._with_cors_headers(request, HttpResponse(status=204))
        return super().dispatch(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        self._principal = cast(Caller | None, request.auth)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finished = super().finalize_response(request, response, *args, **kwargs)
        self._with_cors_headers(request, finished)
        return finished

    def _with_cors_headers(self, request: HttpRequest | Request, response: HttpResponse) -> HttpResponse:
        """Return the response with headers that let only pages of the caller's own channels read it."""
        patch_vary_headers(response, ["Origin"])
        response.headers["Cache-Control"] = "no-store"
        origin = read_origin(request.headers.get("Origin"))
        with suppress(AnyDatabaseError):  # if the check fails, no page may read the response, but programs can
            if origin is not None and self._may_read(origin):
                add_cors_headers(request, response, methods=self.cors_methods, headers="Authorization, Content-Type")
        return response

    def _may_read(self, origin: str) -> bool:
        if isinstance(self._principal, Staff):
            return False
        if self._principal is None:  # a preflight, or a refused credential: the page may read the refusal
            return is_known(origin)
        return is_known_in(self._principal.workspace_id, origin)
