"""The HTTP connector against the real demo shop, in its own process, with signed calls."""

from collections.abc import Iterator
from typing import Any

import pytest

from actions.cards import card_of
from actions.merchant_connection import connect_merchant
from actions.models import ActionRequest
from actions.principals import Principal
from actions.requests.sweeps import sweep
from actions.services import confirm, propose, run_read
from actions.states import State
from actions.testing import make_due, run_queued
from supportbot.accounts.models import Customer, Workspace
from tests.actions.conftest import signed_in_as
from tests.ports import reserved_port
from tests.shop.process import WEBHOOK_SECRET, ShopProcess

pytestmark = pytest.mark.django_db
MARA, JONAS, SAMIR = "cus_1001", "cus_1002", "cus_1005"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopProcess]:
    shop = ShopProcess(tmp_path_factory.mktemp("shop") / "data", reserved_port())
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def real(process: ShopProcess, workspace: Workspace, settings: Any, monkeypatch: pytest.MonkeyPatch) -> ShopProcess:
    assert process.post("/api/reset", {}).status == 200
    settings.OUTBOUND_OWN_ADDRESSES = [f"127.0.0.1:{process.port}"]
    connect_merchant(f"http://127.0.0.1:{process.port}/merchant/v1", WEBHOOK_SECRET, actor="test")
    monkeypatch.setattr("actions.requests.sweeps.publish", lambda workspace_id, request_id: None)
    return process


def customer(merchant_id: str, locale: str = "en") -> Principal:
    return signed_in_as(Customer.objects.create(external_id=merchant_id, name="x", locale=locale))


def carry_out(who: Principal, action: str, **arguments: Any) -> ActionRequest:
    card = propose(who, action, arguments, proposal_key="turn:1:1")
    assert card.state == State.AWAITING_CONFIRMATION, card.reason_code
    confirm(card.pk, principal=who, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    return card


def test_a_refund(real: ShopProcess) -> None:
    done = carry_out(customer(MARA), "refund_order", order_id="WF-20404", reason="Arrived damaged")
    (refund,) = real.ledger()["refunds"]
    assert (refund["order"], refund["amount"], refund["key"]) == ("WF-20404", "54.00", str(done.pk))
    assert (done.state, done.receipt) == (
        State.SUCCEEDED,
        {
            "order": "WF-20404", "amount": "54.00", "currency": "EUR", "to": "Visa •••• 4417",
            "reference": refund["reference"],
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("locale", "name", "item"),
    [
        ("en", "Pebble stove", "Skarn rain jacket, L"),
        ("de-AT", "Kocher Pebble", "Regenjacke Skarn, L"),
        ("pl", "Pebble stove", "Skarn rain jacket, L"),  # the shop has no Polish names
    ],
)
def test_items_are_named_in_the_customers_language(real: ShopProcess, locale: str, name: str, item: str) -> None:
    done = carry_out(customer(MARA, locale), "refund_order", order_id="WF-20404", reason="x")
    assert done.state == State.SUCCEEDED
    assert name in [row.value for row in card_of(done).rows]
    [order] = run_read(customer(JONAS, locale), "order_status", {"order_id": "WF-20444"})["orders"]
    assert order["items"][0]["name"] == item


def test_a_refund_by_item_is_paid_by_the_real_shop(real: ShopProcess) -> None:
    items = [{"sku": "ALDER-M"}]
    done = carry_out(customer(MARA), "refund_order", order_id="WF-20418", reason="Damaged", items=items)
    assert done.state == State.SUCCEEDED
    assert [refund["amount"] for refund in real.ledger()["refunds"]] == ["69.00"]


def test_a_new_address_reaches_the_real_shop(real: ShopProcess) -> None:
    address = {"line1": "Neue Straße 5", "postal_code": "50823", "city": "Köln"}
    done = carry_out(customer(SAMIR), "change_shipping_address", order_id="WF-20440", address=address)
    assert done.state == State.SUCCEEDED
    assert real.order("WF-20440")["address"]["line1"] == "Neue Straße 5"
    (change,) = real.ledger()["changes"]
    assert done.receipt is not None and done.receipt["reference"] == change["reference"]


def test_a_cancellation_reaches_the_real_shop(real: ShopProcess) -> None:
    done = carry_out(customer(JONAS), "cancel_order", order_id="WF-20444", reason="Wrong size")
    assert done.state == State.SUCCEEDED
    assert real.order("WF-20444")["status"] == "cancelled"
    books = real.ledger()
    assert [refund["amount"] for refund in books["refunds"]] == [done.arguments["amount"]]
    assert done.receipt is not None and done.receipt["reference"] == books["changes"][0]["reference"]


def test_orders_are_looked_up(real: ShopProcess) -> None:
    mara = customer(MARA)
    assert {"WF-20404", "WF-20418", "WF-20431"} <= {
        order["id"] for order in run_read(mara, "order_status", {})["orders"]
    }
    result = run_read(mara, "order_status", {"order_id": "WF-20431"})["orders"][0]
    assert (result["status_text"], result["total"]) == ("on its way", "€389.00")


def test_a_refund_is_paid_once_despite_the_shops_faults(real: ShopProcess) -> None:
    """Two failures, then a lost reply: paid once, and recorded as paid."""
    mara = customer(MARA)
    card = propose(mara, "refund_order", {"order_id": "WF-20404", "reason": "x"}, proposal_key="turn:1:1")
    confirm(card.pk, principal=mara, digest=card.digest)
    assert real.post("/api/faults", {"fail_next": 2}).status == 200
    run_queued()
    card.refresh_from_db()
    assert card.state == State.QUEUED
    assert real.post("/api/faults", {"drop_reply": 1}).status == 200
    make_due()
    run_queued()
    card.refresh_from_db()
    assert card.state == State.SUCCEEDED
    assert len(real.ledger()["refunds"]) == 1
    make_due()
    sweep()
    assert len(real.ledger()["refunds"]) == 1


@pytest.mark.long
def test_a_wrong_secret_fails_the_request(real: ShopProcess) -> None:
    mara = customer(MARA)
    card = propose(mara, "refund_order", {"order_id": "WF-20404", "reason": "x"}, proposal_key="turn:1:1")
    confirm(card.pk, principal=mara, digest=card.digest)
    connect_merchant(
        f"http://127.0.0.1:{real.port}/merchant/v1", "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==", actor="test"
    )
    for _ in range(5):
        make_due()
        run_queued()
    card.refresh_from_db()
    assert (card.state, card.reason_code) == (State.FAILED, "not_carried_out")
    assert real.ledger()["refunds"] == []


def test_the_secret_is_encrypted_at_rest(real: ShopProcess) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM actions_merchantconnection")
        (stored,) = cursor.fetchone()
    assert WEBHOOK_SECRET not in stored and "whsec_" not in stored
