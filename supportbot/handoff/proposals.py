"""What an agent may ask a customer to confirm: the same rules and the same card as for the assistant.

The agent fills in a form made from the action's own arguments, sees what the card would say, and sends it. The customer
confirms, or does not; where a rule wants a colleague's approval, it is not the agent who asked.
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
from supportbot.handoff.errors import NotOffered, NotYourTicket
from supportbot.handoff.models import HELD, Ticket
from supportbot.handoff.selectors import language_of

ORDER: Final = "order_id"
_ICONS: Final = {Risk.MONEY: "card", Risk.CHANGE: "edit"}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action as the desk lists it."""

    name: str
    title: str
    icon: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the form. `name` is the argument's path, such as `address.city`."""

    name: str
    label: str
    value: str
    is_required: bool
    is_amount: bool
    max_length: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What the card would say, or why there would be none."""

    face: Card
    needs_approval: bool
    refusal: str

    @property
    def in_one_line(self) -> str:
        """Return all that the card says, to tell whether it says the same a moment later."""
        said = [self.face.title, *(f"{row.label}: {row.value}" for row in self.face.rows)]
        return " ".join("; ".join(said).split())  # as a form brings it back, whatever it makes of line ends


def offers_of(ticket: Ticket, person: User) -> list[Offer]:
    """Return what this person may ask the ticket's customer to confirm, nothing unless they have the ticket."""
    if not _has(ticket, person) or ticket.conversation.customer.is_anonymous:
        return []
    offered = enabled_actions()
    return [
        Offer(action.name, action.title["en"], _ICONS[action.risk])
        for action in all_actions().values()
        if action.name in offered and _can_be_filled_in(action)
    ]


def _has(ticket: Ticket, person: User) -> bool:
    return ticket.state in HELD and ticket.assignee_id == person.pk


def _can_be_filled_in(action: Action) -> bool:
    return isinstance(action, WriteAction) and not any(
        isinstance(field, schema.Listing) for field in action.arguments.required.values()
    )


def offered(ticket: Ticket, person: User, name: str) -> WriteAction:
    """Return the action; raises NotYourTicket for who has not the conversation, NotOffered."""
    if not _has(ticket, person):
        owner = ticket.assignee if ticket.state in HELD else None
        raise NotYourTicket(f"This ticket is in the hands of {owner.display_name}." if owner else None)
    if name not in {offer.name for offer in offers_of(ticket, person)}:
        raise NotOffered()
    action = action_named(name)
    assert isinstance(action, WriteAction)  # no other is offered
    return action


def entries_of(action: WriteAction, typed: Mapping[str, str], problems: Mapping[str, list[str]]) -> list[Entry]:
    """Return the form's fields but for the order, in the action's own order."""
    return [
        Entry(
            name=name,
            label=str(getattr(field, "description", name)).rstrip("."),
            value=typed.get(name, ""),
            is_required=is_required,
            is_amount=isinstance(field, schema.Amount),
            max_length=getattr(field, "max_length", 20),
            problems=tuple(problems.get(name, ())),
        )
        for name, field, is_required in _fields_in(action.arguments)
    ]


def _fields_in(shape: schema.Shape, at: str = "", *, is_asked: bool = True) -> Iterator[tuple[str, Any, bool]]:
    """Yield every single field with its path; lists are left to the chat, where items are named in words."""
    for fields, is_required in ((shape.required, is_asked), (shape.optional, False)):
        for name, field in fields.items():
            path = f"{at}{name}"
            if isinstance(field, schema.Shape):
                yield from _fields_in(field, f"{path}.", is_asked=is_required)
            elif path != ORDER and not isinstance(field, schema.Listing):
                yield path, field, is_required


def arguments_in(action: WriteAction, typed: Mapping[str, str]) -> str:
    """Return the arguments as JSON: what was left empty is left out."""
    arguments: dict[str, Any] = {ORDER: typed.get(ORDER, "").strip()}
    for path, field, is_required in _fields_in(action.arguments):
        value = typed.get(path, "").strip()
        if not value and not is_required:
            continue
        *parents, name = path.split(".")
        place = arguments
        for parent in parents:
            place = place.setdefault(parent, {})
        if value:  # around an empty one there are its parents: the mistake is then the field's, not theirs
            place[name] = int(value) if isinstance(field, schema.Count) and value.isdecimal() else value
    return json.dumps(arguments)


def orders_of(ticket: Ticket, person: User) -> list[dict[str, Any]]:
    """Return the customer's orders to choose from; raises MerchantUnavailable, ReadRefused."""
    principal = _principal(ticket, person, locale="en")
    found = run_read(principal, "order_status", {}, conversation_id=ticket.conversation_id)
    orders: list[dict[str, Any]] = found["orders"]
    return orders


def checked(ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str]) -> Checked:
    """Return what would be proposed, storing nothing; raises InvalidArguments, MerchantUnavailable."""
    shown = preview(_principal(ticket, person, locale="en"), action.name, arguments_in(action, typed))
    reason = shown.decision.reason
    refusal = sentence(reason, "en") if shown.decision.is_refusal and reason else ""
    return Checked(card_of(shown.request, "en"), shown.decision.needs_approval, refusal)


def ask(ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str], key: UUID) -> ActionRequest:
    """Show the customer the card, in their language; sent twice with one key, it is one card."""
    principal = _principal(ticket, person, locale=language_of(ticket.conversation))
    arguments = arguments_in(action, typed)
    conversation = ticket.conversation_id
    return propose(principal, action.name, arguments, proposal_key=f"desk:{key}", conversation_id=conversation)


def _principal(ticket: Ticket, person: User, *, locale: str) -> Principal:
    return proposed_by(person, ticket.conversation.customer, locale=locale)
