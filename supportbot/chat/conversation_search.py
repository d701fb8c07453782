"""Finds conversations by their content, customer or order number."""

import json
from collections.abc import Sequence
from functools import reduce
from math import ceil
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Upper

from actions.models import ActionRequest
from supportbot.accounts.models import Customer
from supportbot.bulk_reads import IdIn, wide_reads
from supportbot.chat.models import Conversation, Message
from supportbot.word_search import HasWord, Words, words_of

CUSTOMER_WORDS = ("name", "email", "external_id")
NEWEST: Final = ("-last_event_at", "pk")
# If a word occurs in this many messages, the newest conversations are checked for it first. At this number, with
# 1,200,000 messages in total, both methods take 50 ms: sorting all matches from the index, and checking a few thousand
# conversations.
COMMON: Final = 50_000
MOST_CHECKED: Final = 4_000
# The first page is twice as long as the results, because about half of the conversations contain a common word. Later
# pages are a little longer than they probably need to be.
FIRST_PAGE: Final = 2
MARGIN: Final = 1.25


def newest_with(query: str, limit: int) -> list[UUID]:
    """Return the ids of conversations that contain all words of a query, those with the newest events first. A query
    without words finds nothing.

    A word may occur in a message or note, in the customer's name, address or id, or at the beginning of the number of
    an order or other record in one of the conversation's requests.
    """
    return first_with(query, Conversation.objects.order_by(*NEWEST), conversation="pk", limit=limit)


def first_with(query: str, rows: QuerySet[Any], *, conversation: str, limit: int) -> list[UUID]:
    """Return the keys of the first `limit` rows whose conversation contains all words, in the order of the rows.

    Rare words are looked up in the index. For a word that occurs in nearly every conversation, the index would return
    hundreds of thousands of rows to sort. Instead, such words are checked in the first rows that match the rare words.
    """
    words = words_of(query)
    if not words:
        return []
    with wide_reads():
        common = [word for word in words if _estimated_matches(word) >= COMMON]
        rare = [word for word in words if word not in common]
        if common:
            found, is_complete = _containing(_matching(rows, conversation, rare), conversation, common, limit)
            if is_complete:
                return found
        return list(_matching(rows, conversation, words).values_list("pk", flat=True)[:limit])


def _matching(rows: QuerySet[Any], conversation: str, words: Sequence[str]) -> QuerySet[Any]:
    """Return the rows whose conversation contains all words. Uses the index."""
    if not words:
        return rows
    of_each = [_ids_with(word) for word in words]
    return rows.filter(**{f"{conversation}__in": reduce(lambda found, more: found.intersection(more), of_each)})


def _estimated_matches(word: str) -> float:
    """Return roughly how many messages and customers contain a word, according to the database's statistics."""
    rows = (Message.objects.filter(HasWord(Words("text"), word)), Customer.objects.filter(_is_of(word)))
    return sum(float(json.loads(one.order_by().explain(format="json"))[0]["Plan"]["Plan Rows"]) for one in rows)


def _containing(rows: QuerySet[Any], conversation: str, words: Sequence[str], limit: int) -> tuple[list[UUID], bool]:
    """Return the keys of the first `limit` rows whose conversation contains all words, and whether the search is
    complete. It reads `MOST_CHECKED` rows at most, page by page.
    """
    found: list[UUID] = []
    checked, size = 0, FIRST_PAGE * limit
    while checked < MOST_CHECKED:
        size = min(size, MOST_CHECKED - checked)
        page = list(rows.values_list("pk", conversation)[checked : checked + size])
        found += _keys_with(words, page)
        if len(found) >= limit or len(page) < size:
            return found[:limit], True
        checked += size
        size = ceil(MARGIN * (limit - len(found)) * checked / max(1, len(found)))
    return found, False


def _keys_with(words: Sequence[str], page: Sequence[tuple[UUID, UUID]]) -> list[UUID]:
    """Return the keys of the rows in a page (key, conversation) whose conversation contains all words."""
    for word in words:
        having = {pk for (pk,) in _ids_with(word, [conversation for _, conversation in page])}
        page = [pair for pair in page if pair[1] in having]
    return [key for key, _ in page]


def _is_of(word: str) -> HasWord:
    return HasWord(Words(*CUSTOMER_WORDS), word)


def _requests_about(word: str) -> QuerySet[Any]:
    requests = ActionRequest.objects.filter(conversation_id__isnull=False)
    return requests.annotate(subject=Upper("subject_id")).filter(subject__startswith=word.upper())


def _ids_with(word: str, among: Sequence[UUID] | None = None) -> QuerySet[Any, Any]:
    """Return the ids of the conversations that contain a word; if `among` is given, only those in it."""
    messages = Message.objects.filter(HasWord(Words("text"), word)).order_by()
    theirs = Conversation.objects.filter(customer__in=Customer.objects.filter(_is_of(word))).order_by()
    requests = _requests_about(word).order_by()
    if among is not None:
        messages, theirs = messages.filter(IdIn("conversation_id", among)), theirs.filter(IdIn("id", among))
        requests = requests.filter(IdIn("conversation_id", among))
    return messages.values_list("conversation_id").union(
        theirs.values_list("pk"), requests.values_list("conversation_id")
    )
