"""What became of the drafts that agents were offered: shares by release and by person."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils.timezone import now

from supportbot.handoff.desk.offered_drafts import SENT_WITHIN
from supportbot.handoff.models import OfferedDraft
from supportbot.releases.models import Release


@dataclass(frozen=True, slots=True)
class Shares:
    """The number of drafts by what became of them. Those of the last day without a reply are not counted."""

    as_is: int = 0
    edited: int = 0
    replaced: int = 0
    unused: int = 0

    @property
    def offered(self) -> int:
        return self.as_is + self.edited + self.replaced + self.unused

    def share(self, number: int) -> float | None:
        """Return a number as a percentage of the drafts offered."""
        return 100 * number / self.offered if self.offered else None


def shares_by_release(since: datetime, until: datetime) -> list[tuple[int | None, Shares]]:
    """Return the shares of each release by its number, the newest first; None is a release that is gone."""
    found = _shares("release_id", since, until)
    numbers = dict(Release.objects.filter(pk__in=[key for key in found if key]).values_list("pk", "number"))
    rows = [(numbers.get(key), shares) for key, shares in found.items()]
    return sorted(rows, key=lambda row: -(row[0] or 0))


def shares_by_person(since: datetime, until: datetime) -> Mapping[UUID | None, Shares]:
    return _shares("person_id", since, until)


def _shares(by: str, since: datetime, until: datetime) -> dict[Any, Shares]:
    rows = OfferedDraft.objects.filter(created_at__gte=since, created_at__lt=until)
    counted = rows.exclude(sent="", created_at__gte=now() - SENT_WITHIN)
    found: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for key, sent, number in counted.order_by().values_list(by, "sent").annotate(number=Count("pk")):
        found[key][sent or "unused"] += number
    return {key: Shares(**counts) for key, counts in found.items()}
