"""Reads conversations, their events, messages and turns.

Each turn reads with plain SQL that is built only once; the ORM would build it again in every step.
`tests/chat/test_sql_statements.py` proves that each statement is equivalent to a queryset. The statements filter by the
scope's workspace, as the models' manager does.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left
from django.utils.timezone import now

from supportbot import sql
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import across_workspaces, current_workspace_id
from supportbot.chat.models import Audience, Conversation, ConversationEvent, Message, Source, Turn
from supportbot.chat.retrieval_trace import for_customers
from supportbot.chat.signals import EventView, TurnView
from supportbot.errors import NotFound
from supportbot.language.detection import base_language

MAX_EVENTS = 500
MAX_LANGUAGES: Final = 50
RATED: Final[Mapping[str, Sequence[int]]] = {"good": (4, 5), "bad": (1, 2)}  # scores out of five
_CONVERSATION: Final = f"""
SELECT {sql.columns(Conversation, "c")} FROM chat_conversation c WHERE c.id = %s AND c.workspace_id = %s"""
_WITH_ITS_PEOPLE: Final = f"""
SELECT {sql.columns(Conversation, "c")}, {sql.columns(Customer, "customer")}, {sql.columns(Workspace, "workspace")}
FROM chat_conversation c
JOIN accounts_customer customer ON customer.id = c.customer_id
JOIN accounts_workspace workspace ON workspace.id = c.workspace_id
WHERE c.id = %s AND c.workspace_id = %s"""
_HISTORY: Final = f"""
SELECT {sql.columns(Message, "m")} FROM chat_message m
WHERE m.conversation_id = %s AND m.workspace_id = %s AND m.audience = 'everyone' AND m.seq > %s
ORDER BY m.seq DESC LIMIT %s"""
_BY_CLIENT_ID: Final = f"""
SELECT {sql.columns(Message, "m")} FROM chat_message m
WHERE m.conversation_id = %s AND m.workspace_id = %s AND m.source = %s AND m.client_id = %s"""
# Reads the first locale of a language, then skips the others: `en.` comes after `en-US`, since a dot comes after a
# hyphen, and before any other language. Each locale is greater than the last in every collation, so the steps end.
_LOCALES: Final = """
WITH RECURSIVE used AS (
    (SELECT locale FROM chat_conversation WHERE workspace_id = %(workspace)s ORDER BY locale LIMIT 1)
    UNION ALL
    SELECT (SELECT c.locale FROM chat_conversation c WHERE c.workspace_id = %(workspace)s
            AND c.locale > greatest(used.locale, split_part(used.locale, '-', 1) || '.') ORDER BY c.locale LIMIT 1)
    FROM used WHERE used.locale IS NOT NULL)
SELECT locale FROM used WHERE locale IS NOT NULL LIMIT %(most)s"""


def events_after(
    conversation_id: UUID, after: int, *, is_staff: bool = False, limit: int = MAX_EVENTS
) -> list[EventView]:
    """Return up to `limit` events with a `seq` above `after`, oldest first.

    `prev_seq` chains them in the reader's view.
    """
    events = ConversationEvent.objects.filter(conversation_id=conversation_id, seq__gt=after).order_by("seq")
    if not is_staff:
        events = events.filter(audience=Audience.EVERYONE)
    return [event_view(event, is_staff=is_staff) for event in events[:limit]]


def event_view(event: ConversationEvent, *, is_staff: bool = False) -> EventView:
    """Return the event as the customer sees it or, with `is_staff`, as staff see it."""
    return EventView(
        seq=event.seq,
        prev_seq=event.seq - 1 if is_staff else event.prev_seq,
        event=event.event,
        payload=event.payload if is_staff else for_customers(event.payload),
        is_public=event.audience == Audience.EVERYONE,
        created_at=event.created_at,
    )


def head_of(conversation_id: UUID) -> int:
    """Return the newest `seq` that a customer may see; 0 if there is none. Raises NotFound."""
    head: int | None = Conversation.objects.filter(pk=conversation_id).values_list("last_public_seq", flat=True).first()
    if head is None:
        raise NotFound()
    return head


def heads_of(conversation_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return the newest seq of each conversation."""
    with across_workspaces("signal broker compares heads"):
        return dict(Conversation.objects.filter(pk__in=list(conversation_ids)).values_list("pk", "last_seq"))


