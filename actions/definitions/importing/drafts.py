"""The result of an import: drafts that are switched off, with rows of cards that are labelled after their arguments,
notes for a person to review, and untrusted texts kept separately.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from actions.argument_json import INVISIBLE_CATEGORIES
from actions.deferred_text import DeferredText, Value
from actions.definitions.parsing.document import missing

MAX_NOTES: Final = 30
MAX_CHECKS: Final = 60
MAX_SUGGESTION: Final = 500
MAX_ROWS: Final = 20
_NESTED: Final = ("object", "list", None)


@dataclass(slots=True)
class Draft:
    """One operation as a definition without the parts that only the shop can provide. `suggestions` are the file's own
    texts by JSON path. They are not trusted: a suggestion gets into the document, and so into a model's prompt, only
    after a person has read and accepted it. `checks` are the points that a person must check; they are kept apart from
    the notes, so a file cannot crowd them out.
    """

    document: dict[str, Any]
    source: str  # such as "POST /orders/{id}/returns"
    suggestions: dict[str, str] = field(default_factory=dict)
    notes: list[DeferredText] = field(default_factory=list)
    checks: list[DeferredText] = field(default_factory=list)
    # (path, text): advice until the part there is changed
    hints: list[tuple[str, DeferredText]] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Return the parts that the draft still lacks before it can be published."""
        return missing(self.document)

    def note(self, message: str, /, **values: Value) -> None:
        text = DeferredText(message, **values)
        if len(self.notes) < MAX_NOTES and text not in self.notes:
            self.notes.append(text)

    def check(self, message: str, /, **values: Value) -> None:
        text = DeferredText(message, **values)
        if len(self.checks) < MAX_CHECKS and text not in self.checks:
            self.checks.append(text)

    def hint(self, path: str, message: str) -> None:
        text = DeferredText(message)
        if (path, text) not in self.hints:
            self.hints.append((path, text))

    def suggest(self, path: str, text: Any) -> None:
        shown = printable(text, MAX_SUGGESTION)
        if shown:
            self.suggestions[path] = shown


@dataclass(slots=True)
class Imported:
    """The content of a file. `connection` suggests how to reach the shop."""

    title: str
    drafts: list[Draft]
    notes: list[DeferredText] = field(default_factory=list)
    connection: Mapping[str, str] = field(default_factory=dict)  # base_url, auth, and the settings that the kind needs


def printable(text: Any, most: int) -> str:
    """Return an external text on one line, without invisible characters and cut to a length; "" if it is not text."""
    if not isinstance(text, str):
        return ""
    line = " ".join(text[: most * 4].split())
    clean = "".join(sign for sign in line if unicodedata.category(sign) not in INVISIBLE_CATEGORIES)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def snake(text: str, most: int = 40) -> str:
    """Return an external name in snake case: `getOrderByID` becomes get_order_by_id; "" if nothing is left."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text[:200])
    name = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    return name[:most].strip("_") if name[:1].isalpha() else (f"n_{name}"[:most].strip("_") if name else "")


def humanised(name: str) -> str:
    return name.replace("_", " ").capitalize()


class Names:
    """Names that are made unique by adding a number to duplicates."""

    def __init__(self, *reserved: str) -> None:
        self._taken: set[str] = set(reserved)

    def free(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._taken:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate)
        return candidate


def card_rows(name: str, spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows that show an argument: an object by its fields, a list of objects by the fields of each entry."""
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
