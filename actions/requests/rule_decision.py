"""Deciding whether a request may proceed. Pure: no database, no clock, no network."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from actions.facts import ORDER
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
    max_per_order: Decimal | None = None  # applies to any kind of subject; `max_per_subject` from 0.3 on
    max_per_customer_day: Decimal | None = None
    max_per_customer_year: Decimal | None = None
    max_per_workspace_day: Decimal | None = None
    max_requests_per_customer_day: int | None = None
    approval_above: Decimal | None = None
    second_approval_above: Decimal | None = None
    window_days: int | None = None
    hold_minutes: int | None = None

    @property
    def has_figures(self) -> bool:
        """Return whether any rule is an amount in `currency`."""
        figures = (
            self.max_per_order, self.max_per_customer_day, self.max_per_customer_year, self.max_per_workspace_day,
            self.approval_above, self.second_approval_above,
        )  # fmt: skip
        return any(figure is not None for figure in figures)


def bounded(rules: Rules, most_requests: int | None) -> Rules:
    """Return the rules, limited to this many requests per customer and day, as an action itself can require."""
    if most_requests is None or not _is_above(rules.max_requests_per_customer_day, most_requests):
        return rules
    return replace(rules, max_requests_per_customer_day=most_requests)


# A raised limit, or none, allows more.
_CAPS = (
    "max_per_order", "max_per_customer_day", "max_per_customer_year", "max_per_workspace_day",
    "max_requests_per_customer_day", "approval_above", "second_approval_above", "window_days",
)  # fmt: skip


def allows_more(new: Rules, than: Rules) -> bool:
    """Return whether new rules allow anything that the old ones stop, delay or leave to a person."""
    raised = any(_is_above(getattr(new, name), getattr(than, name)) for name in _CAPS)
    is_started = (new.is_enabled and not than.is_enabled) or (than.is_shadow and not new.is_shadow)
    return raised or is_started or (new.hold_minutes or 0) < (than.hold_minutes or 0)


def _is_above(new: Decimal | int | None, old: Decimal | int | None) -> bool:
    return old is not None and (new is None or new > old)


@dataclass(frozen=True, slots=True)
class Used:
    """The amounts that this action has used so far, reserved or spent, in the request's currency."""

    subject: Decimal = Decimal(0)
    subject_kind: str = ORDER
    customer_day: Decimal = Decimal(0)
    customer_year: Decimal = Decimal(0)
    workspace_day: Decimal = Decimal(0)
    requests_customer_day: int = 0
    # The amount that a new one is added to for approvals: the larger of the sums reserved earlier for the subject and
    # for the customer's day. So if two requests together exceed the threshold, only the later one needs a person,
    # whenever they are judged.
    before: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    reason: Reason | None = None
    approvals: int = 0  # number of people who must approve

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
    """Decide on an action that changes a record; `used` does not include the request itself."""
    if not rules.is_enabled:
        return _refuse("action_disabled")
    if obstacle is not None:
        return Decision(Verdict.REFUSE, obstacle)
    exceeded = exceeded_limit(rules, money.amount if money else Decimal(0), used)
    if exceeded:
        return _refuse(exceeded)
    if rules.is_shadow:
        return _refuse("shadow_mode")
    approvals = approvals_needed(rules, money, used)
    return Decision(Verdict.CONFIRM_AND_APPROVE if approvals else Verdict.CONFIRM, approvals=approvals)


def exceeded_limit(rules: Rules, amount: Decimal, used: Used) -> str:
    """Return the code of the first limit that this amount would exceed; "" if there is none."""
    sums = (
        ("limit_order" if used.subject_kind == ORDER else "limit_subject", used.subject, rules.max_per_order),
        ("limit_customer_day", used.customer_day, rules.max_per_customer_day),
        ("limit_customer_year", used.customer_year, rules.max_per_customer_year),
        ("limit_workspace_day", used.workspace_day, rules.max_per_workspace_day),
    )
    for code, taken, limit in sums:
        if limit is not None and taken + amount > limit:
            return code
    most = rules.max_requests_per_customer_day
    return "limit_count_day" if most is not None and used.requests_customer_day >= most else ""


def approvals_needed(rules: Rules, money: Money | None, used: Used) -> int:
    """Return how many people must approve: none, or one or two above the thresholds. Amounts add up per subject, and
    per customer and day.
    """
    if money is None:
        return 0
    first, second = rules.approval_above, rules.second_approval_above
    # The rules' amounts say nothing about other currencies, so the strictest rule applies.
    if money.currency != rules.currency and rules.has_figures:
        return 1 if second is None else 2
    total = money.amount + used.before
    if second is not None and total > second:
        return 2
    return 1 if first is not None and total > first else 0


def _refuse(code: str) -> Decision:
    return Decision(Verdict.REFUSE, Reason(code))
