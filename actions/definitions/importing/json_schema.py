"""Turning an external JSON Schema into the declaration of an argument, if the schema is simple enough. Anything that a
definition cannot express is noted and left open: `type` is then missing, and a person chooses it in the editor.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from django.utils.translation import gettext_noop

from actions.deferred_text import Value
from actions.definitions.importing.drafts import humanised, printable
from actions.definitions.parsing import patterns

_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9]+(_[a-z0-9]+)*", re.ASCII)
_MAX_DEPTH: Final = 4
_MAX_FIELDS: Final = 30
_LARGEST: Final = 1_000_000_000
_ENTRIES: Final = 100
_UUID: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_MAX_COMBINED: Final = 8
TOO_MANY: Final = gettext_noop("There are more than {most} arguments; {name} is left out.")


class Note(Protocol):
    """A function that stores a note for a person: a message marked with `gettext_noop`, and the values in it."""

    def __call__(self, message: str, /, **values: Value) -> None: ...


Resolve = Callable[[Any, Note], Any]


def declared(schema: Any, at: str, resolve: Resolve, note: Note, depth: int = 0) -> dict[str, Any]:
    """Return the declaration of a value, without its description; {} if it cannot be declared."""
    schema = resolve(schema, note)
    if not isinstance(schema, Mapping):
        note(gettext_noop("{at}: its schema is not an object, so its type is left open."), at=at)
        return {}
    if depth >= _MAX_DEPTH:
        note(
            gettext_noop("{at}: nested more than {most} levels deep, or contains itself, so this part is left out."),
            at=at,
            most=_MAX_DEPTH,
        )
        return {}
    schema = _merged(schema, at, resolve, note)
    options = _options(schema)
    if options is not None:
        return _choice(options, at, note)
    match _type(schema):
        case "string":
            return _text(schema, at, note)
        case "integer":
            # A 64-bit id is an integer, too.
            return {"type": "integer", "maximum": 10**15 - 1, **_range(schema, whole=True)}
        case "number":
            return {"type": "number", **_range(schema, whole=False)}
        case "boolean":
            return {"type": "flag"}
        case "array":
            return _list(schema, at, resolve, note, depth)
        case "object":
            return _object(schema, at, resolve, note, depth)
    note(gettext_noop("{at}: the type is unknown or ambiguous. Choose one."), at=at)
    return {}


def properties_of(schema: Any, at: str, resolve: Resolve, note: Note) -> tuple[Mapping[str, Any], frozenset[str]]:
    """Return the fields of an object's schema and the names of those it requires."""
    schema = resolve(schema, note)
    if not isinstance(schema, Mapping):
        return {}, frozenset()
    schema = _merged(schema, at, resolve, note)
    properties, required = schema.get("properties"), schema.get("required")
    names = frozenset(name for name in required if isinstance(name, str)) if isinstance(required, list) else frozenset()
    return (properties if isinstance(properties, Mapping) else {}), names


def listed_types(types: Any) -> list[Any]:
    """Return the types of a schema that lists several, as in OpenAPI 3.1: ["string", "null"]."""
    return types if isinstance(types, list) else []


def _type(schema: Mapping[str, Any]) -> str:
    given = schema.get("type")
    if isinstance(given, list):  # 3.1: ["string", "null"]
        named = [one for one in given if one != "null"]
        given = named[0] if len(named) == 1 else None
    if given is None and isinstance(schema.get("properties"), Mapping):
        return "object"
    return given if isinstance(given, str) else ""


def _merged(schema: Mapping[str, Any], at: str, resolve: Resolve, note: Note, depth: int = 0) -> Mapping[str, Any]:
    """Return a schema without allOf, oneOf and anyOf, if these are simple."""
    if depth > _MAX_COMBINED:
        note(
            gettext_noop("{at}: its schema refers to itself or combines too many schemas, so it is cut off there."),
            at=at,
        )
        return {}
    if isinstance(schema.get("allOf"), list):
        parts = [_part(one, at, resolve, note, depth) for one in schema["allOf"][:_ENTRIES]]
        schema = _united([*parts, {key: value for key, value in schema.items() if key != "allOf"}])
    for word in ("oneOf", "anyOf"):
        if isinstance(schema.get(word), list):
            rest = {key: value for key, value in schema.items() if key != word}
            variants = [_part(one, at, resolve, note, depth) for one in schema[word][:_ENTRIES]]
            schema = _of_several(variants, rest, at, note)
    return schema


def _part(schema: Any, at: str, resolve: Resolve, note: Note, depth: int) -> Mapping[str, Any]:
    found = resolve(schema, note)
    return _merged(found, at, resolve, note, depth + 1) if isinstance(found, Mapping) else {}


