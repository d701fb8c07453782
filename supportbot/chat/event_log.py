"""Appends to a conversation's log.

Invariant: every writer holds the conversation's row lock, so `seq` has no gaps. Whoever writes to a turn, a ticket or a
message also updates the conversation's row, which is how IF_UP_TO_DATE notices the change. Readers are notified of an
event only after it is committed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot import sql
from supportbot.accounts.scope import current_workspace_id
from supportbot.chat import signal_broker
from supportbot.chat.errors import ConversationEnded
from supportbot.chat.models import Audience, Conversation, ConversationEvent, Message
from supportbot.chat.selectors import conversation_in_scope, event_view
from supportbot.chat.signals import DeskNotified, NewEvent, Signal
from supportbot.errors import NotFound

# The parts of the statement of `append_if`. The columns of `locked` are those after a wait for the lock. The event may
# have been made before that wait, but its time must not precede that of the previous event.
_LOCKED: Final = """
SELECT *, ctid AS version FROM chat_conversation WHERE id = %s AND workspace_id = %s FOR NO KEY UPDATE"""
NEXT_SEQ: Final = "locked.last_seq + 1"
IF_CHANGED: Final = "locked, changed"
# Other tables are read as they were when the statement began. If another transaction has changed the conversation
# since, for example during a wait for the lock, it may have written to them as well.
IF_UP_TO_DATE: Final = "locked.version = (SELECT ctid FROM chat_conversation known WHERE known.id = locked.id)"
# A row may be built long before the lock is granted. But an event further ahead than MAX_AHEAD was timed by a wrong
# clock, and its time must not become that of all later events.
MAX_AHEAD: Final = timedelta(minutes=5)
NEXT_TIME: Final = f"""greatest(%s, CASE WHEN locked.last_event_at <=
    statement_timestamp() + interval '{MAX_AHEAD.total_seconds():.0f} seconds' THEN locked.last_event_at END)"""
_SECOND_SEQ: Final = "locked.last_seq + 2"
_FIELDS_OF_NEXT: Final = {"seq": NEXT_SEQ, "prev_seq": "locked.last_public_seq", "created_at": NEXT_TIME}
_FIELDS_OF_SECOND: Final = {"seq": _SECOND_SEQ, "prev_seq": NEXT_SEQ, "created_at": NEXT_TIME}
_GROWN: Final[Mapping[str, str]] = {
    last_seq: f"""
UPDATE chat_conversation c SET last_seq = {last_seq}, last_public_seq = {last_seq},
    last_event_at = {NEXT_TIME}, answered_seq = greatest(%s, locked.answered_seq)
FROM {IF_CHANGED} WHERE c.id = locked.id
RETURNING locked.last_public_seq, {NEXT_TIME}, {sql.columns(Conversation, "c")}"""
    for last_seq in (NEXT_SEQ, _SECOND_SEQ)
}


def lock_conversation(conversation_id: UUID) -> Conversation:
    """Lock and return the conversation. Raises NotFound. Every transaction takes this lock first."""
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
    answered_through: int = 0,
    also: sql.Statement | None = None,
) -> ConversationEvent:
    """Append to the log of a locked conversation and notify its readers after the commit.

    One statement stores the event and the related changes: its message, the number of the customer's last answered
    message, and the turn's new state (`also`). The event and its message get the same time, which is never before the
    previous event's. The only exception is a previous event that is more than `MAX_AHEAD` in the future, because
    another machine's clock is wrong.
    """
    is_public = audience == Audience.EVERYONE
    row = ConversationEvent(
        conversation=conversation,
        seq=conversation.last_seq + 1,
        prev_seq=conversation.last_public_seq if is_public else None,
        event=event,
        payload=payload,
        audience=audience,
        created_at=_next_time(conversation.last_event_at),
    )
    conversation.last_seq = row.seq
    conversation.last_public_seq = row.seq if is_public else conversation.last_public_seq
    conversation.last_event_at = row.created_at
    conversation.answered_seq = max(conversation.answered_seq, answered_through)
    if message is not None:
        message.seq, message.created_at = row.seq, row.created_at
    changed = ("last_seq", "last_public_seq", "last_event_at", *(("answered_seq",) if answered_through else ()))
    sql.save(conversation, *changed, inserting=[row, *([message] if message else [])], also=also)
    _announce(conversation, row)
    return row


def _next_time(last_event_at: datetime) -> datetime:
    """Return the time of the next event, computed like `NEXT_TIME`."""
    moment = now()
    return last_event_at if moment < last_event_at <= moment + MAX_AHEAD else moment


def append_if(
    change: sql.Statement,
    event: ConversationEvent,
    *,
    second: ConversationEvent | None = None,
    also: Mapping[str, sql.Statement] = MappingProxyType({}),
    answered_through: int = 0,
) -> Conversation | None:
    """Lock a conversation and, if `change` returns a row, append an event that everyone sees, and then `second` if
    given. One statement does all of this and runs the statements in `also`. Readers are notified after the commit.

    `change` can refer to the conversation as `locked`; the statements in `also` can refer to `locked` and `changed`.
    Returns the updated conversation, or None if nothing was written because `change` returned no row or the scope's
    workspace has no such conversation.
    """
    last = second or event
    last.created_at = max(event.created_at, last.created_at)  # the clock may have been set back in between
    parts = {
        "locked": sql.Statement(_LOCKED, [event.conversation_id, current_workspace_id()]),
        "changed": change,
        "appended": sql.insertion(event, IF_CHANGED, **_FIELDS_OF_NEXT),
        **({"followed": sql.insertion(second, IF_CHANGED, **_FIELDS_OF_SECOND)} if second else {}),
        **also,
    }
    grown = _GROWN[_SECOND_SEQ if second else NEXT_SEQ]
    found = sql.fetch_together(parts, sql.Statement(grown, [last.created_at, answered_through, event.created_at]))
    if not found:
        return None
    event.prev_seq, event.created_at, *columns = found[0]
    conversation: Conversation = sql.loaded(Conversation, columns)
    last.seq, last.created_at = conversation.last_seq, conversation.last_event_at
    if second:
        event.seq = second.prev_seq = second.seq - 1
        _announce(conversation, event)
    _announce(conversation, last)
    return conversation


def _announce(conversation: Conversation, event: ConversationEvent) -> None:
    publish_after_commit(conversation.pk, NewEvent(event.seq, event_view(event)))
    if conversation.mode != Conversation.Mode.ASSISTANT:
        notify_desk(conversation)


def notify_desk(conversation: Conversation) -> None:
    """After the commit, notify the workspace's desk that the conversation has changed."""
    publish_after_commit(conversation.workspace_pk, DeskNotified(str(conversation.pk)))


def publish_after_commit(conversation_id: UUID, signal: Signal) -> None:
    """Publish a signal after the commit. An unavailable layer raises no error."""
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
