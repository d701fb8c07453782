"""Everything on a ticket's page: the conversation, its customer and summary, what the assistant did, who else has the
ticket open, and what the agent may do.
"""

from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from actions.policy_store import policy_of
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.chat.customer_language import customer_language
from supportbot.chat.models import Conversation
from supportbot.chat.services import MAX_MESSAGE_CHARACTERS
from supportbot.handoff.desk.action_records import ActionRecord, action_records
from supportbot.handoff.desk.assistant_activity import turn_records
from supportbot.handoff.desk.conversation_lines import MAX_LINES, lines_of, reader_of
from supportbot.handoff.desk.labels import avatar_hue, initials
from supportbot.handoff.desk.page_frame import render_page
from supportbot.handoff.desk.queue_rows import group_of, queue_context
from supportbot.handoff.desk.summary import build_summary
from supportbot.handoff.desk.ticket_reasons import reason_label, requester_label
from supportbot.handoff.models import HELD, State, Ticket
from supportbot.handoff.proposals.services import available_offers, owns, undo_offers
from supportbot.handoff.tickets.access import user_of
from supportbot.handoff.tickets.presence import colleagues_of, is_team_lead

MAX_PAST_CONVERSATIONS: Final = 5
MAX_RECENT_RECORDS: Final = 3  # the newest turns and actions; the activity page shows all of them


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """A refused form: the text that was typed and why it was refused."""

    step: str = ""
    text: str = ""
    error: str = ""
    status: int = 200


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
    """Return the template context of the conversation column and the column next to it."""
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
        "has_orders": (look_up := policy_of("order_status")) is not None and look_up.is_enabled,
    }


def _actions(found: Ticket, person: User) -> list[ActionRecord]:
    """Return the conversation's newest requests and, for each, the actions that can undo it."""
    undo = undo_offers(found, person)
    newest = action_records(found.conversation_id, most=MAX_RECENT_RECORDS)
    return [replace(one, undo=undo.get(one.request, "")) for one in newest]


def _past_conversations(conversation: Conversation) -> list[Conversation]:
    """Return the customer's other conversations, newest first, each with its newest ticket, if any."""
    others = Conversation.objects.filter(customer_id=conversation.customer_id).exclude(pk=conversation.pk)
    found = list(others.prefetch_related("tickets").order_by("-last_event_at")[:MAX_PAST_CONVERSATIONS])
    for one in found:
        tickets = sorted(one.tickets.all(), key=lambda ticket: ticket.pk)
        one.newest_ticket = tickets[-1] if tickets else None  # type: ignore[attr-defined]  # read by the template
    return found
