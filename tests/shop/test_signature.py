"""Nobody but the platform may call the merchant API."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.shop.process import ShopProcess, sign

PATH = "/merchant/v1/refunds"
REFUND = {
    "order": "WF-20404",
    "customer": "cus_1001",
    "amount": "12.50",
    "currency": "EUR",
    "reason": "Arrived damaged",
    "key": "k1",
}
BODY = json.dumps(REFUND).encode()
OTHER_SECRET = "whsec_" + "QUFB" * 8


def refused_headers() -> dict[str, dict[str, str]]:
    good = sign(BODY)
    now = datetime.now(tz=UTC)
    return {
        "none at all": {},
        "another secret": sign(BODY, secret=OTHER_SECRET),
        "another body": sign(BODY + b" "),
        "the empty body": sign(b""),
        "another id": {**good, "webhook-id": "msg_2"},
        "six minutes old": sign(BODY, at=now - timedelta(minutes=6)),
        "six minutes early": sign(BODY, at=now + timedelta(minutes=6)),
        "another time": {**good, "webhook-timestamp": str(int(now.timestamp()) - 60)},
        "no time": {**good, "webhook-timestamp": "soon"},
        "not a number": {**good, "webhook-timestamp": "nan"},
        "no comma": {**good, "webhook-signature": "v1"},
        "two commas": {**good, "webhook-signature": good["webhook-signature"] + ",x"},
        "no base64": {**good, "webhook-signature": "v1,é="},
        "another version": {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
        "empty": {**good, "webhook-signature": ""},
    }


@pytest.mark.parametrize("case", list(refused_headers()))
def test_an_unsigned_refund_moves_nothing(shop: ShopProcess, case: str) -> None:
    headers = {"Content-Type": "application/json", **refused_headers()[case]}
    answer = shop.request("POST", PATH, BODY, headers)
    assert answer.status == 401
    assert answer.code == "signature_invalid"
    assert shop.ledger()["refunds"] == []
    assert shop.signed_get("/merchant/v1/operations/k1").status == 404


def test_a_body_that_is_not_text_cannot_be_signed(any_shop: ShopProcess) -> None:
    answer = any_shop.request("POST", PATH, b"\xff\xfe", {"Content-Type": "application/json", **sign(b"x")})
    assert answer.status == 401


@pytest.mark.parametrize(
    "path",
    ["/merchant/v1/orders/WF-20418", "/merchant/v1/customers/cus_1001/orders", "/merchant/v1/operations/k1"],
)
def test_reading_needs_a_signature_too(any_shop: ShopProcess, path: str) -> None:
    assert any_shop.get(path).status == 401
    assert any_shop.request("GET", path, headers=sign(b"", secret=OTHER_SECRET)).status == 401
    assert any_shop.request("GET", path, headers=sign(b"{}")).status == 401


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_slightly(any_shop: ShopProcess, minutes: int) -> None:
    at = datetime.now(tz=UTC) + timedelta(minutes=minutes)
    assert any_shop.request("GET", "/merchant/v1/orders/WF-20418", headers=sign(b"", at=at)).status == 200


def test_one_valid_signature_of_several_is_enough(any_shop: ShopProcess) -> None:
    """As during the rotation of a secret, when the sender signs with both."""
    good, old = sign(b""), sign(b"", secret=OTHER_SECRET)
    headers = {**good, "webhook-signature": f"{old['webhook-signature']} {good['webhook-signature']}"}
    assert any_shop.request("GET", "/merchant/v1/orders/WF-20418", headers=headers).status == 200


def test_an_unsigned_call_uses_up_no_fault(shop: ShopProcess) -> None:
    shop.post("/api/faults", {"fail_next": 1})
    assert shop.get("/merchant/v1/orders/WF-20418").status == 401
    assert shop.signed_get("/merchant/v1/orders/WF-20418").status == 500


def test_a_signed_call_lists_a_customers_orders(any_shop: ShopProcess) -> None:
    answer = any_shop.signed_get("/merchant/v1/customers/cus_1001/orders")
    assert answer.json == any_shop.get("/api/orders?customer=cus_1001").json
    assert any_shop.signed_get("/merchant/v1/customers/cus_9999/orders").status == 404
    assert any_shop.signed_get("/merchant/v1/orders/WF-1").code == "not_found"
