"""Facts about a freshly seeded shop on which scripts and the demo story rely."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.ports import reserved_port
from tests.shop.process import Json, ShopProcess

STATUSES = {"paid", "packed", "shipped", "delivered", "cancelled", "returned"}


def all_orders(shop: ShopProcess) -> list[Json]:
    people = shop.get("/api/customers").json["customers"]
    return [order for person in people for order in orders_of(shop, person["id"])]


def without_addresses(shop: ShopProcess) -> list[Json]:
    """Return the orders without the addresses of the shop's own pages."""
    return [{name: order[name] for name in order if name not in ("page", "picture")} for order in all_orders(shop)]


def orders_of(shop: ShopProcess, customer: str) -> list[Json]:
    return list(shop.get(f"/api/orders?customer={customer}").json["orders"])


def age(moment: str) -> timedelta:
    return datetime.now(tz=UTC) - datetime.fromisoformat(moment)


def test_the_seeded_shop_is_large_enough(shop: ShopProcess) -> None:
    orders = all_orders(shop)
    assert len(shop.get("/api/customers").json["customers"]) >= 50
    assert len({order["id"] for order in orders}) == len(orders) >= 300
    assert {order["status"] for order in orders} == STATUSES
    assert {order["currency"] for order in orders} == {"EUR", "CHF"}


def test_customers_are_distinct(shop: ShopProcess) -> None:
    people = shop.get("/api/customers").json["customers"]
    assert all(person.keys() == {"id", "name", "email", "locale"} for person in people)
    for name in ("id", "name", "email"):
        assert len({person[name] for person in people}) == len(people)


def test_amounts_add_up(shop: ShopProcess) -> None:
    for order in all_orders(shop):
        prices = [Decimal(item["price"]) * item["quantity"] for item in order["items"]]
        assert Decimal(order["total"]) == sum(prices)
        assert Decimal(order["refunded"]) == sum(Decimal(item["refunded"]) for item in order["items"])
        paid_back = order["status"] in {"cancelled", "returned"}
        assert not paid_back or order["refunded"] == order["total"]


def test_dates_follow_the_status(shop: ShopProcess) -> None:
    for order in all_orders(shop):
        moments = [order[name] for name in ("placed_at", "shipped_at", "delivered_at") if name in order]
        assert moments == sorted(moments)
        assert all(age(moment) > timedelta(0) for moment in moments)
        assert ("shipped_at" in order) == (order["status"] in {"shipped", "delivered", "returned"})
        assert ("delivered_at" in order) == (order["status"] in {"delivered", "returned"})


def test_the_first_ten_customers_have_a_small_recently_delivered_order(shop: ShopProcess) -> None:
    for person in shop.get("/api/customers").json["customers"][:10]:
        orders = orders_of(shop, person["id"])
        assert {order["currency"] for order in orders} == {"EUR"}
        small = [order for order in orders if order["status"] == "delivered" and Decimal(order["total"]) < 100]
        fresh = [order for order in small if order["refunded"] == "0.00" and age(order["delivered_at"]).days < 21]
        assert fresh, person


def test_the_demo_story_exists(shop: ShopProcess) -> None:
    people = {person["name"]: person for person in shop.get("/api/customers").json["customers"]}
    story = ("Mara Lindner", "Jonas Weber", "Priya Raman", "Tom Okafor", "Samir Haddad", "Élodie Garnier", "Léa Martin")
    assert list(people)[: len(story)] == list(story)
    assert people["Mara Lindner"]["id"] == "cus_1001"
    assert (people["Jonas Weber"]["locale"], people["Samir Haddad"]["locale"]) == ("de", "ar")

    boots = shop.order("WF-20418")
    assert (boots["customer"], boots["status"], boots["payment"]) == ("cus_1001", "delivered", "Visa •••• 4417")
    assert [item["sku"] for item in boots["items"]] == ["CAIRN-41", "ALDER-M"]
    assert [item["price"] for item in boots["items"]] == ["189.00", "69.00"]
    tent = shop.order("WF-20431")
    assert (tent["customer"], tent["status"], tent["total"]) == ("cus_1001", "shipped", "389.00")
    assert shop.order("WF-20361")["customer"] == people["Élodie Garnier"]["id"]


@pytest.mark.parametrize(("order", "name", "days"), [("WF-20418", "placed_at", 10), ("WF-20431", "placed_at", 3)])
def test_dates_are_counted_from_today(shop: ShopProcess, order: str, name: str, days: int) -> None:
    placed = datetime.fromisoformat(shop.order(order)[name])
    # Two days are possible, since midnight may pass between the seed and this line.
    assert (datetime.now(tz=UTC).date() - placed.date()).days in {days, days + 1}


@pytest.mark.long
def test_two_shops_are_seeded_alike(shop: ShopProcess, tmp_path: Path) -> None:
    other = ShopProcess(tmp_path / "other", reserved_port())
    other.start()
    try:
        # The running shop is seeded again, so both are of the same day, unless midnight passes.
        shop.post("/api/reset", {})
        assert other.get("/api/customers").text == shop.get("/api/customers").text
        assert without_addresses(other) == without_addresses(shop)
    finally:
        other.stop()
