"""The two things every request passes: who may knock at all, and the one shape in which the shop says no."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from shop.environment import environment
from shop.errors import HostNotAllowed, NotJson, OriginNotAllowed, ShopError

View = Callable[[HttpRequest], HttpResponse]


class LoopbackOnly:
    """Serve this machine's own pages and programs only.

    The token endpoint hands out any demo identity, so a page on another host must reach it neither directly (Origin)
    nor by a name that it points at this machine (Host). A plain form cannot post JSON; no CORS header is ever sent.
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
            raise HostNotAllowed(f"This shop answers only as {' or '.join(sorted(self.hosts))}.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in self.origins:
            raise OriginNotAllowed("Pages of another origin may not use this shop.")
        if request.method == "POST" and request.content_type != "application/json":
            raise NotJson("Send the body as JSON, with the header Content-Type: application/json.")


class JsonErrors:
    """Turn a refusal raised by a view into its answer."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refused(exception) if isinstance(exception, ShopError) else None


def refused(refusal: ShopError) -> JsonResponse:
    return JsonResponse(refusal.as_json(), status=refusal.status)
