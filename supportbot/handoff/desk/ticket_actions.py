"""What an agent can do with a ticket on its page: claim it, reply, assign it, and so on.

Each action is a form that calls one service. Submitting a form twice has the same effect as submitting it once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils.timezone import localtime
from django.utils.translation import gettext

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
    """The fields of a submitted form."""

    text: str
    client_id: str


@dataclass(frozen=True, slots=True)
class TicketAction:
    """One action on a ticket: the scope that it needs and the service that it calls."""

    scope: str
    perform: Callable[[Ticket, User, Submission], object]


TICKET_ACTIONS: Final = {
    "claim": TicketAction("tickets:write", lambda ticket, agent, form: services.claim(ticket.pk, agent=agent)),
    "reply": TicketAction(
        "conversations:write",
        lambda ticket, agent, form: add_agent_message(
            ticket.conversation_id, text=form.text, author=agent, client_id=form.client_id
        ),
    ),
    "note": TicketAction(
        "conversations:write",
        lambda ticket, agent, form: add_note(
            ticket.conversation_id, text=form.text, author=agent, client_id=form.client_id
        ),
    ),
    "return": TicketAction(
        "tickets:write",
        lambda ticket, agent, form: services.return_to_assistant(ticket.pk, agent=agent, note=form.text),
    ),
    "resolve": TicketAction("tickets:write", lambda ticket, agent, form: services.resolve(ticket.pk, agent=agent)),
    "release": TicketAction("tickets:write", lambda ticket, agent, form: services.release(ticket.pk, agent=agent)),
    "assign": TicketAction(
        "tickets:write",
        lambda ticket, agent, form: services.assign(ticket.pk, agent=agent, to=member_by_name(form.text)),
    ),
    "snooze": TicketAction(
        "tickets:write",
        lambda ticket, agent, form: services.snooze(ticket.pk, agent=agent, until=snooze_until(form.text, localtime())),
    ),
    "reopen": TicketAction("tickets:write", lambda ticket, agent, form: services.reopen(ticket.pk, agent=agent)),
}


def snooze_until(choice: str, local_now: datetime) -> datetime:
    """Return when a snooze ends, in the workspace's time zone; raises InvalidInput for an unknown choice."""
    morning = local_now.replace(hour=DAY_BEGINS_AT, minute=0, second=0, microsecond=0)
    match choice:
        case "hour":
            return local_now + timedelta(hours=1)
        case "tomorrow":
            return morning + timedelta(days=1)
        case "week":
            return morning + timedelta(days=7 - local_now.weekday())
        case _:
            raise InvalidInput(fields={"until": [gettext("Choose hour, tomorrow or week.")]})


def error_text(error: SupportBotError) -> str:
    if isinstance(error, ClientIdReused):
        return gettext("You have already sent this form with different text. Send it again to add this text as well.")
    return " ".join(message for messages in error.fields.values() for message in messages) or error.message
