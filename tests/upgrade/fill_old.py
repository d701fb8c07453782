"""Run by an old version's `manage.py shell`: customers with old chats, one with an agent, one waiting; a refund and an
article whose tasks are in the broker. It uses the names of these versions, not those of today.
"""

import asyncio
import os
import time
from datetime import timedelta

from django.db.models import F
from django.utils.timezone import now

from actions.merchant_connection import connect_merchant
from actions.principals import operator_for
from actions.services import confirm, propose
from kb.services import Change, create_article
from kb.services import publish as publish_article
from kb.tasks import on_article_changed
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.asking import ask, conversation_to_ask_in
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.services import add_agent_message, add_customer_message
from supportbot.outbox.models import Announcement

try:
    from supportbot.handoff.tickets import services as handoff
except ImportError:
    from supportbot.handoff import services as handoff

REFUND = {"order_id": "WF-20410", "reason": "The pole is broken."}  # of cus_1004, in every version's shop
QUESTIONS = ("How should I wash a rain jacket?", "How long do I have to return something?")


def talk(customer: str) -> Conversation:
    Customer.objects.create(external_id=customer, name=customer.title())
    conversation = conversation_to_ask_in(customer, None, locale="en")
    for question in QUESTIONS:
        asyncio.run(ask(conversation, question))
    return conversation


def queue_refund() -> None:
    """Confirm a refund; no worker of this version carries it out."""
    workspace = Workspace.objects.get()
    connect_merchant(f"http://127.0.0.1:{os.environ['SHOP_PORT']}/merchant/v1", os.environ["SECRET"], actor="system")
    customer = Customer.objects.create(external_id="cus_1004", name="Fourth", workspace=workspace)
    principal = operator_for(customer, "old")
    request = propose(principal, "refund_order", REFUND, proposal_key="old")
    request = confirm(request.pk, principal=principal, digest=request.digest)
    assert request.state == "queued", request.state


def queue_article() -> None:
    """Publish an article; no worker of this version indexes it."""
    article = create_article(Change(title="Tarps", body="A tarp is waterproof up to 4000 millimetres."))
    publish_article(article.pk)
    for announcement in Announcement.objects.filter(object_id=article.pk):
        on_article_changed(announcement)
    Announcement.objects.filter(object_id=article.pk).update(delivered_at=now())


with workspace_scope(Workspace.objects.get().pk):
    queue_refund()
    queue_article()
    time.sleep(5)  # threads publish the tasks
    agent = User.objects.get(username="maria")
    talk("old")
    held = talk("held")
    ticket = handoff.request(held.pk, reason="customer_asked", by="customer", summary="Wants to talk")
    handoff.claim(ticket.pk, agent=agent)
    add_customer_message(held.pk, text="Are you there?", client_id="there")
    add_agent_message(held.pk, text="Yes, I am looking into it.", author=agent, client_id="yes")
    handoff.request(talk("waiting").pk, reason="no_answer", by="assistant", summary="Asked about a tent")
    add_customer_message(talk("pending").pk, text="How long does delivery to Germany take?", client_id="pending")
    # All of it happened an hour ago, so that everything due after minutes is due.
    for model in (ConversationEvent, Message, Turn):
        model.objects.update(created_at=F("created_at") - timedelta(hours=1))
    type(ticket).objects.update(
        claimed_at=F("claimed_at") - timedelta(hours=1), waiting_since=now() - timedelta(minutes=1)
    )
