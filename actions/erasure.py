"""Erasing personal data from requests when their chat or their customer is erased: free text, and unconfirmed requests.

The record of money stays, with the confirmed arguments. Receiving an announcement twice changes nothing.
"""

from uuid import UUID

from django.db import transaction

from actions import audit
from actions.models import ActionRequest
from actions.states import FINAL, State
from supportbot.outbox.models import Announcement


def on_conversation_erased(announcement: Announcement) -> None:
    """Erase free text and unconfirmed arguments from an erased conversation's requests."""
    erase_words_about(announcement.object_id)


def erase_words_about(conversation_id: UUID) -> None:
    """Erase the same from a conversation that is already gone, for text that was written after its erasure."""
    _erase(conversation_id=conversation_id)


def on_customer_forgotten(announcement: Announcement) -> None:
    """Erase free text and unconfirmed arguments from a forgotten customer's requests."""
    _erase(customer_id=announcement.object_id)


@transaction.atomic
def _erase(**whose: UUID) -> None:
    _erase_words(**whose)
    _erase_unconfirmed(**whose)


def _erase_words(**whose: UUID) -> None:
    """Remove the reasons that colleagues gave for rejections; the audit entry keeps only their keyed hash."""
    rejected = ActionRequest.objects.filter(state=State.REJECTED, **whose).exclude(reason_facts={})
    for request in rejected.order_by("pk").select_for_update(no_key=True):
        request.reason_code, request.reason_facts = "rejected", {}
        request.save(update_fields=["reason_code", "reason_facts"])
        audit.record("words.erased", actor="system", request_id=request.pk)


def _erase_unconfirmed(**whose: UUID) -> None:
    """Remove what a customer asked for and never confirmed: their words, perhaps an address. No money has moved."""
    over = ActionRequest.objects.filter(confirmed_by="", state__in=FINAL, **whose).exclude(arguments={}, shown={})
    for request in over.order_by("pk").select_for_update(no_key=True):
        request.arguments, request.shown = {}, {}
        request.save(update_fields=["arguments", "shown"])
        audit.record("wish.erased", actor="system", request_id=request.pk)
