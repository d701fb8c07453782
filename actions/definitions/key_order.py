"""Restoring the order of a document's keys, which the database does not keep. Arguments and their fields stay in the
order they were entered. When a document is written as text, all other keys are in the order of the reference. Pure.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_FIELDS: Final = (
    "format", "name", "kind", "risk", "type", "from", "title", "description", "required", "examples", "connection",
    "arguments", "lookups", "values", "guards", "labels", "subject", "id", "money", "amount", "currency", "method",
    "path", "query", "headers", "call", "body", "key", "answer", "outcome", "happened", "did_not", "never_seen",
    "in_progress", "reason", "for_each", "as", "at_most", "list", "owner", "public", "absent", "otherwise", "require",
    "code", "words", "card", "label", "value", "summary", "button", "rows", "done", "receipt", "result", "fields",
    "hand_over", "limits", "approval", "undo", "choose_from", "done_words",
)  # fmt: skip
_PLACES: Final = {name: place for place, name in enumerate(_FIELDS)}
_NAMED: Final = frozenset({"arguments", "values"})  # objects whose keys are names chosen by the document's author
_BETWEEN: Final = ","
_INSIDE: Final = "."


def entered_order(arguments: Any) -> str:
    """Return the names of arguments and of the fields inside them, in order: "address,address.city,address.street"."""
    return _BETWEEN.join(_paths(arguments, ""))


def in_entered_order(arguments: Mapping[str, Any], order: str) -> dict[str, Any]:
    """Return the arguments in this order, followed by those that the order does not name."""
    return _ordered(arguments, order.split(_BETWEEN), "")


def _paths(fields: Any, before: str) -> Iterator[str]:
    for name, spec in fields.items() if isinstance(fields, Mapping) else ():
        yield f"{before}{name}"
        yield from _paths(_fields_of(spec), f"{before}{name}{_INSIDE}")


def _ordered(fields: Mapping[str, Any], order: Sequence[str], before: str) -> dict[str, Any]:
    own = [path.removeprefix(before) for path in order if path.startswith(before)]
    names = [name for name in own if name in fields]
    return {name: _inside(fields[name], order, f"{before}{name}{_INSIDE}") for name in (*names, *fields)}


def _inside(spec: Any, order: Sequence[str], before: str) -> Any:
    """Return an argument with its fields in order, or a list with the fields of its entries in order."""
    if not isinstance(spec, Mapping):
        return spec
    inner: dict[str, Any] = dict(spec)
    if isinstance(spec.get("fields"), Mapping):
        inner["fields"] = _ordered(spec["fields"], order, before)
    elif isinstance(spec.get("of"), Mapping):
        inner["of"] = _inside(spec["of"], order, before)
    return inner


def _fields_of(spec: Any) -> Any:
    while isinstance(spec, Mapping) and "fields" not in spec and "of" in spec:
        spec = spec["of"]
    return spec.get("fields") if isinstance(spec, Mapping) else None


def written(document: Mapping[str, Any]) -> str:
    """Return a document as text, with its fields in the order of the reference, since the database does not keep their
    order.
    """
    return json.dumps(_in_order(document), indent=2, ensure_ascii=False)


def _in_order(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_order(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    ordered = {name: value[name] for name in sorted(value, key=lambda name: _PLACES.get(name, len(_PLACES)))}
    return {name: _names_in_order(one) if name in _NAMED else _in_order(one) for name, one in ordered.items()}


def _names_in_order(value: Any) -> Any:
    """Return an object whose keys are names chosen by the document's author, in their order."""
    return {name: _in_order(one) for name, one in value.items()} if isinstance(value, Mapping) else _in_order(value)
