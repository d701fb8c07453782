"""Run by an old version's `manage.py shell`: customers with old chats, one with an agent, one waiting. Uses only names
that exist in every version since 0.1.0.
"""

import asyncio
from datetime import timedelta

from django.db.models import F
from django.utils.timezone import now

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.awaited_turn import ask, conversation_to_ask_in
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.services import add_agent_message, add_customer_message

try:
    from supportbot.handoff.tickets import services as handoff
except ImportError:
    from supportbot.handoff import services as handoff

QUESTIONS = ("How should I wash a rain jacket?", "How long do I have to return something?")


def talk(customer: str) -> Conversation:
    Customer.objects.create(external_id=customer, name=customer.title())
    conversation = conversation_to_ask_in(customer, None, locale="en")
    for question in QUESTIONS:
        asyncio.run(ask(conversation, question))
    return conversation


with workspace_scope(Workspace.objects.get().pk):
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
