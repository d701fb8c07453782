"""Turning a draft that writes into one that reads, and the other way round, keeping what both have in common. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from actions.definitions.parsed_parts import Kind, OutcomeKind
from actions.definitions.parsing.document import ONLY_OF_WRITES, READING, RESERVED

_ONLY_OF_A_WRITES_CALL: Final = frozenset({"key", "names_no_customer"})
_FIELD_OF_THE_ANSWER: Final = re.compile(r"body((\.[A-Za-z_][A-Za-z0-9_]*)+)", re.ASCII)


def unreadable_method(document: Mapping[str, Any]) -> str:
    """Return the method of a write's call if a look-up cannot use it, such as DELETE; otherwise ""."""
    method = str(_object(document, "call").get("method", ""))
    return method if method and method not in READING else ""


def as_kind(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a draft of this kind. A write's call becomes a look-up, and its receipt the result; the only look-up of a
    read becomes the call.
    """
    if kind == Kind.READ:
        return _as_read(document)
    return _as_write(document)


def _as_read(document: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: one for name, one in document.items() if name not in (*ONLY_OF_WRITES, "risk")} | {"kind": "read"}
    call = {name: one for name, one in _object(document, "call").items() if name not in _ONLY_OF_A_WRITES_CALL}
    lookups = [one for one in document.get("lookups") or () if isinstance(one, Mapping)]
    found = next((one for one in lookups if one.get("call") == call), None)
    if call and found is None:
        found = {"name": _free_name(document, lookups), "call": call}
        lookups.append(found)
    if lookups:
        made["lookups"] = lookups
    fields = [_of_record(row, str(found.get("name"))) for row in document.get("receipt") or ()] if found else []
    if kept := [one for one in fields if one]:
        made["result"] = {"fields": kept}
    return made


def _of_record(row: Any, record: str) -> dict[str, Any] | None:
    """Return a receipt's row as a field of a look-up's result; None if it is not a field of the answer."""
    value = row.get("value") if isinstance(row, Mapping) else None
    match = _FIELD_OF_THE_ANSWER.fullmatch(value) if isinstance(value, str) else None
    return {**row, "value": f"{record}{match[1]}"} if match else None


def _free_name(document: Mapping[str, Any], lookups: list[Any]) -> str:
    taken = {*RESERVED, *_object(document, "values"), *(str(one.get("name")) for one in lookups)}
    name, number = "record", 1
    while name in taken:
        number += 1
        name = f"record_{number}"
    return name


def _as_write(document: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: one for name, one in document.items() if name not in ("result", "risk", "visitors")} | {
        "kind": "write"
    }
    lookups = [one for one in document.get("lookups") or () if isinstance(one, Mapping)]
    if len(lookups) == 1 and _object(lookups[0], "call"):
        del made["lookups"]
        made["call"] = dict(lookups[0]["call"])
    made["outcome"] = {"kind": OutcomeKind.AT_MOST_ONCE.value}
    title = document.get("title")
    return {**made, "card": {"title": dict(title)}} if isinstance(title, Mapping) else made


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}
