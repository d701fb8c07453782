from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot.chat.models import Audience, Message, Source
from supportbot.errors import NotFound
from supportbot.widget.models import Rating


@transaction.atomic
def rate(conversation_id: UUID, *, score: int, comment: str, message_id: UUID | None) -> Rating:
    """Keep the customer's score; a second one of the same answer replaces it. Raises NotFound for a foreign answer."""
    if message_id is not None:
        # Of the assistant's or of a person's; a note among colleagues is not there for a customer.
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
        defaults={"score": score, "comment": comment, "created_at": now()},
    )
    return rating
