"""A payment service on a bad day: slow, failing, or silent after the work is done."""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.patience import PATIENCE_SECONDS
from tests.shop.process import Json, ShopProcess

REFUND = {
    "order": "WF-20404",
    "customer": "cus_1001",
    "amount": "54.00",
    "currency": "EUR",
    "reason": "Arrived damaged",
    "key": "k1",
}
REFUNDS = "/merchant/v1/refunds"


def test_a_failing_call_has_done_nothing(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"fail_next": 2})
    for _ in range(2):
        answer = shop.signed_post(REFUNDS, REFUND)
        assert (answer.status, answer.code) == (500, "fault_injected")
    assert shop.ledger()["refunds"] == []
    assert shop.signed_get("/merchant/v1/operations/k1").status == 404
    assert shop.signed_post(REFUNDS, REFUND).status == 200


def test_parallel_calls_use_up_exactly_the_failures_ordered(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"fail_next": 7})
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: shop.signed_get("/merchant/v1/orders/WF-20404").status, range(20)))
    assert sorted(answers) == [200] * 13 + [500] * 7


def test_a_refund_with_a_lost_reply_was_done(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"drop_reply": 1})
    with pytest.raises(http.client.RemoteDisconnected):
        shop.signed_post(REFUNDS, REFUND)

    assert [entry["key"] for entry in shop.ledger()["refunds"]] == ["k1"]
    operation = shop.signed_get("/merchant/v1/operations/k1").json
    assert operation["state"] == "done"
    again = shop.signed_post(REFUNDS, REFUND)
    assert (again.status, again.json) == (200, operation["result"])
    assert shop.order("WF-20404")["refunded"] == "54.00"


def test_replies_to_reads_are_not_lost(shop: ShopProcess) -> None:
    """Otherwise, a platform that reads the order first would never get the fault for its refund."""
    shop.post("/api/faults", {"drop_reply": True})
    assert shop.signed_get("/merchant/v1/orders/WF-20404").status == 200
    with pytest.raises(http.client.RemoteDisconnected):
        shop.signed_post(REFUNDS, REFUND)
    assert shop.signed_post(REFUNDS, REFUND).headers["idempotent-replay"] == "true"


def test_an_unreadable_body_uses_up_no_lost_reply(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"drop_reply": 1})
    assert shop.signed_post(REFUNDS, {}).status == 400
    with pytest.raises(http.client.RemoteDisconnected):
        shop.signed_post(REFUNDS, REFUND)


def test_the_remaining_faults_are_shown(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"fail_next": 2, "drop_reply": 5})
    shop.signed_post(REFUNDS, REFUND)
    assert shop.get("/api/faults").json == {"delay_seconds": 0, "fail_next": 1, "drop_reply": 5, "waiting": 0}


def test_a_reset_ends_delayed_calls(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"delay_seconds": 60})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(shop.signed_post, REFUNDS, REFUND)
        shop.until_waiting(1)
        assert shop.post("/api/reset", {}).status == 200
        answer = asked.result(timeout=PATIENCE_SECONDS)
    assert (answer.status, answer.code) == (503, "interrupted")
    assert shop.ledger()["refunds"] == []
    assert shop.get("/api/faults").json["waiting"] == 0
    assert shop.signed_post(REFUNDS, REFUND).status == 200


def test_a_slow_shop_delays_its_answers(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"delay_seconds": 0.4})
    began = time.monotonic()
    assert shop.signed_post(REFUNDS, REFUND).status == 200
    assert time.monotonic() - began >= 0.4


def test_the_storefront_is_unaffected_by_faults(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"fail_next": 1, "delay_seconds": 60})
    assert shop.get("/api/orders?customer=cus_1001").status == 200
    assert shop.post("/api/token", {"customer": "cus_1001"}).status == 200


def test_new_faults_replace_the_old(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"fail_next": 3, "drop_reply": 3})
    answer = shop.post("/api/faults", {"delay_seconds": 0})
    assert answer.json == {"delay_seconds": 0, "fail_next": 0, "drop_reply": 0, "waiting": 0}
    assert shop.signed_post(REFUNDS, REFUND).status == 200


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        *(({"delay_seconds": value}, "delay_seconds") for value in (-1, 121, "1", True, [1])),
        *(({"fail_next": value}, "fail_next") for value in (-1, 1001, 1.5, "1", True)),
        *(({"drop_reply": value}, "drop_reply") for value in (-1, 1001, 0.5, "yes")),
        ({"fail_nxt": 1}, "fail_nxt"),
    ],
)
def test_an_invalid_fault_changes_nothing(shop: ShopProcess, body: Json, field: str) -> None:
    shop.post("/api/faults", {"fail_next": 1})
    answer = shop.post("/api/faults", body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert list(answer.json["fields"]) == [field]
    assert shop.signed_get("/merchant/v1/orders/WF-20404").status == 500


@pytest.mark.parametrize("number", ["1e400", "Infinity", "NaN", "9" * 5000])
def test_an_invalid_number_is_refused(shop: ShopProcess, number: str) -> None:
    body = f'{{"delay_seconds": {number}}}'.encode()
    answer = shop.request("POST", "/api/faults", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, "invalid_input")
