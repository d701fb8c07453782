"""Middleware: who may call, the security policy of pages, and errors as JSON."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from shop.environment import environment
from shop.errors import HostNotAllowed, OriginNotAllowed, ShopError

View = Callable[[HttpRequest], HttpResponse]


class LoopbackOnly:
    """Serve only this machine's own pages and programs. The token endpoint signs any demo identity, so a page on
    another host must reach it neither directly (Origin) nor through a name that resolves to this machine (Host). No
    CORS header is ever sent.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        self.hosts = {f"{name}:{environment().port}" for name in settings.ALLOWED_HOSTS}
        self.origins = {f"http://{host}" for host in self.hosts}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            self.check(request)
        except ShopError as refusal:
            response: HttpResponse = refused(refusal)
        else:
            response = self.get_response(request)
        response["Cache-Control"] = "no-store"
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def check(self, request: HttpRequest) -> None:
        host = request.headers.get("Host", "")
        if host.lower() not in self.hosts:
            raise HostNotAllowed(f"This shop is only available at {' or '.join(sorted(self.hosts))}.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in self.origins:
            raise OriginNotAllowed("Pages from other origins cannot use this shop.")


class PageHeaders:
    """Set the policy of every response: only our own files, and the platform's script, calls and socket."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        self.policy = content_security_policy(environment().platform_url)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Content-Security-Policy"] = self.policy
        # Not "no-referrer": browsers would then send the forms' posts with the Origin "null".
        response["Referrer-Policy"] = "same-origin"
        return response


def content_security_policy(platform: str) -> str:
    """Return the policy of the shop's pages. The chat needs no more than this, however strict the page is otherwise."""
    socket = platform.replace("http", "ws", 1)
    rules = {
        "default-src": "'none'",
        "script-src": f"'self' {platform}",
        "style-src": "'self'",
        "img-src": f"'self' {platform}",  # the workspace's logo
        "connect-src": f"'self' {platform} {socket}",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class JsonErrors:
    """Turn a refusal raised by a view into its response."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refused(exception) if isinstance(exception, ShopError) else None


def refused(refusal: ShopError) -> JsonResponse:
    return JsonResponse(refusal.as_json(), status=refusal.status)
