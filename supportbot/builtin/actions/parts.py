"""The fields of a form for an object, with those of objects inside it. Pure.

`actions.definitions.explaining` says the same of a definition's arguments, so that its author learns what the chat
cannot ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from supportbot.builtin.phrases import field_title, titles_of
from supportbot.translation import LANGUAGES

FIELDS_MOST: Final = 20  # of a form
_BETWEEN: Final = " – "  # the titles of an object and of its field
_SINGLE: Final = ("string", "integer", "boolean")
LISTED: Final = ("string", "integer")  # entries that one field takes, with commas in between
Shape = Mapping[str, Any]  # of a field, in JSON Schema


@dataclass(frozen=True, slots=True)
class Part:
    """One value of an object. `shapes` are those of the fields on its path, its own last; it is needed if one of
    `required_with` is given.
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
        """Return what customers read: "City", or "Delivery – City" for a field of an object inside."""
        named = zip(self.path, self.shapes, strict=True)
        return _BETWEEN.join(field_title(name, shape, language) for name, shape in named)

    def titles(self) -> frozenset[str]:
        """Return its title in all languages."""
        if len(self.path) == 1:
            return titles_of(self.path[0], self.shape)
        return frozenset(self.title(language) for language in LANGUAGES)


def parts_in(shape: Shape) -> tuple[Part, ...]:
    """Return the values that a form asks for, () if it cannot take one that is required. Of too many, the last optional
    ones are left out.
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
    """Return the parts of one field, () for what no form can take."""
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
    """Return the parts of something that may be left out, but only as a whole."""
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
