"""The audit trail: one hash chain per workspace that reveals every edit, gap, reordering and truncation.

Each entry carries a MAC over its content and the previous MAC, made with a key that is kept outside the database, so
the database alone is not enough to rewrite the chain. A checkpoint stored elsewhere reveals changes by someone who has
both the database and the key.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from actions.canonical_json import canonical
from actions.models import AuditEntry, AuditHead
from actions.states import State
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import SupportBotError

logger = logging.getLogger(__name__)
_PURPOSE: Final = b"supportbot audit chain 1"
_STEP: Final = "request."  # prefix of the events for states that a request has reached
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain: the number of entries and the MAC of the last one."""

    seq: int
    mac: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a check. `problem` is "" for an intact chain; otherwise it says which entry is the first wrong one
    and what is wrong with it.
    """

    head: ChainHead
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.problem


@dataclass(frozen=True, slots=True)
class Step:
    """A state that a request has reached. `number` increases with every step in the workspace, but may have gaps."""

    number: int
    state: State
    at: datetime
    actor: str
    reason_code: str


def record(event: str, *, actor: str, request_id: UUID | None = None, **payload: Any) -> None:
    """Add an entry in the same transaction as the change that it records. The payload contains only strings, integers
    and booleans.
    """
    head = _lock_head()
    key_id, key = _keys()[0]
    entry = AuditEntry(
        seq=head.seq + 1,
        at=now(),
        request_id=request_id,
        event=event,
        actor=actor,
        payload=payload,
        previous=head.mac,
        key_id=key_id,
    )
    entry.mac = _mac(entry, key)
    entry.save(force_insert=True)
    head.seq, head.mac = entry.seq, entry.mac
    head.save(update_fields=["seq", "mac"])


def record_refusal(
    event: str, error: SupportBotError, *, actor: str, request_id: UUID | None = None, **facts: Any
) -> None:
    """Record a refusal in a transaction of its own, since nothing else has changed."""
    with transaction.atomic():
        record(event, actor=actor, request_id=request_id, code=error.code, fields=sorted(error.fields), **facts)


def _lock_head() -> AuditHead:
    assert transaction.get_connection().in_atomic_block, "an audit entry belongs in the transaction of its step"
    found = AuditHead.objects.select_for_update(no_key=True).first()
    if found is None:
        # If two first entries are added at the same time, the second insert waits for the first and then does nothing.
        AuditHead.objects.bulk_create([AuditHead()], ignore_conflicts=True)
        found = AuditHead.objects.select_for_update(no_key=True).get()
    return found


def _keys() -> list[tuple[str, bytes]]:
    """Return (id, key) for each of FIELD_KEYS: the first key signs, and all of them verify, so that keys can be
    rotated.
    """
    if not settings.FIELD_KEYS:
        raise ImproperlyConfigured("FIELD_KEYS is empty. The audit trail needs a key kept outside the database.")
    keys = [hmac.digest(key.encode(), _PURPOSE, hashlib.sha256) for key in settings.FIELD_KEYS]
    return [(hashlib.sha256(key).hexdigest()[:12], key) for key in keys]


def _mac(entry: AuditEntry, key: bytes) -> str:
    content: Mapping[str, Any] = {
        "workspace": str(entry.workspace_pk),
        "seq": entry.seq,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "request": str(entry.request_id or ""),
        "event": entry.event,
        "actor": entry.actor,
        "payload": entry.payload,
        "previous": entry.previous,
    }
    return hmac.new(key, canonical(content), hashlib.sha256).hexdigest()


def head() -> ChainHead:
    """Return the current end of the workspace's chain."""
    row = AuditHead.objects.first()
    return ChainHead(row.seq, row.mac) if row else ChainHead(0, "")


def verify(expected: list[ChainHead] | None = None) -> Verification:
    """Check the workspace's whole chain; `expected` contains earlier checkpoints, which must still be part of it."""
    # The head is read first: entries added during the check come after it.
    end = head()
    milestones = {known.seq: known.mac for known in (end, *(expected or [])) if known.seq}
    keys, seq, mac = dict(_keys()), 0, ""
    entries = AuditEntry.objects.order_by("seq").filter(seq__lte=end.seq)
    for entry in entries.iterator(chunk_size=PAGE):
        problem = _problem(entry, seq + 1, mac, keys)
        if not problem and milestones.get(entry.seq, entry.mac) != entry.mac:
            problem = gettext("entry {number} does not match its checkpoint").format(number=entry.seq)
        if problem:
            return Verification(end, problem)
        seq, mac = entry.seq, entry.mac
    return Verification(end, _missing_entry(seq, end, milestones))


def _problem(entry: AuditEntry, seq: int, previous: str, keys: Mapping[str, bytes]) -> str:
    if entry.seq != seq:
        return gettext("entry {number} is missing").format(number=seq)
    if entry.previous != previous:
        return gettext("entry {number} does not follow the previous one").format(number=seq)
    key = keys.get(entry.key_id)
    if key is None:
        return gettext("entry {number} was signed with a key that is not in FIELD_KEYS").format(number=seq)
    if not hmac.compare_digest(entry.mac, _mac(entry, key)):
        return gettext("entry {number} was changed").format(number=seq)
    return ""


def _missing_entry(seq: int, end: ChainHead, milestones: Mapping[int, str]) -> str:
    last = max(milestones, default=0)
    if seq < last or seq < end.seq:
        return gettext("entry {number} is missing").format(number=seq + 1)
    # If there are entries after the head, someone has reset the head.
    if AuditEntry.objects.filter(seq__gt=end.seq).exists() and head() == end:
        return gettext("entry {number} comes after the recorded end").format(number=end.seq + 1)
    return ""


def checkpoint_audit_chain() -> None:
    """Append the end of every audit chain to a file outside the database, which `audit_verify` reads. Log it, too,
    because a container's files may be lost with the container.
    """
    settings.ACTIONS_AUDIT_HEADS.parent.mkdir(parents=True, exist_ok=True)
    with settings.ACTIONS_AUDIT_HEADS.open("a", encoding="utf-8") as file:
        for workspace in Workspace.objects.order_by("id"):
            with workspace_scope(workspace.pk):
                end = head()
            if end.seq:
                checkpoint = {"workspace": str(workspace.pk), "seq": end.seq, "mac": end.mac, "at": now().isoformat()}
                file.write(json.dumps(checkpoint) + "\n")
                logger.info("checkpoint of the audit chain of workspace %s: %s:%s", workspace.slug, end.seq, end.mac)


def steps_of(request_id: UUID) -> list[Step]:
    """Return every state that a request has reached, oldest first. Unlike announcements, these are never merged."""
    entries = AuditEntry.objects.filter(request_id=request_id, event__startswith=_STEP).order_by("seq")
    return [
        Step(entry.seq, State(state), entry.at, entry.actor, entry.payload.get("reason", ""))
        for entry in entries
        if (state := entry.event.removeprefix(_STEP)) in State.values
    ]


def actor_of(user: User) -> str:
    """Return the name that stands for a person in records: `user:` and their id, which is not personal data."""
    return f"user:{user.pk}"
