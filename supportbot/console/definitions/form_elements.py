"""What the forms for a definition's parts consist of: fields, and rows of fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Text

BOTH: Final = ("read", "write")
READ: Final = ("read",)
WRITE: Final = ("write",)


class Kind(StrEnum):
    LINE = "line"
    LONG = "long"
    RULE = "rule"  # an expression
    CHOICE = "choice"
    FLAG = "flag"
    WHOLE = "whole"
    NUMBER = "number"  # an integer, or a number with decimals as text
    WORDS = "words"  # text in each language
    SENTENCES = "sentences"  # a list of strings in each language, one per line
    JSON = "json"
    PAIRS = "pairs"  # an object of texts, as "name: text" lines
    OPTIONS = "options"  # the options of a choice: rows of values and labels
    FIELDS = "fields"  # the fields of an object: rows of names, types and labels
    STATUSES = "statuses"


@dataclass(frozen=True, slots=True)
class Box:
    """One field.

    `at` is its path in the document or in its row. A flag that is missing has the value `default`. The field appears
    under "further fields" if the row's type is not in `types`, or if it is rarely used and empty.
    """

    at: str
    label: "Text"
    kind: Kind = Kind.LINE
    help: "Text" = ""
    choices: "Sequence[tuple[str, Text]]" = ()
    default: bool = False
    of: tuple[str, ...] = BOTH
    types: tuple[str, ...] = ()
    is_rare: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of objects or, with `is_named`, an object of objects whose keys are entered in the field "name".

    If the values are expressions instead of objects, `plain` is the field for them.
    """

    at: str
    one: "Text"
    boxes: tuple[Box, ...]
    is_named: bool = False
    plain: str = ""
    blank: int = 1  # empty rows on the page
    is_collapsed: bool = False  # each row is one line until it is opened
    of: tuple[str, ...] = BOTH


@dataclass(frozen=True, slots=True)
class Part:
    slug: str
    title: "Text"
    about: "Text"
    boxes: tuple[Box, ...] = ()
    rows: tuple[Rows, ...] = ()
    of: tuple[str, ...] = BOTH
    examples: "tuple[tuple[str, Text], ...]" = ()  # expressions with their meanings
