"""Signing in during a conversation."""

from uuid import UUID

from django.db import transaction

from supportbot.accounts.customers import customer_by_token
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.models import Channel, Customer
from supportbot.accounts.principals import CustomerCaller
from supportbot.chat.event_log import lock_conversation, touch
from supportbot.chat.models import Conversation
from supportbot.errors import NotFound
from supportbot.widget.errors import SubjectMismatch


@transaction.atomic
def identify(conversation_id: UUID, *, channel_id: UUID, token: str) -> CustomerCaller:
    """Bind a visitor's conversation to the customer named in a token, and return the new caller.

    Raises InvalidToken, or SubjectMismatch if the conversation already belongs to another customer. In both cases,
    nothing changes.
    """
    channel = Channel.objects.filter(pk=channel_id, is_live=True).first()
    if channel is None:
        raise NotFound()
    try:
        signed_in = customer_by_token(channel, token)
    except InvalidToken as error:
        raise InvalidToken(error.message, fields={"token": [error.message]}) from error
    if not signed_in.is_verified:
        raise InvalidToken("A visitor's pass cannot sign a customer in. Send an identity token.")
    bind(conversation_id, signed_in)
    return signed_in


@transaction.atomic
def bind(conversation_id: UUID, customer: CustomerCaller) -> Conversation:
    """Bind a visitor's conversation to a signed-in customer.

    Raises SubjectMismatch if it already belongs to another customer.
    """
    conversation = lock_conversation(conversation_id)
    if conversation.customer_id == customer.customer_id:
        return conversation
    owner = Customer.objects.get(pk=conversation.customer_id)
    if not owner.is_anonymous:
        raise SubjectMismatch()
    touch(conversation, customer_id=customer.customer_id)
    return conversation
