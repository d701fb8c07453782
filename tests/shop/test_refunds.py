"""Money is refunded once per key and never beyond what was paid, however often it is requested."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.shop.process import Answer, Json, ShopProcess

REFUNDS = "/merchant/v1/refunds"
# Mara's boots and shirt, 189.00 and 69.00, nothing refunded.
BOOTS_AND_SHIRT = "WF-20418"
CALLERS = 20

WRONG_VALUES: dict[str, list[Json]] = {
    "amount": [12.5, 12, "0", "0.00", "-1.00", "+1", "1e2", "1.005", "1,50", "NaN", "", "١٢"],
    "currency": ["eur", "USD", "", "EURO", 978],
    "key": ["", "a b", "a/b", "k\n", "x" * 201, 7, "é"],
    "reason": ["", "   ", "x" * 501, "a\x00b", "\udc00", ["x"]],
    "items": [
        [],
        "ALDER-M",
        [1],
        [{}],
        *([{"sku": "ALDER-M", "quantity": quantity}] for quantity in (0, -1, 1.5, 101, "1", True)),
        [{"sku": "ALDER-M", "price": "0.01"}],
        [{"sku": "ALDER-M"}, {"sku": "ALDER-M"}],
        [{"sku": f"SKU-{number}"} for number in range(51)],
    ],
    "order": [20418],
    "customer": [{"id": "cus_1001"}],
    "approved": [True],
}


def refund(**changes: Json) -> Json:
    return {
        "order": BOOTS_AND_SHIRT,
        "customer": "cus_1001",
        "amount": "12.50",
        "currency": "EUR",
        "reason": "Arrived damaged",
        "key": "k1",
    } | changes


def without(name: str) -> Json:
    return {field: value for field, value in refund().items() if field != name}


def at_once(shop: ShopProcess, bodies: list[Json]) -> list[Answer]:
    """Send all calls at once: none is sent before all are ready."""
    start = Barrier(len(bodies))

    def send(body: Json) -> Answer:
        start.wait(timeout=PATIENCE_SECONDS)
        return shop.signed_post(REFUNDS, body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, bodies))


@contextmanager
def nothing_moves(shop: ShopProcess) -> Iterator[None]:
    before = shop.ledger(), shop.order(BOOTS_AND_SHIRT)
    yield
    assert (shop.ledger(), shop.order(BOOTS_AND_SHIRT)) == before


def test_a_partial_refund(shop: ShopProcess) -> None:
    answer = shop.signed_post(REFUNDS, refund())
    assert answer.status == 200
    receipt = answer.json
    assert receipt["refund"].startswith("RF-")
    assert receipt["refund"].endswith("-0418")
    assert (receipt["amount"], receipt["currency"], receipt["remaining"]) == ("12.50", "EUR", "245.50")
    assert (receipt["order"], receipt["key"], receipt["payment"]) == (BOOTS_AND_SHIRT, "k1", "Visa •••• 4417")
    assert shop.order(BOOTS_AND_SHIRT)["refunded"] == "12.50"

    (entry,) = shop.ledger()["refunds"]
    assert (entry["order"], entry["amount"], entry["currency"]) == (BOOTS_AND_SHIRT, "12.50", "EUR")
    assert (entry["key"], entry["reference"]) == ("k1", receipt["refund"])


def test_a_refund_of_an_item_is_paid(shop: ShopProcess) -> None:
    answer = shop.signed_post(REFUNDS, refund(amount="69.00", items=[{"sku": "ALDER-M", "quantity": 1}]))
    assert answer.json["items"] == [{"sku": "ALDER-M", "quantity": 1}]
    order = shop.order(BOOTS_AND_SHIRT)
    assert [item["refunded"] for item in order["items"]] == ["0.00", "69.00"]
    assert order["refunded"] == "69.00"


def test_an_order_can_be_refunded_to_the_last_cent_and_no_further(shop: ShopProcess) -> None:
    assert shop.signed_post(REFUNDS, refund(amount="257.99")).status == 200
    assert shop.signed_post(REFUNDS, refund(amount="0.02", key="k2")).code == "amount_above_remaining"
    assert shop.signed_post(REFUNDS, refund(amount="0.01", key="k3")).json["remaining"] == "0.00"
    order = shop.order(BOOTS_AND_SHIRT)
    assert order["refunded"] == "258.00"
    # Requested by amount, but for all items together.
    assert [item["refunded"] for item in order["items"]] == ["189.00", "69.00"]


@pytest.mark.parametrize("amount", ["12.5", "12.50", "012.50"])
def test_an_amount_can_be_written_in_several_ways(shop: ShopProcess, amount: str) -> None:
    assert shop.signed_post(REFUNDS, refund(amount=amount)).json["amount"] == "12.50"
    assert shop.signed_post(REFUNDS, refund()).headers["idempotent-replay"] == "true"


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "258.01"}, 422, "amount_above_remaining"),
        ({"amount": "9999999"}, 422, "amount_above_remaining"),
        ({"currency": "CHF"}, 422, "wrong_currency"),
        ({"items": [{"sku": "ALDER-M"}]}, 422, "items_do_not_match"),
        ({"items": [{"sku": "PEBBLE"}], "amount": "54.00"}, 422, "items_do_not_match"),
        ({"items": [{"sku": "ALDER-M", "quantity": 2}], "amount": "138.00"}, 422, "items_do_not_match"),
        ({"order": "WF-99999"}, 404, "not_found"),
        ({"customer": "cus_1002"}, 404, "not_found"),
    ],
)
def test_the_shops_rules_apply(shop: ShopProcess, changes: Json, status: int, code: str) -> None:
    with nothing_moves(shop):
        answer = shop.signed_post(REFUNDS, refund(**changes))
    assert (answer.status, answer.code) == (status, code)


def test_another_customers_order_is_answered_like_a_missing_one(shop: ShopProcess) -> None:
    foreign = shop.signed_post(REFUNDS, refund(customer="cus_1002", key="k1"))
    missing = shop.signed_post(REFUNDS, refund(order="WF-99999", key="k2"))
    assert foreign.status == missing.status == 404
    assert foreign.text.replace(BOOTS_AND_SHIRT, "WF-99999") == missing.text


def test_a_cancelled_order_has_been_refunded(shop: ShopProcess) -> None:
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k0"})
    answer = shop.signed_post(REFUNDS, refund(order="WF-20440", customer="cus_1005"))
    assert (answer.status, answer.code) == (422, "order_cancelled")
    assert [entry["key"] for entry in shop.ledger()["refunds"]] == ["k0"]


def test_an_item_is_refunded_once(shop: ShopProcess) -> None:
    shirt = {"amount": "69.00", "items": [{"sku": "ALDER-M"}]}
    assert shop.signed_post(REFUNDS, refund(**shirt)).status == 200
    assert shop.signed_post(REFUNDS, refund(key="k2", **shirt)).code == "items_do_not_match"
    assert shop.order(BOOTS_AND_SHIRT)["refunded"] == "69.00"


@pytest.mark.parametrize("field", ["order", "customer", "amount", "currency", "reason", "key"])
def test_a_missing_field_is_named(any_shop: ShopProcess, field: str) -> None:
    with nothing_moves(any_shop):
        answer = any_shop.signed_post(REFUNDS, without(field))
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert list(answer.json["fields"]) == [field]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_VALUES.items() for value in values]
)
def test_an_invalid_field_is_named(any_shop: ShopProcess, field: str, value: Json) -> None:
    with nothing_moves(any_shop):
        answer = any_shop.signed_post(REFUNDS, refund(**{field: value}))
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert list(answer.json["fields"]) == [field]


def test_all_invalid_fields_are_named_together_and_the_key_stays_free(shop: ShopProcess) -> None:
    answer = shop.signed_post(REFUNDS, refund(amount="-1", currency="USD", extra=1))
    assert set(answer.json["fields"]) == {"amount", "currency", "extra"}
    assert shop.signed_get("/merchant/v1/operations/k1").status == 404
    assert shop.signed_post(REFUNDS, refund()).status == 200


def test_the_same_key_gets_the_first_answer_and_pays_nothing(shop: ShopProcess) -> None:
    first = shop.signed_post(REFUNDS, refund())
    again = shop.signed_post(REFUNDS, refund())
    assert (again.status, again.json) == (first.status, first.json)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert shop.order(BOOTS_AND_SHIRT)["refunded"] == "12.50"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "12.51"},
        {"order": "WF-20404"},
        {"customer": "cus_1002"},
        {"reason": "Other"},
        {"items": [{"sku": "X"}]},
    ],
)
def test_the_same_key_for_another_request_is_refused(shop: ShopProcess, changes: Json) -> None:
    shop.signed_post(REFUNDS, refund())
    answer = shop.signed_post(REFUNDS, refund(**changes))
    assert (answer.status, answer.code) == (409, "key_reused")
    assert [entry["amount"] for entry in shop.ledger()["refunds"]] == ["12.50"]


def test_a_key_is_shared_by_all_kinds_of_commands(shop: ShopProcess) -> None:
    shop.signed_post(REFUNDS, refund())
    answer = shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k1"})
    assert (answer.status, answer.code) == (409, "key_reused")
    assert shop.order("WF-20440")["status"] == "packed"


def test_a_refusal_is_final_for_its_key(shop: ShopProcess) -> None:
    """The cause is gone (the amount would fit now), but the answer stays."""
    shop.signed_post(REFUNDS, refund(key="k0", amount="250.00"))
    first = shop.signed_post(REFUNDS, refund(amount="9.00"))
    assert first.code == "amount_above_remaining"
    again = shop.signed_post(REFUNDS, refund(amount="9.00"))
    assert (again.status, again.json) == (422, first.json)
    assert shop.signed_post(REFUNDS, refund(amount="8.00")).code == "key_reused"

    operation = shop.signed_get("/merchant/v1/operations/k1").json
    assert (operation["state"], operation["status"], operation["result"]) == ("refused", 422, first.json)


def test_the_result_of_a_key_can_be_looked_up(shop: ShopProcess) -> None:
    assert shop.signed_get("/merchant/v1/operations/k1").code == "not_found"
    receipt = shop.signed_post(REFUNDS, refund()).json
    operation = shop.signed_get("/merchant/v1/operations/k1").json
    assert (operation["kind"], operation["order"], operation["state"]) == ("refund", BOOTS_AND_SHIRT, "done")
    assert operation["result"] == receipt


def test_many_callers_never_get_more_than_was_paid(shop: ShopProcess) -> None:
    """258.00 was paid, so ten refunds of 25.00 fit."""
    answers = at_once(shop, [refund(key=f"k{number}", amount="25.00") for number in range(CALLERS)])
    paid = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 422]
    assert (len(paid), len(refused)) == (10, 10)
    assert {answer.code for answer in refused} == {"amount_above_remaining"}
    assert len(shop.ledger()["refunds"]) == 10
    assert shop.order(BOOTS_AND_SHIRT)["refunded"] == "250.00"


def test_many_callers_with_one_key_are_paid_once(shop: ShopProcess) -> None:
    answers = at_once(shop, [refund()] * CALLERS)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replay" not in answer.headers for answer in answers) == 1
    assert len(shop.ledger()["refunds"]) == 1
    assert shop.order(BOOTS_AND_SHIRT)["refunded"] == "12.50"
