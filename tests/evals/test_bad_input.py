"""Bad input and failures in evaluations and releases, over the interfaces that callers use: a clear error, a run that
can be continued, and the live release unchanged.
"""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

from kb.models import Article
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import SCOPES, Staff
from supportbot.accounts.scope import workspace_scope
from supportbot.evals import services
from supportbot.evals.grading.graders import GRADERS, Grade
from supportbot.evals.models import Result, Run, Suite
from supportbot.evals.runs import run_worker
from supportbot.evals.suite_formats.own_format import parse_suite
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import ScriptedModel, answering
from supportbot.llm.types import Finished, ModelRequest, TextDelta, Usage
from supportbot.releases import tasks
from supportbot.releases.models import Release, ReleaseGates
from supportbot.releases.selectors import current, forget, live_release
from supportbot.releases.services import create_draft
from tests.console.conftest import logged_in, person
from tests.evals.shop_suite import SUITE, change, suite
from tests.rest import service

pytestmark = pytest.mark.django_db(transaction=True)
RELEASES, RUNS, REPLAYS = "/api/v1/releases", "/api/v1/evaluations/runs", "/api/v1/evaluations/replays"


@pytest.fixture(autouse=True)
def live(workspace: Workspace, returns_article: Article) -> Iterator[Release]:
    """The live release, which no test changes."""
    before = live_release()
    yield before
    with workspace_scope(workspace.pk):
        forget(workspace.pk)
        after = live_release()
        assert (after.pk, after.digest, after.published_at) == (before.pk, before.digest, before.published_at)
        assert current().number == before.number and Release.objects.filter(state="replaced").count() == 0


@pytest.fixture
def program(workspace: Workspace) -> Any:
    return service(workspace, "releases:read", "releases:write", "evals:read", "evals:write", "conversations:read")


def draft_of(program: Any, **document: object) -> str:
    made = program.post(RELEASES, {"document": document}, format="json")
    assert made.status_code == 201, made.content
    return f"{RELEASES}/{made.json()['id']}"


@pytest.mark.parametrize("name", ["\0", "x" * 10_000])
def test_runs_of_a_suite_that_cannot_exist_are_not_found(program: Any, name: str) -> None:
    assert program.post(RUNS, {"suite": name}, format="json").status_code in (400, 404)
    assert program.get(RUNS, {"suite": name}).status_code == 404


def refusal(program: Any, page: str, live: Release) -> tuple[int, str, str]:
    """Publish a draft over REST; return the status, the code and the message."""
    answer = program.post(f"{page}/publish", {"instead_of": live.number, "reason": "better"}, format="json")
    told = answer.json()
    return answer.status_code, told.get("code", ""), told.get("message", "")


def evaluated(program: Any, page: str) -> dict[str, Any]:
    """Request an evaluation over REST and have a worker do it; return the draft."""
    assert program.post(f"{page}/evaluate", {}, format="json").status_code == 202
    tasks.judge_waiting()
    told: dict[str, Any] = program.get(page).json()
    return told


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("figures: 60 days", "figure: 60 days", "case window: expect: unknown key `figure`."),
        (
            "    expect: {figures: 5 days, source: returns, language: en}\n",
            "",
            "case refund: the case has no expectation.",
        ),
    ],
)
def test_a_file_with_an_unknown_key_or_no_expectation_replaces_no_suite(
    workspace: Workspace, tmp_path: Path, old: str, new: str, problem: str
) -> None:
    stored = suite()
    assert old in SUITE
    file = tmp_path / "shop.yaml"
    file.write_text(SUITE.replace(old, new))
    with pytest.raises(CommandError, match=r"^shop\.yaml: ") as refused:
        call_command("eval_run", str(file))
    assert problem in str(refused.value)
    browser = logged_in(person(workspace, "supervisor"))
    upload = SimpleUploadedFile("shop.yaml", file.read_bytes())
    page = browser.post(reverse("admin:evals_suite_new"), {"file": upload})
    assert page.status_code == 400 and problem.replace("`", "`") in page.content.decode()
    assert Suite.objects.get().updated_at == stored.updated_at and not Run.objects.exists()


