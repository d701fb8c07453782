"""The responses of an operation in an OpenAPI file: its statuses, and the fields that can be shown. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from actions.definitions.importing.amounts import amounts_in
from actions.definitions.importing.customer_fields import names_customer
from actions.definitions.importing.drafts import Names, humanised, snake
from actions.definitions.importing.json_schema import Note, listed_types, properties_of

_SHOWN: Final = frozenset({"string", "integer", "number", "boolean"})
_MAX_SHOWN: Final = 20
_MAX_KEPT: Final = 5  # fields on a receipt
_MAX_WRAPS: Final = 2
_MAX_STATUSES: Final = 5
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}", re.ASCII)
_JSON: Final = re.compile(r"application/([\w.+-]+\+)?json(;.*)?")
_PROBLEM: Final = "application/problem+json"


def json_schema(content: Mapping[str, Any]) -> Any:
    """Return the schema of a JSON body; None if there is none."""
    media_types = content.get("content")
    for kind, media in media_types.items() if isinstance(media_types, Mapping) else ():
        if _JSON.fullmatch(str(kind).strip().lower()) and isinstance(media, Mapping):
            return media.get("schema", {})
    return None


class Answer:
    """The responses of one operation; `resolve` returns what a node of the file refers to."""

    def __init__(self, operation: Mapping[str, Any], resolve: Callable[[Any, Note], Any], note: Note) -> None:
        responses = operation.get("responses")
        self._responses = responses if isinstance(responses, Mapping) else {}
        self._resolve, self._note = resolve, note

    def statuses(self) -> list[int]:
        """Return the success statuses."""
        named = [int(status) for status in self._responses if _is_success(status)]
        return sorted(named)[:_MAX_STATUSES] or [200]

    def schema(self) -> Any:
        """Return the schema of the first body of a successful response."""
        for status, given in self._responses.items():
            response = self._resolved(given) if _is_success(status) else None
            schema = json_schema(response) if isinstance(response, Mapping) else None
            if schema is not None:
                return schema
        return None

    def explains_problems(self) -> bool:
        """Return whether failed calls return a body in the format of RFC 9457, whose `detail` explains the failure to
        people.
        """
        for status, given in self._responses.items():
            response = None if _is_success(status) else self._resolved(given)
            content = response.get("content") if isinstance(response, Mapping) else None
            kinds = content if isinstance(content, Mapping) else ()
            if any(str(kind).partition(";")[0].strip() == _PROBLEM for kind in kinds):
                return True
        return False

    def result(self) -> dict[str, Any]:
        """Return the result of a look-up: the fields of the record, or of each entry of a list."""
        where, schema = self._unwrapped("record")
        if _kinds(schema) == {"array"}:
            return {"list": where, "as": "entry", "fields": self._fields(schema.get("items"), "entry")}
        return {"fields": self._fields(schema, where)}

    def receipt(self) -> list[dict[str, Any]]:
        """Return the first fields of a response, without the customer's own id, which tells them nothing new."""
        where, schema = self._unwrapped("body")
        fields = self._fields(schema, where)
        return [one for one in fields if not names_customer(one.get("value", "").rpartition(".")[2])][:_MAX_KEPT]

    def properties(self, schema: Any) -> Mapping[str, Any]:
        return properties_of(schema, "answer", self._resolve, self._note)[0]

    def _unwrapped(self, where: str) -> tuple[str, Any]:
        """Return the path and the schema of a response's content. An object without plain fields, such as `{"data": …,
        "meta": …}`, is replaced by the object or list inside it that has the most plain fields.
        """
        schema = self._resolved(self.schema())
        for _ in range(_MAX_WRAPS):
            inside = {name: one for name, one in self.properties(schema).items() if _PLAIN.fullmatch(name)}
            if not inside or self._fields(schema, where):
                break
            name = max(inside, key=lambda one: len(self._fields(self._entry(inside[one]), one)))
            where, schema = f"{where}.{name}", self._resolved(inside[name])
        return where, schema

    def _entry(self, schema: Any) -> Any:
        """Return the schema of a list's entries, or the given schema if it is not a list."""
        found = self._resolved(schema)
        return found.get("items") if _kinds(found) == {"array"} else found

    def _fields(self, schema: Any, of: str) -> list[dict[str, Any]]:
        """Return the parts that can be shown: the plain fields under their own names, and a figure beside its currency
        as one amount of money.
        """
        properties = self.properties(schema)
        plain = {name: own for name, given in properties.items() if _is_plain(name, own := self._resolved(given))}
        amounts = {one.field: one for one in amounts_in(plain, of)}
        shown_with_amount = {one.currency for one in amounts.values()}
        names = Names()
        fields: list[dict[str, Any]] = []
        for name in [name for name in plain if name not in shown_with_amount][:_MAX_SHOWN]:
            amount = amounts.get(name)
            label = names.free((amount.name if amount else snake(name)) or "value")
            shows = amount.shows if amount else {"value": f"{of}.{name}"}
            fields.append({"name": label, "label": {"en": humanised(label)}, **shows})
        return fields

    def _resolved(self, node: Any) -> Any:
        return self._resolve(node, self._note)


def _is_plain(name: str, schema: Any) -> bool:
    return bool(_SHOWN & _kinds(schema)) and _PLAIN.fullmatch(name) is not None


def _is_success(status: Any) -> bool:
    return re.fullmatch(r"2[0-9][0-9]", str(status)) is not None


def _kinds(schema: Any) -> set[str]:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return {str(one) for one in listed_types(kind) or [kind]} - {"null"}
