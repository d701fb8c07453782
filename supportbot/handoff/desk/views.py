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
from supportbot.handoff.desk.activity import actions_of, answers_of
from supportbot.handoff.desk.available_actions import STEPS, Sent, in_words
from supportbot.handoff.desk.decorators import for_the_team, page_for
from supportbot.handoff.desk.drafting import draft_reply
from supportbot.handoff.desk.labels import hue_of, initials, reason_in_words
from supportbot.handoff.desk.rows import SHOWN, found_rows, group_of, groups_for
from supportbot.handoff.desk.summary import summary_of
from supportbot.handoff.desk.thread import MOST_LINES, lines_of, reader_of
from supportbot.handoff.models import HELD, State, Ticket
from supportbot.handoff.proposals.services import offers_of
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.access import person_of, ticket_for
from supportbot.handoff.tickets.language import language_of
from supportbot.handoff.tickets.presence import colleagues_of, leads, note_presence, say_away
from supportbot.handoff.tickets.queue import LATE_AFTER, SOON_LATE_AFTER

MOST_PAST: Final = 5
MOST_BESIDE: Final = 3  # answers, and actions: the trail has all


@dataclass(frozen=True, slots=True)
class Typed:
    """What a refused form held, and why it was refused."""

    step: str = ""
    text: str = ""
    error: str = ""
    status: int = 200


# --- Pages.


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


# --- Forms.


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


# --- JSON for the page's scripts.


@require_safe
@for_the_team
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
@for_the_team
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


def queue_of(request: HttpRequest, person: User) -> dict[str, object]:
    """Return what the queue's column shows: the tickets asked for by words, or by which list."""
    words, shown = request.GET.get("q", "").strip(), request.GET.get("show", "")
    shown = shown if shown in SHOWN else "open"
    page = request.GET.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 and int(page) else 1
    if words:
        groups = [found_rows(words, person, now(), page=number)]
    else:
        groups = groups_for(person, now(), shown=shown, page=number)
    return {
        "groups": groups,
        "shown": "found" if words else shown,
        "words": words,
        "page": number,
        "soon_seconds": int(SOON_LATE_AFTER.total_seconds()),
        "late_seconds": int(LATE_AFTER.total_seconds()),
    }


def ticket_page(request: HttpRequest, staff: Staff, found: Ticket, typed: Typed) -> HttpResponse:
    person = person_of(staff)
    context = {**queue_of(request, person), **conversation_of(found, person), "typed": typed, "client_id": uuid4()}
    return page_for(request, staff, "desk/ticket.html", context, status=typed.status)


def conversation_of(found: Ticket, person: User) -> dict[str, object]:
    """Return what the columns of the conversation and its context show."""
    conversation, group = found.conversation, group_of(found, person)
    customer = conversation.customer
    lines = lines_of(conversation, reader_of(conversation, person))
    return {
        "ticket": found,
        "conversation": conversation,
        "customer": {"initials": initials(customer.name), "hue": hue_of(customer.pk), "row": customer},
        "group": group,
        "reason": reason_in_words(found),
        "language": language_of(conversation),
        "summary": summary_of(found),
        "lines": lines,
        # The log may have grown between the two reads: whoever follows goes on behind what is shown.
        "seq": max(conversation.last_seq, lines[-1].seq if lines else 0),
        "most_lines": MOST_LINES,
        "most_characters": MAX_MESSAGE_CHARACTERS,
        "is_waiting": found.state == State.WAITING,
        "is_mine": group in ("mine", "aside"),
        "may_settle": found.state in HELD and (found.assignee_id == person.pk or leads(person)),
        "colleagues": colleagues_of(person),
        "answers": answers_of(conversation, most=MOST_BESIDE),
        "actions": actions_of(conversation.pk, most=MOST_BESIDE),
        "offers": offers_of(found, person),
        "past": _past(conversation),
    }


def _past(conversation: Conversation) -> list[Conversation]:
    """Return the customer's other conversations, newest first, each with its newest ticket if there is one."""
    others = Conversation.objects.filter(customer_id=conversation.customer_id).exclude(pk=conversation.pk)
    found = list(others.prefetch_related("tickets").order_by("-last_event_at")[:MOST_PAST])
    for one in found:
        tickets = sorted(one.tickets.all(), key=lambda ticket: ticket.pk)
        one.newest_ticket = tickets[-1] if tickets else None  # type: ignore[attr-defined]  # read by the template
    return found
