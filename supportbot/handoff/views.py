"""The desk's pages, rendered on the server: they work without scripts, which only make them live.

Every step is a POST that calls one service and leads back to the ticket's page.
"""

from uuid import UUID

from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from supportbot.accounts.callers import Staff
from supportbot.accounts.lockout import DeskLogIn
from supportbot.chat.access import conversation_for
from supportbot.handoff import approval_views, proposal_views, reply_views, sidecars, steps
from supportbot.handoff.access import person_of, ticket_for
from supportbot.handoff.doors import for_the_team, page_for
from supportbot.handoff.presence import note_presence
from supportbot.handoff.ticket_page import Typed, queue_of, ticket_page
from supportbot.handoff.trail import actions_of, answers_of


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


urls = [
    path("", queue, name="desk"),
    path(
        "log-in/",
        LoginView.as_view(template_name="desk/login.html", next_page="desk", authentication_form=DeskLogIn),
        name="desk-login",
    ),
    path("log-out/", LogoutView.as_view(next_page="desk-login"), name="desk-logout"),
    path("next/", steps.take_next, name="desk-next"),
    path("presence/", steps.change_presence, name="desk-presence"),
    path("approvals/", approval_views.approvals, name="desk-approvals"),
    path("approvals/<uuid:request_id>/", approval_views.approval, name="desk-approval"),
    path("approvals/<uuid:request_id>/<slug:verdict>/", approval_views.decide, name="desk-decide"),
    path("replies/", reply_views.replies, name="desk-replies"),
    path("replies/<uuid:reply_id>/", reply_views.reply, name="desk-reply"),
    path("replies/<uuid:reply_id>/delete/", reply_views.delete, name="desk-reply-delete"),
    path("tickets/<uuid:ticket_id>/", ticket, name="desk-ticket"),
    path("tickets/<uuid:ticket_id>/trail/", trail, name="desk-trail"),
    path("tickets/<uuid:ticket_id>/ask/<slug:name>/", proposal_views.proposal, name="desk-proposal"),
    path("tickets/<uuid:ticket_id>/orders.json", sidecars.orders, name="desk-orders"),
    path("tickets/<uuid:ticket_id>/canned.json", sidecars.canned, name="desk-canned"),
    path("tickets/<uuid:ticket_id>/draft.json", sidecars.draft, name="desk-draft"),
    path("tickets/<uuid:ticket_id>/<slug:name>/", steps.take_step, name="desk-step"),
]
