"""The texts that an imported file suggests for the empty fields of a draft: titles, descriptions and examples. Pure.

Anything else that a file suggests, such as an owner, decides what is called and who may see it, so a person accepts it
at its own field.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

from actions.definitions.key_order import entered_order

_TEXTS: Final = re.compile(r"(title|description)\.(?P<locale>[\w-]+)|arguments\.\w+\.(description|example)", re.ASCII)


def open_texts(document: Mapping[str, Any], suggestions: Any) -> dict[str, str]:
    """Return the suggested texts for fields that are still empty, by JSON path."""
    suggested = suggestions if isinstance(suggestions, Mapping) else {}
    return {str(path): str(text) for path, text in suggested.items() if _is_open(str(path), document)}


def with_texts(document: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with these texts, by JSON path."""
    made = copy.deepcopy(dict(document))
    for path, text in texts.items():
        *parents, name = path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = text
    return made


def only_adds_texts(before: Mapping[str, Any], after: Mapping[str, Any], suggestions: Any) -> bool:
    """Return whether a document differs from the one before only by suggested texts in fields that were empty. Both
    have their arguments in the order they were entered, because that is the order of the questions.
    """
    used = {path: text for path, text in open_texts(before, suggestions).items() if _at(after, path) == text}
    orders = {entered_order(one.get("arguments")) for one in (before, after)}
    return with_texts(before, used) == after and len(orders) == 1


def _is_open(path: str, document: Mapping[str, Any]) -> bool:
    matched = _TEXTS.fullmatch(path)
    if matched is None:
        return False
    *_outer, parent, name = path.split(".")
    if matched["locale"]:
        return name in (_object(document, "title") or ("en",)) and not _object(document, parent).get(name)
    arguments = _object(document, "arguments")
    return parent in arguments and not _object(arguments, parent).get(name)


def _object(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
