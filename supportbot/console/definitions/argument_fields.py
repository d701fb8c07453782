"""The form fields for the arguments of a test call. Each single value has a field, even inside objects and lists of
objects.

A field is named by its path, such as `address.city` or `items.0.sku`, as in errors about arguments.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from supportbot.console.definitions.box_values import ABSENT, JsonText

YES: Final = "yes"
NO: Final = "no"
MOST_ENTRIES: Final = 10
_BLANK_ENTRIES: Final = 1
_DEEPEST: Final = 2  # levels of nested objects that have fields; deeper ones are entered as JSON
_SINGLE: Final = ("string", "choice", "date", "money", "number", "integer")  # types of values that are entered as text
_SAMPLES: Final = {"integer": 1, "number": "2.5", "money": "12.50", "flag": True, "date": "2026-05-31"}
Spec = Mapping[str, Any]


class Entries(JsonText):
    """A list of single values, one per line. JSON is accepted too."""

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in str(value or "").splitlines() if line.strip()]
        return lines if lines and not lines[0].startswith("[") else super().clean(value)


@dataclass(frozen=True, slots=True)
class SingleField:
    """A value that has a field of its own."""

    path: str
    label: str
    spec: Spec


def leaves(name: str, spec: Spec, sent: Mapping[str, Any]) -> Iterator[SingleField]:
    """Yield those values of an argument that have fields.

    `sent` contains the submitted values by path. They decide how many rows a list gets: one for each entry, and an
    empty one.
    """
    yield from _inside(SingleField(name, name, spec), sent, 0)


def _inside(leaf: SingleField, sent: Mapping[str, Any], depth: int) -> Iterator[SingleField]:
    fields, of = _fields(leaf.spec), leaf.spec.get("of")
    if fields and depth < _DEEPEST:
        for inner, spec in fields.items():
            yield from _inside(SingleField(f"{leaf.path}.{inner}", f"{leaf.label}: {inner}", spec), sent, depth + 1)
    elif isinstance(of, Mapping) and _fields(of) and depth < _DEEPEST:
        for place in range(_rows(leaf, sent)):
            yield from _inside(SingleField(f"{leaf.path}.{place}", f"{leaf.label} {place + 1}", of), sent, depth)
    else:
        yield leaf


def _fields(spec: Spec) -> dict[str, Spec]:
    given = spec.get("fields") if spec.get("type") == "object" else None
    fields = given.items() if isinstance(given, Mapping) else ()
    return {str(name): one for name, one in fields if isinstance(one, Mapping)}


def _rows(leaf: SingleField, sent: Mapping[str, Any]) -> int:
    """Return how many rows of fields a list gets: one for each entered value, and an empty one."""
    before = f"{leaf.path}."
    own = [path.removeprefix(before) for path, value in sent.items() if value and path.startswith(before)]
    places = {path.partition(".")[0] for path in own}
    filled = [int(place) + 1 for place in places if re.fullmatch("[0-9]{1,2}", place, re.ASCII)]
    least = leaf.spec.get("min_items")
    wanted = max([*filled, 0]) + _BLANK_ENTRIES
    return min(max(wanted, least if isinstance(least, int) else 1), MOST_ENTRIES)


def entered(name: str, spec: Spec, cleaned: Mapping[str, Any], depth: int = 0) -> Any:
    """Return an argument's value, built from the cleaned values by path; ABSENT if nothing was entered."""
    fields, of = _fields(spec), spec.get("of")
    if fields and depth < _DEEPEST:
        inside = {inner: entered(f"{name}.{inner}", one, cleaned, depth + 1) for inner, one in fields.items()}
        return {inner: value for inner, value in inside.items() if value is not ABSENT} or ABSENT
    if isinstance(of, Mapping) and _fields(of) and depth < _DEEPEST:
        every = [entered(f"{name}.{place}", of, cleaned, depth) for place in range(MOST_ENTRIES)]
        return [value for value in every if value is not ABSENT] or ABSENT
    return _typed(spec, cleaned.get(name, ABSENT))


def _typed(spec: Spec, value: Any) -> Any:
    if value in (None, "") or value is ABSENT:
        return ABSENT
    of = spec.get("of")
    if isinstance(value, list) and isinstance(of, Mapping):
        return [_typed(of, one) for one in value]
    if spec.get("type") == "flag" and value in (YES, NO):
        return value == YES
    return int(value) if spec.get("type") == "integer" and re.fullmatch(r"-?[0-9]{1,15}", str(value)) else value


def field_of(leaf: SingleField) -> forms.Field:
    """Return the form field of a value."""
    spec = leaf.spec
    about: dict[str, Any] = {
        "label": leaf.label, "required": False, "help_text": str(spec.get("description", "")),
        "initial": spec.get("example", ""),
    }  # fmt: skip
    match spec.get("type"):
        case "choice":
            options = [str(one.get("value", "")) for one in spec.get("options", ()) if isinstance(one, Mapping)]
            return forms.ChoiceField(choices=[("", "–"), *((one, one) for one in options)], **about)
        case "flag":
            choices = [("", "–"), (YES, gettext("Yes")), (NO, gettext("No"))]
            return forms.ChoiceField(choices=choices, **{**about, "initial": ""})
        case "list" if isinstance(spec.get("of"), Mapping) and spec["of"].get("type", "string") in _SINGLE:
            help_text = f"{about['help_text']} {gettext('One per line.')}".strip()
            return Entries(widget=forms.Textarea(attrs={"rows": 3}), **{**about, "help_text": help_text})
        case "list" | "object":
            form = gettext("As JSON, such as {example}").format(example=json.dumps(_sample(spec), ensure_ascii=False))
            help_text = f"{about['help_text']} {form}".strip()
            return JsonText(
                widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}), **{**about, "help_text": help_text}
            )
    return forms.CharField(**about)


def _sample(spec: Spec) -> Any:
    """Return a sample value in an argument's format."""
    match spec.get("type"):
        case "object":
            return {name: _sample(one) for name, one in _fields(spec).items()}
        case "list":
            return [_sample(spec["of"])] if isinstance(spec.get("of"), Mapping) else []
        case "choice":
            options = [one.get("value", "") for one in spec.get("options", ()) if isinstance(one, Mapping)]
            return next(iter(options), "")
        case "integer" | "number" | "money" | "flag" | "date" as kind:
            return _SAMPLES[kind]
    return str(spec.get("example") or "…")
