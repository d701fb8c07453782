"""Currencies with zero or three decimals: the same amount is requested, shown, signed, counted, sent and reported."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from actions import errors
from actions.canonical_json import digest_of
from actions.cards import proposed_payload
from actions.merchant_api.order_parsing import InvalidOrder, parse_order
from actions.models import ActionPolicyVersion, ActionRequest, AuditEntry, LedgerEntry
from actions.money import Money, currency_decimals, format_amount, format_money, is_amount_in
from actions.policy_store import change_rules, policy_of
from actions.principals import Principal
from actions.serializers import ActionRequestSerializer, RulesSerializer
from actions.services import approve, confirm
from actions.states import State
from actions.testing import FakeShop, Refund, run_queued
from supportbot.accounts.models import User
from tests.actions.conftest import limit

CASES = [
    ("EUR", "49.90", "12.5", "12.50", "€12.50", "12,50\u00a0€"),
    ("JPY", "15000", "1250", "1250", "¥1,250", "1.250\u00a0¥"),
    ("KRW", "980000", "12000.00", "12000", "₩12,000", "12.000\u00a0₩"),
    ("KWD", "45.750", "12.505", "12.505", "KWD\u00a012.505", "12,505\u00a0KWD"),
    ("BHD", "45.750", "12.5", "12.500", "BHD\u00a012.500", "12,500\u00a0BHD"),
]
NO_LIMITS = {"max_per_customer_year": None, "max_per_workspace_day": None, "approval_above": None}


def in_currency(currency: str, **rules: Any) -> ActionPolicyVersion:
    """Set the currency of the refund rules."""
    policy = policy_of("refund_order")
    assert policy is not None
    return change_rules(policy, actor="test", currency=currency, **rules)


@pytest.mark.parametrize(
    ("text", "currency", "is_one"),
    [
        ("12.50", "EUR", True), ("12.505", "EUR", False), ("1.000", "EUR", False), ("1250", "JPY", True),
        ("1250.00", "JPY", True), ("1250.50", "JPY", False), ("1250.5", "JPY", False), ("1.000", "JPY", False),
        ("12.505", "KWD", True), ("12.5", "KWD", True), ("12.5055", "KWD", False), ("1e2", "KWD", False),
    ],
)  # fmt: skip
def test_amounts_must_fit_the_currency(text: str, currency: str, is_one: bool) -> None:
    assert is_amount_in(text, currency) is is_one


@pytest.mark.parametrize(("currency", "total", "asked", "written", "english", "german"), CASES)
def test_amounts_are_written_as_the_currency_requires(
    currency: str, total: str, asked: str, written: str, english: str, german: str
) -> None:
    amount = Decimal(asked)
    assert format_amount(amount, currency) == written and len(written.partition(".")[2]) == currency_decimals(currency)
    assert str(Money(amount, currency)) == f"{written} {currency}"
    assert (format_money(Money(amount, currency), "en"), format_money(Money(amount, currency), "de")) == (
        english,
        german,
    )


@pytest.mark.one_in(3)
@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "total", "asked", "written", "english", "german"), CASES)
def test_an_amount_is_the_same_from_the_request_to_the_receipt(
    shop: FakeShop, principal: Principal, proposals: Callable[..., ActionRequest],
    currency: str, total: str, asked: str, written: str, english: str, german: str,
) -> None:  # fmt: skip
    in_currency(currency, **NO_LIMITS)
    shop.add_order("A-7", "cus_alice", total=total, currency=currency)
    card = proposals(order_id="A-7", amount=asked)
    assert card.arguments["amount"] == written and card.arguments["currency"] == currency
    assert proposed_payload(card)["title"] == f"Refund {english}"
    assert card.digest == digest_of(
        workspace=card.workspace_pk, customer=card.customer_id, request=card.pk, action="refund_order",
        spec_version=1, policy_version=card.policy_version.number,
        arguments={"order_id": "A-7", "amount": written, "currency": currency, "reason": "Arrived damaged"},
    )  # fmt: skip
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert card.state == State.SUCCEEDED and card.receipt is not None
    assert (card.receipt["amount"], card.receipt["currency"]) == (written, currency)
    assert shop.refunds == [Refund("A-7", Decimal(written), currency)]
    entry = LedgerEntry.objects.get()
    assert (entry.amount, entry.currency, entry.status) == (Decimal(written), currency, "spent")
    assert ActionRequestSerializer(card).data["amount"] == written


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("currency", "total", "asked"), [("EUR", "49.90", "12.505"), ("EUR", "49.90", "1.000"), ("JPY", "15000", "1250.5")]
)
def test_too_many_decimals_are_an_invalid_argument(
    shop: FakeShop, proposals: Callable[..., ActionRequest], currency: str, total: str, asked: str
) -> None:
    shop.add_order("A-7", "cus_alice", total=total, currency=currency)
    with pytest.raises(errors.InvalidArguments) as refused:
        proposals(order_id="A-7", amount=asked)
    assert list(refused.value.fields) == ["amount"] and currency in refused.value.fields["amount"][0]
    assert not ActionRequest.objects.exists()
    assert AuditEntry.objects.latest("seq").payload["code"] == "invalid_arguments"


@pytest.mark.django_db
def test_the_whole_order_and_parts_of_it_are_refunded(
    shop: FakeShop, principal: Principal, proposals: Callable[..., ActionRequest]
) -> None:
    in_currency("KWD", approval_above=None, max_per_customer_day=Decimal("45.749"))
    shop.add_order("A-7", "cus_alice", total="45.750", currency="KWD")
    assert proposals(order_id="A-7").reason_code == "limit_customer_day"
    for amount in ("20.001", "25.748"):
        card = proposals(order_id="A-7", amount=amount)
        assert confirm(card.pk, principal=principal, digest=card.digest).state == State.QUEUED
    run_queued()
    assert proposals(order_id="A-7", amount="0.001").reason_code == "limit_customer_day"
    assert sum(refund.amount for refund in shop.refunds) == Decimal("45.749")


@pytest.mark.one_in(2)
@pytest.mark.django_db
@pytest.mark.parametrize("rules", [{"approval_above": None}, {"max_per_customer_year": None}])
def test_a_person_decides_on_amounts_in_another_currency(
    shop: FakeShop, principal: Principal, proposals: Callable[..., ActionRequest], rules: dict[str, Any], approver: User
) -> None:
    limit("refund_order", **rules)
    shop.add_order("A-7", "cus_alice", total="45.750", currency="KWD")
    card = proposals(order_id="A-7", amount="0.001")
    waiting = confirm(card.pk, principal=principal, digest=card.digest)
    assert waiting.state == State.AWAITING_APPROVAL
    approve(card.pk, approver=approver, digest=card.digest)
    run_queued()
    assert shop.refunds == [Refund("A-7", Decimal("0.001"), "KWD")]


@pytest.mark.django_db
def test_the_number_of_requests_counts_every_currency(
    shop: FakeShop, principal: Principal, proposals: Callable[..., ActionRequest]
) -> None:
    in_currency("EUR", max_requests_per_customer_day=1, **NO_LIMITS)
    shop.add_order("A-7", "cus_alice", total="45.750", currency="KWD")
    card = proposals()
    confirm(card.pk, principal=principal, digest=card.digest)
    assert proposals(order_id="A-7", amount="1").reason_code == "limit_count_day"


@pytest.mark.django_db
def test_rules_are_shown_with_their_currencys_decimals(shop: FakeShop) -> None:
    for currency, shown in (("JPY", "150"), ("KWD", "150.000"), ("EUR", "150.00")):
        in_currency(currency)
        rules = ActionPolicyVersion.objects.latest("number")
        assert RulesSerializer(rules).data["approval_above"] == shown
        assert RulesSerializer(rules).data["max_per_order"] is None


def test_an_order_with_an_impossible_total_is_invalid() -> None:
    for currency, total in (("JPY", "1250"), ("EUR", "12.50"), ("KWD", "12.505")):
        assert parse_order(an_order(currency, total)).remaining == Money(Decimal(total), currency)
    for currency, total in (("JPY", "12.50"), ("EUR", "12.505")):
        with pytest.raises(InvalidOrder):
            parse_order(an_order(currency, total))


def an_order(currency: str, total: str) -> dict[str, Any]:
    address = dict.fromkeys(("name", "line1", "line2", "postal_code", "city", "country"), "x")
    line = {"sku": "S", "name": "Socks", "quantity": 1, "price": total, "refunded": "0"}
    return {
        "id": "A-7", "customer": "cus_alice", "status": "delivered", "currency": currency, "total": total,
        "refunded": "0", "placed_at": "2026-01-01T00:00:00Z", "items": [line], "address": address, "payment": "card",
    }  # fmt: skip
