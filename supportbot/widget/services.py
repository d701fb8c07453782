"""What customers do in their own conversation, apart from writing: end it, stop waiting, rate answers, confirm or
decline cards, and undo actions.

A conversation that has ended accepts no more messages from the customer or the assistant. In the log, the end is a
system `message` with `ends`. Just before that, the answer being written is stopped and an agent's ticket is resolved.
Confirmed actions continue, and their outcome is still reported: ending a chat does not stop a payment.
"""

from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from actions import services as actions
from actions.principals import principal_of
from actions.requests.undo import propose_undo
from supportbot.accounts.confirmation_permission import check_may_confirm_here
from supportbot.accounts.principals import CustomerCaller
from supportbot.chat.customer_language import customer_language
from supportbot.chat.event_log import append_event, is_open, lock_conversation, touch
from supportbot.chat.models import Audience, Message, Source
from supportbot.chat.notices import end_notice
from supportbot.chat.services import add_system_message
from supportbot.chat.turns import mark_answered, stop_now
from supportbot.errors import NotFound
from supportbot.handoff.models import State
from supportbot.handoff.tickets import services as handoff
from supportbot.handoff.tickets.selectors import open_ticket_for
from supportbot.outbox.services import announce
from supportbot.widget.models import Rating


@transaction.atomic
def end_conversation(conversation_id: UUID) -> None:
    """End a conversation. Does nothing if it has already ended. Raises NotFound."""
    conversation = lock_conversation(conversation_id)
    if not is_open(conversation):
        return
    stop_now(conversation)
    conversation.refresh_from_db()
    mark_answered(conversation, conversation.last_seq)  # no answer is due any longer
    ticket = open_ticket_for(conversation_id)
    if ticket is not None:
        handoff.end(conversation, handoff.lock_ticket(ticket.pk), State.RESOLVED, by="customer")
    add_system_message(conversation, end_notice(customer_language(conversation)), ends=True)
    touch(conversation, ended_at=now())
    announce("conversation_changed", conversation.pk, workspace_id=conversation.workspace_pk)


@transaction.atomic
def stop_waiting(conversation_id: UUID) -> None:
    """Withdraw a request for an agent; the assistant then answers again.

    Does nothing if there is no open request or an agent has already joined.
    """
    conversation = lock_conversation(conversation_id)
    ticket = open_ticket_for(conversation_id)
    if ticket is not None and handoff.lock_ticket(ticket.pk).state == State.WAITING:
        handoff.end(conversation, ticket, State.RETURNED, by="customer")


@transaction.atomic
def rate(conversation_id: UUID, *, score: int, comment: str, message_id: UUID | None, reason: str = "") -> Rating:
    """Store a customer's rating. A second rating of the same answer replaces the first. The team sees ratings in the
    log.

    Raises NotFound if the answer is not in this conversation.
    """
    conversation = lock_conversation(conversation_id)
    if message_id is not None:
        # Customers can rate answers of the assistant and of agents; internal notes do not exist for them.
        answers = Message.objects.filter(
            conversation_id=conversation_id,
            source__in=[Source.ASSISTANT, Source.AGENT],
            audience=Audience.EVERYONE,
        )
        if not answers.filter(pk=message_id).exists():
            raise NotFound("There is no answer with this id in the conversation.", fields={"message": ["Unknown."]})
    rating, _ = Rating.objects.update_or_create(
        conversation_id=conversation_id,
        message_id=message_id,
        defaults={"score": score, "comment": comment, "reason": reason, "created_at": now()},
    )
    details = {"message": str(message_id) if message_id else "", "reason": reason, "comment": comment}
    payload = {"score": score} | {name: value for name, value in details.items() if value}
    append_event(conversation, "rated", payload, audience=Audience.STAFF)
    return rating


def confirm(_conversation_id: UUID, *, caller: CustomerCaller, request: UUID, digest: str) -> None:
    """Confirm the customer's own card exactly as it was shown. The log reports the outcome.

    Raises NotFound for another customer's request, ConfirmOnHostedPage if the channel accepts confirmations only on its
    hosted page, IdentityExpired, and the errors of `actions.services.confirm`.
    """
    check_may_confirm_here(caller)
    actions.confirm(request, principal=principal_of(caller), digest=digest)


def decline(_conversation_id: UUID, *, caller: CustomerCaller, request: UUID) -> None:
    """Decline the customer's own card, or withdraw a request that has not been sent yet.

    Raises NotFound or NotWaiting.
    """
    actions.decline(request, principal=principal_of(caller))


def undo(_conversation_id: UUID, *, caller: CustomerCaller, request: UUID) -> None:
    """Propose the action that undoes one of the customer's requests. The log gets a card, or the reason why this is
    refused.

    Raises NotFound, CannotUndo, NotSignedIn or MerchantUnavailable.
    """
    propose_undo(principal_of(caller), request)
