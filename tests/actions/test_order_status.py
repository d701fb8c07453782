"""The order status in words: dates are written as people say them, in every language."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from actions.catalogue.order_status import ACTION
from actions.facts import Unsettled
from actions.testing import FakeShop

LEFT = datetime(2026, 11, 25, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "expected_on", "words"),
    [
        ("en", "2026-11-28", "Order A-1: on its way, sent on 25 November, expected on 28 November, total €49.90."),
        ("de", "2026-11-28", "Bestellung A-1: unterwegs, verschickt am 25. November, erwartet am 28. November, "
                             "Summe 49,90 €."),
        ("fr", "2026-11-28", "Commande A-1 : en route, expédiée le 25 novembre, prévue le 28 novembre, total 49,90 €."),
        ("pl", "2026-11-28", "Zamówienie A-1: w drodze, wysłane 25 listopada, spodziewane 28 listopada, suma 49,90 €."),
        ("pt", "2026-11-28", "Encomenda A-1: a caminho, enviada a 25 de novembro, prevista para 28 de novembro, "
                             "total 49,90 €."),
        ("tr", "2026-11-28", "Sipariş A-1: yolda, gönderim: 25 Kasım, beklenen teslimat: 28 Kasım, toplam €49,90."),
        ("ar", "2026-11-28", "الطلب A-1: في الطريق، شُحن في 25 نوفمبر، متوقع في 28 نوفمبر، الإجمالي \u200f49.90 €."),
        ("en", "Saturday", "Order A-1: on its way, sent on 25 November, expected on Saturday, total €49.90."),
        ("en", "", "Order A-1: on its way, sent on 25 November, total €49.90."),
    ],
)  # fmt: skip
def test_days_are_formatted(locale: str, expected_on: str, words: str) -> None:
    order = FakeShop().add_order("A-1", "cus_alice", status="shipped", delivered_days_ago=None)
    sent = replace(order, shipped_at=LEFT, expected_on=expected_on)
    assert ACTION.words(ACTION.answer([sent], (), locale), locale).replace("\xa0", " ") == words


def test_open_orders_are_described_and_others_only_named() -> None:
    shop = FakeShop()
    order = shop.add_order("A-1", "cus_alice", total="49.90", delivered_days_ago=2)
    ended = replace(order, refunded=Decimal("12.50"))
    sent = shop.add_order("A-2", "cus_alice", status="shipped", delivered_days_ago=None)
    lines = ACTION.words(ACTION.answer([sent, ended], (), "en"), "en").splitlines()
    assert lines[0].startswith("Order A-2: on its way")
    assert lines[1].startswith("Earlier orders: A-1 (delivered, ") and lines[1].endswith(", refunded €12.50).")
    assert ACTION.words(ACTION.answer([ended], (), "de"), "de").startswith("Bestellung A-1: zugestellt")


@pytest.mark.parametrize("status", ["delivered", "cancelled", "returned"])
def test_a_closed_order_is_not_expected(status: str) -> None:
    order = FakeShop().add_order("A-1", "cus_alice", status=status, delivered_days_ago=2)
    answer = ACTION.answer([replace(order, expected_on="2026-11-28")], (), "en")
    assert "expected" not in str(answer) and "expected" not in ACTION.words(answer, "en")


def test_an_order_that_was_placed_later_is_not_an_earlier_one() -> None:
    shop = FakeShop()
    sent = shop.add_order("A-1", "cus_alice", status="shipped", delivered_days_ago=None)
    later = replace(shop.add_order("A-2", "cus_alice", delivered_days_ago=1), placed_at=sent.placed_at + timedelta(2))
    assert "\nOther orders: A-2 (delivered, " in ACTION.words(ACTION.answer([later, sent], (), "en"), "en")


def test_the_refunded_amount_is_shown() -> None:
    order = FakeShop().add_order("A-1", "cus_alice", total="49.90", delivered_days_ago=2)
    paid_back = replace(order, refunded=Decimal("12.50"))
    assert "refunded €12.50" in ACTION.words(ACTION.answer([paid_back], (), "en"), "en")
    assert "refunded" not in ACTION.words(ACTION.answer([order], (), "en"), "en")


def test_an_undelivered_order_shows_the_day_it_was_placed() -> None:
    shop = FakeShop()
    cancelled = shop.add_order("A-1", "cus_alice", status="cancelled", delivered_days_ago=None)
    sent = shop.add_order("A-2", "cus_alice", status="shipped", delivered_days_ago=None)
    assert "A-1 (cancelled, ordered on " in ACTION.words(ACTION.answer([sent, cancelled], (), "en"), "en")


def test_a_long_history_is_cut() -> None:
    shop = FakeShop()
    orders = [shop.add_order(f"A-{number}", "cus_alice", delivered_days_ago=number) for number in range(1, 31)]
    last = ACTION.words(ACTION.answer(orders, (), "en"), "en").splitlines()[-1]
    assert last.count("A-") == 5 and last.endswith(" and 24 more.")


def test_hundreds_of_orders_are_not_all_listed() -> None:
    """Every order costs a model tokens. Orders with open requests are listed, however old they are."""
    shop = FakeShop()
    orders = [shop.add_order(f"A-{number}", "cus_alice", delivered_days_ago=number) for number in range(1, 301)]
    wish = Unsettled("A-300", "refund_order", "Refund €49.90", "awaiting_approval")
    answer = ACTION.answer(orders, [wish], "en")
    assert [order["id"] for order in answer["orders"]] == [*(f"A-{number}" for number in range(1, 41)), "A-300"]
    assert answer["older_orders"] == 259
    first, last = ACTION.words(answer, "en").splitlines()
    assert first.startswith("Order A-300") and last.count("A-") == 5 and last.endswith(" and 294 more.")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("awaiting_approval", "Requested: Refund €12.50 (waiting for our team's approval)."),
        ("executing", "Requested: Refund €12.50 (in progress)."),
        ("rejected", "Requested: Refund €12.50 (not approved by our team)."),
    ],
)
def test_a_request_is_shown_with_its_order(state: str, words: str) -> None:
    shop = FakeShop()
    ended = shop.add_order("A-1", "cus_alice", delivered_days_ago=2)
    sent = shop.add_order("A-2", "cus_alice", status="shipped", delivered_days_ago=None)
    wish = Unsettled("A-1", "refund_order", "Refund €12.50", state)
    first, second = ACTION.words(ACTION.answer([sent, ended], [wish], "en"), "en").splitlines()
    assert first.startswith("Order A-2") and "Asked" not in first
    assert second.startswith("Order A-1: delivered") and second.endswith(words)


def test_a_long_list_of_open_orders_is_shortened_too() -> None:
    shop = FakeShop()
    orders = [shop.add_order(f"A-{number}", "cus_alice", status="paid") for number in range(1, 31)]
    lines = ACTION.words(ACTION.answer(orders, (), "en"), "en").splitlines()
    assert len(lines) == 11 and lines[-1].startswith("Other orders: A-11 (paid, ")
    assert lines[-1].endswith(" and 15 more.")
