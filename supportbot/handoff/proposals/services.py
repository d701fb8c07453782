"""Actions an agent proposes to a customer, under the same rules and with the same card as the assistant's.

The agent fills in a form built from the action's arguments, previews the card and sends it. The customer confirms or
declines; if a rule requires approval, the agent who proposed the action cannot give it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from actions import schema
from actions.cards import card_of
from actions.models import ActionRequest
from actions.principals import Principal, proposed_by
from actions.reasons import sentence
from actions.registry import action_named, all_actions
from actions.selectors import enabled_actions
from actions.services import preview, propose, run_read
from actions.spec import Action, Card, Risk, WriteAction
from supportbot.accounts.models import User
from supportbot.handoff.errors import ActionNotOffered, NotTicketOwner
from supportbot.handoff.models import HELD, Ticket
from supportbot.handoff.tickets.language import customer_language

ORDER: Final = "order_id"
_ICONS: Final = {Risk.MONEY: "card", Risk.CHANGE: "edit"}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action the desk offers."""

    name: str
    title: str
    icon: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form. `name` is the argument's path, such as `address.city`."""

    name: str
    label: str
    value: str
    is_required: bool
    is_amount: bool
    max_length: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The card as it would be sent, or why it would be refused."""

    face: Card
    needs_approval: bool
    refusal: str

    @property
    def fingerprint(self) -> str:
        """Return the card's full text, to detect whether it has changed since."""
        parts = [self.face.title, *(f"{row.label}: {row.value}" for row in self.face.rows)]
        return " ".join("; ".join(parts).split())  # white space as a form sends it back


def available_offers(ticket: Ticket, person: User) -> list[Offer]:
    """Return the actions this agent may propose to the ticket's customer; none unless they own the ticket."""
    if not _owns(ticket, person) or ticket.conversation.customer.is_anonymous:
        return []
    offered = enabled_actions()
    return [
        Offer(action.name, action.title["en"], _ICONS[action.risk])
        for action in all_actions().values()
        if action.name in offered and _fits_a_form(action)
    ]


def _owns(ticket: Ticket, person: User) -> bool:
    return ticket.state in HELD and ticket.assignee_id == person.pk


def _fits_a_form(action: Action) -> bool:
    return isinstance(action, WriteAction) and not any(
        isinstance(field, schema.Listing) for field in action.arguments.required.values()
    )


def offered_action(ticket: Ticket, person: User, name: str) -> WriteAction:
    """Return the action; raises NotTicketOwner, and ActionNotOffered if it cannot be proposed here."""
    if not _owns(ticket, person):
        owner = ticket.assignee if ticket.state in HELD else None
        raise NotTicketOwner(f"This ticket is assigned to {owner.display_name}." if owner else None)
    if name not in {offer.name for offer in available_offers(ticket, person)}:
        raise ActionNotOffered()
    action = action_named(name)
    assert isinstance(action, WriteAction)  # only these are offered
    return action


def form_fields(action: WriteAction, typed: Mapping[str, str], problems: Mapping[str, list[str]]) -> list[FormField]:
    """Return the form's fields except the order, as the action lists them."""
    return [
        FormField(
            name=name,
            label=str(getattr(field, "description", name)).rstrip("."),
            value=typed.get(name, ""),
            is_required=is_required,
            is_amount=isinstance(field, schema.Amount),
            max_length=getattr(field, "max_length", 20),
            problems=tuple(problems.get(name, ())),
        )
        for name, field, is_required in _leaf_fields(action.arguments)
    ]


def _leaf_fields(
    shape: schema.Shape, at: str = "", *, is_parent_required: bool = True
) -> Iterator[tuple[str, Any, bool]]:
    """Yield every scalar field with its path; list arguments can only be given in the chat."""
    for fields, is_required in ((shape.required, is_parent_required), (shape.optional, False)):
        for name, field in fields.items():
            path = f"{at}{name}"
            if isinstance(field, schema.Shape):
                yield from _leaf_fields(field, f"{path}.", is_parent_required=is_required)
            elif path != ORDER and not isinstance(field, schema.Listing):
                yield path, field, is_required


def arguments_json(action: WriteAction, typed: Mapping[str, str]) -> str:
    """Return the arguments as JSON without empty optional ones."""
    arguments: dict[str, Any] = {ORDER: typed.get(ORDER, "").strip()}
    for path, field, is_required in _leaf_fields(action.arguments):
        value = typed.get(path, "").strip()
        if not value and not is_required:
            continue
        *parents, name = path.split(".")
        place = arguments
        for parent in parents:
            place = place.setdefault(parent, {})
        if value:  # an empty required field still gets its parents, so that the error names the field
            place[name] = int(value) if isinstance(field, schema.Count) and value.isdecimal() else value
    return json.dumps(arguments)


def customer_orders(ticket: Ticket, person: User) -> list[dict[str, Any]]:
    """Return the customer's orders to choose from; raises MerchantUnavailable, ReadRefused."""
    principal = _principal(ticket, person, locale="en")
    found = run_read(principal, "order_status", {}, conversation_id=ticket.conversation_id)
    orders: list[dict[str, Any]] = found["orders"]
    return orders


def preview_action(ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str]) -> Preview:
    """Return the card without storing anything; raises InvalidArguments, MerchantUnavailable."""
    shown = preview(_principal(ticket, person, locale="en"), action.name, arguments_json(action, typed))
    reason = shown.decision.reason
    refusal = sentence(reason, "en") if shown.decision.is_refusal and reason else ""
    return Preview(card_of(shown.request, "en"), shown.decision.needs_approval, refusal)


def propose_action(
    ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str], key: UUID
) -> ActionRequest:
    """Send the card in the customer's language; repeating the call with the same key sends it once."""
    principal = _principal(ticket, person, locale=customer_language(ticket.conversation))
    arguments = arguments_json(action, typed)
    conversation = ticket.conversation_id
    return propose(principal, action.name, arguments, proposal_key=f"desk:{key}", conversation_id=conversation)


def _principal(ticket: Ticket, person: User, *, locale: str) -> Principal:
    return proposed_by(person, ticket.conversation.customer, locale=locale)