class Speaking(ScriptedModel):
    """A model that repeats the first source, and judges with this verdict. After `answers` answers, it is gone."""

    def __init__(self, *, verdict: str = "", answers: int = 1_000) -> None:
        super().__init__()
        self._verdict = verdict
        self._left = answers

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        if request.purpose != "judge":
            if self._left <= 0:
                raise ProviderRefused(Reason.UNREACHABLE)
            self._left -= 1
        source = " ".join(request.sources[0].text.split()).rstrip(".") if request.sources else "Hello"
        yield TextDelta(self._verdict if request.purpose == "judge" else f"{source} [1].")
        yield Finished("stop", Usage(10, 5), self.name, self.model)


def gate(*cases: dict[str, Any]) -> Suite:
    """Make a suite of these cases the only gate."""
    made = services.save_suite(parse_suite({"suite": "gate", "cases": list(cases)}, file=""))
    ReleaseGates.objects.create(suites=["gate"])
    return made


EXPECTED = {"contains": "60 days", "figures": "60 days"}
ASKED = "How many days do I have to return unused items?"


def test_a_judge_without_json_refuses_the_release_and_says_why(program: Any, live: Release) -> None:
    gate({"id": "polite", "must": True, "ask": ASKED, "expect": {"judge": "It is polite."}})
    page = draft_of(program, tone="warm")
    with answering(Speaking(verdict="Well, it depends.")):
        told = evaluated(program, page)
    assert (told["state"], told["verdict"]["passed"]) == ("evaluated", False)
    status, code, message = refusal(program, page, live)
    assert (status, code) == (409, "gate_refused") and "gate: polite" in message
    run = Run.objects.exclude(release_id=live.pk).get()
    [result] = program.get(f"{RUNS}/{run.pk}/results").json()["results"]
    assert result["reasons"] == [
        "judge’s verdict: The judging model did not answer with the JSON that it was asked for."
    ]


