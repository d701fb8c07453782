"""The ledger page and its switches: real forms with the same effect as the API."""

import re

import pytest

from tests.shop.browsing import Visitor
from tests.shop.process import Json, ShopProcess

REFUND = {"order": "WF-20404", "customer": "cus_1001", "currency": "EUR", "reason": "Late <b>again</b>"}
ADDRESS = {"line1": "Lindenweg 14", "postal_code": "79100", "city": "Freiburg", "country": "DE"}


@pytest.fixture
def reader(shop: ShopProcess) -> Visitor:
    visitor = Visitor(shop)
    visitor.open("/ledger")
    return visitor


def test_an_empty_ledger_says_so(reader: Visitor) -> None:
    assert "0 refunds, 0 changes" in reader.words
    assert reader.words.count("Nothing yet.") == 2


def test_money_and_changes_are_listed_with_their_keys_newest_first(shop: ShopProcess, reader: Visitor) -> None:
    for amount, key in (("4.00", "key-one"), ("5.50", "key-two")):
        shop.signed_post("/merchant/v1/refunds", {**REFUND, "amount": amount, "key": key})
    shop.signed_post("/merchant/v1/orders/WF-20444/address", {**ADDRESS, "key": "key-three"})
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "key-four"})
    reader.open("/ledger")
    assert re.findall(r"<code>(.*?)</code>", reader.page) == ["key-four", "key-two", "key-one", "key-four", "key-three"]
    assert "3 refunds, 2 changes" in reader.words
    assert "€5.50 WF-20404 RF-" in reader.words
    assert "Late <b>again</b>" in reader.words
    assert "Talstraße 8, 79102 Freiburg → Lindenweg 14, 79100 Freiburg" in reader.words
    assert re.search(r"New address WF-20444 CH-\S+", reader.words)
    assert re.search(r"Cancelled WF-20440 CH-\S+", reader.words)


def test_faults_are_set_by_a_form(shop: ShopProcess, reader: Visitor) -> None:
    reader.send("/ledger/faults", delay_seconds="", fail_next="1", drop_reply="2")
    assert shop.get("/api/faults").json == {"delay_seconds": 0, "fail_next": 1, "drop_reply": 2, "waiting": 0}
    assert "Active: 0 s of delay, 1 calls to fail, 2 replies to lose. Waiting now: 0." in reader.words
    assert shop.signed_get("/merchant/v1/orders/WF-20404").status == 500
    reader.send("/ledger/faults", delay_seconds="0.5")
    assert shop.get("/api/faults").json == {"delay_seconds": 0.5, "fail_next": 0, "drop_reply": 0, "waiting": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delay_seconds", "soon"),
        ("delay_seconds", "nan"),
        ("delay_seconds", "121"),
        ("fail_next", "-1"),
        ("fail_next", "1.5"),
        ("drop_reply", "1001"),
    ],
)
def test_an_invalid_fault_is_named_and_changes_nothing(
    shop: ShopProcess, reader: Visitor, name: str, value: str
) -> None:
    shop.post("/api/faults", {"fail_next": 7})
    fields: dict[str, Json] = {"delay_seconds": "3", "fail_next": "1", "drop_reply": "1", name: value}
    assert reader.send("/ledger/faults", **fields).status == 400
    assert f'value="{value}" aria-invalid="true" aria-describedby="id_{name}-wrong"' in reader.markup
    assert shop.get("/api/faults").json["fail_next"] == 7


def test_the_ledger_is_reset_by_a_form(shop: ShopProcess, reader: Visitor) -> None:
    shop.post("/api/faults", {"fail_next": 7})
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k1"})
    shop.post("/api/faults", {})
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k2"})
    shop.post("/api/faults", {"fail_next": 7})
    reader.send("/ledger/reset")
    assert "0 refunds, 0 changes" in reader.words
    assert shop.get("/api/faults").json["fail_next"] == 0
    assert shop.ledger() == {"refunds": [], "changes": []}
