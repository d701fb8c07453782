"""Erasing a customer's chats removes colleagues' texts and unconfirmed requests; the record of money stays intact."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from actions import audit
from actions.cards import card_of
from actions.models import ActionRequest, AuditEntry
from actions.principals import Principal
from actions.requests.sweeps import expire_waiting
from actions.services import confirm, decline, propose, reject
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import User
from supportbot.accounts.principals import CustomerCaller
from supportbot.chat.erasure import erase_conversation
from supportbot.chat.services import start_conversation
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.services import announce
from tests.actions.conftest import REFUND, limit

pytestmark = pytest.mark.django_db


@pytest.mark.one_in(2)
@pytest.mark.parametrize("topic", ["conversation_erased", "customer_forgotten"])
def test_the_reason_of_a_rejection_is_erased(shop: FakeShop, principal: Principal, approver: User, topic: str) -> None:
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


@pytest.mark.one_in(2)
@pytest.mark.parametrize("topic", ["conversation_erased", "customer_forgotten"])
def test_unconfirmed_requests_are_erased(shop: FakeShop, principal: Principal, topic: str) -> None:
    conversation = start_conversation(principal.customer_id)

    def wish(number: int, **arguments: str) -> ActionRequest:
        return propose(
            principal, "refund_order", {**REFUND, "reason": "My son is ill", **arguments},
            proposal_key=f"turn:1:{number}", conversation_id=conversation.pk,
        )  # fmt: skip

    done, refused, declined, open_card = (
        wish(1),
        wish(2, order_id="B-2002"),
        wish(3, amount="1.00"),
        wish(4, amount="2"),
    )
    confirm(done.pk, principal=principal, digest=done.digest)
    run_queued()
    decline(declined.pk, principal=principal)
    for _ in range(2):
        announce(topic, getattr(done, topic.partition("_")[0] + "_id"), workspace_id=done.workspace_pk)
        deliver_due()
    rows = {row.pk: row for row in ActionRequest.objects.all()}
    assert [(rows[card.pk].arguments, rows[card.pk].shown) for card in (refused, declined)] == [({}, {})] * 2
    assert card_of(rows[declined.pk]).summary == "Refund an order"
    assert rows[done.pk].arguments == done.arguments and rows[done.pk].shown == done.shown
    # Kept until the request is final, since its digest covers them.
    assert rows[open_card.pk].arguments == open_card.arguments
    assert AuditEntry.objects.filter(event="wish.erased").count() == 2
    assert audit.verify().is_whole


def test_a_card_that_outlives_its_chat_is_erased_once_final(shop: FakeShop, principal: Principal) -> None:
    conversation = start_conversation(principal.customer_id)
    card = propose(principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=conversation.pk)
    deliver_due()
    asking = CustomerCaller(conversation.workspace_pk, principal.customer_id, is_verified=True)
    erase_conversation(asking, conversation.pk)
    deliver_due()
    ActionRequest.objects.update(expires_at=now() - timedelta(seconds=1))
    expire_waiting()
    deliver_due()
    card.refresh_from_db()
    assert (card.state, card.arguments, card.shown) == (State.EXPIRED, {}, {})


def test_confirmed_requests_keep_their_arguments(card: ActionRequest, principal: Principal, shop: FakeShop) -> None:
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
        ActionRequest.objects.filter(pk=card.pk).update(arguments={})
