"""The form fields for an object, including those of nested objects. Pure.

`actions.definitions.document_warnings` applies the same rules to a definition's arguments, to tell its author what the
chat cannot ask for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from supportbot.builtin.phrases import field_title, titles_of
from supportbot.translation import LANGUAGES

FIELDS_MOST: Final = 20  # fields per form
_BETWEEN: Final = " – "  # separates the title of an object from that of its field
_SINGLE: Final = ("string", "integer", "boolean")
LISTED: Final = ("string", "integer")  # types of entries that fit in one field, separated by commas
Shape = Mapping[str, Any]  # a field's JSON Schema


@dataclass(frozen=True, slots=True)
class Part:
    """A value of an object. `shapes` contains the schemas of the fields on the path to the value, ending with its own.
    The value is required if one of the fields in `required_with` has a value.
    """

    path: tuple[str, ...]
    shapes: tuple[Shape, ...]
    is_required: bool = False
    required_with: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def shape(self) -> Shape:
        return self.shapes[-1]

    def title(self, language: str) -> str:
        """Return the title for customers: "City", or "Delivery – City" for a field of a nested object."""
        named = zip(self.path, self.shapes, strict=True)
        return _BETWEEN.join(field_title(name, shape, language) for name, shape in named)

    def titles(self) -> frozenset[str]:
        """Return the title in all languages."""
        if len(self.path) == 1:
            return titles_of(self.path[0], self.shape)
        return frozenset(self.title(language) for language in LANGUAGES)


def parts_in(shape: Shape) -> tuple[Part, ...]:
    """Return the values for a form; () if a required value is not supported in forms. If there are too many, the last
    optional ones are left out.
    """
    required = shape.get("required", ())
    parts = _parts(shape)
    while len(parts) > FIELDS_MOST:
        last = next((part.path[0] for part in reversed(parts) if part.path[0] not in required), None)
        if last is None:
            return ()
        parts = tuple(part for part in parts if part.path[0] != last)
    return parts


def _parts(shape: Shape) -> tuple[Part, ...]:
    required, found = shape.get("required", ()), list[Part]()
    for name, own in shape.get("properties", {}).items():
        inner = _inside(name, own)
        if not inner and name in required:
            return ()
        found += inner if name in required else _optional(inner)
    return tuple(found)


def _inside(name: str, own: Shape) -> tuple[Part, ...]:
    """Return the parts of a field; () if forms do not support its type."""
    if "properties" not in own:
        return (Part((name,), (own,), is_required=True),) if _fits(own) else ()
    return tuple(
        replace(
            part, path=(name, *part.path), shapes=(own, *part.shapes),
            required_with=tuple((name, *path) for path in part.required_with),
        )
        for part in _parts(own)
    )  # fmt: skip


def _optional(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts of an optional object. The object can only be left out as a whole, so each of its required parts
    is required as soon as another part has a value.
    """
    paths = [part.path for part in parts]
    return tuple(
        replace(part, is_required=False, required_with=tuple(path for path in paths if path != part.path))
        if part.is_required
        else part
        for part in parts
    )


def _fits(shape: Shape) -> bool:
    items = shape.get("items", {})
    return shape.get("type") in _SINGLE or "enum" in items or items.get("type") in LISTED
