"""Mail to customers who have left the chat."""

# The former path of the outbox consumer, which `OUTBOX_CONSUMERS` may contain until 0.3.
from supportbot.handoff.mail.delivery import on_agent_replied

__all__ = ["on_agent_replied"]
