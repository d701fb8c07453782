"""Finding out which past requests other rules would have decided differently. Shops are not contacted; nothing is
stored or executed.

Each request is judged twice: by the rules in force and by the other rules, both times with the amounts that had
actually been used before it. Requests that only the other rules would have allowed do not add to these amounts. The
shop's records of that time are not stored, so guards, owners and the days since delivery are not judged.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Count, QuerySet, Sum
from django.utils.timezone import now

from actions.ledger import YEAR, Status
from actions.models import ActionPolicyVersion, ActionRequest, LedgerEntry
from actions.policy_store import RULE_FIELDS
from actions.requests.reevaluation import money_in
from actions.requests.rule_decision import Decision, Rules, Used, Verdict, decide_write
from actions.states import State
from supportbot.accounts.workspaces import workspace_time

MAX_REQUESTS: Final = 2_000
# Refusals that come from the rules; all others would be the same under any rules.
BY_RULES: Final = frozenset({
    "limit_order", "limit_subject", "limit_customer_day", "limit_customer_year", "limit_workspace_day",
    "limit_count_day", "shadow_mode", "action_disabled",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A past request that the old and the new rules decide differently."""

    request: ActionRequest
    before: Decision
    after: Decision

    @property
    def is_allowed_now(self) -> bool:
        """Return whether the request was refused or needed a person, and would now run once the customer confirms."""
        return self.after.verdict is Verdict.CONFIRM and self.before.verdict is not Verdict.CONFIRM

    @property
    def is_stopped_now(self) -> bool:
        """Return whether the request ran once the customer confirmed, and would now be refused or need a person."""
        return self.before.verdict is Verdict.CONFIRM and self.after.verdict is not Verdict.CONFIRM


class Compared:
    """The past requests that were decided twice, and those among them that the other rules decide differently."""

    __slots__ = ()
    changes: list[Change]

    @property
    def newly_allowed(self) -> int:
        return sum(change.is_allowed_now for change in self.changes)

    @property
    def newly_stopped(self) -> int:
        return sum(change.is_stopped_now for change in self.changes)


@dataclass(frozen=True, slots=True)
class BackTest(Compared):
    """The result for the last `days` days: `judged` requests were compared; `other` requests had been refused for
    reasons that do not depend on the rules.
    """

    days: int
    judged: int
    other: int
    changes: list[Change]
    is_cut: bool  # there were more than MAX_REQUESTS; these are the newest


def back_test(action: str, *, current: Rules, proposed: Rules, days: int) -> BackTest:
    """Return which past requests the proposed rules would have decided differently from the current ones, newest
    first.
    """
    since = now() - timedelta(days=days)
    asked = ActionRequest.objects.filter(action=action, created_at__gte=since).order_by("-created_at", "-id")
    newest = list(asked.select_related("policy_version")[: MAX_REQUESTS + 1])
    requests = newest[:MAX_REQUESTS][::-1]
    judged = [one for one in requests if one.state != State.REFUSED or one.reason_code in BY_RULES]
    changes = []
    for request, used in _with_use(action, judged):
        before, after = _decide(request, current, used), _decide(request, proposed, used)
        if (before.verdict, before.reason, before.approvals) != (after.verdict, after.reason, after.approvals):
            changes.append(Change(request, before, after))
    return BackTest(days, len(judged), len(requests) - len(judged), changes[::-1], len(newest) > MAX_REQUESTS)


def _decide(request: ActionRequest, rules: Rules, used: Used) -> Decision:
    decision = decide_write(rules=rules, obstacle=None, money=money_in(request), used=used)
    if decision.is_refusal or decision.needs_approval or not _is_approved_anyway(request, used):
        return decision
    return replace(decision, verdict=Verdict.CONFIRM_AND_APPROVE, approvals=request.approvals_needed)


def _is_approved_anyway(request: ActionRequest, used: Used) -> bool:
    """Return whether the action itself required a person's approval, whatever the rules said at the time."""
    if not request.needs_approval:
        return False
    then = _rules_in(request.policy_version)
    return not decide_write(rules=then, obstacle=None, money=money_in(request), used=used).needs_approval


