"""The former path of `on_customer_message`, for a `CHAT_FRONT_DESK` that names it. Until 0.3."""

from supportbot.handoff.tickets.customer_messages import on_customer_message

__all__ = ["on_customer_message"]
