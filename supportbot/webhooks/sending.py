"""Sends due deliveries: one worker per endpoint at a time, one delivery after another, oldest first.

Invariants:
- an attempt is recorded before anything is sent, and its delivery soon becomes due again. If a worker dies between
  sending and settling, the same delivery is sent once more, with the same id;
- the sender holds the endpoint's lease, so no delivery is sent twice at once;
- only `_settle_failure` decides what to do when a receiver fails.

Sending one after another keeps the order of events as long as nothing fails. Failed deliveries come later, after newer
ones, so the order is best effort.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.timezone import now

from actions import audit
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import Request, request
from supportbot.webhooks.event_types import TEST
from supportbot.webhooks.models import MAX_ANSWER_CHARACTERS, WebhookDelivery, WebhookEndpoint
from supportbot.webhooks.signing import body_of, headers_of

logger = logging.getLogger(__name__)
DEADLINE_SECONDS: Final = 8.0
LEASE: Final = timedelta(seconds=30)  # the leases of an endpoint and of a delivery; far longer than the deadline
TIME_SLICE_SECONDS: Final = 20.0  # after that, the worker is free for another endpoint
MAX_ENDPOINTS: Final = 4  # endpoints served at the same time by a worker, which has eight threads
MAX_ANSWER_BYTES: Final = 64 * 1024
GONE: Final = 410
# The delays of the attempts after the first: about a day in total, as Standard Webhooks recommends.
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=8),
    timedelta(hours=8),
)
MAX_REST: Final = timedelta(minutes=5)
GIVEN_UP_AFTER: Final = timedelta(days=3)
State = WebhookDelivery.State
Off = WebhookEndpoint.Off


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt. If there is no `status`, there was no response, and `error` says why."""

    status: int | None
    duration_ms: int
    answer: str = ""
    error: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and is_success(self.status)


def endpoints_to_serve() -> list[tuple[UUID, UUID]]:
    """Return the endpoints that have due deliveries, as (workspace, endpoint). Those that have waited longest come
    first, and there are no more than may be served now.
    """
    moment = now()
    with across_workspaces("webhooks that are due"):
        due = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), state=State.WAITING, due_at__lte=moment)
        busy = WebhookEndpoint.objects.filter(lease_until__gt=moment).count()
        idle = WebhookEndpoint.objects.filter(_is_idle(moment), Exists(due)).order_by("served_at", "id")
        return list(idle.values_list("workspace_id", "id")[: max(0, MAX_ENDPOINTS - busy)])


def _is_idle(moment: datetime) -> Q:
    return Q(Q(lease_until=None) | Q(lease_until__lte=moment), is_on=True, due_at__lte=moment)


def serve(workspace_id: UUID, endpoint_id: UUID) -> int:
    """Send one endpoint's due deliveries until none is left, one fails, or the time slice is over. Return how many
    attempts were made.

    Returns 0 at once if another worker is serving this endpoint.
    """
    with workspace_scope(workspace_id):
        lease = _take(endpoint_id)
        if lease is None:
            return 0
        ends_at, attempted, is_going_on = time.monotonic() + TIME_SLICE_SECONDS, 0, True
        while is_going_on and time.monotonic() < ends_at and (delivery := _next(endpoint_id)):
            lease = _extended(endpoint_id, lease)
            if lease is None:  # this worker was held up for so long that another one has taken over
                return attempted
            is_going_on = attempt(delivery)
            attempted += 1
        WebhookEndpoint.objects.filter(pk=endpoint_id, lease_until=lease).update(lease_until=None)
    return attempted


def _take(endpoint_id: UUID) -> datetime | None:
    moment = now()
    until = moment + LEASE
    idle = WebhookEndpoint.objects.filter(_is_idle(moment), pk=endpoint_id)
    return until if idle.update(lease_until=until, served_at=moment) else None


def _extended(endpoint_id: UUID, lease: datetime) -> datetime | None:
    until = now() + LEASE
    mine = WebhookEndpoint.objects.filter(pk=endpoint_id, lease_until=lease, is_on=True)
    return until if mine.update(lease_until=until) else None


def _next(endpoint_id: UUID) -> WebhookDelivery | None:
    due = WebhookDelivery.objects.filter(endpoint_id=endpoint_id, state=State.WAITING, due_at__lte=now())
    found: WebhookDelivery | None = due.order_by("due_at", "id").first()
    return found


def attempt(delivery: WebhookDelivery) -> bool:
    """Make one attempt at a waiting delivery. Return whether more may be sent to its endpoint now. Does nothing if the
    delivery was sent or deleted in the meantime.
    """
    moment = now()
    waiting = WebhookDelivery.objects.filter(pk=delivery.pk, state=State.WAITING, attempts=delivery.attempts)
    if not waiting.update(attempts=F("attempts") + 1, attempted_at=moment, due_at=moment + LEASE):
        return True
    endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id).first()
    if endpoint is None:
        return False
    outcome = _send(endpoint, delivery, moment)
    return _settle(endpoint.pk, delivery, outcome)


