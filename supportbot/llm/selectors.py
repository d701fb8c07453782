"""Totals of spending on models."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.llm.models import LLMCall
from supportbot.llm.pricing import currency_of_prices
from supportbot.llm.release_routes import BUILTIN


@dataclass(frozen=True, slots=True)
class DailyCost:
    """The calls for one purpose to one model on one UTC day.

    `cost` leaves out the `unpriced` calls. `skipped` counts those that the budget did not allow; `calls` does not
    include them.
    """

    day: date
    purpose: str
    provider: str
    model: str
    calls: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost: Decimal
    currency: str
    unpriced: int
    skipped: int

    @property
    def has_price(self) -> bool:
        """Whether the cost of any of these calls is known."""
        return self.unpriced < self.calls + self.skipped


def model_in_words(provider: str, model: str) -> str:
    """Return a model's display name. The built-in answerer has one too, although it is not a model."""
    named = provider_in_words(provider)
    return named if provider in (model, BUILTIN) else f"{named}: {model}"


def currency_of_costs() -> str:
    """Return the currency of the workspace's costs: that of the installation's prices, or else the workspace's own.

    Calls that cost nothing are stored without a currency, and are shown in this one.
    """
    return currency_of_prices(settings.LLM_PRICES) or _currency_of(current_workspace_id())


@lru_cache(maxsize=1024)  # a workspace's currency never changes
def _currency_of(workspace_id: UUID) -> str:
    return str(Workspace.objects.values_list("currency", flat=True).get(pk=workspace_id))


def provider_in_words(provider: str) -> str:
    """Return a provider's display name."""
    return gettext("built-in answerer") if provider == BUILTIN else provider


def daily_costs(*, days: int, today: date | None = None) -> list[DailyCost]:
    """Return the workspace's costs of the last `days` days, including today, starting with the newest."""
    today = today or datetime.now(UTC).date()
    since = datetime.combine(today - timedelta(days=days - 1), time.min, tzinfo=UTC)
    rows = (
        LLMCall.objects.filter(started_at__gte=since)
        .annotate(day=TruncDate("started_at", tzinfo=UTC))
        .values("day", "purpose", "provider", "model", "currency")
        .annotate(
            calls=Count("id", filter=~Q(outcome=LLMCall.Outcome.SKIPPED)),
            failed=Count("id", filter=Q(outcome__in=[LLMCall.Outcome.REFUSED, LLMCall.Outcome.UNCLEAR])),
            tokens_in=Sum("input_tokens"),
            tokens_out=Sum("output_tokens"),
            total=Sum("cost", default=Decimal(0)),
            unpriced=Count("id", filter=Q(cost=None)),
            skipped=Count("id", filter=Q(outcome=LLMCall.Outcome.SKIPPED)),
        )
        .order_by("-day", "purpose", "provider", "model", "currency")
    )
    return [_cost_of(row) for row in rows]


def _cost_of(row: Mapping[str, Any]) -> DailyCost:
    return DailyCost(
        day=row["day"],
        purpose=row["purpose"],
        provider=row["provider"],
        model=row["model"],
        calls=row["calls"],
        failed=row["failed"],
        input_tokens=row["tokens_in"],
        output_tokens=row["tokens_out"],
        cost=row["total"],
        currency=row["currency"],
        unpriced=row["unpriced"],
        skipped=row["skipped"],
    )
