"""The format can express the sixteen operations of a public benchmark's shop.

The shop has no rules of its own, so every refusal comes from the definitions. The benchmark's data is not
part of this repository: if RETAIL_CASES names a folder that contains it (db.json, guard_cases_dev.jsonl and
tasks_*.jsonl), all its cases run, too.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from actions.argument_json import read_arguments
from actions.argument_types import parse_arguments
from actions.definitions import evaluation, rendering
from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation import Happened
from actions.definitions.evaluation_context import FAILED, Identity, Obstacle, filled_in
from actions.definitions.parsed_parts import Definition, Kind
from actions.definitions.parsing.document import missing, parse_document
from actions.errors import InvalidArguments
from supportbot.evals.grading.value_equality import is_same
from supportbot.evals.retail.preparation import DEFINITIONS as RETAIL
from supportbot.evals.retail.shop import RetailShop

DOCUMENTS = sorted(RETAIL.glob("*.json"))
CASES = Path(os.environ.get("RETAIL_CASES", ""))
NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
needs_cases = pytest.mark.skipif(not os.environ.get("RETAIL_CASES"), reason="RETAIL_CASES names no folder")


@cache
def definition(name: str) -> Definition:
    return parse_document(json.loads((RETAIL / f"{name}.json").read_text()))


def do(shop: RetailShop, customer: str, name: str, arguments: Mapping[str, Any]) -> str:
    """Carry out a request as if it were confirmed; return "ok", or the code of the refusal."""
    try:
        return _do(shop, customer, name, arguments)
    except ExpressionFailed:
        return FAILED


def _do(shop: RetailShop, customer: str, name: str, arguments: Mapping[str, Any]) -> str:
    action = definition(name)
    try:
        parsed = parse_arguments(action.shape(), read_arguments(arguments))
    except InvalidArguments as error:
        return f"invalid {' '.join(error.fields)}"
    names = evaluation.names_of(action, parsed, Identity(customer), NOW)
    found = evaluation.look_up(action, names, shop.ask, "en")
    if isinstance(found, Obstacle):
        assert found.code == FAILED or found.words
        return found.code
    obstacle = evaluation.first_obstacle(action, found, "en")
    if obstacle:
        assert obstacle.code == FAILED or obstacle.words
        return obstacle.code
    if action.kind is Kind.READ:
        told = rendering.result_of(action, found, "en")
        assert told.words
        return "ok"
    money = evaluation.money_of(action, found)
    decided = found.with_names({"money": money, "key": "k-1"})
    complete = evaluation.complete_arguments(action, parsed, found)
    assert complete.keys() >= parsed.keys()
    assert rendering.card_of(action, decided, "en").rows
    assert action.call and action.answer
    answer = shop.ask(filled_in(action.call, decided))
    assert evaluation.happened(action.answer, answer, decided) is Happened.YES
    assert rendering.receipt_of(action, answer, decided, "en") == [("reference", "Reference", "r-1")]
    return "ok"


SHOP: dict[str, Any] = {
    "users": {
        "ann_lee_1": {
            "user_id": "ann_lee_1", "name": {"first_name": "Ann", "last_name": "Lee"}, "email": "ann@shop.example",
            "address": {"address1": "1 Low Road", "city": "Hull", "zip": "10001"}, "orders": ["#W0000001", "#W0000002"],
            "payment_methods": {
                "card_1": {"source": "credit_card", "id": "card_1"},
                "card_9": {"source": "credit_card", "id": "card_9"},
                "gift_card_2": {"source": "gift_card", "id": "gift_card_2", "balance": 15},
            },
        },
        "bob_ray_2": {
            "user_id": "bob_ray_2", "name": {"first_name": "Bob", "last_name": "Ray"}, "email": "bob@shop.example",
            "address": {"address1": "2 Low Road", "city": "Hull", "zip": "10001"}, "orders": [],
            "payment_methods": {"gift_card_7": {"source": "gift_card", "id": "gift_card_7", "balance": 500}},
        },
    },
    "products": {
        "5000000001": {"product_id": "5000000001", "name": "Mug", "variants": {
            "1000000001": {"item_id": "1000000001", "options": {"colour": "blue"}, "available": True, "price": 10.1},
            "1000000002": {"item_id": "1000000002", "options": {"colour": "red"}, "available": True, "price": 20.3},
            "1000000003": {"item_id": "1000000003", "options": {"colour": "grey"}, "available": False, "price": 10},
            "1000000004": {"item_id": "1000000004", "options": {"colour": "gold"}, "available": True, "price": 99},
        }},
        "5000000002": {"product_id": "5000000002", "name": "Lamp", "variants": {
            "1000000009": {"item_id": "1000000009", "options": {}, "available": True, "price": 10},
        }},
    },
    "orders": {
        key: {
            "order_id": key, "user_id": "ann_lee_1", "status": status,
            "address": {"address1": "1 Low Road", "city": "Hull"},
            "items": [
                {"name": "Mug", "product_id": "5000000001", "item_id": "1000000001", "price": 10.1, "options": {}},
                {"name": "Lamp", "product_id": "5000000002", "item_id": "1000000009", "price": 10, "options": {}},
            ],
            "payment_history": [{"transaction_type": "payment", "amount": 20.1, "payment_method_id": "card_1"}],
        }
        for key, status in (("#W0000001", "pending"), ("#W0000002", "delivered"), ("#W0000003", "processed"))
    },
}  # fmt: skip
HOME = {"address1": "9 High Road", "address2": "", "city": "Hull", "state": "X", "country": "UK", "zip": "1"}


def give_back(item_ids: str, method: str) -> dict[str, Any]:
    return {"order_id": "#W0000002", "item_ids": item_ids.split(), "payment_method_id": method}


def pay_with(method: str) -> dict[str, Any]:
    return {"order_id": "#W0000001", "payment_method_id": method}


def swap(order: str, old: str, new: str, method: str = "card_1") -> dict[str, Any]:
    return {"order_id": order, "item_ids": old.split(), "new_item_ids": new.split(), "payment_method_id": method}


MUG, RED, GREY, GOLD, LAMP = (f"100000000{digit}" for digit in "12349")
TABLE: list[tuple[str, dict[str, Any], str]] = [
    ("cancel_pending_order", {"order_id": "#W0000001", "reason": "no longer needed"}, "ok"),
    ("cancel_pending_order", {"order_id": "#W0000001", "reason": "found it cheaper"}, "invalid reason"),
    ("cancel_pending_order", {"order_id": "#W0000003", "reason": "no longer needed"}, "not_pending"),
    ("cancel_pending_order", {"order_id": "#W0000009", "reason": "no longer needed"}, "order_not_found"),
    ("cancel_pending_order", {"order_id": "W0000001", "reason": "no longer needed"}, "invalid order_id"),
    ("modify_pending_order_address", {"order_id": "#W0000001", **HOME}, "ok"),
    ("modify_pending_order_address", {"order_id": "#W0000001", **HOME, "city": ""}, "invalid city"),
    ("modify_pending_order_address", {"order_id": "#W0000002", **HOME}, "not_pending"),
    ("modify_pending_order_payment", pay_with("card_9"), "ok"),
    ("modify_pending_order_payment", pay_with("card_1"), "same_method"),
    ("modify_pending_order_payment", pay_with("gift_card_2"), "gift_card_too_low"),
    ("modify_pending_order_payment", pay_with("gift_card_7"), "method_not_on_profile"),
    ("modify_pending_order_items", swap("#W0000001", MUG, RED), "ok"),
    ("modify_pending_order_items", swap("#W0000001", MUG, RED, "gift_card_2"), "ok"),
    ("modify_pending_order_items", swap("#W0000001", MUG, GOLD, "gift_card_2"), "gift_card_too_low"),
    ("modify_pending_order_items", swap("#W0000001", MUG, MUG), "same_item"),
    ("modify_pending_order_items", swap("#W0000001", MUG, LAMP), "other_product"),
    ("modify_pending_order_items", swap("#W0000001", MUG, GREY), "not_available"),
    ("modify_pending_order_items", swap("#W0000001", MUG, f"{RED} {GOLD}"), "lists_differ"),
    ("modify_pending_order_items", swap("#W0000001", f"{MUG} {MUG}", f"{RED} {RED}"), "item_not_in_order"),
    ("modify_pending_order_items", swap("#W0000001", MUG, "1000000077"), "item_not_found"),
    ("modify_pending_order_items", swap("#W0000002", MUG, RED), "not_pending"),
    ("exchange_delivered_order_items", swap("#W0000002", MUG, RED), "ok"),
    ("exchange_delivered_order_items", swap("#W0000001", MUG, RED), "not_delivered"),
    ("return_delivered_order_items", give_back(f"{MUG} {LAMP}", "card_1"), "ok"),
    ("return_delivered_order_items", give_back(MUG, "gift_card_2"), "ok"),
    ("return_delivered_order_items", give_back(MUG, "card_9"), "other_refund_target"),
    ("return_delivered_order_items", give_back("", "card_1"), "invalid item_ids"),
    ("modify_user_address", {"user_id": "ann_lee_1", **HOME}, "ok"),
    ("modify_user_address", {"user_id": "bob_ray_2", **HOME}, "customer_not_found"),
    ("get_user_details", {"user_id": "ann_lee_1"}, "ok"),
    ("get_user_details", {"user_id": "bob_ray_2"}, "customer_not_found"),
    ("get_order_details", {"order_id": "#W0000002"}, "ok"),
    ("get_order_details", {"order_id": "../users/bob_ray_2"}, "definition_failed"),
    ("get_product_details", {"product_id": "5000000001"}, "ok"),
    ("get_product_details", {"product_id": MUG}, "product_not_found"),
    ("get_item_details", {"item_id": MUG}, "ok"),
    ("get_item_details", {"item_id": "5000000001"}, "item_not_found"),
    ("list_all_product_types", {}, "ok"),
    ("find_user_id_by_email", {"email": "ann@shop.example"}, "ok"),
    ("find_user_id_by_email", {"email": "bob@shop.example"}, "customer_not_found"),
    ("find_user_id_by_name_zip", {"first_name": "ANN", "last_name": "lee", "zip": "10001"}, "ok"),
    ("calculate", {"expression": "(10.1 + 20.3) * 2"}, "ok"),
    ("calculate", {"expression": "10 / 0"}, "definition_failed"),
    ("calculate", {"expression": "order.total"}, "definition_failed"),
    ("transfer_to_human_agents", {"summary": "She wants a refund."}, "ok"),
]  # fmt: skip


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_each_operation_is_a_complete_document(path: Path) -> None:
    document = json.loads(path.read_text())
    assert missing(document) == []
    assert parse_document(document).name == path.stem


def test_there_are_sixteen_operations() -> None:
    assert len(DOCUMENTS) == 16
    assert {name for name, _, _ in TABLE} == {path.stem for path in DOCUMENTS}


@pytest.mark.parametrize(("name", "arguments", "expected"), TABLE)
def test_the_rules_are_in_the_documents(name: str, arguments: dict[str, Any], expected: str) -> None:
    shop = RetailShop(SHOP)
    assert do(shop, "ann_lee_1", name, arguments) == expected
    assert bool(shop.changed) is (expected == "ok" and definition(name).kind is Kind.WRITE)


@pytest.mark.parametrize(("name", "arguments", "expected"), TABLE)
def test_no_operation_works_on_another_customers_record(name: str, arguments: dict[str, Any], expected: str) -> None:
    shop = RetailShop(SHOP)
    outcome = do(shop, "bob_ray_2", name, arguments)
    assert shop.changed == set() or arguments.get("user_id") == "bob_ray_2"
    if any(lookup.owner for lookup in definition(name).lookups) and expected == "ok":
        assert outcome.endswith("_not_found")


def test_a_second_change_of_an_order_is_refused() -> None:
    shop = RetailShop(SHOP)
    cancel = ("cancel_pending_order", {"order_id": "#W0000001", "reason": "no longer needed"})
    change = ("modify_pending_order_items", swap("#W0000001", MUG, RED))
    assert [do(shop, "ann_lee_1", *step) for step in (change, change, cancel)] == ["ok", "not_pending", "not_pending"]


def test_a_handover_gives_the_person_the_reason() -> None:
    action = definition("transfer_to_human_agents")
    names = evaluation.names_of(action, {"summary": "She wants a refund."}, Identity("ann_lee_1"), NOW)
    assert rendering.result_of(action, names, "en").hand_over == "She wants a refund."


def test_a_price_difference_is_computed_and_sent() -> None:
    shop = RetailShop(SHOP)
    assert do(shop, "ann_lee_1", "modify_pending_order_items", swap("#W0000001", MUG, RED, "gift_card_2")) == "ok"
    order = shop.records["orders"]["#W0000001"]
    assert is_same(order["payment_history"][1]["amount"], 10.2)
    assert is_same(shop.records["users"]["ann_lee_1"]["payment_methods"]["gift_card_2"]["balance"], 4.8)


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / name).read_text().splitlines()]


@needs_cases
def test_every_guard_case_has_its_expected_result() -> None:
    records = json.loads((CASES / "db.json").read_text())
    wrong: list[str] = []
    codes: Counter[str] = Counter()
    cases = rows("guard_cases_dev.jsonl")
    for case in cases:
        shop = RetailShop(records)
        customer = case["authenticated_user"]
        done = [do(shop, customer, step["name"], step["arguments"]) for step in case["setup"]]
        before = shop.changes()
        outcome = do(shop, customer, case["call"]["name"], case["call"]["arguments"])
        codes[outcome] += 1
        is_right = (outcome == "ok") is (case["expect"] == "ok") and set(done) <= {"ok"}
        expected = case.get("expected_changed", {}) if case["expect"] == "ok" else before
        if not is_right or not is_same(shop.changes(), expected):
            wrong.append(f"{case['id']} {case['category']} {outcome} {done}")
    print(f"{len(cases) - len(wrong)} of {len(cases)} guard cases; {dict(codes)}")  # noqa: T201
    assert wrong == []
    assert not codes["definition_failed"]


@needs_cases
@pytest.mark.parametrize("name", ["tasks_dev.jsonl", "tasks_v1train_dev.jsonl"])
def test_every_sequence_has_its_expected_end(name: str) -> None:
    records = json.loads((CASES / "db.json").read_text())
    tasks = rows(name)
    wrong: list[str] = []
    for number, task in enumerate(tasks):
        shop = RetailShop(records)
        outcomes = [do(shop, task["user_id"], step["name"], step["arguments"]) for step in task["steps"]]
        unequal = [
            (step["name"], step["arguments"], outcome)
            for step, outcome in zip(task["steps"], outcomes, strict=True)
            if (outcome == "ok") is not (step["expect"] == "ok")
        ]
        states = [task["expected_changed"], task.get("expected_changed_own_price_per_item", task["expected_changed"])]
        if unequal or not any(is_same(shop.changes(), state) for state in states):
            wrong.append(f"{number} {task['user_id']} {unequal}")
    print(f"{len(tasks) - len(wrong)} of {len(tasks)} sequences of {name}")  # noqa: T201
    assert wrong == []
