"""Strict parsing of what a customer asks for. Customers must be signed in, except for look-ups of public records. A
refusal leaves only an audit entry with its error code.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from actions.argument_json import read_arguments
from actions.argument_types import Text, parse_arguments
from actions.audit import record_refusal
from actions.canonical_json import asked_digest_of
from actions.errors import ActionError
from actions.facts import Identity
from actions.principals import Principal
from actions.registry import action_named
from actions.spec import Action


@dataclass(frozen=True, slots=True)
class Intent:
    """An action that someone asked for, its parsed arguments with their digest, and the customer it is for."""

    principal: Principal
    action: Action
    asked: dict[str, Any]
    identity: Identity
    asked_digest: str

    def spelled_as(self, arguments: Mapping[str, Any]) -> "Intent":
        """Return the intent with its texts as they were before parsing stripped surrounding spaces. Stripping is right
        for what a person enters, but the values of a request to undo must stay as the system knows them.
        """
        own = {name: text for name in self.asked if isinstance(text := arguments.get(name), str)}
        plain = {name: text for name, text in own.items() if isinstance(self.action.arguments.all_fields[name], Text)}
        return replace(self, asked=self.asked | plain)


def parse_intent(principal: Principal, name: str, arguments: str | Mapping[str, Any]) -> Intent:
    """Return the parsed intent; raises UnknownAction, InvalidArguments or NotSignedIn after recording the refusal."""
    with _recorded_refusal(principal, name):
        action = action_named(name)
        parsed = parse_arguments(action.arguments, read_arguments(arguments))
        return Intent(principal, action, parsed, _identity(principal, action), asked_digest_of(action.name, parsed))


def identity_for(principal: Principal, action: Action) -> Identity:
    """Return the customer's signed identity, or an empty one for a visitor if the action is a public look-up. Otherwise
    raises NotSignedIn after recording the refusal.
    """
    with _recorded_refusal(principal, action.name):
        return _identity(principal, action)


def _identity(principal: Principal, action: Action) -> Identity:
    return Identity("") if action.is_public and not principal.is_verified else principal.identity()


@contextmanager
def _recorded_refusal(principal: Principal, name: str) -> Iterator[None]:
    try:
        yield
    except ActionError as error:
        record_refusal("wish.refused", error, actor=principal.actor, action=_printable(name))
        raise


def _printable(name: str) -> str:
    return "".join(char for char in name[:60] if char.isprintable())
