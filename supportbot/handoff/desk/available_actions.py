"""What an agent does with a ticket from its page: each a form, each one service.

The same form sent twice does it once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils.timezone import localtime

from supportbot.accounts.models import User
from supportbot.chat.errors import ClientIdReused
from supportbot.chat.services import add_agent_message, add_note
from supportbot.errors import InvalidInput, SupportBotError
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.presence import member_by_name

DAY_BEGINS_AT: Final = 9


@dataclass(frozen=True, slots=True)
class Submission:
    """What a form held."""

    text: str
    client_id: str


@dataclass(frozen=True, slots=True)
class TicketAction:
    """One thing to do with a ticket: the right it needs, and the service that does it."""

    scope: str
    take: Callable[[Ticket, User, Submission], object]


AVAILABLE_ACTIONS: Final = {
    "claim": TicketAction("tickets:write", lambda ticket, who, sent: services.claim(ticket.pk, agent=who)),
    "reply": TicketAction(
        "conversations:write",
        lambda ticket, who, sent: add_agent_message(
            ticket.conversation_id, text=sent.text, author=who, client_id=sent.client_id
        ),
    ),
    "note": TicketAction(
        "conversations:write",
        lambda ticket, who, sent: add_note(
            ticket.conversation_id, text=sent.text, author=who, client_id=sent.client_id
        ),
    ),
    "return": TicketAction(
        "tickets:write",
        lambda ticket, who, sent: services.return_to_assistant(ticket.pk, agent=who, note=sent.text),
    ),
    "resolve": TicketAction("tickets:write", lambda ticket, who, sent: services.resolve(ticket.pk, agent=who)),
    "release": TicketAction("tickets:write", lambda ticket, who, sent: services.release(ticket.pk, agent=who)),
    "assign": TicketAction(
        "tickets:write",
        lambda ticket, who, sent: services.assign(ticket.pk, agent=who, to=member_by_name(sent.text)),
    ),
    "snooze": TicketAction(
        "tickets:write",
        lambda ticket, who, sent: services.snooze(ticket.pk, agent=who, until=snooze_until(sent.text, localtime())),
    ),
    "reopen": TicketAction("tickets:write", lambda ticket, who, sent: services.reopen(ticket.pk, agent=who)),
}


def snooze_until(choice: str, here: datetime) -> datetime:
    """Return when a ticket comes back, in the workspace's own day; raises InvalidInput for an unknown choice."""
    morning = here.replace(hour=DAY_BEGINS_AT, minute=0, second=0, microsecond=0)
    match choice:
        case "hour":
            return here + timedelta(hours=1)
        case "tomorrow":
            return morning + timedelta(days=1)
        case "week":
            return morning + timedelta(days=7 - here.weekday())
        case _:
            raise InvalidInput(fields={"until": ["Choose one of hour, tomorrow, week."]})


def error_text(error: SupportBotError) -> str:
    if isinstance(error, ClientIdReused):
        return "This form was sent before, with other words. Send it again to add these as well."
    return " ".join(message for messages in error.fields.values() for message in messages) or error.message
