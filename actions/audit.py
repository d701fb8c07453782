"""The audit: one chain per workspace that shows every edit, gap, reordering and missing end.

Each entry carries a MAC over its content and the MAC before it, made with a key that lies outside the database. Whoever
has the database alone cannot rewrite it; whoever has both is found out by a head that was written down elsewhere.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.timezone import now

from actions.canonical import canonical
from actions.models import AuditEntry, AuditHead
from supportbot.errors import SupportBotError

_PURPOSE: Final = b"supportbot audit chain 1"
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many entries there are, and the MAC of the last."""

    seq: int
    mac: str


@dataclass(frozen=True, slots=True)
class Verification:
    """`problem` is "" for a whole chain; else it names the first entry that is wrong, and how."""

    head: Head
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.problem


def record(event: str, *, actor: str, request_id: UUID | None = None, **payload: Any) -> None:
    """Add an entry inside the transaction of what it tells. The payload is texts, whole numbers and truth values."""
    head = _locked_head()
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


def note_refusal(
    event: str, error: SupportBotError, *, actor: str, request_id: UUID | None = None, **facts: Any
) -> None:
    """Put a refusal on record, in a transaction of its own: nothing else happened."""
    with transaction.atomic():
        record(event, actor=actor, request_id=request_id, code=error.code, fields=sorted(error.fields), **facts)


def _locked_head() -> AuditHead:
    assert transaction.get_connection().in_atomic_block, "an audit entry belongs into the transaction of its step"
    found = AuditHead.objects.select_for_update(no_key=True).first()
    if found is None:
        # Two first entries at once: the second insert waits for the first and does nothing.
        AuditHead.objects.bulk_create([AuditHead()], ignore_conflicts=True)
        found = AuditHead.objects.select_for_update(no_key=True).get()
    return found


def _keys() -> list[tuple[str, bytes]]:
    """Return (id, key) per FIELD_KEYS; the first one signs, every one of them verifies (rotation)."""
    if not settings.FIELD_KEYS:
        raise ImproperlyConfigured("FIELD_KEYS is empty: the audit needs a key that lies outside the database.")
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


def head() -> Head:
    """Return the present end of the scope's chain."""
    row = AuditHead.objects.first()
    return Head(row.seq, row.mac) if row else Head(0, "")


def verify(expected: list[Head] | None = None) -> Verification:
    """Walk the scope's whole chain; `expected` are heads written down earlier, which must still lie on it."""
    # The head is read first: entries added during the walk lie behind it.
    end = head()
    milestones = {known.seq: known.mac for known in (end, *(expected or [])) if known.seq}
    keys, seq, mac = dict(_keys()), 0, ""
    entries = AuditEntry.objects.order_by("seq").filter(seq__lte=end.seq)
    for entry in entries.iterator(chunk_size=PAGE):
        problem = _problem(entry, seq + 1, mac, keys)
        if not problem and milestones.get(entry.seq, entry.mac) != entry.mac:
            problem = f"entry {entry.seq} is not the one that was written down"
        if problem:
            return Verification(end, problem)
        seq, mac = entry.seq, entry.mac
    return Verification(end, _missing(seq, end, milestones))


def _problem(entry: AuditEntry, seq: int, previous: str, keys: Mapping[str, bytes]) -> str:
    if entry.seq != seq:
        return f"entry {seq} is missing"
    if entry.previous != previous:
        return f"entry {seq} does not follow the one before it"
    key = keys.get(entry.key_id)
    if key is None:
        return f"entry {seq} was signed with a key that FIELD_KEYS does not hold"
    if not hmac.compare_digest(entry.mac, _mac(entry, key)):
        return f"entry {seq} was changed"
    return ""


def _missing(seq: int, end: Head, milestones: Mapping[int, str]) -> str:
    last = max(milestones, default=0)
    if seq < last or seq < end.seq:
        return f"entry {seq + 1} is missing"
    # Entries that nobody counted: somebody set the head back.
    if AuditEntry.objects.filter(seq__gt=end.seq).exists() and head() == end:
        return f"entry {end.seq + 1} lies behind the end"
    return ""
