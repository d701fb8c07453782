"""The pages of all lists in the REST API: newest first, with a cursor to the next page."""

from typing import Any
from uuid import UUID

from rest_framework.exceptions import NotFound as UnknownCursor
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from supportbot.errors import InvalidInput, NotFound


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
