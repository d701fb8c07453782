"""The SQL statements of a chat turn. Each is built only once, while the ORM would build it in every step. Each is
equivalent to a queryset; `tests/chat/test_sql_statements.py` proves this. Statements that read a tenant's rows filter
by the scope's workspace, like the models' manager.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from supportbot import sql
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.chat.models import Conversation, Message, Turn

if TYPE_CHECKING:
    from supportbot.chat.turns import Claim, Heartbeat

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
# PostgreSQL checks the condition again after locking, so a turn that another runner took in the meantime does not
# match.
_CLAIMABLE: Final = f"""
SELECT {sql.columns(Turn, "t")}, {sql.columns(Conversation, "c")}
FROM chat_turn t JOIN chat_conversation c ON c.id = t.conversation_id
WHERE (
    t.state = 'pending' AND NOT EXISTS (
        SELECT FROM chat_turn r WHERE r.conversation_id = t.conversation_id AND r.state = 'running')
    OR t.state = 'running' AND t.lease_until < statement_timestamp())
  AND NOT t.id = ANY(%(in_hand)s) AND (%(only)s::uuid IS NULL OR t.conversation_id = %(only)s)
ORDER BY t.created_at LIMIT 1 FOR NO KEY UPDATE OF t, c SKIP LOCKED"""

_BEGIN: Final = """
UPDATE chat_turn SET state = 'running', from_seq = %s, through_seq = %s, attempt = %s, runner = %s, losses = %s,
    lease_until = statement_timestamp() + %s, started_at = statement_timestamp(), partial_text = '', partial_index = 0
WHERE id = %s"""
_HELD: Final = "t.id = %(turn)s AND t.state = 'running' AND t.attempt = %(attempt)s AND t.runner = %(runner)s"
_END: Final = f"""
UPDATE chat_turn t SET state = %(state)s, finished_at = statement_timestamp(), partial_text = ''
WHERE {_HELD}
RETURNING EXISTS (SELECT FROM chat_turn w WHERE w.conversation_id = t.conversation_id AND w.state = 'pending')"""
_EXTEND: Final = """
UPDATE chat_turn t SET lease_until = statement_timestamp() + %s, partial_text = b.text, partial_index = b.index
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::int[]) AS b(turn, attempt, runner, text, index)
WHERE t.id = b.turn AND t.state = 'running' AND t.attempt = b.attempt AND t.runner = b.runner
RETURNING t.id, t.stop_requested"""


def conversation_in_scope(conversation_id: UUID, *, is_locked: bool = False) -> Conversation | None:
    """Return a conversation of the scope's workspace, optionally locked; None if there is none."""
    statement = f"{_CONVERSATION} FOR NO KEY UPDATE" if is_locked else _CONVERSATION
    found = sql.fetch(statement, [conversation_id, current_workspace_id()])
    return sql.loaded(Conversation, found[0]) if found else None


def conversation_with_people(conversation_id: UUID) -> Conversation | None:
    """Return a conversation with its customer and workspace."""
    found = sql.fetch(_WITH_ITS_PEOPLE, [conversation_id, current_workspace_id()])
    if not found:
        return None
    conversation: Conversation
    conversation, customer, workspace = sql.loaded_together(found[0], Conversation, Customer, Workspace)
    conversation.customer, conversation.workspace = customer, workspace
    return conversation


def newest_messages(conversation: Conversation, *, limit: int) -> list[Message]:
    """Return the newest messages of the episode that are visible to customers, newest first."""
    parameters = [conversation.pk, conversation.workspace_id, conversation.episode_start_seq, limit]
    return [sql.loaded(Message, row) for row in sql.fetch(_HISTORY, parameters)]


def message_by_client_id(conversation: Conversation, source: str, client_id: str) -> Message | None:
    found = sql.fetch(_BY_CLIENT_ID, [conversation.pk, conversation.workspace_id, source, client_id])
    return sql.loaded(Message, found[0]) if found else None


def lock_claimable(*, only: UUID | None, in_hand: Collection[UUID]) -> Turn | None:
    """Return the oldest claimable turn of any workspace, locked with its conversation. Rows locked by others are
    skipped.
    """
    found = sql.fetch(_CLAIMABLE, {"only": only, "in_hand": list(in_hand)})
    if not found:
        return None
    turn: Turn
    turn, turn.conversation = sql.loaded_together(found[0], Turn, Conversation)
    return turn


def beginning_of(claim: "Claim", *, lease: timedelta, losses: int) -> sql.Statement:
    """Return the statement that stores a claim in its locked turn."""
    values = [claim.from_seq, claim.through_seq, claim.attempt, claim.runner, losses, lease, claim.turn_id]
    return sql.Statement(_BEGIN, values)


def end_turn(claim: "Claim", state: Turn.State) -> bool | None:
    """End a turn if the claim still holds it. Return whether another turn is waiting in its conversation, or None if
    the claim is lost.
    """
    found = sql.fetch(_END, {**_named(claim), "state": str(state)})
    return bool(found[0][0]) if found else None


def extend_leases(beats: Sequence["Heartbeat"], *, lease: timedelta) -> Mapping[UUID, bool]:
    """Extend the leases that still hold and save the text so far; return, by turn, whether a stop was requested."""
    claims = [beat.claim for beat in beats]
    parameters = [
        lease,
        [claim.turn_id for claim in claims],
        [claim.attempt for claim in claims],
        [claim.runner for claim in claims],
        [beat.text for beat in beats],
        [beat.index for beat in beats],
    ]
    return dict(sql.fetch(_EXTEND, parameters))


def _named(claim: "Claim") -> dict[str, Any]:
    return {"turn": claim.turn_id, "attempt": claim.attempt, "runner": claim.runner}
