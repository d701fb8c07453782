"""Signing in and out in the middle of a conversation."""

from uuid import UUID

from django.db import transaction

from supportbot.accounts.callers import CustomerCaller
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.models import Channel, Customer
from supportbot.accounts.selectors import customer_by_token
from supportbot.chat.log import lock_conversation, touch
from supportbot.chat.models import Conversation
from supportbot.errors import NotFound
from supportbot.widget.errors import OtherSubject


@transaction.atomic
def identify(conversation_id: UUID, *, channel_id: UUID, token: str) -> CustomerCaller:
    """Bind a visitor's conversation to the customer of a token; return who the caller is from now on.

    Raises InvalidToken, and OtherSubject when the conversation is somebody else's already: then nothing changes.
    """
    channel = Channel.objects.filter(pk=channel_id, is_live=True).first()
    if channel is None:
        raise NotFound()
    try:
        signed_in = customer_by_token(channel, token)
    except InvalidToken as error:
        raise InvalidToken(error.message, fields={"token": [error.message]}) from error
    if not signed_in.is_verified:
        raise InvalidToken("A visitor's pass signs nobody in.")
    bind(conversation_id, signed_in)
    return signed_in


@transaction.atomic
def bind(conversation_id: UUID, customer: CustomerCaller) -> Conversation:
    """Give a visitor's conversation to a signed-in customer, once; raises OtherSubject if another has it."""
    conversation = lock_conversation(conversation_id)
    if conversation.customer_id == customer.customer_id:
        return conversation
    owner = Customer.objects.get(pk=conversation.customer_id)
    if not owner.is_anonymous:
        raise OtherSubject()
    touch(conversation, customer_id=customer.customer_id)
    return conversation
