"""Limits: a table of decisions, and sums that no race can exceed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from actions.cards import reason_of
from actions.models import ActionRequest, LedgerEntry
from actions.money import Money
from actions.principals import Principal
from actions.reasons import Reason
from actions.requests.rule_decision import Rules, Used, Verdict, decide_read, decide_write
from actions.services import confirm
from actions.states import State
from actions.testing import FakeShop, run_queued
from tests.actions.conftest import limit

RULES = Rules(number=1, currency="EUR", approval_above=Decimal(100))
TEN = Money(Decimal(10), "EUR")


@pytest.mark.parametrize(
    ("rules", "money", "used", "verdict", "code"),
    [
        ({}, TEN, {}, "confirm", None),
        ({}, Money(Decimal("100.00"), "EUR"), {}, "confirm", None),
        ({}, Money(Decimal("100.01"), "EUR"), {}, "confirm_and_approve", None),
        ({}, TEN, {"before": Decimal("90.00")}, "confirm", None),
        ({}, TEN, {"before": Decimal("90.01")}, "confirm_and_approve", None),
        ({}, TEN, {"customer_day": Decimal("90.01")}, "confirm", None),  # checked later, when the amount is reserved
        ({}, Money(Decimal(10), "CHF"), {}, "confirm_and_approve", None),
        ({}, None, {}, "confirm", None),
        ({"is_enabled": False}, TEN, {}, "refuse", "action_disabled"),
        ({"is_shadow": True}, TEN, {}, "refuse", "shadow_mode"),
        ({"max_per_order": Decimal(50)}, TEN, {"subject": Decimal("40.00")}, "confirm", None),
        ({"max_per_order": Decimal(50)}, TEN, {"subject": Decimal("40.01")}, "refuse", "limit_order"),
        ({"max_per_customer_day": Decimal(50)}, TEN, {"customer_day": Decimal(41)}, "refuse", "limit_customer_day"),
        ({"max_per_customer_year": Decimal(50)}, TEN, {"customer_year": Decimal(41)}, "refuse", "limit_customer_year"),
        ({"max_per_workspace_day": Decimal(50)}, TEN, {"workspace_day": Decimal(41)}, "refuse", "limit_workspace_day"),
        ({"max_requests_per_customer_day": 2}, None, {"requests_customer_day": 2}, "refuse", "limit_count_day"),
        ({"max_requests_per_customer_day": 2}, None, {"requests_customer_day": 1}, "confirm", None),
    ],
)
def test_the_policy_decides(
    rules: dict[str, object], money: Money | None, used: dict[str, object], verdict: str, code: str | None
) -> None:
    decision = decide_write(rules=replace(RULES, **rules), obstacle=None, money=money, used=replace(Used(), **used))  # type: ignore[arg-type]  # a table
    assert (decision.verdict, decision.reason.code if decision.reason else None) == (Verdict(verdict), code)


def test_an_obstacle_decides_first_and_look_ups_need_no_card() -> None:
    obstacle = Reason("already_refunded", {"order": "A-1"})
    assert decide_write(rules=RULES, obstacle=obstacle, money=TEN, used=Used()).reason == obstacle
    assert decide_read(RULES).verdict is Verdict.RUN
    assert decide_read(replace(RULES, is_enabled=False)).is_refusal


@pytest.mark.django_db
def test_partial_refunds_add_up(proposals: Callable[..., ActionRequest], principal: Principal) -> None:
    limit("refund_order", max_per_customer_year=Decimal(400), approval_above=Decimal(100))
    slices = [proposals(order_id="A-1002", amount=f"{60 + step}.00") for step in range(7)]
    ended = [confirm(card.pk, principal=principal, digest=card.digest) for card in slices]
    assert [request.state for request in ended[:2]] == [State.QUEUED, State.AWAITING_APPROVAL]
    assert {request.reason_code for request in ended if request.state == State.CANCELLED} == {"limit_customer_year"}
    assert LedgerEntry.objects.aggregate(total=Sum("amount"))["total"] <= 400


@pytest.mark.django_db
def test_two_cards_never_refund_more_than_was_paid(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    first, second = proposals(amount="30.00"), proposals(amount="29.90")
    assert confirm(first.pk, principal=principal, digest=first.digest).state == State.QUEUED
    late = confirm(second.pk, principal=principal, digest=second.digest)
    assert (late.state, late.reason_code) == (State.CANCELLED, "amount_above_unrequested")
    run_queued()
    assert [refund.amount for refund in shop.refunds] == [Decimal("30.00")]


@pytest.mark.django_db
def test_a_refund_that_waits_for_approval_is_named_when_another_one_is_refused(
    proposals: Callable[..., ActionRequest], principal: Principal
) -> None:
    limit("refund_order", approval_above=Decimal(20))
    first = proposals()
    assert confirm(first.pk, principal=principal, digest=first.digest).state == State.AWAITING_APPROVAL
    again = proposals(amount="5.00")
    reason = reason_of(again, "en")
    assert again.state == State.REFUSED and reason is not None
    assert reason["text"] == (
        f"A refund of €{first.amount} for order A-1001 has already been requested, so nothing more can be refunded at "
        "the moment."
    )


@pytest.mark.django_db
def test_another_spelling_is_the_same_order(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    """A merchant may accept several spellings of an order number; limits still apply to the one order."""
    limit("refund_order", max_per_order=Decimal(30))
    shop.orders["#A-1001"] = shop.orders["A-1001"]
    first = proposals(amount="20.00")
    confirm(first.pk, principal=principal, digest=first.digest)
    again = proposals(order_id="#A-1001", amount="20.00")
    assert (again.state, again.reason_code, again.order_id) == (State.REFUSED, "limit_order", "A-1001")


@pytest.mark.django_db
def test_unsuccessful_requests_no_longer_count(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    limit("refund_order", max_per_customer_day=Decimal(40))
    first = proposals(order_id="A-1002", amount="30.00")
    confirm(first.pk, principal=principal, digest=first.digest)
    assert proposals(order_id="A-1002", amount="20.00").reason_code == "limit_customer_day"
    shop.change_order("A-1002", status="cancelled")
    run_queued()
    shop.change_order("A-1002", status="delivered")
    assert proposals(order_id="A-1002", amount="21.00").state == State.AWAITING_CONFIRMATION


@pytest.mark.django_db
def test_a_partial_refund_is_not_refused_because_of_a_paid_one(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    """The order already shows the first refund while its outcome is still unknown here; it must not count twice."""
    first, second = (proposals(amount=amount) for amount in ("30.00", "19.90"))
    for card in (first, second):
        confirm(card.pk, principal=principal, digest=card.digest)
    shop.faults, shop.can_be_found = ["commit_then_silence"], False
    run_queued()
    second.refresh_from_db()
    assert (second.state, second.reason_code) == (State.SUCCEEDED, "")
    assert [refund.amount for refund in shop.refunds] == [Decimal("30.00"), Decimal("19.90")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rules", [{"max_requests_per_customer_day": 1}, {"max_per_customer_day": Decimal(20), "approval_above": None}]
)
def test_a_request_confirmed_yesterday_does_not_count_for_todays_limit(
    rules: dict[str, object], proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    limit("refund_order", **rules)
    late = proposals(order_id="A-1002", amount="11.00")
    confirm(late.pk, principal=principal, digest=late.digest)
    LedgerEntry.objects.update(day=LedgerEntry.objects.get().day - timedelta(days=1))
    card = proposals(order_id="A-1002", amount="12.00")
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    assert set(ActionRequest.objects.values_list("state", flat=True)) == {State.SUCCEEDED}
    assert len(shop.refunds) == 2


@pytest.mark.django_db
def test_a_lowered_limit_stops_unsent_requests(
    proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    card = proposals(order_id="A-1002", amount="30.00")
    confirm(card.pk, principal=principal, digest=card.digest)
    limit("refund_order", max_per_customer_day=Decimal(20))
    run_queued()
    card.refresh_from_db()
    assert (card.state, card.reason_code, shop.refunds) == (State.FAILED, "limit_customer_day", [])
