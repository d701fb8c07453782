"""The OpenAPI schema: serves it, and adds the credentials and error responses that all operations have in common."""

import re
from collections.abc import Iterator
from functools import cache
from inspect import getdoc
from threading import Lock
from typing import Any, Final

from django.utils.translation import override
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView
from rest_framework.negotiation import DefaultContentNegotiation

from supportbot.serializer_fields import ClosedSerializerMixin

_OPERATIONS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_ALWAYS: Final = {
    "400": "The request is invalid; `fields` lists what is wrong.",
    "401": "The credential is missing, unknown or expired.",
    "403": "The caller is not allowed to do this.",
    "429": "Too many requests. `Retry-After` says when to try again.",
    "503": "The database is not responding. Check whether the request took effect.",
}
_FOR_ONE_OBJECT: Final = {"404": "Not found, or the caller has no access to it."}
_FOR_A_CHANGE: Final = {**_FOR_ONE_OBJECT, "409": "The current state does not allow this."}
_ID_BELOW: Final = re.compile(r"/{(\w+)}(/\w+)?$")
_FOR_A_BODY: Final = {"413": "The body is too large.", "415": "The body is not valid JSON."}

ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The body of every failed request.",
    "properties": {
        "code": {"type": "string", "description": "For programs. It never changes."},
        "message": {"type": "string", "description": "For people: what is wrong and what to do."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "What to correct, by field; `_` is for the request as a whole.",
        },
    },
    "required": ["code", "message", "fields"],
}
_generating: Final = Lock()


def whole_schema() -> Any:
    """Return the schema.

    It is generated once per process, because this takes seconds and the generator is not thread-safe.
    """
    with _generating:
        return _generated()


class CachedGenerator(SchemaGenerator):
    """Returns the cached schema to drf-spectacular's view."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return whole_schema()


class Schema(SpectacularAPIView):
    """Serves the schema as YAML or JSON, depending on the request."""

    api_version = "1"  # otherwise, the base class copies `?version=` into a header

    generator_class = CachedGenerator
    content_negotiation_class = DefaultContentNegotiation


@cache
def _generated() -> Any:
    generator: Any = SchemaGenerator  # it has no types
    with override("en"):
        return generator().get_schema(public=True)


def let_views_overlap(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Replace `oneOf` with `anyOf` where a response is one of several views that overlap. A drf-spectacular hook."""
    for schema in result["components"]["schemas"].values():
        if schema.keys() == {"oneOf"}:
            schema["anyOf"] = schema.pop("oneOf")
    return result


def name_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the error responses to every operation that does not define its own. A drf-spectacular hook."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in _OPERATIONS:
                _name_refusals_of(operation, method, has_one_object="{" in path or _is_paged(operation))
    return result


def _is_paged(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))


def _name_refusals_of(operation: dict[str, Any], method: str, *, has_one_object: bool) -> None:
    refusals = dict(_ALWAYS)
    refusals |= _FOR_ONE_OBJECT if has_one_object else {}
    refusals |= _FOR_A_CHANGE if method != "get" else {}
    refusals |= _FOR_A_BODY if "requestBody" in operation else {}
    responses = operation["responses"]
    for status, description in refusals.items():
        refusal = responses.setdefault(status, {"description": description})
        refusal.setdefault("content", {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}})
    operation["responses"] = dict(sorted(responses.items()))


def link_answers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add links from the objects that a POST creates to the operations on them. A drf-spectacular hook."""
    for path, item in result["paths"].items():
        for status, response in item.get("post", {}).get("responses", {}).items():
            if status in ("200", "201") and (links := dict(_links_below(result["paths"], path))):
                response["links"] = links
    return result


def _links_below(paths: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for below, item in paths.items():
        if below.startswith(path) and (match := _ID_BELOW.match(below.removeprefix(path))):
            for operation in item.values():
                name = operation["operationId"]
                yield name, {"operationId": name, "parameters": {match[1]: "$response.body#/id"}}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its untyped base registers it
    target_class = "supportbot.accounts.rest.auth.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its untyped base registers it
    target_class = "supportbot.accounts.rest.auth.StaffSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class ClosedBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # its untyped base registers it
    target_class = "supportbot.serializer_fields.ClosedSerializerMixin"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        # the description is inherited, because the class has no docstring
        if schema.get("description") == getdoc(ClosedSerializerMixin):
            del schema["description"]
        return {**schema, "additionalProperties": False} if schema.get("type") == "object" else schema


class PlainText(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # its untyped base registers it
    """Adds the allowed characters to every text field of a request."""

    target_class = "supportbot.serializer_fields.TextField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        if isinstance(schema.get("type"), list):  # for a nullable field, the caller adds null a second time
            schema["type"] = "string"
        return {**schema, **self.target.schema}
