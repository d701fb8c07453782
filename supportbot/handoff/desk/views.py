"""The desk's pages, rendered on the server: they work without scripts, which only make them live.

Every step is a POST that calls one service and leads back to the ticket's page.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from supportbot.accounts.callers import Staff
from supportbot.chat.access import conversation_for
from supportbot.handoff.desk.activity import actions_of, answers_of
from supportbot.handoff.desk.decorators import for_the_team, page_for
from supportbot.handoff.desk.ticket_page import Typed, queue_of, ticket_page
from supportbot.handoff.tickets.access import person_of, ticket_for
from supportbot.handoff.tickets.presence import note_presence


@require_safe
@for_the_team
def queue(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Who waits, who is with me, who is with colleagues. Whoever reads it counts as present."""
    person = person_of(staff)
    note_presence(person)
    is_reloading = request.GET.get("refresh") != "off"
    return page_for(request, staff, "desk/queue.html", {**queue_of(request, person), "is_reloading": is_reloading})


@require_safe
@for_the_team
def ticket(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """One ticket with its conversation, and what may be done with it."""
    note_presence(person_of(staff))
    return ticket_page(request, staff, ticket_for(staff, ticket_id), Typed())


@require_safe
@for_the_team
def trail(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """All that the assistant did in a conversation."""
    found = ticket_for(staff, ticket_id)
    conversation = conversation_for(staff, found.conversation_id)
    context: dict[str, object] = {
        "ticket": found,
        "answers": answers_of(conversation),
        "actions": actions_of(conversation.pk),
    }
    return page_for(request, staff, "desk/trail.html", context)