def _rules_in(version: ActionPolicyVersion) -> Rules:
    return Rules(number=version.number, **{name: getattr(version, name) for name in RULE_FIELDS})


@dataclass(slots=True)
class _Sums:
    """The amounts that had been used at a certain time, in one currency."""

    subjects: defaultdict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    customers: defaultdict[object, defaultdict[date, Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Decimal))
    )
    days: defaultdict[date, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, entry: LedgerEntry) -> None:
        self.subjects[entry.subject_kind, entry.subject_id] += entry.amount
        self.customers[entry.customer_id][entry.day] += entry.amount
        self.days[entry.day] += entry.amount


@dataclass(slots=True)
class _AmountsUsed:
    """The amounts that had been used at a certain time, by currency, and the number of requests per customer and day,
    in all currencies.
    """

    sums: defaultdict[str, _Sums] = field(default_factory=lambda: defaultdict(_Sums))
    counts: defaultdict[tuple[object, date], int] = field(default_factory=lambda: defaultdict(int))

    def add(self, entry: LedgerEntry) -> None:
        self.sums[entry.currency].add(entry)
        self.counts[entry.customer_id, entry.day] += 1


def _with_use(action: str, requests: list[ActionRequest]) -> Iterator[tuple[ActionRequest, Used]]:
    """Yield each request with the amounts that had been used when it was made; `requests` must be sorted by time."""
    if not requests:
        return
    begin, end = requests[0].created_at, requests[-1].created_at
    entries = LedgerEntry.objects.filter(action=action).exclude(status=Status.RELEASED)
    zone = workspace_time(begin).tzinfo
    first = begin.astimezone(zone).date()
    use = _used_before(entries.filter(created_at__lt=begin), requests, first)
    waiting = iter(entries.filter(created_at__gte=begin, created_at__lt=end).order_by("created_at").iterator())
    coming = next(waiting, None)
    for request in requests:
        while coming is not None and coming.created_at < request.created_at:
            use.add(coming)
            coming = next(waiting, None)
        today = request.created_at.astimezone(zone).date()
        yield request, _used(request, use.sums[request.currency], use.counts, today)


def _used_before(earlier: QuerySet[LedgerEntry], requests: list[ActionRequest], first: date) -> _AmountsUsed:
    """Return the earlier amounts that count towards these requests' limits: by subject, by customer and day for a year,
    and by day.
    """
    use, total = _AmountsUsed(), Sum("amount")
    subjects = earlier.filter(subject_id__in={request.subject_id for request in requests} - {""})
    for kind, subject, currency, amount in subjects.values_list("subject_kind", "subject_id", "currency").annotate(
        total
    ):
        use.sums[currency].subjects[kind, subject] = amount
    of_years = earlier.filter(customer_id__in={request.customer_id for request in requests}, day__gt=first - YEAR)
    by_day = of_years.values_list("customer_id", "currency", "day").annotate(total, Count("pk"))
    for customer, currency, day, amount, number in by_day:
        use.sums[currency].customers[customer][day] = amount
        use.counts[customer, day] += number
    for currency, day, amount in earlier.filter(day__gte=first).values_list("currency", "day").annotate(total):
        use.sums[currency].days[day] = amount
    return use


def _used(request: ActionRequest, sums: _Sums, counts: Mapping[tuple[object, date], int], today: date) -> Used:
    of_customer: Mapping[date, Decimal] = sums.customers.get(request.customer_id, {})
    key = (request.subject_kind, request.subject_id)
    subject = sums.subjects.get(key, Decimal(0)) if request.subject_id else Decimal(0)
    customer_day = of_customer.get(today, Decimal(0))
    return Used(
        subject=subject,
        subject_kind=request.subject_kind,
        customer_day=customer_day,
        customer_year=sum((amount for day, amount in of_customer.items() if day > today - YEAR), Decimal(0)),
        workspace_day=sums.days.get(today, Decimal(0)),
        requests_customer_day=counts.get((request.customer_id, today), 0),
        before=max(subject, customer_day),
    )
