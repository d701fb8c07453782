"""Finding conversations by their content, their customer or an order number."""

from functools import reduce
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Upper

from actions.models import ActionRequest
from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation, Message
from supportbot.wide_reads import wide_reads
from supportbot.wordsearch import HasWord, Words, words_of

CUSTOMER_WORDS = ("name", "email", "external_id")


def conversations_with(query: str) -> QuerySet[Conversation]:
    """Return the workspace's conversations that contain all words of a query, unordered; none without words. A word may
    occur in a message or note, in the customer's name, address or id, or begin the number of an order or other record
    that one of its requests is about.
    """
    words = words_of(query)
    if not words:
        return Conversation.objects.none()
    of_each = [_ids_with(word) for word in words]
    return Conversation.objects.filter(pk__in=reduce(lambda found, more: found.intersection(more), of_each))


def newest_with(query: str, limit: int) -> list[UUID]:
    """Return the ids of these conversations, newest events first."""
    with wide_reads():
        found = conversations_with(query).order_by("-last_event_at", "pk")
        return list(found.values_list("pk", flat=True)[:limit])


def _ids_with(word: str) -> QuerySet[Any, Any]:
    """Return the ids of conversations that contain one word."""
    messages = Message.objects.filter(HasWord(Words("text"), word)).order_by()
    customers = Customer.objects.filter(HasWord(Words(*CUSTOMER_WORDS), word))
    theirs = Conversation.objects.filter(customer__in=customers).order_by()
    requests = ActionRequest.objects.filter(conversation_id__isnull=False)
    about = requests.annotate(subject=Upper("subject_id")).filter(subject__startswith=word.upper())
    return messages.values_list("conversation_id").union(
        theirs.values_list("pk"), about.order_by().values_list("conversation_id")
    )
