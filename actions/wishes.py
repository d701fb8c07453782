"""A wish on its way in: read strictly, for a known customer, about an order of their own.

What is refused here leaves an audit entry with its code, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from actions import audit
from actions.canonical import asked_digest_of
from actions.connectors.port import Merchant
from actions.errors import ActionError
from actions.facts import Order
from actions.principals import Principal
from actions.reading import read_arguments
from actions.reasons import Reason
from actions.registry import action_named
from actions.schema import parse_by
from actions.spec import Action
from supportbot.errors import SupportBotError


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


def note_refusal(
    event: str, error: SupportBotError, *, actor: str, request_id: UUID | None = None, **facts: Any
) -> None:
    """Put a refusal on record, in a transaction of its own: nothing else happened."""
    with transaction.atomic():
        audit.record(event, actor=actor, request_id=request_id, code=error.code, fields=sorted(error.fields), **facts)


def own_order(merchant: Merchant, order_id: str, merchant_id: str) -> Order | Reason:
    """Return the customer's own order; a stranger's and a missing one get the same answer after the same question."""
    asked_at = now()
    order = merchant.order(order_id)
    if order is None or order.customer != merchant_id:
        return Reason("order_not_found", {"order": order_id})
    return replace(order, read_at=asked_at)


def _printable(name: str) -> str:
    return "".join(char for char in name[:60] if char.isprintable())