def _send(endpoint: WebhookEndpoint, delivery: WebhookDelivery, moment: datetime) -> Outcome:
    body = body_of(_completed(endpoint, delivery.payload))
    headers = headers_of(delivery.message_id, body, moment, endpoint.secrets)
    outgoing = Request("POST", endpoint.url, headers, body, DEADLINE_SECONDS, MAX_ANSWER_BYTES)
    begun = time.monotonic()
    try:
        response = request(outgoing)
    except NotSent as error:
        return Outcome(None, _since(begun), error=error.why)
    except NoAnswer as error:  # a response that is too long or truncated still has its status
        return Outcome(error.status or None, _since(begun), error=error.why)
    # Many receivers echo the request, so a stored response could keep the customer's data after its erasure.
    answer = "" if endpoint.includes_customer else _printable(response.body)
    return Outcome(response.status, _since(begun), answer=answer)


def _completed(endpoint: WebhookEndpoint, payload: dict[str, Any]) -> dict[str, Any]:
    """Return a payload with the customer data that its endpoint asks for. The data is read only now, so the stored
    payload contains nothing that would have to be erased.
    """
    if not endpoint.includes_customer or "customer" not in payload["data"]:
        return payload
    row = Customer.objects.filter(pk=payload["data"]["customer"]).first()
    details = {"external_id": row.external_id, "name": row.name, "email": row.email} if row else None
    return {**payload, "data": {**payload["data"], "customer_details": details}}


def _since(begun: float) -> int:
    return int((time.monotonic() - begun) * 1_000)


def _printable(body: bytes) -> str:
    text = body[: MAX_ANSWER_CHARACTERS * 4].decode(errors="replace")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)[:MAX_ANSWER_CHARACTERS]


@transaction.atomic
def _settle(endpoint_id: UUID, delivery: WebhookDelivery, outcome: Outcome) -> bool:
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id).first()
    if endpoint is None:  # deleted in the meantime, with its deliveries
        return False
    facts = {
        "status": outcome.status,
        "duration_ms": outcome.duration_ms,
        "answer": outcome.answer,
        "error": outcome.error[:300],
    }
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=State.WAITING, attempts=delivery.attempts + 1)
    if outcome.is_success:
        mine.update(state=State.DELIVERED, **facts)
        _note_success(endpoint)
        return True
    if delivery.kind == TEST:  # a person is watching, so there is no point in retrying
        mine.update(state=State.PARKED, **facts)
        return False
    _settle_failure(endpoint, mine, delivery.attempts + 1, facts)
    return False


def _note_success(endpoint: WebhookEndpoint) -> None:
    if endpoint.failures:
        endpoint.failures, endpoint.failing_since = 0, None
        endpoint.save(update_fields=["failures", "failing_since"])


def _settle_failure(
    endpoint: WebhookEndpoint, mine: "QuerySet[WebhookDelivery]", attempts: int, facts: dict[str, Any]
) -> None:
    """Postpone or park a delivery, and pause its endpoint or switch it off."""
    moment = now()
    again = next_attempt(attempts, moment)
    if again is None:
        mine.update(state=State.PARKED, **facts)
    else:
        mine.update(due_at=again, **facts)
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or moment
    endpoint.due_at = rest_until(endpoint.failures, moment)
    endpoint.save(update_fields=["failures", "failing_since", "due_at"])
    if facts["status"] == GONE:
        _switch_off(endpoint, Off.GONE)
    elif is_given_up(endpoint.failing_since, moment):
        _switch_off(endpoint, Off.FAILING)


def _switch_off(endpoint: WebhookEndpoint, reason: str) -> None:
    """Switch off an endpoint, which is locked. `services.notify_admins` tells the admins."""
    endpoint.is_on, endpoint.off_reason, endpoint.notified_at = False, reason, None
    endpoint.save(update_fields=["is_on", "off_reason", "notified_at"])
    park_waiting(endpoint)
    audit.record("webhook.switched_off", actor="system", webhook=endpoint.name, reason=str(reason))
    logger.error("webhooks: endpoint %s is switched off (%s)", endpoint.pk, reason)


def park_waiting(endpoint: WebhookEndpoint) -> None:
    """Park the waiting deliveries of an endpoint that is locked and off. They can be resent once it is on."""
    WebhookDelivery.objects.filter(endpoint=endpoint, state=State.WAITING).update(state=State.PARKED)


def next_attempt(attempts: int, moment: datetime) -> datetime | None:
    """Return when to retry a delivery that has failed `attempts` times, or None if it is abandoned."""
    return moment + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def rest_until(failures: int, moment: datetime) -> datetime:
    """Return the end of an endpoint's pause after this many consecutive failures."""
    return moment + min(timedelta(seconds=2 ** min(failures, 12)), MAX_REST)


def is_given_up(failing_since: datetime, moment: datetime) -> bool:
    """Return whether an endpoint has been failing for so long, without a success, that it has to be switched off."""
    return moment - failing_since >= GIVEN_UP_AFTER


def is_success(status: int) -> bool:
    return 200 <= status < 300
