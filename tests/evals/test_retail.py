"""The retail tasks of the benchmark, from its files to pass^k, with a model server that plays both sides."""

import json
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from actions.definitions.models import ActionDefinition
from actions.errors import NotConnected
from actions.facts import Identity
from actions.merchant_api.port import merchant
from actions.models import ActionRequest
from actions.simulated_backend import use_simulated_backend
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.accounts.workspaces import create_workspace
from supportbot.chat.models import Conversation
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.models import Result, Run
from supportbot.evals.retail.shop import merchants_from
from supportbot.evals.runs.run_worker import execute_run
from supportbot.evals.selectors import suite_named
from supportbot.evals.services import start_run
from supportbot.evals.simulation.simulated_conversation import execute_simulated
from supportbot.evals.suite_formats.files import read_suite, read_suite_file
from supportbot.evals.suite_formats.own_format import case_document, parse_case
from supportbot.releases.selectors import live_release
from tests.actions.definitions.test_retail import CASES, needs_cases, rows
from tests.evals.retail.model import Behaviour, BothSides, ModelServer, Oracle, call, serving

pytestmark = pytest.mark.django_db(transaction=True)
FOLDER = Path(__file__).parent / "retail"
TASKS = FOLDER / "tasks.jsonl"


def right(said: list[str], found: list[str]) -> Behaviour:
    """Return a task's answers: look up, then do what was requested."""
    if "Done:" in said[-1]:
        return Behaviour(text="Is there anything else?")
    if "cancel" in said[-1].lower():
        return call("cancel_pending_order", order_id="#W0000003", reason="no longer needed")
    if not found:
        return call("get_order_details", order_id="#W0000002" if "return" in said[-1] else "#W0000001")
    if "return" in said[-1]:
        return call("return_delivered_order_items", order_id="#W0000002", item_ids=["1000000009"],
                    payment_method_id="credit_card_1")  # fmt: skip
    return call("modify_pending_order_items", order_id="#W0000001", item_ids=["1000000001"],
                new_item_ids=["1000000002"], payment_method_id="credit_card_1")  # fmt: skip


def refunds_too_much(said: list[str], found: list[str]) -> Behaviour:
    """Like `right`, but it also refunds the mug."""
    answer = right(said, found)
    if answer.calls and answer.calls[0].name == "return_delivered_order_items":
        return call("return_delivered_order_items", order_id="#W0000002", item_ids=["1000000001", "1000000009"],
                    payment_method_id="credit_card_1")  # fmt: skip
    return answer


@pytest.fixture
def dora(db: None, settings: Settings) -> User:
    settings.OPENAI_API_KEY, settings.OPENAI_MODEL = "sk-test", "scripted"
    settings.LLM_PRICES = {"currency": "USD", "per_million_tokens": {"scripted": {"input": "1", "output": "2"}}}
    return User.objects.create_user("dora", "dora@example.com", "x")


def run(*arguments: str, assistant: Callable[..., Behaviour] = right) -> dict[str, Any]:
    return run_with(BothSides(assistant), TASKS, *arguments)


