"""The old path of `actions.erasure`, which settings may still name; it goes with release 0.3."""

from actions.erasure import on_conversation_erased, on_customer_forgotten

__all__ = ["on_conversation_erased", "on_customer_forgotten"]
