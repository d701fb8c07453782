"""Actions that an agent proposes to a customer, under the same rules and with the same card as the assistant's.

The agent fills in a form built from the action's arguments, previews the card and sends it. The customer then confirms
or declines. If a rule requires approval, it cannot come from the agent who proposed the action.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.utils.translation import gettext

from actions import argument_types
from actions.cards import card_of, whole_text
from actions.errors import CannotUndo
from actions.models import ActionRequest
from actions.principals import Principal, proposed_by
from actions.record_choices import FormChoices, form_choices
from actions.registry import action_named, all_actions
from actions.requests.undo import offers_of, preview_undo, propose_undo
from actions.selectors import enabled_actions
from actions.services import preview, propose, run_read
from actions.spec import Action, Card, Choice, Requests, Risk, WriteAction
from actions.states import State
from actions.team_reasons import team_sentence
from supportbot.accounts.models import User
from supportbot.chat.customer_language import customer_language
from supportbot.handoff.errors import ActionNotOffered, NotTicketOwner
from supportbot.handoff.models import HELD, Ticket
from supportbot.handoff.proposals.form_fields import arguments_json, fits_a_form
from supportbot.team_formats import active_language

ORDER: Final = "order_id"
MAX_RECENT: Final = 20
_ICONS: Final = {Risk.MONEY: "card", Risk.CHANGE: "edit"}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that agents can propose at the desk."""

    name: str
    title: str
    icon: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The card as it would be sent, or why it would be refused."""

    face: Card
    needs_approval: bool
    refusal: str

    @property
    def fingerprint(self) -> str:
        """Return the card's full text, used to detect later changes."""
        return whole_text(self.face)


def available_offers(ticket: Ticket, person: User) -> list[Offer]:
    """Return the actions that this agent may propose to the ticket's customer; none unless they own the ticket."""
    if not owns(ticket, person) or ticket.conversation.customer.is_anonymous:
        return []
    offered = enabled_actions()
    return [
        Offer(action.name, action.title_in(active_language()), _ICONS[action.risk])
        for action in all_actions().values()
        if isinstance(action, WriteAction) and action.name in offered and fits_a_form(action)
    ]


def owns(ticket: Ticket, person: User) -> bool:
    """Return whether this agent owns the ticket and may therefore act for its customer."""
    return ticket.state in HELD and ticket.assignee_id == person.pk


def offered_action(ticket: Ticket, person: User, name: str) -> WriteAction:
    """Return the action; raises NotTicketOwner, or ActionNotOffered if it cannot be proposed here."""
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


def records_for(
    ticket: Ticket, person: User, action: Action, typed: Mapping[str, str], *, requests: Requests | None = None
) -> dict[str, FormChoices]:
    """Return the customer's records that a form offers, by argument. Raises MerchantUnavailable, NotConnected or
    ReadRefused.

    Pass `requests` if they have already been used for the look-up itself.
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
    """Return the card without storing anything; raises InvalidArguments or MerchantUnavailable."""
    shown = preview(principal_for(ticket, person, locale=active_language()), action.name, arguments_json(action, typed))
    reason = shown.decision.reason
    refusal = team_sentence(reason) if shown.decision.is_refusal and reason else ""
    return Preview(card_of(shown.request, active_language()), shown.decision.needs_approval, refusal)


def propose_action(
    ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str], key: UUID
) -> ActionRequest:
    """Send the card in the customer's language. Repeated calls with the same key send it only once."""
    principal = principal_for(ticket, person, locale=customer_language(ticket.conversation))
    arguments = arguments_json(action, typed)
    conversation = ticket.conversation_id
    return propose(principal, action.name, arguments, proposal_key=f"desk:{key}", conversation_id=conversation)


def undo_offers(ticket: Ticket, person: User) -> dict[UUID, str]:
    """Return, by request, the titles of the undo actions that this agent may propose in the conversation."""
    if not owns(ticket, person) or ticket.conversation.customer.is_anonymous:
        return {}
    done = ActionRequest.objects.filter(conversation_id=ticket.conversation_id, state=State.SUCCEEDED).order_by("-id")
    offers = offers_of(done[:MAX_RECENT])
    return {key: offer.action.title_in(active_language()) for key, offer in offers.items()}


def propose_undoing(ticket: Ticket, person: User, request_id: UUID) -> ActionRequest:
    """Send the customer a card that undoes one of their requests.

    Raises NotTicketOwner, NotFound, MerchantUnavailable, or CannotUndo, which also covers an undo that would be
    refused.
    """
    if not owns(ticket, person):
        raise NotTicketOwner()
    shown = preview_undo(principal_for(ticket, person, locale=active_language()), request_id)
    # raise here, because the customer would see a refused proposal
    if shown.decision.is_refusal and shown.decision.reason:
        raise CannotUndo(team_sentence(shown.decision.reason))
    return propose_undo(principal_for(ticket, person, locale=customer_language(ticket.conversation)), request_id)


def principal_for(ticket: Ticket, person: User, *, locale: str) -> Principal:
    return proposed_by(person, ticket.conversation.customer, locale=locale)
