"""Cards of the customer's records, and receipts, that an agent sends into the chat.

Before sending, the server looks the record up again, so nothing on a card comes from the form.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from actions.canonical_json import canonical
from actions.cards import card_of, receipt_title
from actions.lookup_refusals import requests_of
from actions.models import ActionRequest
from actions.registry import all_actions
from actions.requests.receipt_links import receipt_block
from actions.selectors import enabled_actions
from actions.services import run_read
from actions.spec import CARDS, ReadAction, Requests
from actions.states import State
from supportbot.accounts.models import User
from supportbot.chat.customer_language import customer_language
from supportbot.chat.services import add_agent_message
from supportbot.errors import NotFound
from supportbot.handoff.errors import ActionNotOffered, NotTicketOwner
from supportbot.handoff.models import Ticket
from supportbot.handoff.proposals.form_fields import arguments_json, fits_a_form
from supportbot.handoff.proposals.services import owns, principal_for
from supportbot.team_formats import active_language
from supportbot.translation import text_in

MAX_RECEIPTS: Final = 10


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record as shown on its card. `seen` identifies exactly what was shown."""

    record: Mapping[str, Any]
    seen: str


def look_ups(ticket: Ticket, person: User) -> list[ReadAction]:
    """Return the look-ups that find cards for the ticket's customer, or none if the ticket is not this agent's."""
    if not owns(ticket, person) or ticket.conversation.customer.is_anonymous:
        return []
    offered = enabled_actions()
    return [
        action
        for action in all_actions().values()
        if isinstance(action, ReadAction) and action.has_cards and action.name in offered and fits_a_form(action)
    ]


def look_up_named(ticket: Ticket, person: User, name: str) -> ReadAction:
    """Return a look-up by its name; raises NotTicketOwner, or ActionNotOffered if it cannot be used here."""
    if not owns(ticket, person):
        raise NotTicketOwner()
    found = next((one for one in look_ups(ticket, person) if one.name == name), None)
    if found is None:
        raise ActionNotOffered()
    return found


def requests_for(ticket: Ticket, person: User, action: ReadAction) -> Requests:
    """Return the requests for a look-up and for the lists in its form, so that identical ones are made only once."""
    return requests_of(principal_for(ticket, person, locale=customer_language(ticket.conversation)), action.name)


def found_records(
    ticket: Ticket, person: User, action: ReadAction, typed: Mapping[str, str], *, requests: Requests | None = None
) -> list[FoundRecord]:
    """Return the cards that a look-up finds, in the customer's language.

    Raises InvalidArguments, ReadRefused or MerchantUnavailable.
    """
    principal = principal_for(ticket, person, locale=customer_language(ticket.conversation))
    conversation, arguments = ticket.conversation_id, arguments_json(action, typed)
    found = run_read(principal, action.name, arguments, conversation_id=conversation, requests=requests)
    return [FoundRecord(record, hashlib.sha256(canonical(record)).hexdigest()) for record in found.get(CARDS, ())]


def send_record(
    ticket: Ticket, person: User, action: ReadAction, typed: Mapping[str, str], *, seen: str, client_id: str
) -> bool:
    """Send a card exactly as it was shown; return False if no record matches it any longer. Raises the errors of
    `found_records` and `add_agent_message`.
    """
    found = next((one for one in found_records(ticket, person, action, typed) if one.seen == seen), None)
    if found is None:
        return False
    _send(ticket, person, str(found.record["title"]), {"type": "card", "record": dict(found.record)}, client_id)
    return True


def receipts_of(ticket: Ticket, person: User) -> Sequence[tuple[ActionRequest, str]]:
    """Return the customer's newest requests that have a receipt, each with its title."""
    if not owns(ticket, person):
        return []
    done = ActionRequest.objects.filter(
        customer_id=ticket.conversation.customer_id, state__in=[State.SUCCEEDED, State.UNKNOWN]
    )
    return [(one, receipt_title(one, active_language())) for one in done.order_by("-id")[:MAX_RECEIPTS]]


def send_receipt(ticket: Ticket, person: User, request_id: UUID, *, client_id: str) -> None:
    """Send the receipt of one of the customer's requests. Raises NotFound, and the errors of `add_agent_message`."""
    own = ActionRequest.objects.filter(pk=request_id, customer_id=ticket.conversation.customer_id).first()
    block = receipt_block(own) if own else None
    if own is None or block is None:
        raise NotFound()
    what = card_of(own).summary.rstrip(".")
    _send(ticket, person, text_in(own.locale, "Receipt: {what}", what=what), block, client_id)


def _send(ticket: Ticket, person: User, text: str, block: Mapping[str, Any], client_id: str) -> None:
    add_agent_message(ticket.conversation_id, text=text, author=person, client_id=client_id, blocks=[block])
