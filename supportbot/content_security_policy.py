"""The content security policy of all pages, and the origin of sockets, which a policy may have to allow."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

POLICY = "; ".join(
    [
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self' data:",
        "object-src 'none'",
    ]
)


def socket_origin(request: HttpRequest | Request) -> str:
    """Return the origin where sockets are opened: PUBLIC_URL or, if that is not set, the host of this request."""
    base = urlsplit(settings.PUBLIC_URL or request.build_absolute_uri("/"))
    return f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}"


class ContentSecurityPolicy:
    """Adds the policy, unless the view has set its own, which is stricter or allows embedding."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
