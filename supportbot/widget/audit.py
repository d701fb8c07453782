"""Who was turned away at a channel's door, and why, is put on record: in the audit chain of the channel's workspace."""

from typing import Final
from uuid import UUID

from actions.audit import record_refusal
from supportbot.accounts.errors import AccountsError
from supportbot.accounts.scope import workspace_scope
from supportbot.counting import count
from supportbot.errors import NotFound, SupportBotError
from supportbot.widget.errors import OriginRefused, OtherSubject

# Anybody may knock: of a storm, the first of a minute stand for the rest, and the chain is nobody's to fill.
NOTED_PER_MINUTE: Final = 60
_TURNED_AWAY: Final = (OriginRefused, OtherSubject, AccountsError, NotFound)


def note_turned_away(error: SupportBotError, *, workspace_id: UUID, channel_id: UUID, actor: str = "stranger") -> None:
    """Add an audit entry for a wrong origin, a proof that proves nothing, or a conversation that is not theirs."""
    if not isinstance(error, _TURNED_AWAY) or count(f"turned-away:{channel_id}", seconds=60) > NOTED_PER_MINUTE:
        return
    with workspace_scope(workspace_id):
        record_refusal("door.refused", error, actor=actor, channel=str(channel_id))
