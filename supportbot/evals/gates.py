"""The gate of a release: the suites that a workspace names must pass on it. `RELEASES_GATE` names `judge`."""

import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.errors import RunInterrupted
from supportbot.evals.models import OPEN_STATES, Case, Run, Suite
from supportbot.evals.reports import report_from
from supportbot.evals.run_worker import execute_run
from supportbot.evals.selectors import document_of, missing_suites, run_with_id
from supportbot.evals.services import repeats_of, resume_run, start_run
from supportbot.evals.suite_format import case_document
from supportbot.evals.wording import SIGNAL_WORDS, interruption
from supportbot.releases.errors import GateMissing
from supportbot.releases.models import Release
from supportbot.releases.ports import Verdict, references_digest
from supportbot.releases.services import changed_since

POLL_SECONDS: Final = 1.0
KNOWLEDGE: Final = "knowledge"  # in `RELEASES_REFERENCES`


def judge(workspace: Workspace, release: Release, suites: Sequence[str]) -> Verdict:
    """Run the suites on a release and return the verdict; takes minutes. Cases are named "suite: case". An interrupted
    run of the same release and cases is continued. Raises GateMissing for a suite that does not exist, RunInterrupted
    if the model is unavailable.
    """
    with workspace_scope(workspace.pk):
        known = {suite.name: suite for suite in Suite.objects.filter(name__in=suites)}
        if missing := missing_suites(suites):
            problem = gettext("These gate suites do not exist: {names}. Choose the gates again.")
            raise GateMissing(problem.format(names=", ".join(missing)))
        runs = [_played(known[name], release) for name in suites]
    failed: list[str] = []
    worse: list[str] = []
    for run in runs:
        report = report_from(run.report or {})
        failed += [f"{run.suite_name}: {key}" for key in report.failed_must]
        worse += [f"{run.suite_name}: {key}" for key in report.regressions]
        worse += [f"{run.suite_name}: {gettext(SIGNAL_WORDS[name])}" for name in report.signals]
        if report.is_worse:
            shown = gettext("{lost} points fewer passes").format(lost=round(-100 * report.difference))
            worse.append(f"{run.suite_name}: {shown}")
    return Verdict(not (failed or worse), tuple(failed), tuple(worse), tuple(run.pk for run in runs))


def progress(release: Release, suites: Sequence[str]) -> tuple[int, int]:
    """Return how many tries of the gates' cases are done in a draft's evaluation, and how many there are."""
    mine = Run.objects.filter(release_digest=release.digest, suite__name__in=suites).order_by("-created_at")
    mine = mine.filter(Q(state__in=OPEN_STATES) | Q(finished_at__gte=release.judging_since))
    begun: dict[str, Run] = {}
    for run in mine.defer("cases", "report"):
        begun.setdefault(run.suite_name, run)
    waiting = Case.objects.filter(suite__name__in=[name for name in suites if name not in begun])
    left = sum(repeats_of(document, 1) for document in waiting.values_list("document", flat=True))
    return sum(run.done for run in begun.values()), left + sum(run.total for run in begun.values())


def _played(suite: Suite, release: Release) -> Run:
    run = _begun(suite, release) or start_run(suite, release=release, keeps_from=_proven(suite, release))
    while run.is_open:
        if run.state == Run.State.PAUSED:
            raise _interrupted(run)
        execute_run(run.pk)
        run = run_with_id(run.pk)
        if run.is_open and run.state != Run.State.PAUSED:  # a worker has it
            time.sleep(POLL_SECONDS)
    if run.report is None:
        raise _interrupted(run)
    return run


def _proven(suite: Suite, release: Release) -> UUID | None:
    """Return the run of this suite behind the release's verdict if only articles may have changed since."""
    verdict = release.verdict
    if verdict is None or verdict["digest"] != release.digest or set(changed_since(release, verdict)) != {KNOWLEDGE}:
        return None
    cases = [case_document(case) for case in document_of(suite).cases]
    runs = Run.objects.filter(pk__in=verdict["run_ids"], suite=suite, state=Run.State.DONE)
    return next((run.pk for run in runs if run.cases == cases), None)


def _interrupted(run: Run) -> RunInterrupted:
    why = interruption(run.problem) if run.problem else gettext("The run was cancelled.")
    return RunInterrupted(gettext("The suites could not be run. {why} Try again later.").format(why=why))


def _begun(suite: Suite, release: Release) -> Run | None:
    """Return an unfinished run of the same release and cases, begun with the same articles, actions and rules."""
    cases = [case_document(case) for case in document_of(suite).cases]
    mine = Run.objects.filter(suite=suite, release_digest=release.digest, references_digest=references_digest(release))
    open_runs = mine.filter(state__in=OPEN_STATES)
    found = next((run for run in open_runs.order_by("-created_at")[:3] if run.cases == cases), None)
    if found is not None and found.state == Run.State.PAUSED:
        resume_run(found.pk)
        return run_with_id(found.pk)
    return found
