"""A workspace's daily amounts for models: taken before a call, given back or turned into spending after it.

There is one for all purposes, and a purpose may have one of its own within it. Invariant: one conditional UPDATE an
amount decides, so parallel calls cannot overshoot. A reservation whose process dies stays taken until the day (UTC)
ends: too little is spent then, never too much.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Greatest

from supportbot.llm.errors import BudgetExceeded, ModelMisconfigured
from supportbot.llm.models import Budget, LLMCall
from supportbot.llm.pricing import Money

ALL: Final = ""
# The purposes with an amount of their own, and the setting that names it.
_SETTINGS: Final = {ALL: "LLM_DAILY_BUDGET", "verify": "LLM_VERIFY_DAILY_BUDGET"}


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was taken from one amount: that of a purpose, or ALL."""

    day: date
    amount: Decimal
    purpose: str = ALL


def daily_allowance(purpose: str = ALL) -> Decimal | None:
    """Return what each workspace may spend in a day, in the currency of LLM_PRICES; None means no limit.

    Raises ModelMisconfigured if the setting is no amount.
    """
    setting = _SETTINGS.get(purpose)
    allowance = getattr(settings, setting, None) if setting else None
    if allowance in (None, ""):
        return None
    try:
        amount = Decimal(str(allowance))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ModelMisconfigured(f"{setting} must be an amount like 12.50, not {allowance!r}.")
    return amount


def is_limited(purpose: str) -> bool:
    """Return whether there is an amount that a call for this purpose is taken from."""
    return any(daily_allowance(name) is not None for name in (purpose, ALL))


def reserve(most: Money, purpose: str = ALL) -> tuple[Reservation, ...]:
    """Take the most a call can cost from what today has left, of its purpose and of all.

    Raises BudgetExceeded if it does not fit into one of them; nothing is taken then.
    """
    day = datetime.now(UTC).date()
    limited = {name: allowance for name in (purpose, ALL) if (allowance := daily_allowance(name)) is not None}
    for name, allowance in limited.items():
        if not Budget.objects.filter(day=day, purpose=name).exists():
            _open(day, name, allowance, most.currency)
    with transaction.atomic():  # both or none
        for name, allowance in limited.items():
            _take(most.amount, Budget.objects.filter(day=day, purpose=name), allowance)
    return tuple(Reservation(day, most.amount, name) for name in limited)


def _take(amount: Decimal, todays: QuerySet[Budget], allowance: Decimal) -> None:
    # Today's row may be older than the setting: what the operator allows now is what counts.
    fitting = todays.filter(Budget.room_for(amount, allowance))
    if not fitting.update(amount=allowance, reserved=F("reserved") + amount):
        raise BudgetExceeded


def _open(day: date, purpose: str, allowance: Decimal, currency: str) -> None:
    """Begin a day's budget with what the day has cost without one: it may be set, for the first time, at noon."""
    costs = LLMCall.objects.filter(started_at__gte=datetime.combine(day, time.min, UTC), currency=currency)
    if purpose != ALL:
        costs = costs.filter(purpose=purpose)
    spent = costs.aggregate(spent=Sum("cost"))["spent"] or Decimal(0)
    begun = Budget(day=day, purpose=purpose, amount=allowance, currency=currency, spent=spent)
    Budget.objects.bulk_create([begun], ignore_conflicts=True)


def settle(reservation: Reservation, *, spent: Decimal) -> None:
    """Give the reservation back and book what the call really cost."""
    Budget.objects.filter(day=reservation.day, purpose=reservation.purpose).update(
        reserved=Greatest(F("reserved") - reservation.amount, Decimal(0)), spent=F("spent") + spent
    )
