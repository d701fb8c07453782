"""Runs of suites by the command, the gates and the worker, with models that fail and workers that die."""

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from actions.testing import FakeShop
from kb.evaluation.runs import Question
from kb.models import Article
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import SCOPES, Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.erasure import forget_customer
from supportbot.evals import erasure, retention, services, tasks
from supportbot.evals.errors import InvalidSuite, RunEnded
from supportbot.evals.grading import human_labels
from supportbot.evals.grading.human_labels import hidden_runs, to_label
from supportbot.evals.grading.judge_agreement import agreement_in
from supportbot.evals.grading.run_reports import CaseTries, report_from, report_of
from supportbot.evals.models import Case, Result, Run, Suite
from supportbot.evals.runs import case_runner, run_worker
from supportbot.evals.runs.command_output import facts_of, words_of_run
from supportbot.evals.suite_formats.files import read_suite
from supportbot.evals.suite_formats.own_format import parse_suite
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import Finished, ModelRequest, TextDelta, Usage
from supportbot.releases.services import create_draft
from tests.evals.shop_suite import SUITE, change, suite

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """An error that nothing catches, as if the process were killed."""


def play(**options: Any) -> Run:
    run = services.start_run(suite(), **options)
    run_worker.execute_run(run.pk)
    return Run.objects.get(pk=run.pk)


