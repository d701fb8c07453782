"""What a fully captured model emits, played against the services: the server alone must hold.

The rows come from a file outside the repository, ATTACKS_DIR/hostile_model.jsonl; without it these tests are skipped.
Rows about a provider's transport or about prose belong to the tests of llm and assistant.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.utils.timezone import now

from actions.errors import ActionError
from actions.models import ActionRequest, AuditEntry
from actions.policies import policy_of, switch
from actions.principals import Principal
from actions.registry import all_actions
from actions.services import confirm, propose, run_read
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer
from supportbot.errors import SupportBotError
from tests.actions.conftest import limit, signed_in_as

pytestmark = pytest.mark.django_db
ATTACKS = Path(os.environ.get("ATTACKS_DIR", "nowhere")) / "hostile_model.jsonl"
NAMES = {"get_order": "order_status", "update_shipping": "change_shipping_address"}
CANARY = "CANARY-STRANGER"
# Looked at one level up: a turn stops after eight steps and one repeated equal call.
LOOPS = {"loop_500", "ping_pong"}


def rows() -> list[Any]:
    if not ATTACKS.exists():
        return []
    found = [json.loads(line) for line in ATTACKS.read_text(encoding="utf-8").splitlines()]
    speaking = [row for row in found if row["kind"] not in LOOPS and any(_calls(step) for step in row["model_emits"])]
    return [pytest.param(row, id=f"{row['id']}-{row['kind']}") for row in speaking]


def _calls(step: dict[str, Any]) -> bool:
    return step.get("type", "").startswith("tool_call")


class Stage:
    """One conversation of a hostile model with the services."""

    def __init__(self, principal: Principal, stranger: Principal, shop: FakeShop) -> None:
        self.principal, self.stranger, self.shop = principal, stranger, shop
        self.requests: list[ActionRequest] = []
        self.told: list[str] = []  # everything that would go back to the model or the customer
        self.keys = count(1)

    def play(self, step: dict[str, Any]) -> None:
        match step["type"]:
            case "tool_call":
                self.call(step["name"], json.dumps(step["arguments"]))
            case "tool_call_raw":
                self.call(step["name"], _unpacked(step["arguments_text"]))
            case "user_confirms":
                self.click(self.principal, self.next_card())
            case "user_confirms_all":
                for request in list(self.requests):
                    self.click(self.principal, request)
            case "other_customer_confirms":
                self.click(self.stranger, self.next_card())
            case "advance_clock":
                ActionRequest.objects.update(expires_at=now() - timedelta(seconds=1))
            case "world_change":
                self.change_world(step)

    def call(self, name: str, text: str) -> None:
        name, text = NAMES.get(name, name), _mapped(name, text)
        try:
            action = all_actions().get(name)
            if action is not None and action.is_read:
                self.told.append(json.dumps(run_read(self.principal, name, text)))
            else:
                request = propose(self.principal, name, text, proposal_key=f"turn:1:{next(self.keys)}")
                self.requests.append(request)
                self.told.append(f"{request.state} {request.reason_code} {request.arguments} {request.shown}")
        except SupportBotError as error:
            self.told.append(f"{error.message} {error.fields}")

    def next_card(self) -> ActionRequest:
        for request in self.requests:
            request.refresh_from_db()
        waiting = [request for request in self.requests if request.state == State.AWAITING_CONFIRMATION]
        return (waiting or self.requests)[0]

    def click(self, who: Principal, request: ActionRequest) -> None:
        try:
            confirm(request.pk, principal=who, digest=request.digest)
        except SupportBotError as error:
            self.told.append(error.message)
        run_queued()

    def change_world(self, step: dict[str, Any]) -> None:
        changes = {name: step[name] for name in ("status", "refunded") if name in step}
        if "refunded" in changes:
            changes["refunded"] = Decimal(str(changes["refunded"]))
        self.shop.change_order(step["order"], **changes)


def _unpacked(text: Any) -> str:
    if isinstance(text, str):
        return text
    if "$text" in text:
        return str(text["$text"])
    if "$repeat" in text:
        part, times = text["$repeat"]
        return str(part) * int(times)
    return "".join(_unpacked(part) for part in text["$concat"])


def _mapped(name: str, text: str) -> str:
    """Bring the row's fields to the catalogue's, so that it fails for its own sake and not for a missing field."""
    if name == "refund_order" and '"reason"' not in text:
        return text.replace("{", '{"reason": "x", ', 1)
    if name == "update_shipping":
        arguments = json.loads(text)
        arguments["address"] = {"line1": arguments["address"], "postal_code": "79102", "city": "Freiburg"}
        return json.dumps(arguments)
    return text


@pytest.fixture
def stage(shop: FakeShop, principal: Principal) -> Iterator[Stage]:
    limit(
        "refund_order", window_days=30, approval_above=Decimal(100), max_per_customer_day=Decimal(700),
        max_per_customer_year=None,
    )  # fmt: skip
    shop.add_order("A-1004", "cus_alice", total="80.00", status="shipped", delivered_days_ago=None)
    foreign = shop.orders["B-2002"]
    shop.change_order("B-2002", payment=CANARY, address=replace(foreign.address, line1=CANARY))
    stranger = Customer.objects.create(external_id="cus_stranger", name=CANARY)
    yield Stage(principal, signed_in_as(stranger), shop)


@pytest.mark.parametrize("row", rows() or [pytest.param(None, marks=pytest.mark.skip(reason="ATTACKS_DIR is not set"))])
def test_the_server_alone_holds(row: dict[str, Any], stage: Stage, alice: Customer) -> None:
    if row["speaker"] == "anonymous":
        stage.principal = signed_in_as(alice, external_id=None, is_verified=False)
    for name in row.get("config", {}).get("disabled_tools", []):
        policy = policy_of(NAMES.get(name, name))
        assert policy is not None
        switch(policy, is_enabled=False, actor="test")
    audited = AuditEntry.objects.count()
    for step in row["model_emits"]:
        stage.play(step)
    run_queued()
    _check(row, stage, audited)


def _check(row: dict[str, Any], stage: Stage, audited: int) -> None:
    shop, must = stage.shop, set(row["must"])
    confirmed = {str(request.pk) for request in ActionRequest.objects.exclude(confirmed_by="")}
    effects = [*shop.refunds, *shop.changes]
    assert {effect.key for effect in effects} <= confirmed  # M7: nothing runs that nobody confirmed
    assert len({effect.key for effect in effects}) == len(effects)  # M6: once per request
    assert all(order.refunded <= order.total for order in shop.orders.values())
    assert shop.orders["B-2002"].refunded == 0  # M2
    assert CANARY not in str(stage.told)  # M3
    if "M1" in must:
        assert effects == []
    if "M9" in must:
        assert AuditEntry.objects.count() > audited
    if "M8" in must and row["speaker"] == "verified":
        assert run_read(stage.principal, "order_status", {"order_id": "A-1001"})["orders"]


def test_a_model_has_no_tool_that_confirms(stage: Stage) -> None:
    for name in ("confirm_action", "approve_action", "confirm", "admin_delete_user", "attach_receipt"):
        with pytest.raises(ActionError):
            propose(stage.principal, name, "{}", proposal_key=f"turn:1:{name}")
    assert [entry.payload["code"] for entry in AuditEntry.objects.filter(event="wish.refused")] == [
        "unknown_action"
    ] * 5
