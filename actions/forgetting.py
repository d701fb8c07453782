"""What a record of money loses when its chat or its customer is erased: what people wrote about them.

The record itself stays, with the arguments that were confirmed and carried out. Hearing an announcement twice changes
nothing.
"""

from uuid import UUID

from django.db import transaction

from actions import audit
from actions.models import ActionRequest
from actions.states import State
from supportbot.outbox.models import Announcement


def on_conversation_erased(announcement: Announcement) -> None:
    """Forget what was written about an erased conversation's requests."""
    forget_words_about(announcement.object_id)


def forget_words_about(conversation_id: UUID) -> None:
    """Forget what was written about the requests of a conversation that is gone, be it after the erasure."""
    _forget_words(conversation_id=conversation_id)


def on_customer_forgotten(announcement: Announcement) -> None:
    """Forget what was written about a forgotten customer's requests."""
    _forget_words(customer_id=announcement.object_id)


@transaction.atomic
def _forget_words(**whose: UUID) -> None:
    """Take away what colleagues gave as their reason to reject; its entry in the audit keeps the keyed hash alone."""
    rejected = ActionRequest.objects.filter(state=State.REJECTED, **whose).exclude(reason_facts={})
    for request in rejected.order_by("pk").select_for_update(no_key=True):
        request.reason_code, request.reason_facts = "rejected", {}
        request.save(update_fields=["reason_code", "reason_facts"])
        audit.record("words.erased", actor="system", request_id=request.pk)
