"""The desk's pages, rendered on the server: they work without scripts, which only make them live.

Every step is a POST that calls one service and leads back to the ticket's page.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from django.views.decorators.http import require_POST, require_safe

from actions.principals import principal_in_conversation
from actions.services import run_read
from supportbot.accounts.callers import Staff
from supportbot.accounts.models import User
from supportbot.chat.access import conversation_for
from supportbot.chat.models import Conversation
from supportbot.chat.texts import MAX_MESSAGE_CHARACTERS
from supportbot.errors import NotAllowed, NotFound, SupportBotError, error_body
from supportbot.handoff.desk.activity import action_records, turn_records
from supportbot.handoff.desk.available_actions import AVAILABLE_ACTIONS, Submission, error_text
from supportbot.handoff.desk.decorators import agent_required, render_page
from supportbot.handoff.desk.drafting import draft_reply
from supportbot.handoff.desk.labels import avatar_hue, initials, reason_label
from supportbot.handoff.desk.rows import SHOWN, group_of, groups_for, search_rows
from supportbot.handoff.desk.summary import build_summary
from supportbot.handoff.desk.thread import MAX_LINES, lines_of, reader_of
from supportbot.handoff.models import HELD, State, Ticket
from supportbot.handoff.proposals.services import available_offers
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.handoff.tickets.language import customer_language
from supportbot.handoff.tickets.presence import colleagues_of, is_team_lead, record_presence, set_away
from supportbot.handoff.tickets.queue import LATE_AFTER, NEARLY_LATE_AFTER

MAX_PAST_CONVERSATIONS: Final = 5
MAX_RECENT_RECORDS: Final = 3  # answers, and actions: the trail has all


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """What a refused form held, and why it was refused."""

    step: str = ""
    text: str = ""
    error: str = ""
    status: int = 200


# --- Pages.


@require_safe
@agent_required
def queue(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Who waits, who is with me, who is with colleagues. Whoever reads it counts as present."""
    person = user_of(staff)
    record_presence(person)
    is_reloading = request.GET.get("refresh") != "off"
    return render_page(
        request, staff, "desk/queue.html", {**queue_context(request, person), "is_reloading": is_reloading}
    )