def _united(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    required: list[Any] = []
    for part in parts:
        result |= part
        properties |= part["properties"] if isinstance(part.get("properties"), Mapping) else {}
        required += part["required"] if isinstance(part.get("required"), list) else []
    return result | ({"properties": properties, "required": required} if properties else {})


def _of_several(variants: list[Mapping[str, Any]], rest: Mapping[str, Any], at: str, note: Note) -> Mapping[str, Any]:
    variants = [one for one in variants if one.get("type") != "null"]
    if len(variants) == 1:
        return _united([variants[0], rest])
    options = [_options(one) for one in variants]
    if variants and all(one is not None for one in options):
        return {**rest, "enum": [value for one in options for value in one or ()]}
    if variants and all(_is_plain_object(one) for one in variants):
        named = [{str(name) for name in one.get("required", ())} for one in variants]
        always = set.intersection(*named)
        note(
            gettext_noop(
                "{at}: it can have {number} different shapes. All their fields are included; say which are required."
            ),
            at=at,
            number=len(variants),
        )
        return {**_united([*variants, rest]), "required": sorted(always)}
    kinds = {_plain_type(one) for one in variants}
    if len(kinds) == 1 and kinds < {"string", "integer", "number", "boolean"}:
        return {**rest, "type": kinds.pop()}
    note(
        gettext_noop("{at}: it can have {number} different shapes, which cannot be combined."),
        at=at,
        number=len(variants),
    )
    return {key: value for key, value in rest.items() if key != "type"}


def _plain_type(schema: Mapping[str, Any]) -> str:
    options = _options(schema)
    return "string" if options and all(isinstance(one, str) for one in options) else _type(schema)


def _is_plain_object(schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties")
    if (
        _type(schema) != "object"
        or not isinstance(properties, Mapping)
        or not isinstance(schema.get("required", []), list)
    ):
        return False
    return not any(isinstance(one, Mapping) and _type(one) in ("object", "array") for one in properties.values())


def _options(schema: Mapping[str, Any]) -> list[Any] | None:
    if isinstance(schema.get("enum"), list):
        return [value for value in schema["enum"] if value is not None]
    return [schema["const"]] if "const" in schema else None


def _choice(options: list[Any], at: str, note: Note) -> dict[str, Any]:
    texts = [value for value in options if isinstance(value, str) and value == printable(value, 100) and value]
    unique = list(dict.fromkeys(texts))
    if len(unique) < len(options) or len(unique) > 50 or not unique:
        note(
            gettext_noop("{at}: not all of its {number} options are short texts. Enter the options manually."),
            at=at,
            number=len(options),
        )
        return {"type": "choice"}
    return {"type": "choice", "options": [_labelled(value) for value in unique]}


def _labelled(value: str) -> dict[str, Any]:
    """Return an option, with a label if its value is spelled like a program's identifier: in_transit, but not EUR."""
    return {"value": value} | ({"label": {"en": humanised(value)}} if _WORD.fullmatch(value) else {})


def _text(schema: Mapping[str, Any], at: str, note: Note) -> dict[str, Any]:
    if schema.get("format") == "date":
        return {"type": "date"}
    if schema.get("format") in ("binary", "byte"):
        note(gettext_noop("{at}: files cannot be sent yet, so its type is left open."), at=at)
        return {}
    longest = schema.get("maxLength")
    most = longest if type(longest) is int and 1 <= longest <= 4_000 else 0
    length: dict[str, Any] = {"type": "string"} | ({"max_length": most} if most else {})
    pattern = schema.get("pattern")
    if schema.get("format") == "uuid" and not isinstance(pattern, str):
        return {"type": "string", "pattern": _UUID}
    if not isinstance(pattern, str):
        return length
    bare = pattern.removeprefix("^").removesuffix("$")
    if patterns.problem_of(bare) or bare == pattern:
        # A pattern in a file is not anchored, so it means "somewhere in the text".
        note(gettext_noop("{at}: its pattern is left out. Enter one of your own if the system needs it."), at=at)
        return length
    return length | {"pattern": bare} | ({"max_length": min(most, patterns.MAX_TEXT)} if most else {})


def _range(schema: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("minimum", "maximum"):
        value = schema.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST:
            continue
        try:
            number = Decimal(repr(value))
        except InvalidOperation:
            continue
        if number == number.to_integral_value() or not whole:
            found[name] = int(number) if whole else f"{number:f}"
    if found.get("minimum") is not None and found.get("maximum") is not None and whole:
        return found if found["minimum"] <= found["maximum"] else {}
    return found if all(re.fullmatch(r"-?[0-9]{1,10}(\.[0-9]{1,6})?", str(value)) for value in found.values()) else {}


def _list(schema: Mapping[str, Any], at: str, resolve: Resolve, note: Note, depth: int) -> dict[str, Any]:
    of = declared(schema.get("items", {}), f"{at}[]", resolve, note, depth + 1)
    least, most = schema.get("minItems"), schema.get("maxItems")
    result: dict[str, Any] = {"type": "list", "min_items": least if type(least) is int and 0 <= least <= 100 else 0}
    highest = most if type(most) is int and 1 <= most <= 100 else 20
    result["max_items"] = max(highest, result["min_items"], 1)
    return result | ({"of": of} if of else {})


def _object(schema: Mapping[str, Any], at: str, resolve: Resolve, note: Note, depth: int) -> dict[str, Any]:
    properties, required = properties_of(schema, at, resolve, note)
    fields: dict[str, Any] = {}
    for name, one in properties.items():
        if not _FIELD.fullmatch(name) or len(fields) == _MAX_FIELDS:
            note(
                gettext_noop("{at}: the field {name} is left out; its name cannot be used, or there are too many."),
                at=at,
                name=printable(name, 40),
            )
            continue
        inner = declared(one, f"{at}.{name}", resolve, note, depth + 1)
        if inner and (name in required or _is_complete(inner)):
            fields[name] = inner if name in required else {**inner, "required": False}
        elif inner:
            note(
                gettext_noop("{at}: the field {name} is left out; it could not be declared completely."),
                at=at,
                name=name,
            )
    if not fields:
        note(gettext_noop("{at}: an object without fields that can be declared. Enter its fields manually."), at=at)
        return {"type": "object"}
    return {"type": "object", "fields": fields}


def _is_complete(spec: Mapping[str, Any]) -> bool:
    needed = {"choice": "options", "list": "of", "object": "fields"}.get(spec["type"], "type")
    return needed in spec
