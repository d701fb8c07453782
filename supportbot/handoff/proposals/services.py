"""Actions that an agent proposes to a customer, under the same rules and with the same card as the assistant's.

The agent fills in a form built from the action's arguments, previews the card and sends it. The customer confirms or
declines; if a rule requires approval, the agent who proposed the action cannot give it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext

from actions import argument_types
from actions.cards import card_of
from actions.errors import CannotUndo
from actions.models import MAX_ORDER_ID, ActionRequest
from actions.principals import Principal, proposed_by
from actions.reasons import sentence
from actions.record_choices import FormChoices, form_choices
from actions.registry import action_named, all_actions
from actions.requests.undo import offers_of, preview_undo, propose_undo
from actions.selectors import enabled_actions
from actions.services import preview, propose, run_read
from actions.spec import Action, Card, Choice, Requests, Risk, WriteAction
from actions.states import State
from supportbot.accounts.models import User
from supportbot.chat.customer_language import customer_language
from supportbot.handoff.errors import ActionNotOffered, NotTicketOwner
from supportbot.handoff.models import HELD, Ticket
from supportbot.team_formats import active_language

ORDER: Final = "order_id"
MAX_RECENT: Final = 20
_TRUE: Final = "true"
_FALSE: Final = "false"
_ICONS: Final = {Risk.MONEY: "card", Risk.CHANGE: "edit"}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that agents can propose at the desk."""

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
    options: tuple[tuple[str, str], ...] = ()  # for a choice: values and labels
    input_type: str = "text"
    records: Sequence[Choice] = ()  # the customer's own; another value may be typed, too
    hint: str = ""  # why there are no records to choose from
    waits: bool = False  # whether its records can be found only once other fields are filled in

    @property
    def other(self) -> str:
        """Return a value that is none of the records."""
        return "" if any(one.value == self.value for one in self.records) else self.value


@dataclass(frozen=True, slots=True)
class Preview:
    """The card as it would be sent, or the reason why it would be refused."""

    face: Card
    needs_approval: bool
    refusal: str

    @property
    def fingerprint(self) -> str:
        """Return the card's full text, which is used to detect later changes."""
        parts = [self.face.title, *(f"{row.label}: {row.value}" for row in self.face.rows)]
        return " ".join("; ".join(parts).split())  # white space in the form in which browsers send it back


def available_offers(ticket: Ticket, person: User) -> list[Offer]:
    """Return the actions this agent may propose to the ticket's customer; none unless they own the ticket."""
    if not owns(ticket, person) or ticket.conversation.customer.is_anonymous:
        return []
    offered = enabled_actions()
    return [
        Offer(action.name, action.title_in(active_language()), _ICONS[action.risk])
        for action in all_actions().values()
        if action.name in offered and _fits_a_form(action)
    ]


def owns(ticket: Ticket, person: User) -> bool:
    """Return whether this agent owns the ticket and therefore may act for its customer."""
    return ticket.state in HELD and ticket.assignee_id == person.pk


def _fits_a_form(action: Action) -> bool:
    return isinstance(action, WriteAction) and not any(
        isinstance(field, argument_types.Listing) for field in action.arguments.required.values()
    )


def offered_action(ticket: Ticket, person: User, name: str) -> WriteAction:
    """Return the action; raises NotTicketOwner, and ActionNotOffered if it cannot be proposed here."""
    if not owns(ticket, person):
        owner = ticket.assignee if ticket.state in HELD else None
        raise NotTicketOwner(
            gettext("This ticket is assigned to {name}.").format(name=owner.display_name) if owner else None
        )
    if name not in {offer.name for offer in available_offers(ticket, person)}:
        raise ActionNotOffered()
    action = action_named(name)
    assert isinstance(action, WriteAction)  # only write actions are offered
    return action


def form_fields(
    action: Action,
    typed: Mapping[str, str],
    problems: Mapping[str, list[str]],
    records: Mapping[str, FormChoices] | None = None,
) -> list[FormField]:
    """Return the form's fields in the action's sequence; `records` are those that the customer's arguments are about,
    by argument.
    """
    found = records or {}
    return [
        FormField(
            name=name,
            label=_label(action, name, field),
            value=typed.get(name, ""),
            is_required=is_required,
            is_amount=isinstance(field, argument_types.Amount),
            max_length=getattr(field, "max_length", MAX_ORDER_ID),
            problems=tuple(problems.get(name, ())),
            options=_options(action, name, field),
            input_type="date" if isinstance(field, argument_types.Date) else "text",
            records=found[name].offered if name in found else (),
            hint=_hint(found[name]) if name in found else "",
            waits=name in found and found[name].needs_others,
        )
        for name, field, is_required in _leaf_fields(action.arguments)
    ]


def _label(action: Action, name: str, field: Any) -> str:
    usual = gettext("Order") if isinstance(field, argument_types.OrderId) else _described(name, field)
    return action.argument_label(name, active_language()) or usual


def _hint(choices: FormChoices) -> str:
    """Return why an argument cannot be chosen from the customer's records; "" if it can."""
    if choices.offered:
        return ""
    if choices.needs_others:
        return gettext("Fill in the other fields first: the list depends on them.")
    return (
        sentence(choices.reason, active_language()) if choices.reason else gettext("There is nothing to choose from.")
    )


