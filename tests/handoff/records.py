"""Functions that read the stored log and rows of a conversation and its ticket."""

from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.handoff.models import Ticket


def event_names(conversation: Conversation) -> list[str]:
    return [event.event for event in events_after(conversation.pk, 0, is_staff=True)]


def message_texts(conversation: Conversation) -> list[str]:
    return [event.payload.get("text", "") for event in events_after(conversation.pk, 0)]


def ticket_row(ticket: Ticket) -> dict[str, object]:
    return Ticket.objects.filter(pk=ticket.pk).values().get()
