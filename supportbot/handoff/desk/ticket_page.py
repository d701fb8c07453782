"""The page of one ticket: queue, conversation, and what is known of the customer."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now

from supportbot.accounts.callers import Staff
from supportbot.accounts.models import User
from supportbot.chat.models import Conversation
from supportbot.chat.texts import MAX_MESSAGE_CHARACTERS
from supportbot.handoff.desk.activity import actions_of, answers_of
from supportbot.handoff.desk.decorators import page_for
from supportbot.handoff.desk.labels import hue_of, initials, reason_in_words
from supportbot.handoff.desk.rows import SHOWN, found_rows, group_of, groups_for
from supportbot.handoff.desk.summary import summary_of
from supportbot.handoff.desk.thread import MOST_LINES, lines_of, reader_of
from supportbot.handoff.models import HELD, State, Ticket
from supportbot.handoff.proposals.services import offers_of
from supportbot.handoff.tickets.access import person_of
from supportbot.handoff.tickets.presence import colleagues_of, leads
from supportbot.handoff.tickets.queue import LATE_AFTER, SOON_LATE_AFTER
from supportbot.handoff.tickets.selectors import language_of

MOST_PAST: Final = 5
MOST_BESIDE: Final = 3  # answers, and actions: the trail has all


@dataclass(frozen=True, slots=True)
class Typed:
    """What a refused form held, and why it was refused."""

    step: str = ""
    text: str = ""
    error: str = ""
    status: int = 200


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
