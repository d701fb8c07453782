"""The only way to get a conversation on behalf of a caller."""

from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from actions.audit import record_refusal
from supportbot.accounts.principals import Caller, CustomerCaller
from supportbot.chat.models import Conversation
from supportbot.errors import NotFound

# Write access includes reading; tickets are opened on conversations too.
OPENING_SCOPES: Final = ("conversations:read", "conversations:write", "tickets:write")


def conversations_of(caller: Caller) -> QuerySet[Conversation]:
    """Return the conversations a caller may list: a customer's own, all of the workspace for staff with the scope."""
    if isinstance(caller, CustomerCaller):
        return Conversation.objects.filter(workspace_id=caller.workspace_id, customer_id=caller.customer_id)
    if caller.may("conversations:read"):
        return Conversation.objects.filter(workspace_id=caller.workspace_id)
    return Conversation.objects.none()


def conversation_for(caller: Caller, conversation_id: UUID) -> Conversation:
    """Return the conversation; raises NotFound for a foreign one exactly as for a missing one, audited for customers.

    Staff need one of OPENING_SCOPES; the endpoint checks what they may do with it.
    """
    if isinstance(caller, CustomerCaller):
        conversations = conversations_of(caller)
    elif any(caller.may(scope) for scope in OPENING_SCOPES):
        conversations = Conversation.objects.filter(workspace_id=caller.workspace_id)
    else:
        raise NotFound()
    conversation = conversations.filter(pk=conversation_id).first()
    if conversation is None:
        error = NotFound()
        if isinstance(caller, CustomerCaller):  # for foreign and missing ones alike, so that timing reveals nothing
            actor = f"customer:{caller.customer_id}"
            record_refusal("conversation.not_theirs", error, actor=actor, asked_for=str(conversation_id))
        raise error
    return conversation
