"""The gates run their suites on a draft and on the live release, and compare."""

from collections.abc import AsyncGenerator
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import pytest

from kb.models import Article
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import SCOPES, Staff
from supportbot.evals import release_gates, services
from supportbot.evals.errors import RunInterrupted
from supportbot.evals.models import Case, Run, Suite
from supportbot.evals.runs import case_runner, run_worker
from supportbot.evals.runs.case_outcomes import Judgement
from supportbot.evals.suite_formats.files import read_suite
from supportbot.evals.suite_formats.own_format import parse_suite
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import Finished, ModelRequest, TextDelta, Usage
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.releases import evaluation, ports, tasks
from supportbot.releases.errors import GateMissing
from supportbot.releases.evaluation import request_evaluation
from supportbot.releases.models import Release
from supportbot.releases.selectors import current, live_release
from supportbot.releases.services import create_draft, name_gates, publish, restore
from tests.evals.shop_suite import SUITE, change, suite
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)


def draft(workspace: Workspace, **document: object) -> Release:
    ada = Staff(workspace.pk, None, "Ada", "admin", frozenset({"releases:write"}))
    return create_draft(person=ada, document=document)


class Forgetful(ScriptedModel):
    """A model that repeats the first source, or knows nothing if its instructions tell it to forget."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        forgets = any("Forget everything." in message.content for message in request.messages)
        source = "" if forgets or not request.sources else " ".join(request.sources[0].text.split()).rstrip(".")
        yield TextDelta(f"{source} [1]." if source else "Hello.")
        yield Finished("stop", Usage(10, 5), self.name, self.model)


def test_the_gates_judge_a_release(workspace: Workspace, returns_article: Article) -> None:
    suite()
    release = draft(workspace)
    verdict = release_gates.judge(workspace, release, ["shop"])
    assert verdict.passed and len(verdict.run_ids) == 1
    change(returns_article, "60 days", "14 days")
    verdict = release_gates.judge(workspace, release, ["shop"])
    assert not verdict.passed and verdict.failed_must == ("shop: window",)
    assert verdict.regressions == ()  # the live release fails it, too
    with pytest.raises(GateMissing, match="deleted"):
        release_gates.judge(workspace, release, ["shop", "deleted"])


ASKED = {
    "suite": "asked",
    "cases": [
        {"ask": f"{words} return unused items?", "expect": {"figures": "60 days"}}
        for words in ("How many days do I have to", "Until when may I", "How long can I", "When must I", "When can I")
    ],
}


@pytest.mark.long
@pytest.mark.parametrize("was_evaluated", [False, True])
def test_a_draft_that_answers_worse_than_the_live_release_fails(
    workspace: Workspace, returns_article: Article, was_evaluated: bool
) -> None:
    """Although the live release was never evaluated, or only with other articles."""
    asked = services.save_suite(parse_suite(ASKED, file=""))
    with answering(Forgetful()):
        if was_evaluated:
            change(returns_article, "60 days", "14 days")
            run_worker.execute_run(services.start_run(asked).pk)
            change(returns_article, "14 days", "60 days")
        refused = release_gates.judge(workspace, draft(workspace, instructions="Forget everything."), ["asked"])
        accepted = release_gates.judge(workspace, draft(workspace, tone="warm"), ["asked"])
    assert (refused.passed, refused.failed_must) == (False, ())
    assert refused.regressions == ("asked: pass rate down 100 points",)
    assert accepted.passed


@pytest.mark.long
def test_the_live_release_runs_again_only_if_the_things_it_refers_to_have_changed(
    workspace: Workspace, returns_article: Article
) -> None:
    row, release = suite(), draft(workspace, tone="warm")

    def of_live() -> UUID | None:
        [run_id] = release_gates.judge(workspace, release, ["shop"]).run_ids
        baseline = Run.objects.get(pk=run_id).baseline
        assert baseline and baseline.release_id == live_release().pk and baseline.state == "done"
        return baseline.pk

    first = of_live()
    assert of_live() == first
    change(returns_article, "60 days", "14 days")
    second = of_live()
    assert second != first
    services.save_suite(read_suite(SUITE.replace("5 days", "7 days").encode(), file="shop.yaml"))
    assert of_live() not in (first, second)
    assert row.runs.filter(release_id=live_release().pk).count() == 3


def test_a_live_release_that_cannot_answer_leaves_the_draft_without_a_verdict(
    workspace: Workspace, returns_article: Article
) -> None:
    suite()
    release = draft(workspace, routes={"answer": ["builtin"]})
    away = ScriptedModel(*[Says(fails=ProviderRefused(Reason.UNREACHABLE))] * 20)
    said = r"the live release, which the draft is compared with\. The model is not"
    with answering(away, with_builtin=True):
        with pytest.raises(RunInterrupted, match=said):
            release_gates.judge(workspace, release, ["shop"])
        away._steps.clear()
    assert not Run.objects.filter(release_id=release.pk).exists()
    assert release_gates.judge(workspace, release, ["shop"]).passed


def test_a_draft_may_bring_the_model_for_judging_that_the_live_release_lacks(
    workspace: Workspace, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    rubric = {"ask": "How many days do I have to return unused items?", "expect": {"judge": "It is polite."}}
    row = services.save_suite(parse_suite({"suite": "polite", "cases": [rubric]}, file=""))
    release = draft(workspace, tone="warm")

    async def verdict(*_: Any, **__: Any) -> Judgement:
        return Judgement(True, "It is.", "judge-1")

    monkeypatch.setattr(case_runner, "judge", verdict)
    monkeypatch.setattr("supportbot.llm.gateway.has_route", lambda purpose: current().document.tone == "warm")
    assert release_gates.judge(workspace, release, ["polite"]).passed
    [run] = row.runs.all()
    assert (run.release_id, run.baseline) == (release.pk, None)


@pytest.mark.long
def test_an_interrupted_evaluation_continues_only_while_it_is_about_the_same_articles(
    workspace: Workspace, returns_article: Article
) -> None:
    release, row = draft(workspace), suite()
    begun = services.start_run(row)
    Run.objects.update(state=Run.State.PAUSED)
    [mine] = release_gates.judge(workspace, release, ["shop"]).run_ids
    assert Run.objects.get(pk=mine).baseline == begun
    Run.objects.filter(pk=mine).update(state=Run.State.PAUSED)
    assert release_gates.judge(workspace, release, ["shop"]).run_ids == (mine,)
    Run.objects.filter(pk=mine).update(state=Run.State.PAUSED)
    change(returns_article, "60 days", "14 days")
    verdict = release_gates.judge(workspace, release, ["shop"])
    assert mine not in verdict.run_ids and verdict.failed_must == ("shop: window",)


@pytest.mark.long
def test_the_suites_run_on_a_restored_release_compared_with_the_older_ones_runs(
    workspace: Workspace, returns_article: Article
) -> None:
    ada = Staff(workspace.pk, None, "Ada", "admin", SCOPES)
    first, asked = live_release(), suite()
    services.save_suite(parse_suite({**ASKED, "suite": "second"}, file=""))
    name_gates(["shop", "second"], person=ada)
    earlier = services.start_run(asked)
    run_worker.execute_run(earlier.pk)
    row = draft(workspace, tone="warm")
    publish(row.pk, person=ada, instead_of=first.number, reason="warmer", override="seen")
    Suite.objects.filter(name="second").delete()
    restored = restore(first.pk, person=ada, instead_of=row.number, reason="too warm", override="it was good")
    assert not Run.objects.filter(release_id=restored.pk).exists()
    deliver_due()
    [run] = Run.objects.filter(release_id=restored.pk)  # a deleted suite does not prevent a restore in an emergency
    assert (run.suite_name, run.baseline_id, run.state) == ("shop", earlier.pk, "waiting")
    run_worker.execute_run(run.pk)
    run.refresh_from_db()
    assert run.report["is_good"] and run.report["passed"] == 3


@pytest.mark.long
def test_a_broken_suite_does_not_stop_the_others_after_a_restore_and_none_runs_twice(
    workspace: Workspace, returns_article: Article, caplog: pytest.LogCaptureFixture
) -> None:
    ada = Staff(workspace.pk, None, "Ada", "admin", SCOPES)
    broken = services.save_suite(parse_suite({**ASKED, "suite": "broken"}, file=""))
    suite()
    for name in ("last", "next"):
        services.save_suite(parse_suite({**ASKED, "suite": name}, file=""))
    gates = ["broken", "shop", "last", "next"]
    name_gates(gates, person=ada)
    first, row = live_release(), draft(workspace, tone="warm")
    publish(row.pk, person=ada, instead_of=first.number, reason="warmer", override="seen")
    Case.objects.filter(suite=broken).update(document={"id": "no question"})
    restored = restore(first.pk, person=ada, instead_of=row.number, reason="too warm", override="it was good")
    deliver_due()
    Announcement.objects.filter(topic="release_restored").update(delivered_at=None)
    deliver_due()
    runs = Run.objects.filter(release_id=restored.pk).order_by("suite_name").values_list("suite_name", flat=True)
    assert list(runs) == ["last", "next", "shop"]
    assert f"the suite {broken.pk} does not run" in caplog.text
    assert not Announcement.objects.filter(topic="release_restored", delivered_at=None).exists()


def test_a_claim_is_extended_while_the_gates_judge(
    workspace: Workspace, returns_article: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite()
    name_gates(["shop"], person=Staff(workspace.pk, None, "Ada", "admin", SCOPES))
    row = draft(workspace, tone="warm")
    request_evaluation(row.pk)
    held: list[Any] = []

    def until() -> Any:
        return Release.objects.values_list("judging_until", flat=True).get(pk=row.pk)

    def slowly(workspace: Workspace, release: Release, suites: Any) -> ports.Verdict:
        held.append(until())
        ends = monotonic() + PATIENCE_SECONDS
        while until() == held[0] and monotonic() < ends:
            sleep(0.01)
        held.append(until())
        return ports.Verdict(passed=True)

    monkeypatch.setattr(evaluation, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(ports, "judge", lambda: slowly)
    tasks.judge_waiting()
    assert held[1] > held[0] and until() is None
    row.refresh_from_db()
    assert row.state == "evaluated"
