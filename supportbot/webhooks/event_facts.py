"""Facts about what happened to an object, read from its rows.

Announcements may be merged or repeated, but facts are not: each has an id that never changes. Erased objects have no
facts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from actions.audit import steps_of
from actions.models import ActionRequest
from kb.models import Article
from kb.models import State as ArticleState
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.handoff.models import Ticket
from supportbot.webhooks.event_types import ACTION_STATES

_NAMESPACE: Final = UUID("6f0b1a55-3f0e-4bb2-9a35-0f6a4c6c2d11")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to an object. `data` contains ids, states and times."""

    kind: str
    source: str  # identifies this fact: ids of rows that never change
    at: datetime
    data: dict[str, Any]

    @property
    def event_id(self) -> UUID:
        return uuid5(_NAMESPACE, f"{self.kind} {self.source}")


def facts_of_ticket(ticket_id: UUID) -> Iterator[Fact]:
    """Yield what happened to a ticket, oldest first, according to its conversation's log."""
    ticket = Ticket.objects.select_related("conversation").filter(pk=ticket_id).first()
    if ticket is None:
        return
    about = {
        "ticket": str(ticket.pk),
        "conversation": str(ticket.conversation_id),
        "customer": str(ticket.conversation.customer_id),
        "reason": str(ticket.reason),
    }
    yield Fact("ticket.opened", str(ticket.pk), ticket.created_at, about)
    log = ConversationEvent.objects.filter(
        conversation_id=ticket.conversation_id, event__startswith="handoff.", payload__ticket=str(ticket.pk)
    )
    for number, entry in enumerate(log.order_by("seq")):
        if entry.event == "handoff.requested" and number:  # the first entry is the opening
            yield Fact("ticket.released", str(entry.pk), entry.created_at, about)
        elif entry.event == "handoff.joined":
            person = entry.payload.get("person")
            yield Fact("ticket.claimed", str(entry.pk), entry.created_at, {**about, "agent": person})
        elif entry.event == "handoff.ended":
            yield Fact(f"ticket.{entry.payload['outcome']}", str(entry.pk), entry.created_at, about)


def facts_of_conversation(conversation_id: UUID) -> Iterator[Fact]:
    """Yield the facts that a conversation has begun and ended."""
    row = Conversation.objects.filter(pk=conversation_id).first()
    if row is None:
        return
    about = {
        "conversation": str(row.pk),
        "customer": str(row.customer_id),
        "channel": str(row.channel_id) if row.channel_id else None,
        "locale": row.locale,
    }
    yield Fact("conversation.started", str(row.pk), row.created_at, about)
    if row.ended_at is not None:
        yield Fact("conversation.ended", f"{row.pk} {row.ended_at.isoformat()}", row.ended_at, about)


def facts_of_request(request_id: UUID) -> Iterator[Fact]:
    """Yield a fact for each state that an action request has reached, oldest first, according to its audit trail."""
    request = ActionRequest.objects.filter(pk=request_id).first()
    if request is None:
        return
    for step in steps_of(request_id):
        if step.state in ACTION_STATES:
            data = {
                "request": str(request.pk),
                "action": request.action,
                "state": str(step.state),
                "reason": step.reason_code or None,
                "subject": {"kind": request.subject_kind, "id": request.subject_id} if request.subject_id else None,
                "conversation": str(request.conversation_id) if request.conversation_id else None,
                "customer": str(request.customer_id),
            }
            yield Fact(f"action.{step.state}", f"{request.pk} {step.number}", step.at, data)


def facts_of_article(article_id: UUID) -> Iterator[Fact]:
    """Yield the fact that an article was published or archived. Drafts have no facts.

    If an article is published again before its announcement is handled, this yields only one fact.
    """
    article = Article.objects.select_related("live_revision").filter(pk=article_id).first()
    if article is None:
        return
    about = {
        "article": str(article.pk),
        "external_id": article.external_id,
        "audience": str(article.audience),
        "locale": article.locale,
        "revision": article.live_revision.number if article.live_revision else None,
    }
    publication = f"{article.pk} {article.published_at.isoformat() if article.published_at else ''}"
    if article.state == ArticleState.LIVE and article.published_at is not None:
        yield Fact("article.published", publication, article.published_at, about)
    elif article.state == ArticleState.ARCHIVED:
        yield Fact("article.archived", publication, article.updated_at, about)


def fact_of_erasure(conversation_id: UUID, at: datetime) -> Fact:
    return Fact("conversation.erased", str(conversation_id), at, {"conversation": str(conversation_id)})


def fact_of_forgetting(customer_id: UUID, at: datetime) -> Fact:
    return Fact("customer.forgotten", str(customer_id), at, {"customer": str(customer_id)})
