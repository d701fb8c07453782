"""What an agent does with a ticket from its page: each a form, each one service.

The same form sent twice does it once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import localtime
from django.views.decorators.http import require_POST

from supportbot.accounts.callers import Staff
from supportbot.accounts.models import User
from supportbot.chat.errors import ClientIdReused
from supportbot.chat.services import add_agent_message, add_note
from supportbot.errors import InvalidInput, NotAllowed, NotFound, SupportBotError
from supportbot.handoff.desk.decorators import for_the_team
from supportbot.handoff.desk.ticket_page import Typed, ticket_page
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.access import person_of, ticket_for
from supportbot.handoff.tickets.presence import member_named, say_away

DAY_BEGINS_AT: Final = 9


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form held."""

    text: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do with a ticket: the right it needs, and the service that does it."""

    scope: str
    take: Callable[[Ticket, User, Sent], object]


STEPS: Final = {
    "claim": Step("tickets:write", lambda ticket, who, sent: services.claim(ticket.pk, agent=who)),
    "reply": Step(
        "conversations:write",
        lambda ticket, who, sent: add_agent_message(
            ticket.conversation_id, text=sent.text, author=who, client_id=sent.client_id
        ),
    ),
    "note": Step(
        "conversations:write",
        lambda ticket, who, sent: add_note(
            ticket.conversation_id, text=sent.text, author=who, client_id=sent.client_id
        ),
    ),
    "return": Step(
        "tickets:write",
        lambda ticket, who, sent: services.return_to_assistant(ticket.pk, agent=who, note=sent.text),
    ),
    "resolve": Step("tickets:write", lambda ticket, who, sent: services.resolve(ticket.pk, agent=who)),
    "release": Step("tickets:write", lambda ticket, who, sent: services.release(ticket.pk, agent=who)),
    "assign": Step(
        "tickets:write",
        lambda ticket, who, sent: services.assign(ticket.pk, agent=who, to=member_named(sent.text)),
    ),
    "snooze": Step(
        "tickets:write",
        lambda ticket, who, sent: services.snooze(ticket.pk, agent=who, until=moment_of(sent.text, localtime())),
    ),
    "reopen": Step("tickets:write", lambda ticket, who, sent: services.take_up(ticket.pk, agent=who)),
}


def moment_of(choice: str, here: datetime) -> datetime:
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


@require_POST
@for_the_team
def take_step(request: HttpRequest, staff: Staff, ticket_id: UUID, name: str) -> HttpResponse:
    """Do one thing with a ticket, then show it; a refusal is said there, with what was typed still in its field."""
    found, step = ticket_for(staff, ticket_id), STEPS.get(name)
    if step is None:
        raise NotFound()
    sent = Sent(request.POST.get("text", "").replace("\r\n", "\n"), request.POST.get("client_id", ""))
    try:
        if not staff.may(step.scope):
            raise NotAllowed()
        done = step.take(found, person_of(staff), sent)
    except SupportBotError as error:
        typed = Typed(name, sent.text, in_words(error), error.status)
        return ticket_page(request, staff, ticket_for(staff, ticket_id), typed)
    return redirect("desk-ticket", done.pk if isinstance(done, Ticket) else ticket_id)


@require_POST
@for_the_team
def take_next(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Take whoever is to be served next and show the conversation; the queue, when nobody waits."""
    if not staff.may("tickets:write"):
        raise NotFound()
    try:
        ticket = services.claim_next(agent=person_of(staff))
    except SupportBotError:  # nobody waits any more, or this person answers nobody: the queue says how it stands
        return redirect("desk")
    return redirect("desk-ticket", ticket.pk)


@require_POST
@for_the_team
def change_presence(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Say that one is away, or back, and show again what was open: the conversation is still at hand."""
    say_away(person_of(staff), is_away=request.POST.get("text") == "away")
    try:
        return redirect("desk-ticket", UUID(request.POST.get("ticket", "")))
    except ValueError:
        return redirect("desk")


def in_words(error: SupportBotError) -> str:
    if isinstance(error, ClientIdReused):
        return "This form was sent before, with other words. Send it again to add these as well."
    return " ".join(message for messages in error.fields.values() for message in messages) or error.message