def test_an_error_of_a_grader_fails_its_case_only(program: Any, live: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Grade:
        raise TypeError("'<' not supported between instances of 'dict' and 'dict'")

    gate(*({"id": name, "must": True, "ask": ASKED, "expect": {name: value}} for name, value in EXPECTED.items()))
    monkeypatch.setitem(GRADERS, "contains", broken)
    page = draft_of(program, tone="warm")
    told = evaluated(program, page)
    assert (told["state"], told["verdict"]["failed_must"]) == ("evaluated", ["gate: contains"])
    assert refusal(program, page, live)[1] == "gate_refused"
    run = Run.objects.exclude(release_id=live.pk).get()
    rows = {row["case"]: row for row in program.get(f"{RUNS}/{run.pk}/results").json()["results"]}
    assert {key: row["passed"] for key, row in rows.items()} == {"contains": False, "figures": True}
    assert rows["contains"]["reasons"] == ["An expectation could not be graded. See the log."]


@pytest.mark.long
def test_a_model_that_disappears_during_a_run_leaves_a_run_that_continues(program: Any, live: Release) -> None:
    made = gate(*({"id": f"c{n}", "must": True, "ask": ASKED, "expect": {"figures": "60 days"}} for n in range(9)))
    page = draft_of(program, tone="warm")
    with answering(Speaking()):
        run_worker.execute_run(services.start_run(made).pk)  # on the live release, to compare with
    with answering(Speaking(answers=5)):
        told = evaluated(program, page)
    assert (told["state"], told["verdict"]) == ("draft", None)
    interrupted = Run.objects.exclude(release_id=live.pk).get()
    kept = set(Result.objects.filter(run=interrupted).values_list("pk", flat=True))
    assert (interrupted.state, interrupted.problem) == ("paused", "model_unavailable") and 0 < len(kept) < 9
    assert "The model is not responding." in told["evaluation_problem"]
    status, code, message = refusal(program, page, live)
    assert (status, code) == (409, "not_evaluated") and "The model is not responding." in message
    with answering(Speaking()):
        assert evaluated(program, page)["verdict"]["passed"]
    continued = Run.objects.exclude(release_id=live.pk).get()
    results = set(Result.objects.filter(run=continued).values_list("pk", flat=True))
    assert (continued.pk, continued.state, len(results)) == (interrupted.pk, "done", 9) and kept < results


@pytest.mark.long
def test_a_deleted_gate_suite_stops_evaluation_and_publication(
    workspace: Workspace, program: Any, live: Release
) -> None:
    made = gate({"id": "window", "must": True, "ask": ASKED, "expect": {"figures": "60 days"}})
    page = draft_of(program, tone="warm")
    assert evaluated(program, page)["verdict"]["passed"]
    browser = logged_in(person(workspace, "supervisor"))
    assert browser.post(reverse("admin:evals_suite_remove", args=[made.pk])).status_code == 302
    verdict = program.get(page).json()["verdict"]
    assert (verdict["passed"], verdict["outdated"]) == (True, ["suites"])
    status, code, message = refusal(program, page, live)
    assert (status, code) == (409, "gate_missing") and "gate" in message
    told = evaluated(program, page)
    assert "These gate suites do not exist: gate." in told["evaluation_problem"]
    assert refusal(program, page, live)[0] == 409


@pytest.mark.long
def test_a_verdict_over_rest_says_what_has_changed_since(program: Any, live: Release, returns_article: Article) -> None:
    gate({"id": "window", "must": True, "ask": ASKED, "expect": {"figures": "60 days"}})
    page = draft_of(program, tone="warm")
    told = evaluated(program, page)["verdict"]
    assert (told["passed"], told["outdated"]) == (True, [])
    change(returns_article, "5 working days", "9 working days")
    told = program.get(page).json()["verdict"]
    assert (told["passed"], told["outdated"]) == (True, ["knowledge"])
    assert [row["verdict"] for row in program.get(RELEASES).json()["results"]] == [told, None]
    assert refusal(program, page, live)[:2] == (409, "verdict_outdated")
    suite()
    ReleaseGates.objects.update(suites=["gate", "shop"])
    assert program.get(page).json()["verdict"] is None, "the new gate has not judged it"
    assert refusal(program, page, live)[:2] == (409, "not_evaluated")


def test_a_release_of_another_workspace_does_not_exist_anywhere(
    workspace: Workspace, other_workspace: Workspace, program: Any, live: Release
) -> None:
    suite()
    with workspace_scope(other_workspace.pk):
        ada = Staff(other_workspace.pk, None, "Ada", "admin", SCOPES)
        theirs = [create_draft(person=ada, document={"tone": "cold"}) for _ in range(3)][-1]
        before = Release.objects.get(pk=theirs.pk).state
    page = f"{RELEASES}/{theirs.pk}"
    told = {"instead_of": live.number, "reason": "x"}
    for action, body in (("publish", told), ("restore", told), ("evaluate", {})):
        assert program.post(f"{page}/{action}", body, format="json").status_code == 404, action
    assert program.get(page).status_code == program.delete(page).status_code == 404
    for address, body in ((RUNS, {"suite": "shop"}), (REPLAYS, {})):
        wrong = program.post(address, {**body, "release": theirs.number}, format="json")
        assert wrong.status_code == 404 and str(theirs.number) in wrong.json()["message"]
    with pytest.raises(CommandError, match=f"There is no release {theirs.number}"):
        call_command("eval_run", "shop", "--workspace", workspace.slug, "--release", str(theirs.number))
    browser = logged_in(person(workspace, "admin"))
    assert browser.get(reverse("admin:releases_release_change", args=[theirs.pk])).status_code == 404
    assert not Run.objects.exists()
    with workspace_scope(other_workspace.pk):
        assert Release.objects.get(pk=theirs.pk).state == before
