"""Evaluations over REST: a program lists suites, starts a run and reads what came of it."""

import pytest

from kb.models import Article
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals import running, services
from supportbot.evals.models import Run
from supportbot.evals.reading import read_suite
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
    running.play_run(Run.objects.get().pk)
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
