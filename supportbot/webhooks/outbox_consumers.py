"""Handles announcements from lower-level packages by writing a delivery for each endpoint that subscribes to the event.

Each fact is written once per endpoint, identified by its id, so this can safely run repeatedly. Endpoints get no facts
from before they subscribed. They also get none older than `MAX_AGE`, because old deliveries, which are needed to detect
duplicates, are deleted at some point.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils.timezone import now

from supportbot.outbox.models import Announcement
from supportbot.webhooks.event_facts import (
    Fact,
    fact_of_erasure,
    fact_of_forgetting,
    facts_of_article,
    facts_of_conversation,
    facts_of_request,
    facts_of_ticket,
)
from supportbot.webhooks.models import WebhookDelivery, WebhookEndpoint

MAX_AGE: Final = timedelta(days=14)


def on_ticket_changed(announcement: Announcement) -> None:
    _enqueue("ticket.", facts_of_ticket, [announcement])


def on_conversations_changed(announcements: Sequence[Announcement]) -> None:
    _enqueue("conversation.", facts_of_conversation, announcements)


def on_action_changed(announcement: Announcement) -> None:
    _enqueue("action.", facts_of_request, [announcement])


def on_article_changed(announcement: Announcement) -> None:
    _enqueue("article.", facts_of_article, [announcement])


def on_conversations_erased(announcements: Sequence[Announcement]) -> None:
    write_deliveries(_listening(), [fact_of_erasure(one.object_id, one.created_at) for one in announcements])


# Their former names, which settings may contain until 0.3.
on_conversation_changed = on_conversations_changed
on_conversation_erased = on_conversations_erased


def on_customer_forgotten(announcement: Announcement) -> None:
    write_deliveries(_listening(), [fact_of_forgetting(announcement.object_id, announcement.created_at)])


def _enqueue(kinds: str, facts_of: Callable[[UUID], Iterable[Fact]], announcements: Sequence[Announcement]) -> None:
    endpoints = [one for one in _listening() if any(kind.startswith(kinds) for kind in one.kinds)]
    if endpoints:
        write_deliveries(endpoints, [fact for one in announcements for fact in facts_of(one.object_id)])


def _listening() -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.only("id", "workspace_id", "kinds").filter(is_on=True))


def write_deliveries(endpoints: Iterable[WebhookEndpoint], facts: Iterable[Fact]) -> None:
    """Write the deliveries that are still missing for each endpoint."""
    heard, oldest = list(endpoints), now() - MAX_AGE
    made = [
        WebhookDelivery(
            endpoint=endpoint,
            workspace_id=endpoint.workspace_id,
            event_id=fact.event_id,
            kind=fact.kind,
            payload=payload_of(fact),
        )
        for fact in facts
        if fact.at > oldest
        for endpoint in heard
        if fact.kind in endpoint.kinds and fact.at >= datetime.fromisoformat(endpoint.kinds[fact.kind])
    ]
    WebhookDelivery.objects.bulk_create(made, ignore_conflicts=True)


def payload_of(fact: Fact) -> dict[str, Any]:
    """Return the payload for a fact, without the data that an endpoint may additionally ask for."""
    return {
        "id": f"evt_{fact.event_id}",
        "type": fact.kind,
        "timestamp": fact.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": fact.data,
    }
