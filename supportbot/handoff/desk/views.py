"""The desk's pages and their addresses. They are rendered on the server and work without scripts, which only add live
updates.

Every action is a POST that calls one service and redirects to the ticket's page.
"""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from actions.principals import proposed_by
from actions.services import run_read
from supportbot.accounts.first_administrator import has_administrator
from supportbot.accounts.lockout import DeskLogIn
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.access import conversation_for
from supportbot.errors import NotAllowed, NotFound, SupportBotError, error_body
from supportbot.handoff.approvals import views as approval_views
from supportbot.handoff.desk import canned_reply_views
from supportbot.handoff.desk.action_records import action_records
from supportbot.handoff.desk.assistant_activity import turn_records
from supportbot.handoff.desk.drafting import draft_reply
from supportbot.handoff.desk.offered_drafts import remember
from supportbot.handoff.desk.page_frame import agent_required, render_page
from supportbot.handoff.desk.queue_rows import queue_context
from supportbot.handoff.desk.ticket_actions import TICKET_ACTIONS, Submission, error_text
from supportbot.handoff.desk.ticket_page import RefusedForm, render_ticket
from supportbot.handoff.models import Ticket
from supportbot.handoff.proposals import sent_card_views
from supportbot.handoff.proposals import views as proposal_views
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.handoff.tickets.presence import record_presence, set_away
from supportbot.team_formats import active_language

# --- Pages.


