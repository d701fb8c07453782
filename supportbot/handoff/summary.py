"""What a conversation is about in three lines: wants, done, open. Made from the record, so that it cannot be wrong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from actions.cards import card_of
from actions.models import ActionRequest
from actions.states import State as ActionState
from supportbot.builtin.intents import courtesy, wants_person
from supportbot.chat.models import Audience, Citation, Conversation, Message, Source
from supportbot.handoff.models import Ticket
from supportbot.handoff.words import reason_in_words

MOST_CHARACTERS: Final = 280  # of what was said first, and of what was said last
MOST_READ: Final = 30
MOST_NAMED: Final = 3
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+")
_DONE: Final = {
    ActionState.SUCCEEDED: "done",
    ActionState.FAILED: "tried, not done",
    ActionState.REJECTED: "rejected by a colleague",
    ActionState.CANCELLED: "withdrawn",
    ActionState.EXPIRED: "expired",
    ActionState.REFUSED: "not possible by the rules",
}
_OPEN: Final = {
    ActionState.AWAITING_CONFIRMATION: "waits for the customer to confirm",
    ActionState.AWAITING_APPROVAL: "waits for a colleague's approval; nothing has moved",
    ActionState.QUEUED: "is about to be carried out",
    ActionState.EXECUTING: "is being carried out",
    ActionState.UNKNOWN: "has an outcome that is not known yet",
}


@dataclass(frozen=True, slots=True)
class Summary:
    wants: str
    done: str
    open: str


def summary_of(ticket: Ticket) -> Summary:
    """Return the summary of a ticket's conversation as the record says now."""
    conversation = ticket.conversation
    requests = list(ActionRequest.objects.filter(conversation_id=conversation.pk).order_by("id"))
    done = [*_sentences(requests, _DONE), *_answered(conversation.pk), *_replied(ticket)]
    open_ends = [*_sentences(requests, _OPEN), *_unanswered(conversation)]
    if ticket.is_open and not open_ends:
        open_ends = [reason_in_words(ticket)]
    return Summary(
        wants=_wants(ticket) or "Nothing written yet",
        done=" ".join(done) or ("Nothing yet." if ticket.is_open else "Nothing."),
        open=" ".join(open_ends) or "Nothing.",
    )


def _sentences(requests: Sequence[ActionRequest], told: dict[ActionState, str]) -> list[str]:
    return [
        f"{card_of(request, 'en').title}: {told[ActionState(request.state)]}."
        for request in requests
        if request.state in told
    ]


def _answered(conversation_id: UUID) -> list[str]:
    titles = Citation.objects.filter(message__conversation=conversation_id).order_by("title")
    found = list(titles.values_list("title", flat=True).distinct()[:MOST_NAMED])
    return [f"Answered from {', '.join(found)}."] if found else []


def _replied(ticket: Ticket) -> list[str]:
    replies = _messages(ticket, Source.AGENT).filter(audience=Audience.EVERYONE).order_by("seq")
    names = list(dict.fromkeys(replies.values_list("author_name", flat=True)))[:MOST_NAMED]
    return [f"{', '.join(names)} replied."] if names else []


def _unanswered(conversation: Conversation) -> list[str]:
    waiting = Message.objects.filter(
        conversation=conversation, source=Source.CUSTOMER, seq__gt=conversation.answered_seq
    ).count()
    if not waiting:
        return []
    return ["The customer's last message is not answered." if waiting == 1 else f"{waiting} messages are not answered."]


def _wants(ticket: Ticket) -> str:
    """Return what the customer came for in the ticket's episode, and what it had come to when a person was asked for.

    That they want a person, their being here says already.
    """
    said = _said(ticket)
    told = [text for text in (ticket.summary, *said) if text.strip()]
    telling = [rest for text in told if (rest := _beside_the_wish(text)) and courtesy(rest) is None]
    if not telling:
        return told[0][:MOST_CHARACTERS] if told else ""
    first, last = telling[0][:MOST_CHARACTERS], _beside_the_wish(_last_said_before(ticket))[:MOST_CHARACTERS]
    if last in first or courtesy(last):
        return first
    return last if first in last else f"{first} Then: {last}"


def _beside_the_wish(text: str) -> str:
    """Return a text without the sentences that ask for a person."""
    return " ".join(part for part in _SENTENCE_END.split(text.strip()) if not wants_person(part))


def _said(ticket: Ticket) -> list[str]:
    return list(_messages(ticket, Source.CUSTOMER).order_by("seq").values_list("text", flat=True)[:MOST_READ])


def _last_said_before(ticket: Ticket) -> str:
    before = _messages(ticket, Source.CUSTOMER).filter(created_at__lte=ticket.created_at).order_by("-seq")
    return before.values_list("text", flat=True).first() or ""


def _messages(ticket: Ticket, source: Source) -> QuerySet[Message]:
    """Return what one side has written in the ticket's episode.

    The conversation only knows the episode it is in: that of an ended ticket lies between the end of the one before it
    and its own.
    """
    conversation = ticket.conversation
    messages = Message.objects.filter(conversation=conversation, source=source)
    if ticket.ended_at is None:
        return messages.filter(seq__gt=conversation.episode_start_seq)
    earlier = Ticket.objects.filter(conversation=conversation, ended_at__lt=ticket.ended_at).order_by("-ended_at")
    began = earlier.values_list("ended_at", flat=True).first() or conversation.created_at
    return messages.filter(created_at__gte=began, created_at__lte=ticket.ended_at)
