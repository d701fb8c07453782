"""Reading external JSON or YAML text into plain values, within limits. YAML is built from its events: no tags, no
Python objects, no recursion, and an alias counts with its full size, so that a few lines cannot expand to a billion.
"""

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from django.utils.translation import gettext, gettext_noop

from actions.errors import ActionError
from supportbot.team_formats import number

MAX_CHARACTERS: Final = 10_000_000
MAX_VALUES: Final = 1_500_000
MAX_DEPTH: Final = 100
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})([eE][-+]?[0-9]{1,3})?", re.ASCII)
_PLAIN: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


class InvalidFile(ActionError):
    """An external file cannot be imported; the message says why. Nothing was imported."""

    code = "invalid_file"
    status = 400
    default_message = gettext_noop("This file cannot be imported.")


def read_structure(text: str) -> Any:
    """Return the JSON or YAML value of the text; keys are strings. Raises InvalidFile."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidFile(
            gettext("The file has more than {most} million characters. Import a smaller one.").format(
                most=MAX_CHARACTERS // 1_000_000
            )
        )
    value = _json(text) if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")) else _NOT_JSON
    return _yaml(text) if value is _NOT_JSON else value


_NOT_JSON: Final = object()


def _json(text: str) -> Any:
    try:
        value = json.loads(text.lstrip("\ufeff"))
    except RecursionError as error:
        raise InvalidFile(gettext("The file is nested too deeply.")) from error
    except ValueError:
        return _NOT_JSON  # YAML may begin with a brace as well
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Raise InvalidFile if a value is nested too deeply."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = [
            item
            for node in level if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
        ]  # fmt: skip


def _too_deep() -> InvalidFile:
    return InvalidFile(gettext("The file is nested more than {most} levels deep.").format(most=MAX_DEPTH))


@dataclass(slots=True)
class _Open:
    """A list or mapping that is being filled."""

    value: Any
    anchor: str | None
    size: int = 1
    key: Hashable = None
    expects_key: bool = True


@dataclass(slots=True)
class _Builder:
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    result: Any = None
    documents: int = 0
    count: int = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise InvalidFile(gettext("The file contains several documents. Import one of them."))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self.open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
                if len(self.open) > MAX_DEPTH:
                    raise _too_deep()
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self.open.pop()
                self._count(1)
                self._keep(done.value, done.size, done.anchor)
            case yaml.ScalarEvent():
                self._count(1)
                self._keep(_scalar(event), 1, event.anchor)
            case yaml.AliasEvent():
                if event.anchor not in self.anchors:
                    raise InvalidFile(
                        gettext("The file refers to a YAML anchor that is undefined or contains the reference.")
                    )
                value, size = self.anchors[event.anchor]
                self._count(size)
                self._keep(value, size, None)

    def _count(self, values: int) -> None:
        self.count += values
        if self.count > MAX_VALUES:
            raise InvalidFile(
                gettext("The file expands to more than {most} values. Import a smaller one.").format(
                    most=number(MAX_VALUES)
                )
            )

    def _keep(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)
        if not self.open:
            self.result = value
            return
        parent = self.open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.expects_key:
            parent.key, parent.expects_key = _key(value), False
        else:
            parent.expects_key = True
            if parent.key == "<<" and isinstance(value, dict):  # a merged key does not replace one written out
                parent.value.update({name: item for name, item in value.items() if name not in parent.value})
            else:
                parent.value[parent.key] = value


def _key(value: Any) -> str:
    if isinstance(value, dict | list):
        raise InvalidFile(gettext("A key in the file is a list or an object."))
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Return a scalar by YAML's core schema: only a plain true or false is a boolean, so that "no" remains a country
    code.
    """
    text: str = event.value
    if not event.implicit[0] or event.tag not in (None, "!"):
        return text
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _yaml(text: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            raise InvalidFile(gettext("The file is neither valid JSON nor valid YAML.")) from error
        message = gettext("The file is neither valid JSON nor valid YAML. Check line {line}.")
        raise InvalidFile(message.format(line=mark.line + 1)) from error
    return builder.result
