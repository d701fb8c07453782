"""A public benchmark's cases through the whole engine: proposed, confirmed, carried out by a worker over HTTP.

The shop has no rules of its own. RETAIL_CASES names a folder with the benchmark's data, as for
tests/actions/definitions/test_retail.py; without it, these tests are skipped.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from actions.connections import services as connections
from actions.definitions import publishing, services
from actions.errors import ActionError
from actions.models import ActionPolicy
from actions.policy_store import change_rules
from actions.principals import Principal
from actions.registry import action_named
from actions.services import confirm, propose, run_read
from actions.testing import run_queued
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.evals.grading.value_equality import is_same
from supportbot.evals.retail.shop import RetailShop
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.conftest import signed_in_as
from tests.actions.defined.conftest import document, record_a_case
from tests.actions.defined.loopback_shop import LoopbackShop, loopback_shop
from tests.actions.definitions.test_retail import CASES, DOCUMENTS, needs_cases, rows

pytestmark = [pytest.mark.django_db, pytest.mark.long, needs_cases]


@pytest.fixture
def retail(workspace: Workspace, settings: Any, admin: User) -> Iterator[LoopbackShop]:
    """The shop with the benchmark's records, and all its operations in force."""
    settings.PRIVATE_NETWORKS = LOOPBACK
    with loopback_shop(json.loads((CASES / "db.json").read_text())) as shop:
        connections.create(connections.Draft("retail", shop.base_url, auth="none"), actor="test")
        for file in DOCUMENTS:
            made = document(file.stem)
            record_a_case(services.save_draft(made, actor="operator:test"))
            publishing.publish(made["name"], number=1, person=admin)
        for policy in ActionPolicy.objects.all():
            change_rules(policy, actor="test", currency="USD")
        yield shop


def who(customer: str) -> Principal:
    return signed_in_as(Customer.objects.get_or_create(external_id=customer)[0])


def do(customer: str, name: str, arguments: dict[str, Any], key: str) -> str:
    """Return "ok", or the code of the refusal."""
    try:
        if action_named(name).is_read:
            run_read(who(customer), name, arguments)
            return "ok"
        card = propose(who(customer), name, arguments, proposal_key=key)
        if card.state != "awaiting_confirmation":
            return str(card.reason_code)
        confirm(card.pk, principal=who(customer), digest=card.digest)
        run_queued()
        card.refresh_from_db()
        return "ok" if card.state == "succeeded" else f"{card.state} {card.reason_code}"
    except ActionError as error:
        return error.code


def test_every_guard_case_has_its_expected_refusal(retail: LoopbackShop) -> None:
    records = json.loads((CASES / "db.json").read_text())
    cases = [case for case in rows("guard_cases_dev.jsonl") if case["call"]["name"] in {one.stem for one in DOCUMENTS}]
    wrong, codes = list[str](), Counter[str]()
    for number, case in enumerate(cases):
        retail.records = RetailShop(records)
        customer = case["authenticated_user"]
        done = [
            do(customer, call["name"], call["arguments"], f"set:{number}:{place}")
            for place, call in enumerate(case["setup"])
        ]
        before = retail.records.changes()
        outcome = do(customer, case["call"]["name"], case["call"]["arguments"], f"case:{number}:1")
        codes[outcome] += 1
        expected = case.get("expected_changed", {}) if case["expect"] == "ok" else before
        is_right = (outcome == "ok") is (case["expect"] == "ok") and set(done) <= {"ok"}
        if not is_right or not is_same(retail.records.changes(), expected):
            wrong.append(f"{number} {case['category']} {outcome} {done}")
    print(f"{len(cases) - len(wrong)} of {len(cases)} guard cases; {dict(codes)}")  # noqa: T201
    assert wrong == []


@pytest.mark.parametrize("name", ["tasks_dev.jsonl", "tasks_v1train_dev.jsonl"])
def test_every_sequence_reaches_its_expected_end(retail: LoopbackShop, name: str) -> None:
    records, tasks = json.loads((CASES / "db.json").read_text()), rows(name)
    wrong = list[str]()
    for number, task in enumerate(tasks):
        retail.records = RetailShop(records)
        outcomes = [
            do(task["user_id"], step["name"], step["arguments"], f"{name}:{number}:{place}")
            for place, step in enumerate(task["steps"])
        ]
        unequal = [
            (step["name"], outcome)
            for step, outcome in zip(task["steps"], outcomes, strict=True)
            if (outcome == "ok") is not (step["expect"] == "ok")
        ]
        states = [task["expected_changed"], task.get("expected_changed_own_price_per_item", task["expected_changed"])]
        if unequal or not any(is_same(retail.records.changes(), state) for state in states):
            wrong.append(f"{number} {task['user_id']} {unequal}")
    print(f"{len(tasks) - len(wrong)} of {len(tasks)} sequences of {name}")  # noqa: T201
    assert wrong == []
