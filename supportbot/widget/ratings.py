"""How customers rate a conversation or an answer in it."""

from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot.chat.event_log import append_event, lock_conversation
from supportbot.chat.models import Audience, Message, Source
from supportbot.errors import NotFound
from supportbot.widget.models import Rating


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