@require_safe
@agent_required
def queue(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Show the queue. Opening it counts as being online."""
    person = user_of(staff)
    record_presence(person)
    is_reloading = request.GET.get("refresh") != "off"
    return render_page(
        request, staff, "desk/queue.html", {**queue_context(request, person), "is_reloading": is_reloading}
    )


@require_safe
@agent_required
def ticket(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Show one ticket with its conversation and available actions."""
    record_presence(user_of(staff))
    try:
        found = ticket_for(staff, ticket_id)
    except NotFound:
        return _to_other_workspace(request, staff, ticket_id)
    return render_ticket(request, staff, found, RefusedForm())


def _to_other_workspace(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Tell the agent which of their other workspaces has the ticket, on a page where they can switch to it. This
    happens when they follow a colleague's link, which does not contain the workspace. Raises NotFound if none has it.
    """
    for workspace in Workspace.objects.filter(memberships__user=user_of(staff)).exclude(pk=staff.workspace_id):
        with workspace_scope(workspace.pk):
            is_there = Ticket.objects.filter(pk=ticket_id).exists()
        if is_there:
            text = gettext(
                "This page belongs to your workspace {workspace}. Choose it at the top of the navigation, then "
                "open the link again."
            )
            messages.warning(request, text.format(workspace=workspace.name))
            return redirect("admin:index")
    raise NotFound()


@require_safe
@agent_required
def activity(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Show everything the assistant did in a conversation."""
    found = ticket_for(staff, ticket_id)
    conversation = conversation_for(staff, found.conversation_id)
    context: dict[str, object] = {
        "ticket": found,
        "turns": turn_records(conversation),
        "actions": action_records(conversation.pk),
    }
    return render_page(request, staff, "desk/assistant_activity.html", context)


# --- Forms.


@require_POST
@agent_required
def perform_action(request: HttpRequest, staff: Staff, ticket_id: UUID, name: str) -> HttpResponse:
    """Perform one action on a ticket, then show the ticket.

    If the action is refused, the typed text stays in its field.
    """
    found, action = ticket_for(staff, ticket_id), TICKET_ACTIONS.get(name)
    if action is None:
        raise NotFound()
    form = Submission(request.POST.get("text", "").replace("\r\n", "\n"), request.POST.get("client_id", ""))
    try:
        if not staff.may(action.scope):
            raise NotAllowed()
        result = action.perform(found, user_of(staff), form)
    except SupportBotError as error:
        refused = RefusedForm(name, form.text, error_text(error), error.status)
        return render_ticket(request, staff, ticket_for(staff, ticket_id), refused)
    return redirect("desk-ticket", result.pk if isinstance(result, Ticket) else ticket_id)


@require_POST
@agent_required
def claim_next(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Claim the next ticket in the queue and show it; if there is none, show the queue."""
    if not staff.may("tickets:write"):
        raise NotFound()
    try:
        ticket = services.claim_next(agent=user_of(staff))
    except SupportBotError:  # the queue is now empty, or the role cannot answer customers; the queue page shows this
        return redirect("desk")
    return redirect("desk-ticket", ticket.pk)


@require_POST
@agent_required
def set_presence(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Set whether the agent is away or available, and return to the previous page."""
    set_away(user_of(staff), is_away=request.POST.get("text") == "away")
    try:
        return redirect("desk-ticket", UUID(request.POST.get("ticket", "")))
    except ValueError:
        return redirect("desk")


# --- JSON for the page's scripts.


@require_safe
@agent_required
def orders(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the customer's orders, which are read on their behalf under the action's own rules.

    The audit trail names the agent.
    """
    conversation = ticket_for(staff, ticket_id).conversation
    try:
        if not staff.may("customers:read"):
            raise NotAllowed()
        principal = proposed_by(user_of(staff), conversation.customer, locale=active_language())
        found = run_read(principal, "order_status", {}, conversation_id=conversation.pk)
    except SupportBotError as error:
        return _refused(error)
    return JsonResponse(found)


@require_POST
@agent_required
def draft(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return a reply drafted by the assistant, with its sources."""
    conversation = conversation_for(staff, ticket_for(staff, ticket_id).conversation_id)
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        drafted = draft_reply(conversation)
        remember(conversation, drafted, person_id=staff.user_id)
        return JsonResponse(drafted.as_json())
    except SupportBotError as error:
        return _refused(error)


def _refused(error: SupportBotError) -> HttpResponse:
    return JsonResponse(error_body(error.code, error.message, error.fields), status=error.status)


urls = [
    path("", queue, name="desk"),
    path(
        "log-in/",
        LoginView.as_view(
            template_name="desk/login.html",
            next_page="desk",
            authentication_form=DeskLogIn,
            extra_context={"has_administrator": has_administrator},
        ),
        name="desk-login",
    ),
    path("log-out/", LogoutView.as_view(next_page="desk-login"), name="desk-logout"),
    path("next/", claim_next, name="desk-next"),
    path("presence/", set_presence, name="desk-presence"),
    path("approvals/", approval_views.approvals, name="desk-approvals"),
    path("approvals/<uuid:request_id>/", approval_views.approval, name="desk-approval"),
    path("approvals/<uuid:request_id>/<slug:verdict>/", approval_views.decide, name="desk-decide"),
    path("replies/", canned_reply_views.replies, name="desk-replies"),
    path("replies/<uuid:reply_id>/", canned_reply_views.reply, name="desk-reply"),
    path("replies/<uuid:reply_id>/delete/", canned_reply_views.delete, name="desk-reply-delete"),
    path("tickets/<uuid:ticket_id>/", ticket, name="desk-ticket"),
    path("tickets/<uuid:ticket_id>/activity/", activity, name="desk-activity"),
    path("tickets/<uuid:ticket_id>/trail/", activity),  # the former address, until 0.3
    path("tickets/<uuid:ticket_id>/ask/<slug:name>/", proposal_views.proposal, name="desk-proposal"),
    path("tickets/<uuid:ticket_id>/records/", sent_card_views.records, name="desk-records"),
    path("tickets/<uuid:ticket_id>/undo/<uuid:request_id>/", proposal_views.undo, name="desk-undo"),
    path("tickets/<uuid:ticket_id>/orders.json", orders, name="desk-orders"),
    path("tickets/<uuid:ticket_id>/canned.json", canned_reply_views.suggestions, name="desk-canned"),
    path("tickets/<uuid:ticket_id>/draft.json", draft, name="desk-draft"),
    path("tickets/<uuid:ticket_id>/<slug:name>/", perform_action, name="desk-step"),
]