def _described(name: str, field: Any) -> str:
    return gettext(str(getattr(field, "description", name))).rstrip(".")


def _options(action: Action, name: str, field: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(field, argument_types.Choice):
        return tuple((option, action.option_label(name, option, active_language())) for option in field.options)
    return ((_TRUE, gettext("Yes")), (_FALSE, gettext("No"))) if isinstance(field, argument_types.Flag) else ()


def _value(field: Any, text: str) -> Any:
    """Return typed text as a JSON value for the field; an invalid value stays text, so the error can name it."""
    if isinstance(field, argument_types.Count) and text.removeprefix("-").isdecimal():
        return int(text)
    return text == _TRUE if isinstance(field, argument_types.Flag) and text in (_TRUE, _FALSE) else text


def _leaf_fields(
    shape: argument_types.Shape, at: str = "", *, is_parent_required: bool = True
) -> Iterator[tuple[str, Any, bool]]:
    """Yield every scalar field with its path; list arguments can only be entered in the chat."""
    for fields, is_required in ((shape.required, is_parent_required), (shape.optional, False)):
        for name, field in fields.items():
            path = f"{at}{name}"
            if isinstance(field, argument_types.Shape):
                yield from _leaf_fields(field, f"{path}.", is_parent_required=is_required)
            elif not isinstance(field, argument_types.Listing):
                yield path, field, is_required


def typed_in(sent: QueryDict) -> dict[str, str]:
    """Return a form's values: a record that was chosen, or the value that was typed instead, which is sent after it."""
    return {name: next(filter(None, reversed(sent.getlist(name))), "") for name in sent}


def arguments_json(action: Action, typed: Mapping[str, str]) -> str:
    """Return the arguments as JSON without empty optional ones."""
    arguments: dict[str, Any] = {}
    for path, field, is_required in _leaf_fields(action.arguments):
        value = typed.get(path, "").strip()
        if not value and not is_required:
            continue
        *parents, name = path.split(".")
        place = arguments
        for parent in parents:
            place = place.setdefault(parent, {})
        if value:  # an empty required field still gets its parents, so the error can name the field
            place[name] = _value(field, value)
    return json.dumps(arguments)


def records_for(
    ticket: Ticket, person: User, action: Action, typed: Mapping[str, str], *, requests: Requests | None = None
) -> dict[str, FormChoices]:
    """Return the customer's records that a form offers, by argument; raises MerchantUnavailable, NotConnected or
    ReadRefused. `requests` are passed if they have already been used for the look-up itself.
    """
    principal = principal_for(ticket, person, locale=active_language())
    conversation = ticket.conversation_id
    arguments = arguments_json(action, typed)
    found = form_choices(principal, action.name, arguments, conversation_id=conversation, requests=requests)
    if isinstance(action.arguments.required.get(ORDER), argument_types.OrderId):
        orders = run_read(principal, "order_status", {}, conversation_id=conversation)["orders"]
        own = [Choice(one["id"], f"{one['status_text']}, {one['total']}") for one in orders]
        found[ORDER] = FormChoices(own)
    return found


def preview_action(ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str]) -> Preview:
    """Return the card without storing anything; raises InvalidArguments, MerchantUnavailable."""
    shown = preview(principal_for(ticket, person, locale=active_language()), action.name, arguments_json(action, typed))
    reason = shown.decision.reason
    refusal = sentence(reason, active_language()) if shown.decision.is_refusal and reason else ""
    return Preview(card_of(shown.request, active_language()), shown.decision.needs_approval, refusal)


def propose_action(
    ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str], key: UUID
) -> ActionRequest:
    """Send the card in the customer's language; repeated calls with the same key send it only once."""
    principal = principal_for(ticket, person, locale=customer_language(ticket.conversation))
    arguments = arguments_json(action, typed)
    conversation = ticket.conversation_id
    return propose(principal, action.name, arguments, proposal_key=f"desk:{key}", conversation_id=conversation)


def undo_offers(ticket: Ticket, person: User) -> dict[UUID, str]:
    """Return the titles of the undo actions that this agent may propose in the conversation, by request."""
    if not owns(ticket, person) or ticket.conversation.customer.is_anonymous:
        return {}
    done = ActionRequest.objects.filter(conversation_id=ticket.conversation_id, state=State.SUCCEEDED).order_by("-id")
    offers = offers_of(done[:MAX_RECENT])
    return {key: offer.action.title_in(active_language()) for key, offer in offers.items()}


def propose_undoing(ticket: Ticket, person: User, request_id: UUID) -> ActionRequest:
    """Send the customer a card that undoes one of their requests. Raises NotTicketOwner, NotFound, CannotUndo (also if
    it would be refused) or MerchantUnavailable.
    """
    if not owns(ticket, person):
        raise NotTicketOwner()
    shown = preview_undo(principal_for(ticket, person, locale=active_language()), request_id)
    # raise here, because the customer would see a refused proposal
    if shown.decision.is_refusal and shown.decision.reason:
        raise CannotUndo(sentence(shown.decision.reason, active_language()))
    return propose_undo(principal_for(ticket, person, locale=customer_language(ticket.conversation)), request_id)


def principal_for(ticket: Ticket, person: User, *, locale: str) -> Principal:
    return proposed_by(person, ticket.conversation.customer, locale=locale)
