"""Calls of actions, as grades store them, as text in the reader's language."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, ngettext

from actions.spec import Action
from supportbot.assistant.tools import REQUEST_HUMAN
from supportbot.team_formats import active_language, labelled

_NAME: Final = re.compile(r"[\w.-]+")
_APPROVALS: Final = re.compile(r", approvals: (\d+)")
_SEPARATOR: Final = "; "


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as grades store it: `refund_order {"order_id": "A-1"}, approvals: 1`; both parts after the name may be
    missing.
    """

    name: str
    arguments: Mapping[str, Any]
    approvals: int | None = None


def calls_from(text: str) -> list[StoredCall] | None:
    """Return the calls in a grade's text, or None if it contains anything else."""
    found: list[StoredCall] = []
    at = 0
    while name := _NAME.match(text, at):
        arguments: dict[str, Any] = {}
        at = name.end()
        if text.startswith(" {", at):
            try:
                arguments, at = json.JSONDecoder().raw_decode(text, at + 1)
            except ValueError:
                return None
        approvals = _APPROVALS.match(text, at)
        at = approvals.end() if approvals else at
        found.append(StoredCall(name[0], arguments, int(approvals[1]) if approvals else None))
        if at == len(text):
            return found
        if not text.startswith(_SEPARATOR, at):
            return None
        at += len(_SEPARATOR)
    return None


def call_in_words(call: StoredCall, actions: Mapping[str, Action]) -> str:
    """Return a call with the titles of its action and arguments, such as `Refund an order (order: A-1, needs 1
    approval)`. `actions` are those in force, by name.
    """
    details = _details(actions.get(call.name), call.arguments, "")
    if call.approvals is not None:
        details.append(_approvals(call.approvals))
    title = action_title(call.name, actions)
    return f"{title} ({', '.join(details)})" if details else title


def action_title(name: str, actions: Mapping[str, Action]) -> str:
    """Return an action's title, or its name if it no longer exists."""
    if name == REQUEST_HUMAN.name:
        return gettext("hands over to a person")
    action = actions.get(name)
    return name if action is None else action.title_in(active_language())


def _approvals(number: int) -> str:
    if number == 0:
        return gettext("needs no approval")
    return ngettext("needs {number} approval", "needs {number} approvals", number).format(number=number)


def _details(action: Action | None, values: Mapping[str, Any], before: str) -> list[str]:
    details = []
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping):
            details += _details(action, value, f"{path}.")
        else:
            details.append(labelled(_label(action, path), _value(action, value, path)))
    return details


def _label(action: Action | None, path: str) -> str:
    named = action.argument_label(path, active_language()) if action is not None else ""
    return named or path.rpartition(".")[2].replace("_", " ")


def _value(action: Action | None, value: Any, path: str) -> str:
    match value:
        case None | []:
            return "–"
        case bool():
            return gettext("yes") if value else gettext("no")
        case list():
            return ", ".join(_value(action, item, path) for item in value)
        case Mapping():
            return f"({', '.join(_details(action, value, f'{path}.'))})"
    return str(value)
