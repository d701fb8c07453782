"""Whether a request may proceed. Pure: values in, a decision out; no database, no clock, no network."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from actions.money import Money
from actions.reasons import Reason


class Verdict(StrEnum):
    REFUSE = "refuse"
    RUN = "run"
    CONFIRM = "confirm"
    CONFIRM_AND_APPROVE = "confirm_and_approve"


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of a policy, with its kill switch."""

    number: int
    currency: str
    is_enabled: bool = True
    is_shadow: bool = False
    max_per_order: Decimal | None = None
    max_per_customer_day: Decimal | None = None
    max_per_customer_year: Decimal | None = None
    max_per_workspace_day: Decimal | None = None
    max_requests_per_customer_day: int | None = None
    approval_above: Decimal | None = None
    window_days: int | None = None

    @property
    def has_figures(self) -> bool:
        """Return whether any rule is an amount in `currency`."""
        figures = (
            self.max_per_order, self.max_per_customer_day, self.max_per_customer_year, self.max_per_workspace_day,
            self.approval_above,
        )  # fmt: skip
        return any(figure is not None for figure in figures)


@dataclass(frozen=True, slots=True)
class Used:
    """What this action has used so far, reserved or spent, in the currency of the request."""

    order: Decimal = Decimal(0)
    customer_day: Decimal = Decimal(0)
    customer_year: Decimal = Decimal(0)
    workspace_day: Decimal = Decimal(0)
    requests_customer_day: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    reason: Reason | None = None

    @property
    def is_refusal(self) -> bool:
        return self.verdict is Verdict.REFUSE

    @property
    def needs_approval(self) -> bool:
        return self.verdict is Verdict.CONFIRM_AND_APPROVE


def decide_read(rules: Rules) -> Decision:
    """Decide on a look-up: it needs no card, and only the kill switch can stop it."""
    return Decision(Verdict.RUN) if rules.is_enabled else _refuse("action_disabled")


def decide_write(*, rules: Rules, obstacle: Reason | None, money: Money | None, used: Used) -> Decision:
    """Decide on an action that changes an order; `used` does not include the request itself."""
    if not rules.is_enabled:
        return _refuse("action_disabled")
    if obstacle is not None:
        return Decision(Verdict.REFUSE, obstacle)
    exceeded = _exceeded(rules, money.amount if money else Decimal(0), used)
    if exceeded:
        return _refuse(exceeded)
    if rules.is_shadow:
        return _refuse("shadow_mode")
    return Decision(Verdict.CONFIRM_AND_APPROVE if _needs_approval(rules, money, used) else Verdict.CONFIRM)


def _exceeded(rules: Rules, amount: Decimal, used: Used) -> str:
    """Return the code of the first limit that this amount would exceed, "" for none."""
    sums = (
        ("limit_order", used.order, rules.max_per_order),
        ("limit_customer_day", used.customer_day, rules.max_per_customer_day),
        ("limit_customer_year", used.customer_year, rules.max_per_customer_year),
        ("limit_workspace_day", used.workspace_day, rules.max_per_workspace_day),
    )
    for code, taken, limit in sums:
        if limit is not None and taken + amount > limit:
            return code
    most = rules.max_requests_per_customer_day
    return "limit_count_day" if most is not None and used.requests_customer_day >= most else ""


def _needs_approval(rules: Rules, money: Money | None, used: Used) -> bool:
    """Above the threshold a person decides. Partial amounts add up, per order and per customer and day."""
    if money is None:
        return False
    # The rules' amounts say nothing about another currency.
    if money.currency != rules.currency and rules.has_figures:
        return True
    if rules.approval_above is None:
        return False
    return money.amount + max(used.order, used.customer_day) > rules.approval_above


def _refuse(code: str) -> Decision:
    return Decision(Verdict.REFUSE, Reason(code))
