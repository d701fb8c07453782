"""The former path of `actions.erasure`, which settings may still name; to be removed in 0.3."""

from actions.erasure import on_conversation_erased, on_customer_forgotten

__all__ = ["on_conversation_erased", "on_customer_forgotten"]
