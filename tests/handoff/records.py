"""What the log and the rows say of a conversation and its ticket."""

from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.handoff.models import Ticket


def said(conversation: Conversation) -> list[str]:
    return [event.event for event in events_after(conversation.pk, 0, is_staff=True)]


def texts(conversation: Conversation) -> list[str]:
    return [event.payload.get("text", "") for event in events_after(conversation.pk, 0)]


def facts(ticket: Ticket) -> dict[str, object]:
    return Ticket.objects.filter(pk=ticket.pk).values().get()
