"""Finding out from a file which operations read records, and which fields of these records contain their id. Pure."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from actions.definitions.importing.drafts import snake

_LAST_PARAMETER: Final = re.compile(r"(?:.*/)?([^{}/]+)/\{([^{}/]+)\}", re.ASCII)
_PARAMETER: Final = re.compile(r"\{([^{}]*)\}")
_HOLDER: Final = re.compile(r"\{([^{}]*)\}/")
_MAX_SEGMENTS: Final = 30
_MAX_FIELDS: Final = 100  # fields of an answer
_MAX_DEPTH: Final = 4
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}", re.ASCII)
Properties = Callable[[Any], Mapping[str, Any]]
Field = tuple[tuple[str, ...], Any]  # path, schema
FileOperation = tuple[str, str, Mapping[str, Any], Mapping[str, Any]]  # path, method, item, operation


@dataclass(frozen=True, slots=True)
class Record:
    """An operation that reads one record by its id."""

    name: str
    path: str
    operation: Mapping[str, Any]

    def path_with(self, arguments: Mapping[str, str]) -> str:
        """Return the operation's path, with the argument for each of its parameters."""
        return _PARAMETER.sub(lambda match: f"{{arguments.{arguments[match[1]]}}}", self.path)

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    @property
    def unread_id(self) -> str:
        """Return the name of the record's own id if the operation reads the record by something else: account_id for
        `/accounts/{account_number}`; "" for `/accounts/{account_id}` and `/accounts/{id}`.
        """
        own = f"{self.name}_id"
        return "" if snake(self.parameters[-1]) in ("id", own) else own


@dataclass(frozen=True, slots=True)
class Records:
    """The operations that read a record: by their path, and by the argument that contains its id or number, such as
    order_id for `/orders/{orderId}` and `/orders/{id}`, and order_number for `/orders/{orderNumber}`.
    """

    by_path: Mapping[str, Record] = field(default_factory=dict)
    by_argument: Mapping[str, Record] = field(default_factory=dict)
    by_noun: Mapping[str, Record] = field(default_factory=dict)  # the records of by_argument, by their noun
    read_by_id: frozenset[str] = frozenset()  # nouns of the records that are read by their id, not by a number or code
    # Nouns whose paths list something, such as driver in /drivers/{driver_id}/rentals.
    holders: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()  # nouns that may be the file's word for its customers

    def of_path(self, path: str) -> Record | None:
        """Return the record that a call is about; for `/orders/{number}/returns`, the record of `/orders/{number}`."""
        segments = path.split("/")[:_MAX_SEGMENTS]
        above = ("/".join(segments[:length]) for length in range(len(segments), 0, -1))
        return next((self.by_path[one] for one in above if one in self.by_path), None)


def records_of(operations: Iterable[FileOperation]) -> Records:
    """Return the operations that read one record by its id."""
    by_path: dict[str, Record] = {}
    by_argument: dict[str, Record] = {}
    operations = list(operations)
    for path, method, _, operation in operations:
        match = _LAST_PARAMETER.fullmatch(path) if method == "get" else None
        noun = re.sub("s$", "", snake(match[1])) if match else ""
        if match is None or not noun:
            continue
        record = Record(noun[:40], path, operation)
        by_path.setdefault(path, record)
        argument = f"{noun}_id" if snake(match[2]) == "id" else snake(match[2])
        # contract_number and tariff_code name records of /contracts and /tariffs as contract_id does.
        name = argument.removesuffix("_id") if argument.endswith("_id") else noun
        if name and argument.startswith(f"{name}_") and len(record.parameters) == 1:
            by_argument.setdefault(argument, Record(name[:40], path, operation))
    holders = {noun_of_id(name) for path, *_ in operations for name in _HOLDER.findall(path)}
    return Records(
        by_path,
        by_argument,
        by_noun={record.name: record for record in by_argument.values()},
        read_by_id=frozenset(map(noun_of_id, by_argument)) - {""},
        holders=frozenset(holders - {""}),
    )


def fields_in(schema: Any, properties: Properties) -> list[Field]:
    """Return the path and the schema of each field of a response and of the objects inside it, outer fields first."""
    found: list[Field] = []
    waiting: deque[Field] = deque([((), schema)])
    while waiting:
        before, given = waiting.popleft()
        for name, own in properties(given).items() if len(before) < _MAX_DEPTH else ():
            if _NAME.fullmatch(name) and len(found) < _MAX_FIELDS:
                found.append(((*before, name), own))
                waiting.append(found[-1])
    return found


def noun_of_id(name: str) -> str:
    """Return the noun of an id, such as `patient` for `patient_id` and `patientId`; "" for any other name."""
    found = re.fullmatch(r"([a-z][a-z0-9_]*)_id", snake(name))
    return found[1] if found else ""


def depth_of(fields: Sequence[Field]) -> int:
    """Return how deep a record's own fields are: 2 in {"data": {"id": …}}."""
    around = {path[:-1] for path, _ in fields}
    return min((len(path) for path, _ in fields if path not in around), default=0)


def own_id_in(fields: Sequence[Field], record: Record | None) -> str:
    """Return the path of a record's own id if the record is read by something else; "" if it has none."""
    own = record.unread_id if record is not None else ""
    for path, _ in fields if own else ():
        name = "_".join(path[-2:]) if snake(path[-1]) == "id" else path[-1]
        if len(path) == depth_of(fields) and snake(name) == own:
            return ".".join(path)
    return ""


def id_in(fields: Sequence[Field], names: Iterable[str]) -> str:
    """Return the path of a record's own id: a field named `id`, or with the same name as the
    parameter that takes it. An id inside the record, such as `vehicle.id`, does not count.
    """
    around = {path[:-1] for path, _ in fields}
    plain = [path for path, _ in fields if path not in around]
    wanted = {*names, "id"}
    return next((".".join(path) for path in plain if len(path) == depth_of(fields) and snake(path[-1]) in wanted), "")
