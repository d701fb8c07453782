"""Erasing free text and unconfirmed arguments from requests when their chat or their customer is erased.

Financial records are kept, including the confirmed arguments. Receiving an announcement twice changes nothing.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from actions import audit
from actions.models import ActionRequest
from actions.reasons import FAILED, SETTLED, WORDS
from actions.states import FINAL, State
from supportbot.outbox.models import Announcement


def on_conversations_erased(announcements: Sequence[Announcement]) -> None:
    """Erase free text and unconfirmed arguments from the requests of several erased conversations."""
    _erase(conversation_id__in=[one.object_id for one in announcements])


on_conversation_erased = on_conversations_erased  # its former name, which settings may use until 0.3


def erase_words_about(conversation_id: UUID) -> None:
    """Erase free text and unconfirmed arguments that were written after a conversation's erasure."""
    _erase(conversation_id=conversation_id)


def on_customer_forgotten(announcement: Announcement) -> None:
    """Erase free text and unconfirmed arguments from a forgotten customer's requests."""
    _erase(customer_id=announcement.object_id)


@transaction.atomic
def _erase(**whose: Any) -> None:
    _erase_words(**whose)
    _erase_unconfirmed(**whose)


def _erase_words(**whose: Any) -> None:
    """Remove colleagues' reasons for rejections, their notes on outcomes, and the descriptions of where and why a
    definition failed, which may repeat values from the customer's records. The audit entry keeps only their keyed hash.
    """
    free_text = Q(state=State.REJECTED) | Q(reason_code__in=(*SETTLED, FAILED))
    written = ActionRequest.objects.filter(free_text, **whose).exclude(reason_facts={})
    for request in written.order_by("pk").select_for_update(no_key=True):
        if request.state == State.REJECTED:
            request.reason_code = "rejected"
        request.reason_facts = {}
        request.save(update_fields=["reason_code", "reason_facts"])
        audit.record("words.erased", actor="system", request_id=request.pk)


def _erase_unconfirmed(**whose: Any) -> None:
    """Remove what a customer requested but never confirmed: their words, perhaps an address. No money has moved."""
    over = ActionRequest.objects.filter(confirmed_by="", state__in=FINAL, **whose).exclude(arguments={}, shown={})
    for request in over.order_by("pk").select_for_update(no_key=True):
        request.arguments, request.shown = {}, {}
        # A defined action's refusal may repeat values of the customer's records.
        request.reason_facts = {name: fact for name, fact in request.reason_facts.items() if not name.startswith(WORDS)}
        request.save(update_fields=["arguments", "shown", "reason_facts"])
        audit.record("wish.erased", actor="system", request_id=request.pk)
