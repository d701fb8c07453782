"""Reads the values of an action from a submitted form, which is a message of "title: value" lines. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from supportbot.builtin.actions.form_fields import Part, Shape, parts_in
from supportbot.builtin.actions.slots import entries_in
from supportbot.builtin.actions.tool_fields import OF_OBJECTS, fields_of, kind_of, parts_of
from supportbot.builtin.actions.values_in_text import choices_in, yes_or_no
from supportbot.language.dates import days_in
from supportbot.llm.types import ToolSpec


def read_form(tool: ToolSpec, text: str, *, asked: str = "", locale: str = "") -> dict[str, Any]:
    """Return the values of a submitted form, which consists only of "title: value" lines; {} for any other text.

    If two fields have the same title, the value belongs to the requested field. In a list of objects, an empty line or
    a repeated part begins the next entry.
    """
    values: dict[str, Any] = {}
    titled = dict(sorted(_titled(tool), key=lambda one: asked in (one[1][0], one[1][1].name)))
    is_next = False
    for line in text.splitlines():
        title = max((one for one in titled if line.startswith(f"{one}: ")), key=len, default="")
        value = line[len(title) + 2 :].strip()
        if not line.strip():
            is_next = True
            continue
        if not title or not value:
            return {}
        outer, part = titled[title]
        labels = tool.option_labels.get(f"{outer}.{part.name}".lstrip("."), {})
        entered = _entered(part.shape, labels, value, locale)
        _put(_object_for(values, outer, part, fields_of(tool), is_next=is_next), part.path, entered)
        is_next = False
    return values


def _object_for(
    values: dict[str, Any], outer: str, part: Part, fields: Mapping[str, Shape], *, is_next: bool
) -> dict[str, Any]:
    """Return the object that a line belongs to."""
    if not outer:
        return values
    if kind_of(outer, fields[outer]) not in OF_OBJECTS:
        own: dict[str, Any] = values.setdefault(outer, {})
        return own
    entries: list[dict[str, Any]] = values.setdefault(outer, [{}])
    if entries[-1] and (is_next or _has(entries[-1], part.path)):
        entries.append({})
    return entries[-1]


def _has(entry: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    inner = entry.get(path[0])
    return inner is not None and (len(path) == 1 or _has(inner, path[1:]))


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value


def _entered(shape: Shape, labels: Mapping[str, str], value: str, locale: str) -> Any:
    """Return the value of a line, converted as the field requires."""
    match kind_of("", shape):
        case "choices":
            return choices_in(shape["items"]["enum"], labels, value)
        case "choice":
            named = choices_in(shape["enum"], labels, value)
            return named[0] if len(named) == 1 else value
        case "flag":
            return yes_or_no(value)
        case "list":
            return entries_in(shape["items"], value, is_asked=True)
        case "date":
            days = [one.day for one in days_in(value, locale)]
            return days[0].isoformat() if len(days) == 1 and days[0] is not None else value
    return int(value) if shape.get("type") == "integer" and re.fullmatch(r"-?[0-9]+", value, re.ASCII) else value


def _titled(tool: ToolSpec) -> Iterator[tuple[str, tuple[str, Part]]]:
    """Yield (title, (object or "", part)) for the tool's fields, including each part of an object."""
    for name, shape in fields_of(tool).items():
        parts = parts_in(parts_of(kind_of(name, shape), shape))
        for part in parts or (Part((name,), (shape,)),):
            yield from ((title, (name if parts else "", part)) for title in part.titles())
