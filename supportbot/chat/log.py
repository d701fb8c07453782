"""Appends to a conversation's log.

Invariant: every writer holds the conversation's row lock, so `seq` has no gaps. Readers are notified of an event only
after the commit that created it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot import sql
from supportbot.chat import signal_broker
from supportbot.chat.errors import ConversationEnded
from supportbot.chat.models import Audience, Citation, Conversation, ConversationEvent, Message
from supportbot.chat.selectors import conversation_in_scope, event_view
from supportbot.chat.signals import DeskNotified, NewEvent, Signal
from supportbot.errors import NotFound


def lock_conversation(conversation_id: UUID) -> Conversation:
    """Lock and return the conversation; every transaction takes this lock first. Raises NotFound."""
    conversation = conversation_in_scope(conversation_id, is_locked=True)
    if conversation is None:
        raise NotFound()
    return conversation


def append_event(
    conversation: Conversation,
    event: str,
    payload: dict[str, Any],
    *,
    audience: str = Audience.EVERYONE,
    message: Message | None = None,
    citations: Sequence[Citation] = (),
    answered_through: int = 0,
    also: sql.Statement | None = None,
) -> ConversationEvent:
    """Append to the log of a locked conversation and notify its readers after the commit.

    One statement stores the event and the related changes: its message with the citations, the number of the customer's
    last answered message, and `also`, the turn's new state.
    """
    is_public = audience == Audience.EVERYONE
    row = ConversationEvent(
        conversation=conversation,
        seq=conversation.last_seq + 1,
        prev_seq=conversation.last_public_seq if is_public else None,
        event=event,
        payload=payload,
        audience=audience,
    )
    conversation.last_seq = row.seq
    conversation.last_public_seq = row.seq if is_public else conversation.last_public_seq
    conversation.last_event_at = row.created_at
    conversation.answered_seq = max(conversation.answered_seq, answered_through)
    if message is not None:
        message.seq = row.seq
    changed = ("last_seq", "last_public_seq", "last_event_at", *(("answered_seq",) if answered_through else ()))
    sql.save(conversation, *changed, inserting=[row, *([message] if message else []), *citations], also=also)
    publish_after_commit(conversation.pk, NewEvent(row.seq, event_view(row)))
    if conversation.mode != Conversation.Mode.ASSISTANT:
        notify_desk(conversation)
    return row


def notify_desk(conversation: Conversation) -> None:
    """Notify the workspace's desk after the commit that the conversation has changed."""
    publish_after_commit(conversation.workspace_pk, DeskNotified(str(conversation.pk)))


def publish_after_commit(conversation_id: UUID, signal: Signal) -> None:
    """Publish a signal after the transaction commits; an unavailable layer does not fail the caller."""
    transaction.on_commit(lambda: signal_broker.publish(conversation_id, signal), robust=True)


def touch(conversation: Conversation, **changes: Any) -> None:
    """Store changed fields of a locked conversation."""
    for field, value in changes.items():
        setattr(conversation, field, value)
    sql.save(conversation, *changes)


def is_open(conversation: Conversation) -> bool:
    return conversation.ended_at is None or conversation.ended_at > now()


def check_open(conversation: Conversation) -> None:
    """Raise ConversationEnded unless a locked conversation is open."""
    if not is_open(conversation):
        raise ConversationEnded()
