"""Changing a request's state by one conditional UPDATE, in one transaction with its audit entry and announcement."""

from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.timezone import now

from actions import audit, ledger
from actions.canonical_json import canonical
from actions.errors import NotWaiting
from actions.models import ActionRequest
from actions.reasons import Reason, place_of
from actions.requests.celery_publisher import publisher
from actions.states import WAITING, State
from supportbot.errors import NotFound
from supportbot.outbox.services import announce

CARD_LIFE: Final = timedelta(minutes=15)
APPROVAL_LIFE: Final = timedelta(hours=24)
TOPIC: Final = "action_changed"
_FACTS_SALT: Final = "actions.reason"
_RELEASING: Final = frozenset({State.CANCELLED, State.REJECTED, State.EXPIRED, State.FAILED})


def lock_request(request_id: UUID) -> ActionRequest:
    """Return the request, locked until the end of the transaction; raises NotFound."""
    request = ActionRequest.objects.select_for_update(no_key=True).filter(pk=request_id).first()
    if request is None:
        raise NotFound()
    return request


@transaction.atomic
def expire(request_id: UUID, reason: Reason) -> None:
    """Expire a request that has waited too long; do nothing if someone has decided."""
    request = lock_request(request_id)
    if request.state in WAITING:
        transition(request, State.EXPIRED, actor="system", reason=reason)


def transition(
    request: ActionRequest, to: State, *, actor: str, reason: Reason | None = None, **fields: Any
) -> ActionRequest:
    """Change a request's state, and settle the ledger if the new state is final; raises NotWaiting if the state has
    changed already.
    """
    old = request.state
    changes = {"state": to, "changed_at": now(), **_reason_fields(reason), **fields}
    if not ActionRequest.objects.filter(pk=request.pk, state=old).update(**changes):
        raise NotWaiting()
    for name, value in changes.items():
        setattr(request, name, value)
    _settle_ledger(request, to)
    audit.record(
        f"request.{to}", actor=actor, request_id=request.pk,
        before=str(old), reason=reason.code if reason else "", digest=request.digest, **_facts_digest(reason),
        **place_of(reason),
    )  # fmt: skip
    announce(TOPIC, request.pk, workspace_id=request.workspace_pk)
    if (
        to is State.QUEUED and request.due_at is None
    ):  # held requests and retries wait until they are due and the sweep picks them up
        enqueue = partial(publisher.enqueue, request.workspace_pk, request.pk)
        transaction.on_commit(enqueue, robust=True)
    return request


def _reason_fields(reason: Reason | None) -> dict[str, Any]:
    """Return the row's reason fields for the new state, empty if there is no reason."""
    return {"reason_code": reason.code if reason else "", "reason_facts": dict(reason.facts) if reason else {}}


def _facts_digest(reason: Reason | None) -> dict[str, str]:
    """Return a keyed hash that binds a reason's text to its audit entry. The text itself stays in the row, since the
    audit trail contains no personal data; a plain hash of a few words could be guessed.
    """
    if reason is None or not reason.facts:
        return {}
    return {"facts": salted_hmac(_FACTS_SALT, canonical(reason.facts), algorithm="sha256").hexdigest()}


def _settle_ledger(request: ActionRequest, to: State) -> None:
    if to is State.SUCCEEDED:
        ledger.spend(request)
    elif to in _RELEASING:
        ledger.release(request)
