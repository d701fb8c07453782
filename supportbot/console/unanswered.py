"""Unanswered questions: what the assistant did not know, with links to write an article.

An answer that the checks held back is not a gap in the articles; a filter of the conversations finds those.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now

from supportbot.chat.models import Audience, Message, Source
from supportbot.console.entry import needs
from supportbot.console.rights import may

DAYS: Final = 30
MOST_READ: Final = 500
_SIGNS: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Question:
    """One question, ignoring case and punctuation; `conversation` is the latest that contains it."""

    text: str
    times: int
    last_at: datetime
    conversation: UUID


def unanswered(request: HttpRequest) -> HttpResponse:
    """List the unanswered questions, most frequent first."""
    person = needs(request, "kb:read")
    context = {
        **admin.site.each_context(request),
        "title": "Unanswered",
        "questions": questions(),
        "days": DAYS,
        "may_write": may(person, "kb:write"),
        "reads_conversations": may(person, "conversations:read"),
    }
    return render(request, "console/unanswered.html", context)


def questions() -> list[Question]:
    """Return the workspace's unanswered questions of the last days, most frequent first."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in _abstentions()[:MOST_READ]:
        if row.asked:
            groups[_SIGNS.sub(" ", row.asked).strip().casefold()].append(row)
    found = [_question(rows) for rows in groups.values()]
    return sorted(found, key=lambda question: (-question.times, -question.last_at.timestamp()))


def _question(rows: list[Any]) -> Question:
    newest = rows[0]
    return Question(newest.asked, len(rows), newest.created_at, newest.conversation_id)


def _abstentions() -> QuerySet[Any]:
    """Return abstentions, newest first, each with the customer message before it."""
    asked = Message.objects.filter(
        conversation=OuterRef("conversation"), source=Source.CUSTOMER, seq__lt=OuterRef("seq")
    ).order_by("-seq")
    rows = Message.objects.filter(
        source=Source.ASSISTANT,
        is_abstention=True,
        is_held_back=False,
        audience=Audience.EVERYONE,
        created_at__gte=now() - timedelta(days=DAYS),
    )
    return rows.annotate(asked=Subquery(asked.values("text")[:1])).order_by("-created_at", "-id")
