"""What colleagues wrote of a customer goes with the customer's chats; the record of money and its audit stay whole."""

from uuid import uuid4

import pytest

from actions import audit
from actions.models import ActionRequest, AuditEntry
from actions.principals import Principal
from actions.services import confirm, propose, reject
from actions.testing import FakeShop
from supportbot.accounts.models import User
from supportbot.chat.services import start_conversation
from supportbot.outbox.services import announce, deliver_due
from tests.actions.conftest import REFUND, limit

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("topic", ["conversation_erased", "customer_forgotten"])
def test_the_words_of_a_rejection_are_forgotten(
    shop: FakeShop, principal: Principal, approver: User, topic: str
) -> None:
    limit("refund_order", max_per_customer_year=None)
    wish = {**REFUND, "order_id": "A-1002"}
    conversation = start_conversation(principal.customer_id)
    waiting = propose(principal, "refund_order", wish, proposal_key="turn:1:2", conversation_id=conversation.pk)
    confirm(waiting.pk, principal=principal, digest=waiting.digest)
    reject(waiting.pk, approver=approver, words="You have had three refunds.", note="Tries it every week")
    other = uuid4()
    announce(topic, other, workspace_id=waiting.workspace_pk)
    deliver_due()
    waiting.refresh_from_db()
    assert waiting.reason_facts["note"] == "Tries it every week"

    whose = {"conversation_erased": waiting.conversation_id, "customer_forgotten": waiting.customer_id}[topic]
    assert whose is not None
    for _ in range(2):
        announce(topic, whose, workspace_id=waiting.workspace_pk)
        deliver_due()
    after = ActionRequest.objects.get(pk=waiting.pk)
    assert (after.reason_code, after.reason_facts) == ("rejected", {})
    assert (after.arguments, after.amount, after.state) == (waiting.arguments, waiting.amount, "rejected")
    assert AuditEntry.objects.filter(request_id=waiting.pk, event="words.erased").count() == 1
    assert audit.verify().is_whole
