"""Names that outlive a deployment still work until 0.3."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actions.facts import Order
from actions.merchant_api.port import FormerMerchant, merchant
from actions.outcomes import Found, Outcome
from actions.principals import Principal
from actions.services import run_read
from actions.spec import Call
from actions.states import State
from actions.tasks import write_down_heads
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Workspace
from supportbot.settings import BASE_DIR
from tests.actions.conftest import ask_for_a_refund
from tests.patience import PATIENCE_SECONDS


@pytest.mark.django_db
def test_the_old_name_of_the_checkpoint_task_still_runs(settings: Any, tmp_path: Path) -> None:
    settings.ACTIONS_AUDIT_HEADS = tmp_path / "heads.jsonl"
    assert write_down_heads.name == "actions.tasks.write_down_heads"
    write_down_heads()
    assert settings.ACTIONS_AUDIT_HEADS.exists()


class FormerShop:
    """A custom connector, written for 0.1.0."""

    def __init__(self, shop: FakeShop) -> None:
        self.shop = shop

    def order(self, order_id: str) -> Order | None:
        return self.shop.order(order_id)

    def orders_of(self, customer: str) -> tuple[Order, ...]:
        return self.shop.orders_of(customer)

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        return self.shop.run(call, idempotency_key=idempotency_key)

    def find(self, idempotency_key: str) -> Found:
        return self.shop.find(idempotency_key)


@pytest.mark.django_db
def test_a_connector_without_the_argument_locale_still_works(
    shop: FakeShop, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actions.testing.current_shop", lambda: FormerShop(shop))
    shop.faults.append("commit_then_silence")  # so the outcome is looked up
    assert len(run_read(principal, "order_status", {})["orders"]) > 0
    assert run_read(principal, "order_status", {"order_id": "A-1001"})["orders"][0]["id"] == "A-1001"
    request = ask_for_a_refund(principal)
    run_queued()
    request.refresh_from_db()
    assert (request.state, len(shop.refunds)) == (State.SUCCEEDED, 1)
    assert {"order", "orders_of", "run refund", "find"} == set(shop.calls)


class HalfFormerShop(FormerShop):
    """A connector whose `order` has the argument `locale`, but not `orders_of`."""

    asked_in: tuple[str, ...] = ()

    def order(self, order_id: str, *, locale: str = "") -> Order | None:
        self.asked_in = (*self.asked_in, locale)
        return self.shop.order(order_id)


@pytest.mark.django_db
def test_a_query_gets_the_locale_if_it_takes_it(
    shop: FakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = HalfFormerShop(shop)
    monkeypatch.setattr("actions.testing.current_shop", lambda: connected)
    found = merchant()
    assert found.order("A-1001", locale="de") == shop.order("A-1001")
    assert found.orders_of("cus_alice", locale="de") == shop.orders_of("cus_alice") != ()
    assert connected.asked_in == ("de",)
    monkeypatch.setattr(connected, "order", max)  # written in C, so it has no signature
    assert isinstance(merchant(), FormerMerchant)


OUTDATED = """
from actions.catalogue.cancel_order import CancelOrder


class Gift(CancelOrder):
    name = "send_gift"

    def suits(self, order):
        return True


ACTION = Gift()
"""
CHECK = """
import sys
import actions.catalogue, manage
actions.catalogue.__path__.append(sys.argv[1])
sys.argv = ["manage.py", "check"]
sys.exit(manage.main())
"""


@pytest.mark.long
def test_an_action_with_an_old_method_name_stops_the_start_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "send_gift.py").write_text(OUTDATED)
    command = [sys.executable, "-c", CHECK, str(tmp_path)]
    answer = subprocess.run(
        command, cwd=BASE_DIR, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == "Error: actions.catalogue.send_gift: rename Gift.suits to is_applicable.\n"
