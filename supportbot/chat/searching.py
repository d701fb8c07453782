"""Finding conversations by their content, their customer or an order number."""

import json
from collections.abc import Sequence
from functools import reduce
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Upper

from actions.models import ActionRequest
from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation, Message
from supportbot.query_settings import wide_reads
from supportbot.wordsearch import HasWord, Words, words_of

CUSTOMER_WORDS = ("name", "email", "external_id")
NEWEST: Final = ("-last_event_at", "pk")
# From so many messages with a word, conversations are looked through newest first. A thousand matches of an index take
# 3 ms to sort, a thousand messages 30 ms to look through: at one match in twelve messages, both ways take as long.
COMMON: Final = 100_000
SCANNED_AT_ONCE: Final = 500
MOST_SCANNED: Final = 3_000


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
    """Return the ids of these conversations, newest events first.

    A word that nearly every conversation contains has its matches among the newest ones, and the index would return
    hundreds of thousands to sort.
    """
    words = words_of(query)
    with wide_reads():
        if words and min(map(_estimated_matches, words)) >= COMMON:
            found = _among_the_newest(words, limit)
            if len(found) == limit:
                return found
        rows = conversations_with(query).order_by(*NEWEST)
        return list(rows.values_list("pk", flat=True)[:limit])


def _estimated_matches(word: str) -> float:
    """Return how many messages and customers contain a word, as the database estimates from its statistics."""
    rows = (Message.objects.filter(HasWord(Words("text"), word)), Customer.objects.filter(_is_of(word)))
    return sum(float(json.loads(one.order_by().explain(format="json"))[0]["Plan"]["Plan Rows"]) for one in rows)


def _among_the_newest(words: Sequence[str], limit: int) -> list[UUID]:
    """Return the newest conversations with all words, at most `limit`, among the newest `MOST_SCANNED`."""
    found: list[UUID] = []
    for first in range(0, MOST_SCANNED, SCANNED_AT_ONCE):
        newest = Conversation.objects.order_by(*NEWEST).values_list("pk", flat=True)
        some = list(newest[first : min(first + SCANNED_AT_ONCE, MOST_SCANNED)])
        rows = Conversation.objects.filter(pk__in=some)
        for word in words:
            rows = rows.filter(_has(word))
        found += rows.order_by(*NEWEST).values_list("pk", flat=True)[: limit - len(found)]
        if len(found) == limit or not some:
            break
    return found


def _has(word: str) -> Q:
    """Return the condition that a conversation contains a word, for a few conversations: each is looked through."""
    messages = Message.objects.filter(HasWord(Words("text"), word), conversation=OuterRef("pk"))
    customers = Customer.objects.filter(_is_of(word), pk=OuterRef("customer"))
    requests = _requests_about(word).filter(conversation_id=OuterRef("pk"))
    return Q(Exists(messages)) | Q(Exists(customers)) | Q(Exists(requests))


def _is_of(word: str) -> HasWord:
    return HasWord(Words(*CUSTOMER_WORDS), word)


def _requests_about(word: str) -> QuerySet[Any]:
    requests = ActionRequest.objects.filter(conversation_id__isnull=False)
    return requests.annotate(subject=Upper("subject_id")).filter(subject__startswith=word.upper())


def _ids_with(word: str) -> QuerySet[Any, Any]:
    """Return the ids of conversations that contain one word."""
    messages = Message.objects.filter(HasWord(Words("text"), word)).order_by()
    theirs = Conversation.objects.filter(customer__in=Customer.objects.filter(_is_of(word))).order_by()
    return messages.values_list("conversation_id").union(
        theirs.values_list("pk"), _requests_about(word).order_by().values_list("conversation_id")
    )
