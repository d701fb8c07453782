"""The desk's pages. They are rendered on the server and work without scripts, which only add live updates.

Every action is a POST that calls one service and redirects to the ticket's page.
"""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from actions.principals import proposed_by
from actions.services import run_read
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.access import conversation_for
from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Conversation
from supportbot.chat.services import MAX_MESSAGE_CHARACTERS
from supportbot.errors import NotAllowed, NotFound, SupportBotError, error_body
from supportbot.handoff.desk.assistant_activity import ActionRecord, action_records, turn_records
from supportbot.handoff.desk.decorators import agent_required, render_page
from supportbot.handoff.desk.drafting import draft_reply
from supportbot.handoff.desk.labels import avatar_hue, initials, reason_label, requester_label
from supportbot.handoff.desk.offered_drafts import remember
from supportbot.handoff.desk.queue_rows import SHOWN, group_of, groups_for, search_rows
from supportbot.handoff.desk.summary import build_summary
from supportbot.handoff.desk.thread import MAX_LINES, lines_of, reader_of
from supportbot.handoff.desk.ticket_actions import TICKET_ACTIONS, Submission, error_text
from supportbot.handoff.models import HELD, State, Ticket
from supportbot.handoff.proposals.services import available_offers, owns, undo_offers
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.handoff.tickets.presence import colleagues_of, is_team_lead, record_presence, set_away
from supportbot.handoff.tickets.queue_rules import LATE_AFTER, NEARLY_LATE_AFTER
from supportbot.team_formats import active_language

MAX_PAST_CONVERSATIONS: Final = 5
MAX_RECENT_RECORDS: Final = 3  # the newest turns and actions; the activity page shows all of them


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """A refused form: the typed text and the reason for the refusal."""

    step: str = ""
    text: str = ""
    error: str = ""
    status: int = 200


# --- Pages.


@require_safe
@agent_required
def queue(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Show the queue; opening it counts as being online."""
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
    """Name the other workspace of this agent that has the ticket, where they can choose it, since a colleague's link
    does not. Raises NotFound if none has it.
    """
    for workspace in Workspace.objects.filter(memberships__user=user_of(staff)).exclude(pk=staff.workspace_id):
        with workspace_scope(workspace.pk):
            is_there = Ticket.objects.filter(pk=ticket_id).exists()
        if is_there:
            told = gettext(
                "This page belongs to your workspace {workspace}. Choose it at the top of the navigation, then "
                "open the link again."
            )
            messages.warning(request, told.format(workspace=workspace.name))
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
    """Perform one action on a ticket and show the ticket; after a refusal the typed text stays in its field."""
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
    """Claim the next ticket in the queue and show it; show the queue if it is empty."""
    if not staff.may("tickets:write"):
        raise NotFound()
    try:
        ticket = services.claim_next(agent=user_of(staff))
    except SupportBotError:  # the queue is now empty, or the role cannot answer customers; the queue page says so
        return redirect("desk")
    return redirect("desk-ticket", ticket.pk)


@require_POST
@agent_required
def set_presence(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Set the agent to away or available and return to the previous page."""
    set_away(user_of(staff), is_away=request.POST.get("text") == "away")
    try:
        return redirect("desk-ticket", UUID(request.POST.get("ticket", "")))
    except ValueError:
        return redirect("desk")


# --- JSON for the page's scripts.


@require_safe
@agent_required
def orders(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the customer's orders, read on their behalf under the action's own rules; the audit names the agent."""
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
    """Return the assistant's draft of a reply with its sources."""
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


# --- Template contexts.


def queue_context(request: HttpRequest, person: User) -> dict[str, object]:
    """Return the context of the queue column: the tickets of a list, or of a search."""
    query, shown = request.GET.get("q", "").strip(), request.GET.get("show", "")
    shown = shown if shown in SHOWN else "open"
    page = request.GET.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 and int(page) else 1
    if query:
        groups = [search_rows(query, person, now(), page=number)]
    else:
        groups = groups_for(person, now(), shown=shown, page=number)
    return {
        "groups": groups,
        "shown": "found" if query else shown,
        "words": query,
        "page": number,
        "soon_seconds": int(NEARLY_LATE_AFTER.total_seconds()),
        "late_seconds": int(LATE_AFTER.total_seconds()),
    }


def render_ticket(request: HttpRequest, staff: Staff, found: Ticket, refused: RefusedForm) -> HttpResponse:
    person = user_of(staff)
    context = {
        **queue_context(request, person),
        **conversation_context(found, person),
        "typed": refused,
        "client_id": uuid4(),
    }
    return render_page(request, staff, "desk/ticket.html", context, status=refused.status)


def conversation_context(found: Ticket, person: User) -> dict[str, object]:
    """Return the context of the conversation column and the column next to it."""
    conversation, group = found.conversation, group_of(found, person)
    customer = conversation.customer
    lines = lines_of(conversation, reader_of(conversation, person))
    return {
        "ticket": found,
        "conversation": conversation,
        "customer": {"initials": initials(customer.name), "hue": avatar_hue(customer.pk), "row": customer},
        "group": group,
        "reason": reason_label(found),
        "requested_by": requester_label(found),
        "language": customer_language(conversation),
        "summary": build_summary(found),
        "lines": lines,
        # The log may have grown between the two reads, so the script subscribes from the last line shown.
        "seq": max(conversation.last_seq, lines[-1].seq if lines else 0),
        "max_lines": MAX_LINES,
        "max_characters": MAX_MESSAGE_CHARACTERS,
        "is_waiting": found.state == State.WAITING,
        "is_mine": group in ("mine", "aside"),
        "may_close": found.state in HELD and (found.assignee_id == person.pk or is_team_lead(person)),
        "colleagues": colleagues_of(person),
        "turns": turn_records(conversation, most=MAX_RECENT_RECORDS),
        "actions": _actions(found, person),
        "offers": available_offers(found, person),
        "may_send_cards": owns(found, person) and not customer.is_anonymous,
        "past": _past_conversations(conversation),
    }


def _actions(found: Ticket, person: User) -> list[ActionRecord]:
    """Return the conversation's newest requests, with the actions that can undo them."""
    undo = undo_offers(found, person)
    newest = action_records(found.conversation_id, most=MAX_RECENT_RECORDS)
    return [replace(one, undo=undo.get(one.request, "")) for one in newest]


def _past_conversations(conversation: Conversation) -> list[Conversation]:
    """Return the customer's other conversations, newest first, each with its newest ticket if it has one."""
    others = Conversation.objects.filter(customer_id=conversation.customer_id).exclude(pk=conversation.pk)
    found = list(others.prefetch_related("tickets").order_by("-last_event_at")[:MAX_PAST_CONVERSATIONS])
    for one in found:
        tickets = sorted(one.tickets.all(), key=lambda ticket: ticket.pk)
        one.newest_ticket = tickets[-1] if tickets else None  # type: ignore[attr-defined]  # read by the template
    return found
