"""The order in which arguments and their fields were entered, since the database does not keep the order of JSON keys.
Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_BETWEEN: Final = ","
_INSIDE: Final = "."


def entered_order(arguments: Any) -> str:
    """Return the names of arguments and of the fields inside them, in order: "address,address.city,address.street"."""
    return _BETWEEN.join(_paths(arguments, ""))


def in_entered_order(arguments: Mapping[str, Any], order: str) -> dict[str, Any]:
    """Return the arguments in this order, followed by those that it does not name."""
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
    """Return an argument with its fields in order; for a list, the fields of its entries."""
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
