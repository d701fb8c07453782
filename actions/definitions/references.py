"""Finding where a document reads an argument, and renaming arguments, look-ups and values in a document. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from actions.definitions.bodies import EACH
from actions.definitions.errors import ExpressionError
from actions.definitions.expressions.expression import compile_expression
from actions.definitions.expressions.template import rewritten
from actions.definitions.parsing.field_reader import ARGUMENTS

Change = Callable[[str, str], str]  # returns the changed expression at a JSON path
_ROWS: Final = r"(card\.rows|receipt|result\.fields)"
_CALL: Final = r"((lookups|outcome)\.)?call"
# JSON paths without list indexes.
_EXPRESSIONS: Final = re.compile(
    rf"lookups\.(owner|for_each)|arguments\.\w+\.(value|choose_from\.(list|value))|values\.\w+|guards\.require|subject\.id|money\.\w+|answer\.\w+"
    rf"|outcome\.(happened|did_not|never_seen|in_progress)|{_ROWS}\.value|result\.list|result\.card\.(link|picture)|approval\.when"
    rf"|undo\.arguments\.\w+|{_CALL}\.body(\..*)?\.for_each"
)
_TEMPLATES: Final = re.compile(
    rf"{_CALL}\.(path|query\..*|headers\..*|body(\..*)?)|card\.(title|summary|button)\.[^.]+|done_words\.[^.]+|{_ROWS}\.words\.[^.]+"
    r"|arguments\.\w+\.choose_from\.words\.[^.]+|guards\.words\.[^.]+|lookups\.otherwise\.words\.[^.]+|result\.(words|card\.title)\.[^.]+|result\.hand_over"
)

# JSON paths, without list indexes, of objects whose list entries get a name by `as`, and of values in bodies.
_ENTRIES: Final = re.compile(r"lookups|result|arguments\.\w+\.choose_from")
_BODY: Final = re.compile(rf"{_CALL}\.body(\..*)?")


def uses_of(document: Mapping[str, Any], argument: str) -> list[str]:
    """Return the JSON paths of the fields that read an argument, each once."""
    found: dict[str, None] = {}

    def note(at: str, text: str) -> str:
        if any(_places(text, argument)):
            found[at] = None
        return text

    _changed(document, "", note)
    labels = document.get("labels")
    if isinstance(labels, Mapping) and any(_is_of(path, argument) for path in labels):
        found["labels"] = None
    return list(found)


def with_renamed(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a document whose expressions, templates and labels read the arguments by their new names (`names` maps old
    names to new ones). The declared arguments themselves are left as they are.
    """
    made: dict[str, Any] = _changed(document, "", lambda at, text: _renamed(text, names))
    if isinstance(made.get("labels"), Mapping):
        made["labels"] = {_label(str(path), names): one for path, one in made["labels"].items()}
    return made


def with_renamed_names(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a document that reads look-ups and values by their new names (`names` maps old names to new ones). Their
    own declarations are left as they are.
    """
    made: dict[str, Any] = _changed(document, "", lambda at, text: _with_names(text, names))
    if isinstance(made.get("labels"), Mapping):
        made["labels"] = {_label_with(str(path), names): one for path, one in made["labels"].items()}
    return made


def bound_names(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the names that expressions of a document give to list entries, and those that `as` gives to them. An
    expression inside them would read an entry instead of a look-up or value of the same name.
    """
    found = set(entry_names(document))

    def note(_: str, text: str) -> str:
        with suppress(ExpressionError):  # the editor reports this next to the field
            found.update(compile_expression(text).bound_names())
        return text

    _changed(document, "", note)
    return frozenset(found)


def entry_names(value: Any, at: str = "") -> Iterator[str]:
    """Yield the names that `as` gives to list entries: in look-ups, choices and the result, and next to `for_each` in
    the body of a call. Any other field named `as` in a body is data to send.
    """
    match value:
        case Mapping():
            is_each = value.keys() == EACH and _BODY.fullmatch(at)
            if isinstance(value.get("as"), str) and (is_each or _ENTRIES.fullmatch(at)):
                yield value["as"]
            for name, one in value.items():
                yield from entry_names(one, f"{at}.{name}".lstrip("."))
        case list():
            for one in value:
                yield from entry_names(one, at)


def _with_names(text: str, names: Mapping[str, str]) -> str:
    try:
        expression = compile_expression(text)
    except ExpressionError:  # the editor reports this next to the field
        return text
    places = sorted((start, end, new) for old, new in names.items() for start, end in expression.places_of_name(old))
    for start, end, new in reversed(places):
        text = text[:start] + new + text[end:]
    return text


def _label_with(path: str, names: Mapping[str, str]) -> str:
    root, dot, rest = path.partition(".")
    return f"{names.get(root, root)}{dot}{rest}"


def _renamed(text: str, names: Mapping[str, str]) -> str:
    places = sorted((start, end, new) for old, new in names.items() for start, end in _places(text, old))
    for start, end, new in reversed(places):
        text = text[:start] + (f".{new}" if text[start] == "." else f'["{new}"]') + text[end:]
    return text


def _places(text: str, argument: str) -> Iterator[tuple[int, int]]:
    try:
        yield from compile_expression(text).places_of((ARGUMENTS, argument))
    except ExpressionError:  # the editor reports this next to the field
        return


def _label(path: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if _is_of(path, old):
            return f"{ARGUMENTS}.{new}{path[len(ARGUMENTS) + 1 + len(old) :]}"
    return path


def _is_of(path: Any, argument: str) -> bool:
    return f"{path}.".startswith(f"{ARGUMENTS}.{argument}.")


def _changed(value: Any, at: str, change: Change) -> Any:
    match value:
        case Mapping():
            return {name: _changed(one, f"{at}.{name}".lstrip("."), change) for name, one in value.items()}
        case list():
            return [_changed(one, f"{at}[{place}]", change) for place, one in enumerate(value)]
        case str():
            place = re.sub(r"\[\d+\]", "", at)
            if _EXPRESSIONS.fullmatch(place):
                return change(at, value)
            if _TEMPLATES.fullmatch(place):
                return _template(value, at, change)
    return value


def _template(text: str, at: str, change: Change) -> str:
    try:
        return rewritten(text, lambda expression: change(at, expression))
    except ExpressionError:  # the editor reports this next to the field
        return text