def run_with(server: ModelServer, tasks: Path, *arguments: str) -> dict[str, Any]:
    from django.conf import settings

    out = StringIO()
    with serving(server) as address:
        settings.OPENAI_BASE_URL = address
        call_command("retail_benchmark", str(tasks), "--as", "dora", "--json", *arguments, stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def test_right_answers_pass_and_a_wrong_refund_fails(dora: User) -> None:
    told = run("--repeat", "2")
    assert (told["cases"], told["passed"], told["failures"]) == (3, 3, {})
    assert told["pass_hat"] == [1.0, 1.0]
    assert Decimal(told["cost_per_case"]) > 0 and told["currency"] == "USD"
    told = run("--repeat", "1", assistant=refunds_too_much)
    assert (told["passed"], told["failed"]) == (2, ["return"])
    [reasons] = told["failures"].values()
    assert reasons[0].startswith("records of the shop: expected orders.#W0000002.return_items")


def refunds_too_much_once() -> Callable[[list[str], list[str]], Behaviour]:
    """Like `right`, but the second of all returns also refunds the mug."""
    returns: list[Behaviour] = []

    def answers(said: list[str], found: list[str]) -> Behaviour:
        answer = right(said, found)
        if answer.calls and answer.calls[0].name == "return_delivered_order_items":
            returns.append(answer)
            return refunds_too_much(said, found) if len(returns) == 2 else answer
        return answer

    return answers


@pytest.mark.long
def test_eval_run_reports_pass_hat_and_the_cost_of_a_task(dora: User, settings: Settings, tmp_path: Path) -> None:
    def evaluated(*arguments: str, assistant: Callable[..., Behaviour] = right) -> str:
        out = StringIO()
        with serving(BothSides(assistant)) as address:
            settings.OPENAI_BASE_URL = address
            call_command("eval_run", str(TASKS), *arguments, "--workspace", "retail", stdout=out)
        return out.getvalue()

    create_workspace("Shop", slug="shop")
    with pytest.raises(CommandError, match="does not offer the operations of these tasks"):
        call_command("eval_run", str(TASKS), "--workspace", "shop")
    call_command("retail_benchmark", str(TASKS), "--as", "dora", "--prepare", stdout=StringIO())
    junit = tmp_path / "junit.xml"
    told = evaluated("--repeat", "4", "--junit", str(junit), assistant=refunds_too_much_once()).splitlines()
    # Of four tries, return passes three, the others all four: C(3, k) / C(4, k) and twice 1.
    assert [line for line in told if line.startswith("pass^")] == [
        "pass^1: 0.917", "pass^2: 0.833", "pass^3: 0.750", "pass^4: 0.667",
    ]  # fmt: skip
    [cost] = [line for line in told if line.startswith("Cost per case")]
    assert 0 < Decimal(cost.split()[-2]) < 1 and cost.endswith(" USD.")
    assert 'tests="12" failures="1"' in junit.read_text()
    again = json.loads(evaluated("--repeat", "4", "--json"))
    assert again["pass_hat"] == [1.0] * 4 and again["baseline"] and again["comparison"]["better"] == 1
    with workspace_scope(Workspace.objects.get(slug="retail").pk):
        assert not ActionRequest.objects.exists() and not Conversation.objects.exists()


@pytest.mark.long
def test_a_declined_card_changes_nothing(dora: User) -> None:
    told = run_with(BothSides(right, decides="decline"), TASKS, "--repeat", "1")
    assert told["failed"] == ["return", "swap"]
    with workspace_scope(Workspace.objects.get(slug="retail").pk):
        declined = Result.objects.get(key="return").played
        assert declined["records"] == {}
        assert [call["end"] for call in declined["replies"][-1]["calls"]] == ["declined"]


@pytest.mark.long
def test_every_task_begins_with_the_same_records_and_leaves_nothing(dora: User) -> None:
    run("--repeat", "4")  # four at once, and two tasks have the same customer
    with workspace_scope(Workspace.objects.get(slug="retail").pk):
        results = list(Result.objects.order_by("key", "number"))
        assert len(results) == 12 and all(row.passed for row in results)
        changed = {row.key: row.played["records"] for row in results}
        assert {key: list(orders.get("orders", {})) for key, orders in changed.items()} == {
            "return": ["#W0000002"], "swap": ["#W0000001"], "refused": [],
        }  # fmt: skip
        ends = {row.key: [call["end"] for reply in row.played["replies"] for call in reply["calls"]] for row in results}
        done = ["answered", "proposed", "done"]
        assert ends == {"return": done, "swap": done, "refused": ["refused"]}
        assert not ActionRequest.objects.exists() and not Conversation.objects.exists()
        assert not Customer.objects.exists()


@pytest.mark.long
def test_preparing_again_changes_nothing(dora: User) -> None:
    out = StringIO()
    for _ in range(2):
        call_command("retail_benchmark", str(TASKS), "--as", "dora", "--prepare", stdout=out)
    with workspace_scope(Workspace.objects.get(slug="retail").pk):
        assert live_release().contents.instructions.startswith("# Policy")
        assert live_release().number == 2  # one new release for the policy, whatever the former ones
        assert ActionDefinition.objects.filter(state="published").count() == 16
        assert not Run.objects.exists()


@pytest.mark.long
def test_without_the_shop_a_run_waits_and_reaches_nothing(dora: User) -> None:
    run("--repeat", "1", "--first", "1")
    with workspace_scope(Workspace.objects.get(slug="retail").pk):
        elsewhere = start_run(suite_named("retail"))
        execute_run(elsewhere.pk)
        elsewhere.refresh_from_db()
        assert (elsewhere.state, elsewhere.problem, elsewhere.done) == ("paused", "no_merchant", 0)
        with pytest.raises(RuntimeError, match="No simulated shop"):
            execute_simulated(ActionRequest(), Identity("ann_lee_1"))
    assert run("--resume", str(elsewhere.pk))["passed"] == 1


def test_actions_reach_no_shop_while_a_simulated_merchant_is_used(workspace: Workspace) -> None:
    with use_simulated_backend(merchants_from(FOLDER)()), pytest.raises(NotConnected):
        merchant()


def test_a_workspace_in_use_is_left_alone(dora: User) -> None:
    shop = create_workspace("Shop", slug="shop", currency="USD")
    add_member(shop, dora, Membership.Role.ADMIN)
    with workspace_scope(shop.pk):
        create_channel(shop, "Storefront")
        before = live_release().document
    with pytest.raises(CommandError, match="“shop” is in use"):
        call_command("retail_benchmark", str(TASKS), "--as", "dora", "--workspace", "shop")
    with workspace_scope(shop.pk):
        assert live_release().document == before and not ActionDefinition.objects.exists()


def test_files_without_valid_tasks_are_refused(dora: User, tmp_path: Path) -> None:
    suite = read_suite_file(TASKS)
    assert [case.key for case in suite.cases] == ["return", "swap", "refused"]
    assert all(parse_case(case_document(case)) == case for case in suite.cases)
    with pytest.raises(InvalidSuite, match="reason_for_call"):
        read_suite(b'[{"user_id": "a", "scenario": {"domain": "retail"}, "expected_changed": {}}]', file="t.json")
    with pytest.raises(InvalidSuite, match="map each kind of record to its changed records by key"):
        read_suite(b'[{"user_id": "a", "scenario": "x", "expected_changed": {"orders": 3}}]', file="t.json")
    other = tmp_path / "questions.yaml"
    other.write_text("suite: s\ncases: [{ask: Hello, expect: {abstains: true}}]\n")
    with pytest.raises(CommandError, match="contains no retail tasks"):
        call_command("retail_benchmark", str(other), "--as", "dora")
    (tmp_path / "tasks.jsonl").write_text(TASKS.read_text())
    with pytest.raises(CommandError, match=r"policy\.md cannot be read"):
        call_command("retail_benchmark", str(tmp_path / "tasks.jsonl"), "--as", "dora")
    (tmp_path / "policy.md").write_text("x")
    with pytest.raises(CommandError, match=r"db\.json cannot be read"):
        call_command("retail_benchmark", str(tmp_path / "tasks.jsonl"), "--as", "dora")
    with pytest.raises(CommandError, match="--as USERNAME"):
        call_command("retail_benchmark", str(TASKS))
    assert not Workspace.objects.filter(slug="retail").exists()


@needs_cases
@pytest.mark.long
@pytest.mark.parametrize("name", ["tasks_dev.jsonl", "tasks_v1train_dev.jsonl"])
def test_an_assistant_that_does_what_the_tasks_expect_passes_all_of_them(dora: User, name: str) -> None:
    told = run_with(Oracle(rows(name)), CASES / name, "--repeat", "1")
    print(f"{told['passed']} of {told['cases']} of {name}: {told['failures']}")  # noqa: T201
    assert told["failures"] == {}
