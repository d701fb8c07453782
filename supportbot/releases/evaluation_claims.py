"""Claims on evaluating a draft: one worker at a time holds a claim and keeps extending it.

A claim ends after a minute unless it is extended. So if a worker dies, another one soon takes over the draft, while an
evaluation that takes hours keeps its claim.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from supportbot.releases.models import DRAFT_STATES, Release

LEASE: Final = timedelta(minutes=1)


@dataclass(slots=True)
class Claim:
    """A worker's claim on the evaluation of a draft, until the time stored in the row."""

    workspace_id: UUID
    release_id: UUID
    until: datetime


def claim_waiting() -> Claim | None:
    """Claim a draft, in any workspace, that is waiting for the gates; None if there is none."""
    now = timezone.now()
    is_free = Q(judging_until=None) | Q(judging_until__lt=now)
    waiting = Release.objects.filter(is_free, state__in=DRAFT_STATES, judging_since__isnull=False)
    for row in waiting.order_by("judging_since")[:5]:
        claim = Claim(row.workspace_pk, row.pk, now + LEASE)
        mine = Release.objects.filter(is_free, pk=row.pk, state__in=DRAFT_STATES, judging_since__isnull=False)
        if mine.update(judging_until=claim.until):
            return claim
    return None


def extend_claim(claim: Claim) -> None:
    """Extend a claim if it is still held; do nothing if it was lost or the draft went live."""
    until = timezone.now() + LEASE
    held = Release.objects.filter(pk=claim.release_id, state__in=DRAFT_STATES, judging_until=claim.until)
    if held.update(judging_until=until):
        claim.until = until
