"""The OpenAPI schema: how it is served, and what it says of every operation alike, the body of its refusals."""

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

from supportbot.web import ClosedSerializerMixin

_OPERATIONS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_ALWAYS: Final = {
    "400": "The request holds what cannot be read; `fields` names it.",
    "401": "The credential is missing, unknown or expired.",
    "403": "This caller may not do this.",
    "429": "Too often: `Retry-After` says when to come back.",
    "503": "The database does not answer; see what became of this.",
}
_OF_ONE_THING: Final = {"404": "There is nothing here, or it is not for this caller."}
_OF_A_CHANGE: Final = {**_OF_ONE_THING, "409": "What is there now does not allow this."}
_ID_BELOW: Final = re.compile(r"/{(\w+)}(/\w+)?$")
_OF_A_BODY: Final = {"413": "The body is too large.", "415": "The body is not JSON."}

ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What every refusal answers with.",
    "properties": {
        "code": {"type": "string", "description": "For programs; it never changes."},
        "message": {"type": "string", "description": "For people: what is wrong, and the way out."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "What to mend, by field; `_` stands for the whole.",
        },
    },
    "required": ["code", "message", "fields"],
}
_making: Final = Lock()


def whole_schema() -> Any:
    """Return the schema, made once a process: it is one for all, costs seconds, and cannot be made twice at once."""
    with _making:
        return _made()


class Maker(SchemaGenerator):
    """Hands it to drf-spectacular's view."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return whole_schema()


class Schema(SpectacularAPIView):
    """Serves it as YAML or JSON, as asked."""

    api_version = "1"  # else the base class writes whatever `?version=` says into a header

    generator_class = Maker
    content_negotiation_class = DefaultContentNegotiation


@cache
def _made() -> Any:
    generator: Any = SchemaGenerator  # which has no types
    with override("en"):
        return generator().get_schema(public=True)


def let_views_overlap(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say "any of" where readers get one of several views, since these overlap; a hook of drf-spectacular."""
    for schema in result["components"]["schemas"].values():
        if schema.keys() == {"oneOf"}:
            schema["anyOf"] = schema.pop("oneOf")
    return result


def name_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the refusals to every operation of a schema that does not tell its own; a hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in _OPERATIONS:
                _name_refusals_of(operation, method, has_one_thing="{" in path or _is_paged(operation))
    return result


def _is_paged(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == "cursor" for parameter in operation.get("parameters", []))


def _name_refusals_of(operation: dict[str, Any], method: str, *, has_one_thing: bool) -> None:
    told = dict(_ALWAYS)
    told |= _OF_ONE_THING if has_one_thing else {}
    told |= _OF_A_CHANGE if method != "get" else {}
    told |= _OF_A_BODY if "requestBody" in operation else {}
    responses = operation["responses"]
    for status, description in told.items():
        refusal = responses.setdefault(status, {"description": description})
        refusal.setdefault("content", {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}})
    operation["responses"] = dict(sorted(responses.items()))


def link_answers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Link what POST has made to the operations that lie below its address; a hook of drf-spectacular."""
    for path, item in result["paths"].items():
        for status, told in item.get("post", {}).get("responses", {}).items():
            if status in ("200", "201") and (links := dict(_links_below(result["paths"], path))):
                told["links"] = links
    return result


def _links_below(paths: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for below, item in paths.items():
        if below.startswith(path) and (match := _ID_BELOW.match(below.removeprefix(path))):
            for operation in item.values():
                name = operation["operationId"]
                yield name, {"operationId": name, "parameters": {match[1]: "$response.body#/id"}}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    target_class = "supportbot.accounts.auth.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    target_class = "supportbot.accounts.auth.StaffSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class ClosedBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    target_class = "supportbot.web.ClosedSerializerMixin"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if schema.get("description") == getdoc(ClosedSerializerMixin):  # of a class without words of its own
            del schema["description"]
        return {**schema, "additionalProperties": False} if schema.get("type") == "object" else schema


class PlainText(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    """Says of every text that a caller may send which characters it may hold."""

    target_class = "supportbot.web.TextField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        return {**schema, **self.target.told}
