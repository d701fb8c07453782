"""Findings in recent conversations: what may need improvement, with one finding for each answer or ticket.

Small talk is never a finding. Findings that someone has dealt with (`Handled`) are left out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery, UUIDField
from django.db.models.functions import Coalesce
from django.utils.timezone import now

from supportbot.builtin.phrases import cannot_take
from supportbot.chat.models import Audience, Citation, Message, Source
from supportbot.handoff.models import OfferedDraft, Requester, Ticket
from supportbot.insights.models import Handled
from supportbot.insights.outcome_rules import UNHAPPY
from supportbot.widget.models import Rating

DAYS: Final = 30
MOST: Final = 300
LEAST_REPLY: Final = 20  # characters; shorter replies, such as "One moment, please", correct nothing


class Kind(StrEnum):
    RATED_BAD = "rated_bad"
    UNANSWERED = "unanswered"
    WITHHELD = "withheld"
    CORRECTED = "corrected"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class Finding:
    """A question whose answer may be wrong or missing. `answer_id` is the id of the assistant's answer, if there is
    one.
    """

    kind: Kind
    subject: UUID
    conversation: UUID
    question: str
    answer: str
    answer_id: UUID | None
    at: datetime
    reason: str = ""  # the reason given with a rating
    comment: str = ""
    replies: tuple[str, ...] = ()  # what the team answered
    articles: tuple[UUID, ...] = ()  # the articles on which a draft was based


def findings(kind: Kind) -> list[Finding]:
    """Return the findings of a kind, newest first, at most `MOST`."""
    handled = set(Handled.objects.filter(kind=kind).values_list("subject", flat=True))
    found = [one for one in _FINDERS[kind]() if one.subject not in handled and one.question]
    replies = _replies_in({one.conversation for one in found})
    return [_with_replies(one, replies.get(one.conversation, ())) for one in found]


def _recent(rows: QuerySet[Any]) -> QuerySet[Any]:
    recent: QuerySet[Any] = rows.filter(created_at__gte=now() - timedelta(days=DAYS))
    return recent.order_by("-created_at", "-pk")


def _asked_before(seq: str) -> Subquery:
    questions = Message.objects.filter(
        conversation=OuterRef("conversation"), source=Source.CUSTOMER, courtesy="", seq__lt=OuterRef(seq)
    )
    return Subquery(questions.order_by("-seq").values("text")[:1])


def _answers() -> QuerySet[Any]:
    """Return the assistant's recent messages, each with the question before it."""
    rows = Message.objects.filter(source=Source.ASSISTANT, audience=Audience.EVERYONE)
    found: QuerySet[Any] = _recent(rows).annotate(asked=_asked_before("seq"))
    return found


def _of_answer(kind: Kind, row: Any, **more: Any) -> Finding:
    return Finding(kind, row.pk, row.conversation_id, row.asked or "", row.text, row.pk, row.created_at, **more)


def _rated_bad() -> list[Finding]:
    """Return the assistant's answers with a low rating. A rating of the chat counts for its last answer."""
    last = Message.objects.filter(conversation=OuterRef("conversation"), source=Source.ASSISTANT).order_by("-seq")
    agents = Message.objects.filter(
        conversation=OuterRef("conversation"), source=Source.AGENT, audience=Audience.EVERYONE
    )
    chats = Rating.objects.filter(message_id=None).exclude(Exists(agents))
    rows = (Rating.objects.filter(message_id__isnull=False) | chats).filter(score__lte=UNHAPPY)
    about = Coalesce(F("message_id"), Subquery(last.values("pk")[:1], output_field=UUIDField()))
    ratings = {one.about: one for one in _recent(rows).annotate(about=about)[:MOST]}
    answers = Message.objects.filter(pk__in=list(ratings), source=Source.ASSISTANT).annotate(asked=_asked_before("seq"))
    return [
        _of_answer(Kind.RATED_BAD, row, reason=ratings[row.pk].reason, comment=ratings[row.pk].comment)
        for row in answers.order_by("-created_at", "-pk")
    ]


def _unanswered() -> list[Finding]:
    rows = _answers().filter(is_abstention=True, is_withheld=False)
    # If the chat cannot prepare an action, that is not a gap in the articles.
    return [_of_answer(Kind.UNANSWERED, row) for row in rows[:MOST] if not cannot_take(row.text)]


def _withheld() -> list[Finding]:
    return [_of_answer(Kind.WITHHELD, row) for row in _answers().filter(is_withheld=True)[:MOST]]


