"""The only way to get a conversation on behalf of a caller."""

from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from actions.audit import record_refusal
from supportbot.accounts.principals import Caller, CustomerCaller
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import conversation_in_scope
from supportbot.errors import NotFound

# Write access includes reading, and tickets also give access to conversations.
OPENING_SCOPES: Final = ("conversations:read", "conversations:write", "tickets:write")


def conversations_of(caller: Caller) -> QuerySet[Conversation]:
    """Return the conversations that a caller may list: a customer's own or, for staff with the scope, all those of the
    workspace.
    """
    if isinstance(caller, CustomerCaller):
        return Conversation.objects.filter(workspace_id=caller.workspace_id, customer_id=caller.customer_id)
    if caller.may("conversations:read"):
        return Conversation.objects.filter(workspace_id=caller.workspace_id)
    return Conversation.objects.none()


def conversation_for(caller: Caller, conversation_id: UUID) -> Conversation:
    """Return the conversation. Raises NotFound if it does not exist or belongs to another customer; a customer's
    attempt is audited.

    Staff need one of OPENING_SCOPES; the endpoint checks further rights.
    """
    if not _may_open_any(caller):
        raise NotFound()
    conversation = conversation_in_scope(conversation_id)
    if conversation is None or not is_open_to(caller, conversation):
        error = NotFound()
        # the query is the same for another customer's conversation and for a missing one, so timing reveals nothing
        if isinstance(caller, CustomerCaller):
            actor = f"customer:{caller.customer_id}"
            record_refusal("conversation.not_theirs", error, actor=actor, asked_for=str(conversation_id))
        raise error
    return conversation


def is_open_to(caller: Caller, conversation: Conversation) -> bool:
    """Return whether `conversation_for` would return this conversation. Nothing is audited."""
    is_theirs = not isinstance(caller, CustomerCaller) or conversation.customer_id == caller.customer_id
    return _may_open_any(caller) and is_theirs and conversation.workspace_id == caller.workspace_id


def _may_open_any(caller: Caller) -> bool:
    return isinstance(caller, CustomerCaller) or any(caller.may(scope) for scope in OPENING_SCOPES)
