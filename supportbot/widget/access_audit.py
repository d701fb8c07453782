"""Records denied access to a channel in its workspace's audit trail, with the reason."""

from typing import Final
from uuid import UUID

from actions.audit import record_refusal
from supportbot.accounts.errors import AccountsError
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import NotFound, SupportBotError
from supportbot.rate_counters import count
from supportbot.widget.errors import OriginRefused, SubjectMismatch

# Anyone can send requests, so only the first few per minute are recorded: a flood must not fill the audit trail.
RECORDED_PER_MINUTE: Final = 60
_DENIALS: Final = (OriginRefused, SubjectMismatch, AccountsError, NotFound)


def record_denied_access(
    error: SupportBotError, *, workspace_id: UUID, channel_id: UUID, actor: str = "stranger"
) -> None:
    """Record in the audit trail a refused origin, an invalid credential, or an attempt to open someone else's
    conversation.
    """
    if not isinstance(error, _DENIALS) or count(f"turned-away:{channel_id}", seconds=60) > RECORDED_PER_MINUTE:
        return
    with workspace_scope(workspace_id):
        record_refusal("door.refused", error, actor=actor, channel=str(channel_id))