def conversation_in_scope(conversation_id: UUID, *, is_locked: bool = False) -> Conversation | None:
    """Return a conversation of the scope's workspace, optionally locked; None if there is none."""
    statement = f"{_CONVERSATION} FOR NO KEY UPDATE" if is_locked else _CONVERSATION
    found = sql.fetch(statement, [conversation_id, current_workspace_id()])
    return sql.loaded(Conversation, found[0]) if found else None


def conversation_with_people(conversation_id: UUID) -> Conversation:
    """Return the conversation with its customer and workspace; raises NotFound for an erased one."""
    found = sql.fetch(_WITH_ITS_PEOPLE, [conversation_id, current_workspace_id()])
    if not found:
        raise NotFound()
    conversation: Conversation
    conversation, customer, workspace = sql.loaded_together(found[0], Conversation, Customer, Workspace)
    conversation.customer, conversation.workspace = customer, workspace
    return conversation


def live_turn(conversation_id: UUID) -> TurnView | None:
    """Return the saved part of the answer being written; None if there is none or its runner has been lost."""
    turn = Turn.objects.filter(
        conversation_id=conversation_id, state=Turn.State.RUNNING, lease_until__gt=now(), stop_requested=False
    ).first()
    if turn is None:
        return None
    return TurnView(turn.pk, str(turn.message_id), turn.attempt, turn.partial_index, turn.partial_text, turn.runner)


def history(conversation: Conversation, *, limit: int = 20) -> list[Message]:
    """Return the newest messages that customers see from the current episode, oldest first."""
    parameters = [conversation.pk, conversation.workspace_id, conversation.episode_start_seq, limit]
    return [sql.loaded(Message, row) for row in sql.fetch(_HISTORY, parameters)][::-1]


def history_before_episode(conversation: Conversation, *, limit: int = 20) -> list[Message]:
    """Return the newest messages that customers see from before the current episode, oldest first."""
    before = Message.objects.filter(
        conversation=conversation, audience=Audience.EVERYONE, seq__lte=conversation.episode_start_seq
    )
    return list(before.order_by("-seq")[:limit])[::-1]


def message_by_client_id(conversation: Conversation, source: str, client_id: str) -> Message | None:
    found = sql.fetch(_BY_CLIENT_ID, [conversation.pk, conversation.workspace_id, source, client_id])
    return sql.loaded(Message, found[0]) if found else None


def with_last_text(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Add `last_text` to each conversation: the beginning of the last message by a person or the assistant."""
    messages = Message.objects.filter(conversation=OuterRef("pk"), audience=Audience.EVERYONE).exclude(
        source=Source.SYSTEM
    )
    last = messages.order_by("-seq").values(begin=Left("text", 400))[:1]
    return conversations.annotate(last_text=Subquery(last))


def first_unanswered_seq(conversation: Conversation) -> int | None:
    """Return the seq of the customer's first unanswered message; None if all are answered."""
    waiting = Message.objects.filter(
        conversation=conversation, source=Source.CUSTOMER, seq__gt=conversation.answered_seq
    )
    first: int | None = waiting.aggregate(first=Min("seq"))["first"]
    return first


def answer_to(conversation_id: UUID, seq: int) -> UUID | None:
    """Return the id of the message that answers or will answer the one at `seq`; None if no runner has claimed the turn
    yet.
    """
    turn = Turn.objects.filter(conversation_id=conversation_id, from_seq__lt=seq, through_seq__gte=seq)
    return turn.order_by("-created_at", "-id").values_list("message_id", flat=True).first()


def languages_in_use() -> list[str]:
    """Return the languages of pages with chats, such as `de` and `en`, in alphabetical order, at most `MAX_LANGUAGES`.
    Takes one index look-up per language, however many regions and conversations there are.
    """
    rows = sql.fetch(_LOCALES, {"workspace": current_workspace_id(), "most": MAX_LANGUAGES})
    return sorted({base_language(locale) for (locale,) in rows})


def rated(conversations: QuerySet[Conversation], how: str) -> QuerySet[Conversation]:
    """Return the conversations whose score is in the range that `RATED` defines for `how`."""
    # Use the relation's name, because ratings belong to the widget, which this package does not import.
    scored = Conversation.objects.filter(pk=OuterRef("pk"), ratings__score__in=RATED[how])
    return conversations.filter(Exists(scored))
