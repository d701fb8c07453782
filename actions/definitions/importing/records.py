"""What a file says about records: which operation reads the one with a certain id, and how a card shows arguments.
Pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from actions.definitions.importing.drafts import humanised, snake

MAX_ROWS: Final = 20
_NESTED: Final = ("object", "list", None)
_ONE_PARAMETER: Final = re.compile(r"([^{}]*/)?([^{}/]+)/\{([^{}]+)\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """An operation that reads one record by its id."""

    name: str
    path: str
    parameter: str
    operation: Mapping[str, Any]

    def path_with(self, argument: str) -> str:
        return self.path.replace(f"{{{self.parameter}}}", f"{{arguments.{argument}}}")


def records_of(operations: Iterable[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Record]:
    """Return the operations that read a record, by the argument that names its id: order_id for `/orders/{orderId}`
    and `/orders/{id}`.
    """
    found: dict[str, Record] = {}
    for path, method, _, operation in operations:
        match = _ONE_PARAMETER.fullmatch(path) if method == "get" else None
        if match is None:
            continue
        noun, parameter = re.sub("s$", "", snake(match[2])), match[3]
        argument = f"{noun}_id" if snake(parameter) == "id" else snake(parameter)
        name = argument.removesuffix("_id")
        if name and name != argument:
            found.setdefault(argument, Record(name[:40], path, parameter, operation))
    return found


def card_rows(name: str, spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows that show an argument: an object by its fields, a list of objects by the fields that each has."""
    match spec.get("type"):
        case "object":
            for field, own in spec.get("fields", {}).items():
                if own.get("type") not in _NESTED:
                    yield _row(field, f"arguments.{name}.{field}")
        case "list" if spec.get("of", {}).get("type") == "object":
            for field, own in spec["of"].get("fields", {}).items():
                if own.get("type") not in _NESTED and own.get("required", True):
                    yield _row(field, f"map(arguments.{name}, entry, entry.{field})")
        case "list" if spec.get("of", {}).get("type") in _NESTED:
            return
        case None:
            return
        case _:
            yield _row(name, f"arguments.{name}")


def _row(name: str, value: str) -> dict[str, Any]:
    return {"label": {"en": humanised(snake(name) or name)}, "value": value}
