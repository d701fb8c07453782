"""The kinds of events that an endpoint can subscribe to. `schemas/events.json` describes their payloads."""

from typing import Final

from actions.states import State
from supportbot.handoff.models import State as TicketState

TEST: Final = "webhook.test"  # sent on request, whatever the endpoint subscribes to
TICKET_ENDS: Final = (TicketState.RESOLVED, TicketState.RETURNED, TicketState.EXPIRED)
# The state `proposed` ends within the transaction that writes it.
ACTION_STATES: Final = tuple(state for state in State if state is not State.PROPOSED)
KINDS: Final = (
    *sorted(f"action.{state}" for state in ACTION_STATES),
    "article.archived",
    "article.published",
    "conversation.ended",
    "conversation.erased",
    "conversation.started",
    "customer.forgotten",
    "ticket.claimed",
    "ticket.opened",
    "ticket.released",
    *sorted(f"ticket.{state}" for state in TICKET_ENDS),
)
