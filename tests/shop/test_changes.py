"""Changes of addresses and cancellations, which are possible until the parcel is shipped."""

import pytest

from tests.shop.process import Json, ShopProcess

PAID, PACKED, SHIPPED, DELIVERED = "WF-20444", "WF-20440", "WF-20431", "WF-20418"
ADDRESS = {"line1": "Lindenweg 14", "postal_code": "79100", "city": "Freiburg", "country": "DE"}


def address_of(order: str) -> str:
    return f"/merchant/v1/orders/{order}/address"


def cancel_of(order: str) -> str:
    return f"/merchant/v1/orders/{order}/cancel"


@pytest.mark.parametrize("order", [PAID, PACKED])
def test_the_address_of_an_unshipped_order_can_be_changed(shop: ShopProcess, order: str) -> None:
    before = shop.order(order)["address"]
    answer = shop.signed_post(address_of(order), {**ADDRESS, "line2": "2nd floor", "key": "k1"})
    assert answer.status == 200
    after = {**ADDRESS, "line2": "2nd floor", "name": before["name"]}
    assert shop.order(order)["address"] == after

    (change,) = shop.ledger()["changes"]
    assert (change["order"], change["kind"], change["key"]) == (order, "change_address", "k1")
    assert (change["before"], change["after"]) == (before, after)
    assert change["reference"].startswith("CH-") and change["reference"].endswith(order[-4:])
    assert answer.json == change


def test_another_person_may_receive_an_order(shop: ShopProcess) -> None:
    shop.signed_post(address_of(PAID), {**ADDRESS, "name": "Nina Weber", "key": "k1"})
    assert shop.order(PAID)["address"]["name"] == "Nina Weber"


@pytest.mark.parametrize("order", [SHIPPED, DELIVERED])
@pytest.mark.parametrize("path", [address_of, cancel_of])
def test_a_change_after_shipping_is_refused(shop: ShopProcess, order: str, path: Json) -> None:
    before = shop.order(order)
    body = ADDRESS if path is address_of else {}
    answer = shop.signed_post(path(order), {**body, "key": "k1"})
    assert (answer.status, answer.code) == (422, "already_shipped")
    assert shop.order(order) == before
    assert shop.ledger() == {"refunds": [], "changes": []}


def test_another_country_is_refused(shop: ShopProcess) -> None:
    before = shop.order(PAID)
    answer = shop.signed_post(address_of(PAID), {**ADDRESS, "country": "AT", "key": "k1"})
    assert (answer.status, answer.code) == (422, "other_country")
    assert shop.order(PAID) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("line1", None),
        ("line1", " "),
        ("line1", "x" * 101),
        ("city", "Frei\x00burg"),
        ("postal_code", 79100),
        ("postal_code", "7" * 13),
        ("country", "Germany"),
        ("country", "de"),
        ("name", "x" * 101),
        ("key", None),
        ("status", "delivered"),
    ],
)
def test_an_invalid_address_is_named(any_shop: ShopProcess, field: str, value: Json) -> None:
    before = any_shop.order(PAID)
    answer = any_shop.signed_post(address_of(PAID), {**ADDRESS, "key": "k1", field: value})
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert list(answer.json["fields"]) == [field]
    assert any_shop.order(PAID) == before


@pytest.mark.parametrize("path", [address_of, cancel_of])
def test_another_customers_order_is_answered_like_a_missing_one(shop: ShopProcess, path: Json) -> None:
    body = ADDRESS if path is address_of else {}
    before = shop.order(PAID)
    foreign = shop.signed_post(path(PAID), {**body, "customer": "cus_1001", "key": "k1"})
    missing = shop.signed_post(path("WF-99999"), {**body, "customer": "cus_1001", "key": "k2"})
    assert foreign.status == missing.status == 404
    assert foreign.text.replace(PAID, "WF-99999") == missing.text
    assert shop.order(PAID) == before


@pytest.mark.parametrize(("order", "total"), [(PAID, "288.00"), (PACKED, "249.00")])
def test_a_cancelled_order_is_refunded(shop: ShopProcess, order: str, total: str) -> None:
    answer = shop.signed_post(cancel_of(order), {"reason": "Ordered twice", "key": "k1"})
    assert answer.json["after"] == {"status": "cancelled", "paid_back": total, "currency": "EUR"}
    cancelled = shop.order(order)
    assert (cancelled["status"], cancelled["refunded"]) == ("cancelled", total)

    ledger = shop.ledger()
    (entry,), (change,) = ledger["refunds"], ledger["changes"]
    assert (entry["order"], entry["amount"], entry["key"]) == (order, total, "k1")
    assert (change["order"], change["kind"], change["key"]) == (order, "cancel", "k1")


def test_only_the_rest_of_a_cancelled_order_is_refunded(shop: ShopProcess) -> None:
    part = {
        "order": PACKED,
        "customer": "cus_1005",
        "amount": "49.00",
        "currency": "EUR",
        "reason": "Late",
        "key": "k1",
    }
    shop.signed_post("/merchant/v1/refunds", part)
    assert shop.signed_post(cancel_of(PACKED), {"key": "k2"}).json["after"]["paid_back"] == "200.00"
    assert [entry["amount"] for entry in shop.ledger()["refunds"]] == ["49.00", "200.00"]


def test_a_cancelled_order_stays_as_it_is(shop: ShopProcess) -> None:
    first = shop.signed_post(cancel_of(PACKED), {"key": "k1"})
    again = shop.signed_post(cancel_of(PACKED), {"key": "k1"})
    assert (again.json, again.headers["idempotent-replay"]) == (first.json, "true")
    assert shop.signed_post(cancel_of(PACKED), {"key": "k2"}).code == "order_cancelled"
    assert shop.signed_post(address_of(PACKED), {**ADDRESS, "key": "k3"}).code == "order_cancelled"
    assert len(shop.ledger()["changes"]) == len(shop.ledger()["refunds"]) == 1


def test_the_same_key_for_another_address_is_refused(shop: ShopProcess) -> None:
    shop.signed_post(address_of(PAID), {**ADDRESS, "key": "k1"})
    answer = shop.signed_post(address_of(PAID), {**ADDRESS, "city": "Köln", "key": "k1"})
    assert (answer.status, answer.code) == (409, "key_reused")
    assert shop.order(PAID)["address"]["city"] == "Freiburg"


def test_the_same_key_for_another_order_is_refused(shop: ShopProcess) -> None:
    """A signature covers the body, not the address it was sent to: a replayed body must not cancel a second order."""
    shop.signed_post(cancel_of(PACKED), {"key": "k1"})
    assert shop.signed_post(cancel_of(PAID), {"key": "k1"}).code == "key_reused"
    assert shop.order(PAID)["status"] == "paid"
