"""A wish on its way in: read strictly, for a known customer, about an order of their own.

What is refused here leaves an audit entry with its code, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actions.audit import note_refusal
from actions.canonical import asked_digest_of
from actions.errors import ActionError
from actions.principals import Principal
from actions.registry import action_named
from actions.schema import parse_by
from actions.spec import Action
from actions.strictjson import read_arguments


@dataclass(frozen=True, slots=True)
class Wish:
    """An action, its parsed arguments, and the customer it is for."""

    principal: Principal
    action: Action
    asked: dict[str, Any]
    merchant_id: str

    @property
    def asked_digest(self) -> str:
        return asked_digest_of(self.action.name, self.asked)


def read_wish(principal: Principal, name: str, arguments: str | Mapping[str, Any]) -> Wish:
    """Return the wish; raises UnknownAction, InvalidArguments or NotSignedIn, each on record."""
    try:
        action = action_named(name)
        asked = parse_by(action.arguments, read_arguments(arguments))
        return Wish(principal, action, asked, principal.merchant_id())
    except ActionError as error:
        note_refusal("wish.refused", error, actor=principal.actor, action=_printable(name))
        raise


def _printable(name: str) -> str:
    return "".join(char for char in name[:60] if char.isprintable())
