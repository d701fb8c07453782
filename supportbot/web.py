"""Code that HTTP views share: the content security policy, pagination, query parameters and JSON bodies."""

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import NotFound as UnknownCursor
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.accounts.page_language import PageLocaleMiddleware
from supportbot.errors import InvalidInput, NotFound

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
    """Return the origin at which sockets are opened: PUBLIC_URL or, if that is not set, the host of this request."""
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


class NewestFirstPagination(CursorPagination):
    """Pages of the form `{"results", "next"}`. Ids are UUIDv7, so sorting by id sorts by creation time."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"
    invalid_cursor = "Invalid cursor. Leave it out to start with the newest."

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page starts. Raises NotFound for an invalid cursor."""
        try:
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                UUID(str(cursor.position))
        except (UnknownCursor, ValueError) as error:
            raise NotFound(fields={self.cursor_query_param: [self.invalid_cursor]}) from error
        return cursor

    def get_page_size(self, request: Request) -> int:
        """Return the requested number of rows, at most `max_page_size`. Raises InvalidInput if it is not a number."""
        sizes = request.query_params.getlist(self.page_size_query_param)
        if not sizes:
            return self.page_size
        (first, *others) = sizes
        if others or not (first.isascii() and first.isdigit() and first.strip("0")):
            raise InvalidInput(fields={self.page_size_query_param: ["Give one whole number, 1 or higher."]})
        return min(int(first), self.max_page_size) if len(first) < 10 else self.max_page_size

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1}
        return parameters

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {"results": schema, "next": {"type": ["string", "null"], "format": "uri"}},
        }


def check_query(names: Iterable[str], known: Set[str]) -> None:
    """Raise InvalidInput for an unknown filter. Otherwise, a typo would give a result that looks valid."""
    if unknown := sorted(set(names) - known):
        raise InvalidInput(fields={name: ["Unknown field."] for name in unknown})


def one_of(field: str, value: str, choices: Iterable[str]) -> str:
    """Return the value of a query parameter. Raises InvalidInput unless it is one of the choices."""
    if value not in (known := list(choices)):
        raise InvalidInput(fields={field: [f"Choose one of {', '.join(known)}."]})
    return value


def id_of(field: str, value: str) -> UUID:
    """Return the value of a query parameter as an id. Raises InvalidInput if it is not one."""
    try:
        return UUID(value)
    except ValueError as error:
        raise InvalidInput(fields={field: ["This is not a valid id (UUID)."]}) from error


class JSONOnlyNegotiation(DefaultContentNegotiation):
    """Always responds in JSON, whatever the caller accepts.

    Errors of file downloads are JSON too, and nobody gets a 406.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class BoundedJSONParser(JSONParser):
    """Parses JSON bodies. Nesting that would exhaust the stack is the sender's error (400), not ours (500)."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


# Former names, for settings and commands of a deployment that still use them, until 0.3.
AnyAnswer, ShallowJson, NewestFirst = JSONOnlyNegotiation, BoundedJSONParser, NewestFirstPagination
SpokenLanguage = PageLocaleMiddleware