def _corrected() -> list[Finding]:
    """Return corrected drafts, and answers from articles to questions that a person answered again afterwards."""
    answers = _answered_again()
    known = {(one.conversation, one.question) for one in answers}
    drafts = [one for one in _corrected_drafts() if (one.conversation, one.question) not in known]
    return sorted([*answers, *drafts], key=lambda one: one.at, reverse=True)[:MOST]


def _answered_again() -> list[Finding]:
    later_question = Message.objects.filter(
        conversation=OuterRef("conversation"), source=Source.CUSTOMER, courtesy="", seq__gt=OuterRef("seq")
    )
    replied = Message.objects.filter(
        conversation=OuterRef("conversation"), source=Source.AGENT, audience=Audience.EVERYONE, seq__gt=OuterRef("seq")
    )
    cites = Citation.objects.filter(message=OuterRef("pk"))
    rows = _answers().filter(Exists(replied), Exists(cites), ~Exists(later_question), is_abstention=False)
    return [_of_answer(Kind.CORRECTED, row) for row in rows[:MOST]]


def _corrected_drafts() -> list[Finding]:
    """Return drafts that an agent corrected before sending."""
    questions = Message.objects.filter(
        conversation=OuterRef("conversation"),
        source=Source.CUSTOMER,
        courtesy="",
        created_at__lte=OuterRef("created_at"),
    )
    sent = Message.objects.filter(pk=OuterRef("message_id"))
    drafts = OfferedDraft.objects.filter(is_correction=True).exclude(text="")  # the text of old drafts is deleted
    rows = _recent(drafts).annotate(
        asked=Subquery(questions.order_by("-seq").values("text")[:1]), reply=Subquery(sent.values("text")[:1])
    )
    return [
        Finding(
            Kind.CORRECTED, row.pk, row.conversation_id, row.asked or "", row.text, None, row.created_at,
            articles=tuple(row.articles),
        )
        for row in rows[:MOST]
        if len(row.reply or "") >= LEAST_REPLY
    ]  # fmt: skip


def _handed_over() -> list[Finding]:
    """Return tickets that were opened after an answer from an article, each with the question, unless that answer has
    been corrected. Customers who asked for a person at once, or asked again, are left out, because no answer
    disappointed them.
    """
    corrected = {one.conversation for one in _corrected()}
    answers = Message.objects.filter(
        conversation=OuterRef("conversation"), source=Source.ASSISTANT, created_at__lte=OuterRef("created_at")
    ).order_by("-seq")
    rows = _recent(Ticket.objects.exclude(requested_by=Requester.AGENT)).annotate(
        answer=Subquery(answers.values("text")[:1]),
        answer_id=Subquery(answers.values("pk")[:1]),
        answer_seq=Subquery(answers.values("seq")[:1]),
        answered_at=Subquery(answers.values("created_at")[:1]),
        is_unknown=Subquery(answers.values("is_abstention")[:1]),
    )
    earlier = Ticket.objects.filter(
        conversation=OuterRef("conversation"),
        created_at__gt=OuterRef("answered_at"),
        created_at__lt=OuterRef("created_at"),
    )
    cites = Citation.objects.filter(message=OuterRef("answer_id"))
    rows = rows.filter(Exists(cites), ~Exists(earlier), is_unknown=False).annotate(asked=_asked_before("answer_seq"))
    return [
        Finding(
            Kind.HANDED_OVER, row.pk, row.conversation_id, row.asked or "", row.answer or "", row.answer_id,
            row.created_at,
        )
        for row in rows[:MOST]
        if row.conversation_id not in corrected
    ]  # fmt: skip


_FINDERS: Final[Mapping[Kind, Callable[[], list[Finding]]]] = {
    Kind.RATED_BAD: _rated_bad,
    Kind.UNANSWERED: _unanswered,
    Kind.WITHHELD: _withheld,
    Kind.CORRECTED: _corrected,
    Kind.HANDED_OVER: _handed_over,
}


def _replies_in(conversations: Iterable[UUID]) -> Mapping[UUID, Sequence[tuple[datetime, str]]]:
    rows = Message.objects.filter(
        conversation__in=set(conversations), source=Source.AGENT, audience=Audience.EVERYONE
    ).order_by("seq")
    found: dict[UUID, list[tuple[datetime, str]]] = {}
    for conversation, at, text in rows.values_list("conversation_id", "created_at", "text"):
        if len(text) >= LEAST_REPLY:
            found.setdefault(conversation, []).append((at, text))
    return found


def _with_replies(one: Finding, replies: Sequence[tuple[datetime, str]]) -> Finding:
    later = tuple(text for at, text in replies if at >= one.at)
    values = {name: getattr(one, name) for name in Finding.__slots__}
    return Finding(**{**values, "replies": later}) if later else one
