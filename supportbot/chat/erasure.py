"""Erases conversations, or a customer with everything stored about them, in all packages.

Deleting a conversation cascades to its events, messages, citations, turns, tickets, e-mails, ratings and access rights.
The stored bodies of its model calls are found by its plain id. Financial records are kept, along with the ids of the
deleted conversation and customer.

Invariants: every writer to a conversation holds its row lock, so nothing is added after the erasure, and a running turn
loses its claim. If a model call ends after the erasure, the announcement or a sweep deletes its body.
"""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.module_loading import import_string

from actions import audit
from actions.models import ActionRequest
from actions.states import OPEN
from supportbot.accounts.models import Customer
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import across_workspaces
from supportbot.chat.access import conversations_of
from supportbot.chat.errors import NotSettled
from supportbot.chat.event_log import notify_desk, publish_after_commit
from supportbot.chat.models import Conversation
from supportbot.chat.signals import Erased
from supportbot.chat.turns import supersede_turns
from supportbot.errors import NotFound
from supportbot.llm.models import LLMBody
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import announce, announce_all


@transaction.atomic
def erase_conversation(caller: CustomerCaller, conversation_id: UUID) -> None:
    """Erase one of the caller's own conversations. Raises NotFound if it does not exist or belongs to someone else."""
    if not erase(_locked(caller, [conversation_id])):
        raise NotFound()


@transaction.atomic
def erase_all_conversations(caller: CustomerCaller) -> int:
    """Erase all conversations of the caller; return how many there were."""
    mine = conversations_of(caller).values_list("pk", flat=True)
    return erase(_locked(caller, list(mine)))


@transaction.atomic
def forget_customer(customer: Customer, *, actor: str = "system") -> int:
    """Erase a customer and all their conversations; return the number of conversations.

    Raises NotSettled if a request is open, and NotFound if the customer has been erased in the meantime.

    `ERASURE_OF_CUSTOMER` erases data in other packages that can only be found by the merchant's id for the customer,
    which is deleted here; the rest is announced as `customer_forgotten`. If the same person returns with a merchant
    token, they become a new customer without history.
    """
    if not Customer.objects.select_for_update().filter(pk=customer.pk):  # from now on, they cannot start a conversation
        raise NotFound()
    _check_settled(customer)
    for take_out in map(import_string, settings.ERASURE_OF_CUSTOMER):
        take_out(customer)
    mine = Conversation.objects.filter(customer=customer).order_by("pk").select_for_update()
    count = erase(list(mine))
    announce("customer_forgotten", customer.pk, workspace_id=customer.workspace_pk)
    audit.record("customer.forgotten", actor=actor, customer=str(customer.pk), conversations=count)
    customer.delete()
    return count


def _check_settled(customer: Customer) -> None:
    unsettled = ActionRequest.objects.filter(customer_id=customer.pk, state__in=[str(state) for state in OPEN])
    ids = list(unsettled.order_by("pk").values_list("pk", flat=True))
    if ids:
        raise NotSettled(ids)


def _locked(caller: CustomerCaller, conversation_ids: Sequence[UUID]) -> list[Conversation]:
    """Return those of the given conversations that belong to the caller, fully locked, so that no ticket can be issued
    for them.
    """
    mine = conversations_of(caller).filter(pk__in=conversation_ids).order_by("pk")
    return list(mine.select_for_update(of=("self",)))


def erase(conversations: Sequence[Conversation]) -> int:
    """Erase conversations of one workspace, which the caller has locked; return how many there were."""
    if not conversations:
        return 0
    ids = [conversation.pk for conversation in conversations]
    supersede_turns(*conversations)
    announce_all("conversation_erased", ids, workspace_id=conversations[0].workspace_pk)
    for conversation in conversations:
        publish_after_commit(conversation.pk, Erased())
        if conversation.mode != Conversation.Mode.ASSISTANT:  # it is in the desk's queue
            notify_desk(conversation)
    _forget_bodies(ids)
    Conversation.objects.filter(pk__in=ids).delete()
    return len(ids)


def on_conversations_erased(announcements: Sequence[Announcement]) -> None:
    """Delete the bodies of model calls that ended after the erasure. Safe to run twice."""
    _forget_bodies([one.object_id for one in announcements])


on_conversation_erased = on_conversations_erased  # the former name, which settings may use until 0.3


def _forget_bodies(conversation_ids: Sequence[UUID]) -> None:
    LLMBody.objects.filter(call__conversation_id__in=conversation_ids).delete()


def sweep_orphaned_bodies() -> int:
    """Delete the bodies of model calls about erased conversations in every workspace; return how many there were."""
    with across_workspaces("bodies of erased conversations"):
        there = Conversation.objects.filter(pk=OuterRef("call__conversation_id"))
        orphans = LLMBody.objects.filter(~Exists(there), call__conversation_id__isnull=False)
        deleted, _ = orphans.delete()
    return deleted