def command(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and what it printed."""
    out, code = StringIO(), 0
    try:
        call_command("eval_run", *arguments, "--json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


@pytest.mark.long
def test_the_command_reports_a_regression(workspace: Workspace, returns_article: Article, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SUITE)
    code, told = command(str(file))
    assert (code, told["passed"], told["cases"], told["is_good"]) == (0, 3, 3, True)
    change(returns_article, "5 working days", "9 working days")
    code, told = command("shop", "--junit", str(tmp_path / "junit.xml"))
    assert (code, told["regressions"], told["failed_must"]) == (1, ["refund"], [])
    assert told["failures"] == {"refund": ["figures: missing “5 days”"]}
    tests = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (tests.get("tests"), tests.get("failures")) == ("3", "1")
    # Compared with that run, it is no longer a regression, but `must` always counts.
    change(returns_article, "60 days", "14 days")
    code, told = command("shop")
    assert (code, told["regressions"], told["failed_must"]) == (1, ["window"], ["window"])
    assert command("shop")[1]["regressions"] == []
    alone = command("shop", "--against", "none")[1]
    assert (alone["baseline"], alone["comparison"], alone["regressions"]) == (None, None, [])
    create_draft(person=Staff(workspace.pk, None, "Ada", "admin", SCOPES))
    with pytest.raises(CommandError, match=r"no finished run with release 2\. Run it with that release first"):
        call_command("eval_run", "shop", "--against", "2")
    with pytest.raises(CommandError, match="no file or suite"):
        call_command("eval_run", "nothing")
    with pytest.raises(CommandError, match="There is no release 7"):
        call_command("eval_run", "shop", "--release", "7")


@pytest.mark.long
def test_two_identical_runs_do_not_differ(workspace: Workspace, returns_article: Article) -> None:
    first, second = play(repeat=2), play(repeat=2)
    report = report_from(second.report or {})
    assert second.baseline_id == first.pk and (second.total, second.done) == (6, 6)
    assert (report.regressions, report.improved, report.is_worse, report.is_good) == ((), (), False, True)
    assert report.pass_hat == (1.0, 1.0)
    assert Result.objects.filter(run=second, is_deterministic=True).count() == 6


def test_the_command_says_how_fast_it_was(workspace: Workspace, returns_article: Article) -> None:
    run = play(repeat=2)
    assert 0 < run.played_ms <= (now() - run.created_at).total_seconds() * 1000
    # As if it had been interrupted for an hour.
    Run.objects.filter(pk=run.pk).update(created_at=run.created_at - timedelta(hours=1), played_ms=4_000)
    facts = facts_of(Run.objects.get(pk=run.pk))
    assert (facts["took_seconds"], facts["tries_per_minute"]) == (4.0, 90)
    assert "Took 4.0 s: 90 attempts per minute." in words_of_run(facts).splitlines()
    Run.objects.filter(pk=run.pk).update(kept=4)  # from the earlier run, not repeated
    assert facts_of(Run.objects.get(pk=run.pk))["tries_per_minute"] == 30


def test_a_run_continues_after_its_worker_was_killed(
    workspace: Workspace, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = play(repeat=2)
    run = services.start_run(suite(), repeat=2)
    stored = run_worker._store

    def die_after_three(run: Run, runner: str, result: Result, *, is_kept: bool, took_ms: int) -> None:
        if Result.objects.filter(run=run).count() >= 3:
            raise Killed
        stored(run, runner, result, is_kept=is_kept, took_ms=took_ms)

    monkeypatch.setattr(run_worker, "_store", die_after_three)
    with pytest.raises(Killed):
        run_worker.execute_run(run.pk)
    monkeypatch.setattr(run_worker, "_store", stored)
    before = Result.objects.filter(run=run).count()
    assert 3 <= before < 6
    run_worker.execute_run(run.pk)  # the dead worker's lease is still valid
    assert Run.objects.get(pk=run.pk).done == before
    assert run_worker.due_runs() == []
    Run.objects.filter(pk=run.pk).update(lease_until=now() - timedelta(seconds=1))
    assert run_worker.due_runs() == [(workspace.pk, run.pk)]
    tasks.play(str(workspace.pk), str(run.pk))
    resumed = Run.objects.get(pk=run.pk)
    assert (resumed.state, resumed.done) == ("done", 6)
    assert _without_times(resumed) == _without_times(whole)


def _without_times(run: Run) -> dict[str, Any]:
    timed = ("p50_ms", "p95_ms", "not_compared", "worse_p", "difference_interval")
    return {name: value for name, value in (run.report or {}).items() if name not in timed}


@pytest.mark.long
def test_a_run_waits_for_a_model_that_is_down(workspace: Workspace, returns_article: Article) -> None:
    away = ScriptedModel(*[Says(fails=ProviderRefused(Reason.UNREACHABLE))] * 20)
    with answering(away, with_builtin=True):
        run = play()
        away._steps.clear()
    assert (run.state, run.problem, run.report) == ("paused", "model_unavailable", None)
    assert command("--resume", str(run.pk))[1]["run"] == str(run.pk)
    assert Run.objects.get(pk=run.pk).state == "done"
    with pytest.raises(CommandError, match="already ended"):
        call_command("eval_run", "--resume", str(run.pk))
    with pytest.raises(CommandError, match="Give a suite, or --resume"):
        call_command("eval_run")
    with pytest.raises(RunEnded):
        services.cancel_run(run.pk)


def test_a_cancelled_run_stops(workspace: Workspace, returns_article: Article, monkeypatch: pytest.MonkeyPatch) -> None:
    run = services.start_run(suite(), repeat=20)
    stored = run_worker._store

    def cancel_first(run: Run, runner: str, result: Result, *, is_kept: bool, took_ms: int) -> None:
        with workspace_scope(workspace.pk):
            Run.objects.filter(pk=run.pk, state="running").update(state="cancelled", finished_at=now())
        stored(run, runner, result, is_kept=is_kept, took_ms=took_ms)

    monkeypatch.setattr(run_worker, "_store", cancel_first)
    run_worker.execute_run(run.pk)
    cancelled = Run.objects.get(pk=run.pk)
    assert (cancelled.state, cancelled.done, cancelled.report) == ("cancelled", 0, None)


@pytest.mark.parametrize(("more", "is_noticed"), [(0, False), (5, False), (7, True), (12, True)])
def test_a_less_obedient_model_is_noticed_even_if_every_case_passes(more: int, is_noticed: bool) -> None:
    def tried(key: int, *signals: str) -> CaseTries:
        return CaseTries(str(key), 1, 1, True, False, {"id": key}, signals=dict.fromkeys(signals, 1))

    before = [tried(key) for key in range(12)]
    after = [tried(key, *(["withheld"] if key < more else [])) for key in range(12)]
    report = report_of(after, before)
    assert report.passed == 12 and report.signals == (("withheld",) if is_noticed else ())
    assert report.is_good is not is_noticed and report_from(report.as_json()) == report
    assert report_of(before, after).is_good


def test_no_result_remains_of_an_erased_customer(
    workspace: Workspace, alice: Customer, returns_article: Article
) -> None:
    services.save_suite(
        read_suite(SUITE.replace("id: window", "id: window\n    customer: cus_alice").encode(), file="s")
    )
    run = services.start_run(Suite.objects.get())
    run_worker.execute_run(run.pk)
    assert Result.objects.filter(customer_id=alice.pk).count() == 1
    erasure.forget_customer(alice.pk)
    assert sorted(Result.objects.values_list("key", flat=True)) == ["refund", "unknown"]
    Run.objects.filter(pk=run.pk).update(finished_at=now() - retention.RUNS_KEPT_FOR - timedelta(days=1))
    tasks.purge()
    assert not Run.objects.exists()


ORDER = "{id: A-1, status: paid, currency: EUR, placed_days_ago: 1, items: [{sku: TENT, name: Tent, price: '12.50'}]}"


def test_an_erased_customer_is_removed_from_cases_and_runs(
    workspace: Workspace, other_workspace: Workspace, alice: Customer, returns_article: Article
) -> None:
    text = SUITE.replace("id: window", f"id: window\n    customer: cus_alice\n    orders: [{ORDER}]")
    text = text.replace("id: refund", "id: refund\n    must: true\n    customer: cus_tom")
    services.save_suite(read_suite(text.encode(), file="s"))
    run = services.start_run(Suite.objects.get())
    with workspace_scope(other_workspace.pk):
        services.save_suite(read_suite(text.encode(), file="s"))
    forget_customer(alice)

    def asked_by() -> dict[str, object]:
        rows = Case.objects.exclude(key="unknown")
        return {one.key: (one.document.get("customer"), one.document.get("must"), one.is_must) for one in rows}

    assert asked_by() == {"window": (None, None, False), "refund": ("cus_tom", True, True)}
    run.refresh_from_db()
    assert [one.get("customer") for one in run.cases] == [None, "cus_tom", None]
    assert (
        not any("orders" in one for one in run.cases) and not Case.objects.filter(document__has_key="orders").exists()
    )
    with workspace_scope(other_workspace.pk):
        assert asked_by()["window"] == ("cus_alice", True, True)


def test_an_unknown_customer_fails_only_their_case(workspace: Workspace, returns_article: Article) -> None:
    services.save_suite(read_suite(SUITE.replace("id: window", "id: window\n    customer: 'a b'").encode(), file="s"))
    run = services.start_run(Suite.objects.get())
    run_worker.execute_run(run.pk)
    report = report_from(Run.objects.get(pk=run.pk).report or {})
    assert report.failed_must == ("window",) and report.passed == 2


class Judging(ScriptedModel):
    """A model that answers every question the same way, and judges by a script."""

    def __init__(self, verdicts: Sequence[str]) -> None:
        super().__init__()
        self._verdicts = list(verdicts)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        if request.purpose == "judge":
            assert "Is polite." in request.messages[1].content
        yield TextDelta(self._verdicts.pop(0) if request.purpose == "judge" else "Hello, how can I help you?")
        yield Finished("stop", Usage(10, 5), self.name, self.model)


def test_a_judge_decides_whether_a_rubric_is_met(workspace: Workspace, returns_article: Article) -> None:
    judged = {"ask": "Hello", "expect": {"judge": "Is polite."}}
    cases = [{**judged, "id": f"c{number}"} for number in range(3)]
    services.save_suite(parse_suite({"suite": "judged", "cases": cases}, file=""))
    verdicts = ('{"good": true, "why": "It greets."}', '{"good": false, "why": "It is rude."}', "Well, it depends.")
    with answering(Judging(verdicts)):
        run = services.start_run(Suite.objects.get())
        run_worker.execute_run(run.pk)
    grades = sorted(row.grades[0].get("got", "") for row in Result.objects.filter(run=run))
    assert grades == ["It greets.", "It is rude.", "no_json"]
    assert Result.objects.filter(run=run, passed=True).count() == 1
    told = words_of_run(facts_of(Run.objects.get(pk=run.pk)))
    assert "judge’s verdict: The judging model did not answer with the JSON that it was asked for." in told


@pytest.mark.parametrize(
    "case",
    [
        {"ask": "Hello", "expect": {"judge": "Is polite."}},
        {
            "simulate": {"goal": "Learn how long returns take", "knows": "Bought shoes"},
            "expect": {"figures": "60 days"},
        },
    ],
)
def test_without_a_model_for_judging_the_run_waits_and_says_so(workspace: Workspace, case: dict[str, Any]) -> None:
    services.save_suite(parse_suite({"suite": "judged", "cases": [case]}, file=""))
    with pytest.raises(CommandError, match="No model is set up for this"):
        call_command("eval_run", "judged")
    assert Run.objects.get().state == "paused" and not Result.objects.exists()


class Silent(Judging):
    """A model that answers, but gives no verdicts."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        if request.purpose == "judge":
            raise ProviderRefused(Reason.UNREACHABLE)
        async for event in super().stream(request):
            yield event


def test_an_unavailable_judge_interrupts_the_run_and_fails_no_case(workspace: Workspace) -> None:
    case = {"ask": "Hello", "expect": {"judge": "Is polite."}}
    services.save_suite(parse_suite({"suite": "judged", "cases": [case]}, file=""))
    with answering(Silent(())), pytest.raises(CommandError, match="The model is not responding"):
        call_command("eval_run", "judged")
    assert Run.objects.get().state == "paused" and not Result.objects.exists()


REFUND = {
    "customer": "cus_alice",
    "simulate": {
        "by": "script",
        "goal": "I want a refund",
        "knows": {"order": "It is order A-1001"},
        "insists": "Please!",
    },
    "expect": {"proposes": {"action": "refund_order", "arguments": {"order_id": "A-1001"}}},
}


@pytest.mark.long
def test_scripted_customers_answer_questions(
    workspace: Workspace, alice: Customer, shop: FakeShop, returns_article: Article
) -> None:
    services.save_suite(parse_suite({"suite": "refunds", "cases": [{**REFUND, "id": "refund"}]}, file=""))
    for _ in range(2):  # deterministic: a pass that becomes a fail would count
        run = services.start_run(Suite.objects.get())
        run_worker.execute_run(run.pk)
        [result] = Result.objects.filter(run=run)
        said = [reply["said"] for reply in result.played["replies"]]
        assert said == ["I want a refund", "It is order A-1001"], result.played["replies"]
        assert result.passed and result.is_deterministic
    stubborn = {**REFUND, "simulate": {**REFUND["simulate"], "goal": "Hello", "knows": {"shoe size": "43"}}}
    assert parse_suite({"suite": "s", "cases": [stubborn]}, file="").cases[0].simulate
    for wrong, problem in (
        ({"by": "me"}, "`by` must be `model` or `script`"),
        ({"knows": "prose"}, "a script needs `knows`, a mapping of names"),
        ({"most_cost": 0}, "a number above 0"),
        ({"patience": 21}, "from 1 to 20"),
        ({"mood": "bad"}, "unknown key `mood`"),
    ):
        with pytest.raises(InvalidSuite, match=problem):
            parse_suite({"suite": "s", "cases": [{**REFUND, "simulate": {**REFUND["simulate"], **wrong}}]}, file="")


def test_a_search_for_each_message_of_a_simulated_customer_is_graded(
    workspace: Workspace, returns_article: Article
) -> None:
    customer = {"by": "script", "goal": "How many days do I have to return unused items?", "knows": {"a": "Thanks"}}
    cases = [
        {"id": name, "simulate": customer, "expect": {"hit5": [article]}}
        for name, article in (("found", "returns"), ("missed", "shipping"))
    ]
    services.save_suite(parse_suite({"suite": "searched", "cases": cases}, file=""))
    run = services.start_run(Suite.objects.get())
    run_worker.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("done", "")
    results = {row.key: row for row in Result.objects.filter(run=run)}
    assert {key: row.passed for key, row in results.items()} == {"found": True, "missed": False}
    assert results["found"].played["replies"][-1]["ranked"] == ["returns"]


def test_a_search_that_fails_fails_its_case_only(
    workspace: Workspace, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(question: Question, *others: Any) -> Any:
        raise ValueError(question.text)

    monkeypatch.setattr(case_runner, "ranking", broken)
    asked = {"ask": "How many days do I have to return unused items?"}
    cases = [
        {**asked, "id": "searched", "expect": {"hit5": ["returns"]}},
        {**asked, "id": "answered", "expect": {"source": "returns"}},
    ]
    services.save_suite(parse_suite({"suite": "searched", "cases": cases}, file=""))
    run = services.start_run(Suite.objects.get())
    run_worker.execute_run(run.pk)
    assert Run.objects.get(pk=run.pk).state == "done"
    results = {row.key: row for row in Result.objects.filter(run=run)}
    assert {key: row.passed for key, row in results.items()} == {"searched": False, "answered": True}
    assert results["searched"].played["failure"] == "internal"
    assert results["searched"].played["replies"], "the conversation itself is kept"


class PlayingBoth(ScriptedModel):
    """A model that plays both the assistant and a scripted customer."""

    def __init__(self, *said: str) -> None:
        super().__init__()
        self._said = list(said)
        self.seen: list[ModelRequest] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        if request.purpose == "judge":
            self.seen.append(request)
            if not self._said:
                raise ProviderRefused(Reason.UNREACHABLE)
            yield TextDelta(self._said.pop(0))
        else:
            yield TextDelta("Unused items can be returned within 60 days. [1]")
        yield Finished("stop", Usage(90_000, 5), self.name, self.model)


@pytest.mark.long
def test_a_model_plays_a_customer_within_bounds(workspace: Workspace, returns_article: Article) -> None:
    customer = {"goal": "Learn how long returns take", "persona": "In a hurry", "knows": "Bought shoes", "patience": 4}
    case = {"id": "c", "simulate": customer, "expect": {"figures": "60 days", "source": "returns"}}
    services.save_suite(parse_suite({"suite": "played", "cases": [case]}, file=""))

    def result_of(*said: str) -> Result:
        with answering(PlayingBoth(*said)) as model:
            run = services.start_run(Suite.objects.get())
            run_worker.execute_run(run.pk)
        told = "\n".join(message.content for message in model.seen[-1].messages)
        assert "Learn how long" in told and "In a hurry" in told and "Bought shoes" in told
        return Result.objects.get(run=run)

    asks = '{"say": "How long can I return shoes?", "done": false}'
    done = '{"say": "", "done": true}'
    good = result_of(asks, done)
    assert good.passed and not good.is_deterministic
    assert [reply["said"] for reply in good.played["replies"]] == ["How long can I return shoes?"]
    assert good.played["tokens"] > 0
    assert result_of("I would rather not.").played["failure"] == "customer_no_json"
    assert result_of(asks, asks, asks, asks).played["failure"] == "too_many_tokens"
    with answering(PlayingBoth(asks)):  # the customer's model is unavailable after one message
        run = services.start_run(Suite.objects.get())
        run_worker.execute_run(run.pk)
    assert (Run.objects.get(pk=run.pk).state, Result.objects.filter(run=run).exists()) == ("paused", False)


def test_a_copy_takes_the_place_of_an_original_that_is_deleted_with_its_run(
    workspace: Workspace, returns_article: Article, bob: User
) -> None:
    made, ann = suite(), User.objects.create_user("ann")
    old, middle, new = (Run.objects.create(suite=made, suite_name="shop", cases=[], total=1) for _ in range(3))
    Run.objects.update(state="done", finished_at=now())
    facts: dict[str, Any] = {"number": 1, "passed": True, "judged_good": True, "judged_by": "m", "grades": []}
    for key in ("labelled", "left"):
        first = Result.objects.create(run=old, key=key, played={}, **facts)
        for run in (middle, new):
            Result.objects.create(run=run, key=key, played={}, original=first.pk, **facts)
    human_labels.label_result(Result.objects.get(run=old, key="labelled").pk, "fail", person=bob)
    human_labels.show_verdicts(old.pk, ann.pk)
    Run.objects.filter(pk=old.pk).update(finished_at=now() - retention.RUNS_KEPT_FOR - timedelta(days=1))
    tasks.purge()
    assert not Run.objects.filter(pk=old.pk).exists() and Result.objects.count() == 4
    left = Result.objects.get(run=middle, key="left")
    assert [row.pk for row in to_label(bob.pk)] == [left.pk], "only one of the copies waits"
    assert hidden_runs([middle.pk, new.pk], bob.pk) == {middle.pk, new.pk}
    assert (to_label(ann.pk).count(), hidden_runs([middle.pk, new.pk], ann.pk)) == (0, set()), "Ann has seen it"
    agreement = agreement_in(new)
    assert agreement is not None and (agreement.labels, agreement.confusion.judge_too_kind) == (1, 1)
    human_labels.label_result(left.pk, "pass", person=bob)
    assert hidden_runs([middle.pk, new.pk], bob.pk) == set()


def test_whoever_has_seen_an_old_run_still_labels_a_new_one_with_copies_of_its_decided_results(
    workspace: Workspace, bob: User
) -> None:
    made, ann = suite(), User.objects.create_user("ann")
    old, new = (Run.objects.create(suite=made, suite_name="shop", cases=[], total=1) for _ in range(2))
    Run.objects.update(state="done", finished_at=now())
    facts: dict[str, Any] = {"number": 1, "passed": True, "judged_good": True, "judged_by": "m", "grades": []}
    first = Result.objects.create(run=old, key="old", played={}, **facts)
    Result.objects.create(run=new, key="old", played={}, original=first.pk, **facts)
    own = Result.objects.create(run=new, key="new", played={}, **facts)
    human_labels.label_result(first.pk, "fail", person=bob)
    human_labels.show_verdicts(old.pk, ann.pk)
    Run.objects.filter(pk=old.pk).update(finished_at=now() - retention.RUNS_KEPT_FOR - timedelta(days=1))
    tasks.purge()
    assert hidden_runs([new.pk], ann.pk) == {new.pk}
    assert [row.pk for row in to_label(ann.pk)] == [own.pk]


def test_whoever_has_seen_an_old_run_does_not_label_the_copy_of_a_result_about_which_others_are_unsure(
    workspace: Workspace, bob: User
) -> None:
    made, ann = suite(), User.objects.create_user("ann")
    old, new = (Run.objects.create(suite=made, suite_name="shop", cases=[], total=1) for _ in range(2))
    Run.objects.update(state="done", finished_at=now())
    facts: dict[str, Any] = {"number": 1, "passed": True, "judged_good": True, "judged_by": "m", "grades": []}
    first = Result.objects.create(run=old, key="old", played={}, **facts)
    Result.objects.create(run=new, key="old", played={}, original=first.pk, **facts)
    human_labels.label_result(first.pk, "unsure", person=bob)
    human_labels.show_verdicts(old.pk, ann.pk)
    Run.objects.filter(pk=old.pk).update(finished_at=now() - retention.RUNS_KEPT_FOR - timedelta(days=1))
    tasks.purge()
    assert (to_label(ann.pk).count(), hidden_runs([new.pk], ann.pk)) == (0, set()), "Ann has seen it"
