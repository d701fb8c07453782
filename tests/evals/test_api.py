"""Evaluations over REST: a program lists suites, starts a run and reads its results."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kb.models import Article
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals import services
from supportbot.evals.errors import LabelRefused
from supportbot.evals.grading import human_labels
from supportbot.evals.grading.human_labels import to_label
from supportbot.evals.grading.run_reports import report_of
from supportbot.evals.models import Label, Replay, ReplayedQuestion, Result, Run, SeenVerdicts
from supportbot.evals.replays import replay_worker
from supportbot.evals.runs import run_worker
from supportbot.evals.runs.case_outcomes import CaseTry, Judgement, Reply
from supportbot.evals.suite_formats.files import read_suite
from supportbot.releases.document import Document, stored
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release
from tests.evals.shop_suite import SUITE, suite
from tests.rest import person, service

pytestmark = pytest.mark.django_db(transaction=True)
RUNS, REPLAYS = "/api/v1/evaluations/runs", "/api/v1/evaluations/replays"


@pytest.mark.long
def test_a_program_starts_a_run_and_reads_its_results(
    workspace: Workspace, other_workspace: Workspace, returns_article: Article
) -> None:
    suite()
    with workspace_scope(other_workspace.pk):
        theirs = services.start_run(services.save_suite(read_suite(SUITE.encode(), file="shop.yaml")))
    program, reader = service(workspace, "evals:read", "evals:write"), service(workspace, "evals:read")
    [listed] = reader.get("/api/v1/evaluations/suites").json()["results"]
    assert (listed["name"], listed["cases"]) == ("shop", 3)
    assert reader.post(RUNS, {"suite": "shop"}, format="json").status_code == 403
    assert service(workspace, "kb:read").get(RUNS).status_code == 403
    for wrong, status in (
        ({"suite": "none"}, 404), ({}, 400), ({"suite": "shop", "repeat": 21}, 400), ({"suite": "shop", "x": 1}, 400),
        ({"suite": "shop", "release": 77}, 404),
    ):  # fmt: skip
        assert program.post(RUNS, wrong, format="json").status_code == status, wrong
    uncompared = program.post(RUNS, {"suite": "shop", "against": live_release().number}, format="json")
    assert (uncompared.status_code, uncompared.json()["code"]) == (
        409,
        "no_run_to_compare",
    ) and not Run.objects.exists()
    begun = program.post(RUNS, {"suite": "shop", "repeat": 2}, format="json")
    assert (begun.status_code, begun.json()["state"], begun.json()["total"]) == (202, "waiting", 6)
    page = f"{RUNS}/{begun.json()['id']}"
    run_worker.execute_run(Run.objects.get().pk)
    done = reader.get(page).json()
    assert (done["state"], done["report"]["passed"], done["judge"]) == ("done", 3, None)
    assert [one["id"] for one in reader.get(f"{RUNS}?suite=shop").json()["results"]] == [done["id"]]
    results = reader.get(f"{page}/results?limit=4").json()
    assert len(results["results"]) == 4 and results["next"]
    assert {"passed": True, "reasons": []}.items() <= results["results"][0].items()
    assert results["results"][0]["played"]["replies"][0]["text"]
    for against, baseline in (({}, done["id"]), ({"against": 1}, done["id"]), ({"against": None}, None)):
        assert program.post(RUNS, {"suite": "shop", **against}, format="json").json()["baseline"] == baseline
    assert done["comparison"] is None  # the run has no baseline
    again = Run.objects.filter(baseline_id=done["id"])[0]
    assert reader.get(f"{RUNS}/{again.pk}").json()["comparison"] is None  # the run is not done
    run_worker.execute_run(again.pk)
    compared = reader.get(f"{RUNS}/{again.pk}").json()["comparison"]
    assert (compared["compared"], compared["worse"], compared["p"]) == (3, 0, 1.0)
    assert compared["words"] == ["All 3 compared cases have the same result as before."]
    assert program.post(f"{page}/cancel", {}, format="json").json()["code"] == "run_ended"
    assert program.post(f"{page}/resume", {}, format="json").status_code == 409
    for address in (f"{RUNS}/{theirs.pk}", f"{RUNS}/{theirs.pk}/results"):
        assert reader.get(address).status_code == 404


@pytest.mark.long
def test_a_program_replays_customers_questions(
    workspace: Workspace, other_workspace: Workspace, returns_article: Article, alice: Customer
) -> None:
    for text in ("How many days do I have to return unused items?", "Is the label free?"):
        add_customer_message(start_conversation(alice.pk).pk, text=text, client_id="c1")
    live = live_release()
    Release.objects.create(number=2, document=stored(Document(greetings={"en": "Hi"})))
    with workspace_scope(other_workspace.pk):
        live_release()
        theirs = replay_worker.begin(Release.objects.create(number=2, document=stored(Document())), days=7, most=5)
    scopes = ("evals:read", "releases:read", "conversations:read")
    program, reader = service(workspace, *scopes, "evals:write"), service(workspace, *scopes)
    for missing in scopes:
        partly = service(workspace, *({*scopes, "evals:write"} - {missing}))
        assert partly.get(REPLAYS).status_code == 403
        assert partly.post(REPLAYS, {"release": 2}, format="json").status_code == 403
    assert reader.post(REPLAYS, {"release": 2}, format="json").status_code == 403
    for wrong, status in (
        ({}, 400), ({"release": 77}, 404), ({"release": live.number}, 400), ({"release": 2, "days": 61}, 400),
        ({"release": 2, "most": 0}, 400), ({"release": 2, "x": 1}, 400),
    ):  # fmt: skip
        assert program.post(REPLAYS, wrong, format="json").status_code == status, wrong
    assert Replay.objects.count() == 0
    begun = program.post(REPLAYS, {"release": 2, "days": 3}, format="json")
    page = f"{REPLAYS}/{begun.json()['id']}"
    assert (begun.status_code, begun.json()["state"], begun.json()["days"]) == (202, "waiting", 3)
    assert program.post(REPLAYS, {"release": 2}, format="json").json()["id"] == begun.json()["id"]
    assert program.post(f"{page}/cancel", {}, format="json").json()["state"] == "cancelled"
    assert program.post(f"{page}/cancel", {}, format="json").json()["code"] == "run_ended"
    assert program.post(f"{page}/resume", {}, format="json").status_code == 202
    replay_worker.run_replay(Replay.objects.get().pk)
    done = reader.get(page).json()
    counted = {name: done[name] for name in ("state", "release", "live", "total", "played", "different", "unplayed")}
    assert list(counted.values()) == ["done", 2, 1, 2, 2, 0, 0] and done["chosen_at"]
    assert [one["id"] for one in reader.get(f"{REPLAYS}?release=2").json()["results"]] == [done["id"]]
    asked = reader.get(f"{page}/questions").json()["results"]
    assert [(one["question"], one["times"], one["kinds"]) for one in asked] == [
        ("Is the label free?", 1, []), ("How many days do I have to return unused items?", 1, []),
    ]  # fmt: skip
    assert "60 days" in asked[1]["before"]["replies"][0]["text"] and asked[1]["after"]
    ReplayedQuestion.objects.filter(pk=asked[0]["id"]).update(kinds=["figures", "words"])
    shown = {
        show: len(reader.get(f"{page}/questions?show={show}").json()["results"])
        for show in ("different", "figures", "words", "sources", "same", "unplayed")
    }
    assert list(shown.values()) == [1, 1, 1, 0, 1, 0] and reader.get(page).json()["different"] == 1
    assert reader.get(f"{page}/questions?show=worse").status_code == 400
    lost = reader.get(f"{page}/questions?cursor=nonsense")
    assert lost.status_code == 404 and "start with the first question" in lost.content.decode()
    for address in (f"{REPLAYS}/{theirs.pk}", f"{REPLAYS}/{theirs.pk}/questions"):
        assert reader.get(address).status_code == 404
    assert program.post(f"{REPLAYS}/{theirs.pk}/cancel", {}, format="json").status_code == 404


@pytest.mark.long
def test_verdicts_are_hidden_over_rest_from_whoever_can_still_label(workspace: Workspace, bob: User) -> None:
    case, report = {"id": "c", "ask": "Hello", "expect": {"judge": "Is polite."}}, report_of([]).as_json()
    facts: dict[str, Any] = {"suite": suite(), "suite_name": "shop", "total": 1, "state": "done", "report": report}
    run = Run.objects.create(cases=[case, {**case, "id": "d", "expect": {"abstains": True}}], **facts)
    grade = {"grader": "judge", "passed": True, "wanted": "good", "got": "It greets."}
    played = CaseTry((Reply("Hello", "Hi."),), judgement=Judgement(True, "It greets.", "m")).as_json()
    for key, judged in (("c", True), ("d", None)):
        Result.objects.create(
            run=run, key=key, number=1, passed=True, judged_good=judged, judged_by="m", grades=[grade], played=played
        )
    bob.memberships.update(role="admin")
    page, program, client = f"{RUNS}/{run.pk}", service(workspace, "evals:read"), person(workspace, bob, role="admin")

    def outcomes(reader: Any) -> dict[str, bool | None]:
        rows = {row["case"]: row for row in reader.get(f"{page}/results").json()["results"]}
        hidden = {key for key, row in rows.items() if "It greets." not in str(row)}
        assert hidden == {key for key, row in rows.items() if row["judged_good"] is row["grades"] is row["reasons"]}
        return {key: row["passed"] for key, row in rows.items()}

    assert outcomes(program) == {"c": True, "d": True}
    report = program.get(page).json()["report"]
    assert report["cases"] == 0
    assert outcomes(client) == {"c": None, "d": True}
    assert {client.get(page).json()[name] for name in ("report", "judge", "comparison")} == {None}
    assert to_label(bob.pk).count() == 1 and not SeenVerdicts.objects.exists(), "reading stores nothing"
    compared = Run.objects.create(cases=[], baseline=run, **facts)
    assert client.get(f"{RUNS}/{compared.pk}").json()["report"] is None, "it was compared with hidden verdicts"
    listed = {row["id"]: row["report"] for row in client.get(RUNS).json()["results"]}
    assert listed == {str(run.pk): None, str(compared.pk): None}
    for action, state in (("resume", "paused"), ("cancel", "waiting")):
        Run.objects.filter(pk=run.pk).update(state=state)
        for reader, is_hidden in ((client, True), (service(workspace, "evals:write"), False)):
            Run.objects.filter(pk=run.pk).update(state=state)
            told = reader.post(f"{page}/{action}", {}, format="json").json()
            assert [told[name] is None for name in ("report", "judge")] == [is_hidden] * 2, (action, told)
    Run.objects.filter(pk=run.pk).update(state="done")
    assert program.post(f"{page}/verdicts", {}, format="json").status_code == 403
    assert client.post(f"{page}/verdicts", {}, format="json").json()["report"] == report
    assert outcomes(client) == {"c": True, "d": True}
    assert to_label(bob.pk).count() == 0
    with pytest.raises(LabelRefused):
        human_labels.label_result(Result.objects.get(key="c").pk, "pass", person=bob)


def judged(run: Run, key: str) -> Result:
    result: Result = Result.objects.create(
        run=run, key=key, number=1, passed=True, judged_good=True, judged_by="m", grades=[], played={}
    )
    return result


@pytest.mark.long
def test_a_list_over_rest_leaves_out_what_waits_for_the_persons_label(workspace: Workspace, bob: User) -> None:
    made, report = suite(), report_of([]).as_json()

    def judged_run() -> Result:
        run = Run.objects.create(suite=made, suite_name="shop", cases=[], total=1, state="done", report=report)
        return judged(run, "c")

    waiting, labelled = judged_run(), judged_run()
    Label.objects.create(result=labelled, verdict="pass")  # by somebody else
    bob.memberships.update(role="supervisor")
    client = person(workspace, bob, role="supervisor")

    def shown(reader: Any) -> dict[str, bool]:
        rows = reader.get(RUNS).json()["results"]
        assert all((row["report"] is None) == (row["judge"] is None) for row in rows)
        return {row["id"]: row["report"] is not None for row in rows}

    whole, partly = ({str(waiting.run_id): is_shown, str(labelled.run_id): True} for is_shown in (True, False))
    assert shown(service(workspace, "evals:read")) == whole
    assert shown(client) == partly
    assert not SeenVerdicts.objects.exists(), "reading stores nothing"
    judge = client.get(f"{RUNS}/{labelled.run_id}").json()["judge"]
    assert judge["labels"] == 1
    second = judged(waiting.run, "d")
    human_labels.label_result(waiting.pk, "fail", person=bob)
    assert shown(client) == partly
    rows = {row["id"]: row["judge"] for row in client.get(RUNS).json()["results"]}
    told = client.get(f"{RUNS}/{labelled.run_id}").json()["judge"]
    assert rows[str(labelled.run_id)] == told == judge, "the count reveals nothing about the hidden run"
    assert service(workspace, "evals:read").get(f"{RUNS}/{labelled.run_id}").json()["judge"]["labels"] == 2
    human_labels.label_result(second.pk, "pass", person=bob)
    assert client.get(f"{RUNS}/{labelled.run_id}").json()["judge"]["labels"] == 3
    assert shown(client) == whole
    with pytest.raises(LabelRefused):
        human_labels.label_result(waiting.pk, "pass", person=bob)


def test_a_page_of_runs_takes_as_many_queries_as_one_run(
    workspace: Workspace, django_assert_max_num_queries: Any, bob: User
) -> None:
    made = suite()
    reader = service(workspace, "evals:read")

    def judged_run(name: str) -> Run:
        run = Run.objects.create(suite=made, suite_name="shop", cases=[], total=2)
        for number, good in enumerate((True, False), start=1):
            result = Result.objects.create(
                run=run, key="c", number=number, passed=good, judged_good=good, judged_by=name, grades=[], played={}
            )
            Label.objects.create(result=result, person=bob, verdict="pass")
        return run

    with workspace_scope(workspace.pk):
        first = judged_run("one")
    with CaptureQueriesContext(connection) as alone:
        assert len(reader.get(RUNS).json()["results"]) == 1
    with workspace_scope(workspace.pk):
        others = {str(judged_run(name).pk): name for name in ("one", "one", "two", "two", "three")}
    with django_assert_max_num_queries(len(alone)):
        listed = {one["id"]: one["judge"] for one in reader.get(RUNS).json()["results"]}
    assert {key: told["judges"] for key, told in listed.items()} == {
        str(first.pk): ["one"], **{key: [name] for key, name in others.items()}
    }  # fmt: skip
    # Labels count for all runs of the suite that the same model judged.
    assert [listed[key]["labels"] for key in (str(first.pk), *others)] == [6, 6, 6, 4, 4, 2]
    assert listed[str(first.pk)]["confusion"] == reader.get(f"{RUNS}/{first.pk}").json()["judge"]["confusion"]
