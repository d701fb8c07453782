"""Evaluations over REST: a program lists suites, starts a run and reads its results."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kb.models import Article
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals import run_worker, services
from supportbot.evals.models import Label, Result, Run
from supportbot.evals.suite_files import read_suite
from tests.evals.test_runs import SUITE, suite
from tests.rest import service

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = "/api/v1/evaluations/runs"


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
    begun = program.post(RUNS, {"suite": "shop", "repeat": 2}, format="json")
    assert (begun.status_code, begun.json()["state"], begun.json()["total"]) == (202, "waiting", 6)
    page = f"{RUNS}/{begun.json()['id']}"
    run_worker.play_run(Run.objects.get().pk)
    done = reader.get(page).json()
    assert (done["state"], done["report"]["passed"], done["judge"]) == ("done", 3, None)
    assert [one["id"] for one in reader.get(f"{RUNS}?suite=shop").json()["results"]] == [done["id"]]
    results = reader.get(f"{page}/results?limit=4").json()
    assert len(results["results"]) == 4 and results["next"]
    assert {"passed": True, "reasons": []}.items() <= results["results"][0].items()
    assert results["results"][0]["played"]["replies"][0]["text"]
    assert program.post(f"{page}/cancel", {}, format="json").json()["code"] == "run_ended"
    assert program.post(f"{page}/resume", {}, format="json").status_code == 409
    for address in (f"{RUNS}/{theirs.pk}", f"{RUNS}/{theirs.pk}/results"):
        assert reader.get(address).status_code == 404


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
