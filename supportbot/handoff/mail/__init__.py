"""Mail to customers who have left the chat."""

# The former path of the outbox's consumer, for an `OUTBOX_CONSUMERS` that names it. Until 0.3.
from supportbot.handoff.mail.delivery import on_agent_replied

__all__ = ["on_agent_replied"]
