"""What the record of requests loses when its chat or its customer is erased: what people wrote about them, and what was
only proposed.

The record of money itself stays, with the arguments that were confirmed. Hearing an announcement twice changes nothing.
"""

from uuid import UUID

from django.db import transaction

from actions import audit
from actions.models import ActionRequest
from actions.states import FINAL, State
from supportbot.outbox.models import Announcement


def on_conversation_erased(announcement: Announcement) -> None:
    """Forget what was written about an erased conversation's requests, and wished in vain."""
    forget_words_about(announcement.object_id)


def forget_words_about(conversation_id: UUID) -> None:
    """Forget what was written about the requests of a conversation that is gone, be it after the erasure."""
    _forget(conversation_id=conversation_id)


def on_customer_forgotten(announcement: Announcement) -> None:
    """Forget what was written about a forgotten customer's requests, and wished in vain."""
    _forget(customer_id=announcement.object_id)


@transaction.atomic
def _forget(**whose: UUID) -> None:
    _forget_words(**whose)
    _forget_wishes(**whose)


def _forget_words(**whose: UUID) -> None:
    """Take away what colleagues gave as their reason to reject; its entry in the audit keeps the keyed hash alone."""
    rejected = ActionRequest.objects.filter(state=State.REJECTED, **whose).exclude(reason_facts={})
    for request in rejected.order_by("pk").select_for_update(no_key=True):
        request.reason_code, request.reason_facts = "rejected", {}
        request.save(update_fields=["reason_code", "reason_facts"])
        audit.record("words.erased", actor="system", request_id=request.pk)


def _forget_wishes(**whose: UUID) -> None:
    """Take away what a customer wanted and nobody confirmed: their words, perhaps an address. No money moved by it."""
    over = ActionRequest.objects.filter(confirmed_by="", state__in=FINAL, **whose).exclude(arguments={}, shown={})
    for request in over.order_by("pk").select_for_update(no_key=True):
        request.arguments, request.shown = {}, {}
        request.save(update_fields=["arguments", "shown"])
        audit.record("wish.erased", actor="system", request_id=request.pk)
