"""The gates of a release: the suites chosen by the workspace, which it must pass. The setting `RELEASES_GATE` refers to
`judge`.

For a fair comparison, the live release first runs the same cases with the same articles, action rules and build, unless
it has already done so.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.errors import RunInterrupted
from supportbot.evals.grading.run_reports import report_from
from supportbot.evals.models import OPEN_STATES, Run, Suite
from supportbot.evals.result_texts import SIGNAL_WORDS, interruption
from supportbot.evals.runs.case_runner import needs_judge
from supportbot.evals.runs.run_worker import execute_run
from supportbot.evals.selectors import baseline_for, document_of, missing_suites, run_with_id
from supportbot.evals.services import Baseline, repeats_of, resume_run, start_run
from supportbot.evals.suite_formats.own_format import case_document
from supportbot.llm import gateway
from supportbot.releases.errors import GateMissing
from supportbot.releases.evaluation import changed_since
from supportbot.releases.models import Release
from supportbot.releases.ports import Verdict, digest_of, references, references_digest
from supportbot.releases.selectors import gates, live_release, release_with_id, using

logger = logging.getLogger(__name__)
POLL_SECONDS: Final = 1.0
KNOWLEDGE: Final = "knowledge"  # the key of the articles' fingerprint in `RELEASES_REFERENCES`


def judge(workspace: Workspace, release: Release, suites: Sequence[str]) -> Verdict:
    """Run the suites on the live release and on this one, and return the verdict. This takes minutes; an interrupted
    run of the same release and cases is continued. The verdict lists cases as "suite: case". Raises GateMissing if a
    suite does not exist, and RunInterrupted if a model is unavailable.
    """
    with workspace_scope(workspace.pk):
        known = {suite.name: suite for suite in Suite.objects.filter(name__in=suites)}
        if missing := missing_suites(suites):
            problem = gettext("These gate suites do not exist: {names}. Choose the gates again.")
            raise GateMissing(problem.format(names=", ".join(missing)))
        live = live_release()
        runs = [_played(known[name], release, baseline=_of_live(known[name], live, release)) for name in suites]
    failed: list[str] = []
    worse: list[str] = []
    for run in runs:
        report = report_from(run.report or {})
        failed += [f"{run.suite_name}: {key}" for key in report.failed_must]
        worse += [f"{run.suite_name}: {key}" for key in report.regressions]
        worse += [f"{run.suite_name}: {gettext(SIGNAL_WORDS[name])}" for name in report.signals]
        if report.is_worse:
            shown = gettext("pass rate down {lost} points").format(lost=round(-100 * report.difference))
            worse.append(f"{run.suite_name}: {shown}")
    return Verdict(not (failed or worse), tuple(failed), tuple(worse), tuple(run.pk for run in runs))


def run_after_restore(release_id: UUID) -> None:
    """Have workers run the gates' suites on a restored release and compare the results with the original release's last
    runs. Suites that have been deleted, or that have already been started on it, are left out.
    """
    release = release_with_id(release_id)
    older = Release.objects.filter(number=release.restores).first() if release.restores else None
    for suite in Suite.objects.filter(name__in=gates()).order_by("pk"):
        if Run.objects.filter(release_id=release.pk, suite=suite, started_by=None).exists():
            continue
        try:
            with transaction.atomic():
                start_run(suite, release=release, baseline=baseline_for(suite, older) if older else None)
        except AnyDatabaseError:
            raise  # the announcement will be delivered again, for all suites
        except Exception:
            # An error in one suite's cases must not stop the other suites, and delivering again would not fix it.
            logger.exception("the suite %s does not run on the restored release %s", suite.pk, release.pk)


def progress(release: Release, suites: Sequence[str]) -> tuple[int, int]:
    """Return the number of completed tries and of all tries in the evaluation of a draft, including those on the live
    release if it also has to run the cases.
    """
    live, begun = live_release(), _runs_since(release.judging_since)
    done = total = 0
    for suite in Suite.objects.filter(name__in=suites):
        of_live, of_draft = (begun.get((one.pk, one.digest, suite.pk)) for one in (live, release))
        runs = [run for run in (of_live, of_draft) if run is not None]
        is_live_run = of_live is None and (_finished(suite, live) is not None or not _can_run(suite, live))
        waiting = 2 - len(runs) - is_live_run
        done += sum(run.done for run in runs)
        total += sum(run.total for run in runs) + waiting * sum(repeats_of(case, 1) for case in _cases_of(suite))
    return done, total


def _runs_since(moment: datetime | None) -> dict[tuple[UUID | None, str, UUID | None], Run]:
    """Return the newest run that is unfinished or has finished since this moment, by release, content and suite."""
    current = Run.objects.filter(Q(state__in=OPEN_STATES) | Q(finished_at__gte=moment)).order_by("created_at")
    return {(run.release_id, run.release_digest, run.suite_id): run for run in current.defer("cases", "report")}


def _of_live(suite: Suite, live: Release, release: Release) -> Run | None:
    """Return the live release's run to compare a draft with: a finished one if nothing has changed since, otherwise a
    new one. Return None if the cases need a judge and the live release has no model for judging.

    Without this run, a draft with worse answers would pass if the live release had never been evaluated.
    """
    if not _can_run(suite, live):
        return None
    return _finished(suite, live) or _played(suite, live, keeps_from=_proven_of_live(suite, live, release.verdict))


def _can_run(suite: Suite, release: Release) -> bool:
    with using(release):
        return gateway.has_route("judge") or not any(map(needs_judge, document_of(suite).cases))


def _played(suite: Suite, release: Release, *, baseline: Run | None = None, keeps_from: UUID | None = None) -> Run:
    run = _begun(suite, release, baseline) or start_run(
        suite, release=release, baseline=baseline or Baseline.LIVE, keeps_from=keeps_from or _proven(suite, release)
    )
    while run.is_open:
        if run.state == Run.State.PAUSED:
            raise _interrupted(run, release)
        execute_run(run.pk)
        run = run_with_id(run.pk)
        if run.is_open and run.state != Run.State.PAUSED:  # a worker is running it
            time.sleep(POLL_SECONDS)
    if run.report is None:
        raise _interrupted(run, release)
    return run


def _proven(suite: Suite, release: Release) -> UUID | None:
    """Return the run of this suite that the release's verdict is based on; None unless only articles have changed
    since.
    """
    verdict = release.verdict
    if (
        verdict is None
        or not release.is_about(verdict["digest"])
        or set(changed_since(release, verdict)) != {KNOWLEDGE}
    ):
        return None
    found = _of_these_cases(Run.objects.filter(pk__in=verdict["run_ids"], state=Run.State.DONE), suite)
    return found.pk if found else None


def _proven_of_live(suite: Suite, live: Release, verdict: Mapping[str, Any] | None) -> UUID | None:
    """Return the live release's run that a draft's verdict is based on; None if anything except articles has changed
    since.

    The verdict contains the fingerprints of everything that the draft referred to. A live release with different models
    has different fingerprints, so none of its results are reused.
    """
    before = verdict.get("references", {}) if verdict else {}
    if not before or {**before, KNOWLEDGE: None} != {**references(live), KNOWLEDGE: None}:
        return None
    done = Run.objects.filter(release_digest=live.digest, state=Run.State.DONE)
    found = _of_these_cases(done.filter(references_digest=digest_of(before)), suite)
    return found.pk if found else None


def _finished(suite: Suite, release: Release) -> Run | None:
    """Return a finished run of the same content and cases, started with the same articles, actions and rules; None if
    there is none. The release's own run is preferred to one of another release with the same content.
    """
    done = Run.objects.filter(release_digest=release.digest, state=Run.State.DONE)
    same = done.filter(references_digest=references_digest(release))
    return _of_these_cases(same.filter(release_id=release.pk), suite) or _of_these_cases(same, suite)


def _interrupted(run: Run, release: Release) -> RunInterrupted:
    why = interruption(run.problem) if run.problem else gettext("The run was cancelled.")
    if release.is_draft:
        return RunInterrupted(gettext("The suites could not be run. {why} Try again later.").format(why=why))
    problem = gettext(
        "The suites could not be run on the live release, which the draft is compared with. {why} Try again later, "
        "or give a reason to publish despite failing gates."
    )
    return RunInterrupted(problem.format(why=why))


def _begun(suite: Suite, release: Release, baseline: Run | None) -> Run | None:
    """Return an unfinished run of the same release and cases, with the same baseline, articles, actions and rules; None
    if there is none. Runs started by a person are left out, because the person may cancel or pause them.
    """
    same = Run.objects.filter(release_id=release.pk, release_digest=release.digest, repeat=1, started_by=None)
    mine = same.filter(state__in=OPEN_STATES)
    if baseline is not None:
        mine = mine.filter(baseline=baseline)
    found = _of_these_cases(mine.filter(references_digest=references_digest(release)), suite)
    if found is not None and found.state == Run.State.PAUSED:
        resume_run(found.pk)
        return run_with_id(found.pk)
    return found


def _of_these_cases(runs: QuerySet[Run], suite: Suite) -> Run | None:
    """Return the newest of these runs that has the suite's current cases."""
    cases = _cases_of(suite)
    return next((run for run in runs.filter(suite=suite).order_by("-created_at")[:3] if run.cases == cases), None)


def _cases_of(suite: Suite) -> list[dict[str, Any]]:
    return [case_document(case) for case in document_of(suite).cases]