@require_safe
@agent_required
def ticket(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """One ticket with its conversation, and what may be done with it."""
    record_presence(user_of(staff))
    return render_ticket(request, staff, ticket_for(staff, ticket_id), RefusedForm())


@require_safe
@agent_required
def trail(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """All that the assistant did in a conversation."""
    found = ticket_for(staff, ticket_id)
    conversation = conversation_for(staff, found.conversation_id)
    context: dict[str, object] = {
        "ticket": found,
        "answers": turn_records(conversation),
        "actions": action_records(conversation.pk),
    }
    return render_page(request, staff, "desk/trail.html", context)


# --- Forms.


@require_POST
@agent_required
def perform_action(request: HttpRequest, staff: Staff, ticket_id: UUID, name: str) -> HttpResponse:
    """Do one thing with a ticket, then show it; a refusal is said there, with what was typed still in its field."""
    found, step = ticket_for(staff, ticket_id), AVAILABLE_ACTIONS.get(name)
    if step is None:
        raise NotFound()
    sent = Submission(request.POST.get("text", "").replace("\r\n", "\n"), request.POST.get("client_id", ""))
    try:
        if not staff.may(step.scope):
            raise NotAllowed()
        done = step.take(found, user_of(staff), sent)
    except SupportBotError as error:
        typed = RefusedForm(name, sent.text, error_text(error), error.status)
        return render_ticket(request, staff, ticket_for(staff, ticket_id), typed)
    return redirect("desk-ticket", done.pk if isinstance(done, Ticket) else ticket_id)


@require_POST
@agent_required
def claim_next(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Take whoever is to be served next and show the conversation; the queue, when nobody waits."""
    if not staff.may("tickets:write"):
        raise NotFound()
    try:
        ticket = services.claim_next(agent=user_of(staff))
    except SupportBotError:  # nobody waits any more, or this person answers nobody: the queue says how it stands
        return redirect("desk")
    return redirect("desk-ticket", ticket.pk)


@require_POST
@agent_required
def set_presence(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Say that one is away, or back, and show again what was open: the conversation is still at hand."""
    set_away(user_of(staff), is_away=request.POST.get("text") == "away")
    try:
        return redirect("desk-ticket", UUID(request.POST.get("ticket", "")))
    except ValueError:
        return redirect("desk")


# --- JSON for the page's scripts.


@require_safe
@agent_required
def orders(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the customer's orders, read as the customer themselves would: by the action's own rules and audit."""
    conversation = ticket_for(staff, ticket_id).conversation
    try:
        if not staff.may("customers:read"):
            raise NotAllowed()
        principal = principal_in_conversation(conversation.customer, locale="en")
        found = run_read(principal, "order_status", {}, conversation_id=conversation.pk)
    except SupportBotError as error:
        return _refused(error)
    return JsonResponse(found)


@require_POST
@agent_required
def draft(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the assistant's draft of a reply, with its sources."""
    conversation = conversation_for(staff, ticket_for(staff, ticket_id).conversation_id)
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        return JsonResponse(draft_reply(conversation).as_json())
    except SupportBotError as error:
        return _refused(error)


def _refused(error: SupportBotError) -> HttpResponse:
    return JsonResponse(error_body(error.code, error.message, error.fields), status=error.status)


# --- What the pages show.


def queue_context(request: HttpRequest, person: User) -> dict[str, object]:
    """Return what the queue's column shows: the tickets asked for by words, or by which list."""
    words, shown = request.GET.get("q", "").strip(), request.GET.get("show", "")
    shown = shown if shown in SHOWN else "open"
    page = request.GET.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 and int(page) else 1
    if words:
        groups = [search_rows(words, person, now(), page=number)]
    else:
        groups = groups_for(person, now(), shown=shown, page=number)
    return {
        "groups": groups,
        "shown": "found" if words else shown,
        "words": words,
        "page": number,
        "soon_seconds": int(NEARLY_LATE_AFTER.total_seconds()),
        "late_seconds": int(LATE_AFTER.total_seconds()),
    }


def render_ticket(request: HttpRequest, staff: Staff, found: Ticket, typed: RefusedForm) -> HttpResponse:
    person = user_of(staff)
    context = {
        **queue_context(request, person),
        **conversation_context(found, person),
        "typed": typed,
        "client_id": uuid4(),
    }
    return render_page(request, staff, "desk/ticket.html", context, status=typed.status)


def conversation_context(found: Ticket, person: User) -> dict[str, object]:
    """Return what the columns of the conversation and its context show."""
    conversation, group = found.conversation, group_of(found, person)
    customer = conversation.customer
    lines = lines_of(conversation, reader_of(conversation, person))
    return {
        "ticket": found,
        "conversation": conversation,
        "customer": {"initials": initials(customer.name), "hue": avatar_hue(customer.pk), "row": customer},
        "group": group,
        "reason": reason_label(found),
        "language": customer_language(conversation),
        "summary": build_summary(found),
        "lines": lines,
        # The log may have grown between the two reads: whoever follows goes on behind what is shown.
        "seq": max(conversation.last_seq, lines[-1].seq if lines else 0),
        "most_lines": MAX_LINES,
        "most_characters": MAX_MESSAGE_CHARACTERS,
        "is_waiting": found.state == State.WAITING,
        "is_mine": group in ("mine", "aside"),
        "may_settle": found.state in HELD and (found.assignee_id == person.pk or is_team_lead(person)),
        "colleagues": colleagues_of(person),
        "answers": turn_records(conversation, most=MAX_RECENT_RECORDS),
        "actions": action_records(conversation.pk, most=MAX_RECENT_RECORDS),
        "offers": available_offers(found, person),
        "past": _past_conversations(conversation),
    }


def _past_conversations(conversation: Conversation) -> list[Conversation]:
    """Return the customer's other conversations, newest first, each with its newest ticket if there is one."""
    others = Conversation.objects.filter(customer_id=conversation.customer_id).exclude(pk=conversation.pk)
    found = list(others.prefetch_related("tickets").order_by("-last_event_at")[:MAX_PAST_CONVERSATIONS])
    for one in found:
        tickets = sorted(one.tickets.all(), key=lambda ticket: ticket.pk)
        one.newest_ticket = tickets[-1] if tickets else None  # type: ignore[attr-defined]  # read by the template
    return found
