"""Carries out runs: one worker at a time holds a run, under a lease that it keeps extending.

Each try is stored once, when it is complete. If a worker is killed, only its current tries are lost: after the lease
ends, the next worker runs the tries that are not stored. If the model is unavailable, the run is paused, keeps its
results and continues on request.

After a change to articles, a run reuses the results of an earlier run that are still valid. Answers depend on articles
only through search results, so the searches of a stored conversation are repeated without generating answers. If each
turn would find the same texts, its results cannot have changed. For the built-in answerer, the scores must also be the
same: it weighs texts by their scores, which any article can shift. A model does not see scores.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import Error as AnyDatabaseError
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces
from supportbot.async_db import db
from supportbot.errors import SupportBotError
from supportbot.evals.build_fingerprint import for_this_build, product_mark
from supportbot.evals.errors import ProductChangedMeanwhile, RunEnded, RunInterrupted
from supportbot.evals.grading.graders import grades_of
from supportbot.evals.grading.run_reports import report_of
from supportbot.evals.models import Result, Run
from supportbot.evals.result_texts import interruption
from supportbot.evals.runs.case_outcomes import CaseTry, played_from
from supportbot.evals.runs.case_runner import ModelUnreachable, run_case
from supportbot.evals.runs.release_under_test import under
from supportbot.evals.selectors import run_with_id, stored_keys, tries_of
from supportbot.evals.services import LEASE, repeats_of
from supportbot.evals.simulation.case_orders import ordered
from supportbot.evals.simulation.simulated_conversation import inputs_of, simulate_conversation
from supportbot.evals.suite_formats.own_format import Case, parse_case
from supportbot.llm import gateway
from supportbot.llm.budget import evaluating

logger = logging.getLogger(__name__)
StoredResults = Mapping[tuple[str, int], Result]
_COPIED = (
    "key", "number", "passed", "is_must", "is_deterministic", "grades", "played", "judged_good", "judged_by",
    "customer_id", "took_ms",
)  # fmt: skip
BEAT_SECONDS: Final = 8.0
POLL_SECONDS: Final = 1.0
MOST_RUNS: Final = 2  # number of concurrent runs in the whole installation
# number of concurrent cases: a model's server can handle several; the built-in answerer gains nothing from that
AT_ONCE: Final = 4


def due_runs() -> list[tuple[UUID, UUID]]:
    """Return the workspace and id of each run to carry out now, oldest first. There are only a few at a time, so that
    the worker can also do its other tasks.
    """
    with across_workspaces("evaluations that are due"):
        played = Run.objects.filter(state=Run.State.RUNNING, lease_until__gt=now()).count()
        waiting = Run.objects.filter(for_this_build(), state__in=("waiting", "running"), lease_until__lte=now())
        ids = waiting.order_by("created_at").values_list("workspace_id", "pk")
        return list(ids[: max(0, MOST_RUNS - played)])


def execute_run(run_id: UUID) -> None:
    """Run the remaining cases of a run and finish it. Takes minutes. Do nothing if the run belongs to another worker or
    build.
    """
    runner = new_runner()
    free = Run.objects.filter(for_this_build(), pk=run_id, state__in=("waiting", "running"), lease_until__lte=Now())
    if free.update(state=Run.State.RUNNING, runner=runner, lease_until=Now() + LEASE):
        execute_held(run_id, runner)


def new_runner() -> str:
    """Return a unique name for a new runner."""
    return f"eval-{uuid4().hex}"


def executed(run: Run) -> Run:
    """Complete a run, or wait for the worker that has taken it. Return the finished run.

    Raises RunInterrupted or RunEnded if it does not finish.
    """
    while True:
        execute_run(run.pk)
        run = run_with_id(run.pk)
        if not run.is_open or run.state == Run.State.PAUSED:
            return finished(run)
        time.sleep(POLL_SECONDS)


def finished(run: Run) -> Run:
    """Return a completed run. Raises RunInterrupted, RunEnded."""
    if run.state == Run.State.PAUSED:
        problem = gettext("The run was interrupted: {why} Its results are kept; continue it with --resume {run}.")
        raise RunInterrupted(problem.format(why=interruption(run.problem), run=run.pk))
    if run.state != Run.State.DONE:
        raise RunEnded(gettext("The run was cancelled."))
    return run


def execute_held(run_id: UUID, runner: str) -> None:
    """Run the remaining cases of a run that this runner already holds."""
    run = Run.objects.get(pk=run_id)
    try:
        if run.product not in ("", product_mark()):  # "" for runs of an earlier version, which did not record it
            raise ProductChangedMeanwhile()
        with under(run.release_id, run.release_digest), evaluating():
            asyncio.run(_Execution(run, runner).execute())
    except ModelUnreachable as away:
        _pause(run, runner, away.code)
    except SupportBotError as error:  # its release was deleted or has changed
        _pause(run, runner, error.code)
    except _RunTaken:
        logger.info("evaluation run %s: cancelled, or taken by another worker", run.pk)
    except AnyDatabaseError:  # the next worker continues after the lease
        raise
    except Exception:
        # The edge of a run: otherwise, it would be retried forever.
        logger.exception("evaluation run %s failed", run.pk)
        _pause(run, runner, "internal")
    else:
        _finish(run, runner)


class _RunTaken(Exception):
    """The run was cancelled, or another worker holds it."""


class _Execution:
    """The remaining tries of one run."""

    def __init__(self, run: Run, runner: str) -> None:
        self._run = run
        self._runner = runner
        self._workspace = Workspace.objects.get(pk=run.workspace_pk)
        stored = stored_keys(run.pk)
        self._earlier = results_of(run.keeps_from)
        self._noted = time.monotonic()  # the running time up to this moment has been stored
        self._left = iter([one for one in _tries(run) if (one[0].key, one[1]) not in stored])

    async def execute(self) -> None:
        """Run all remaining tries. Raises ModelUnreachable, _RunTaken."""
        workers = [asyncio.create_task(self._run_next()) for _ in range(AT_ONCE)]
        beating = asyncio.create_task(self._beat())
        everything = asyncio.ensure_future(asyncio.gather(*workers))
        try:
            await asyncio.wait((everything, beating), return_when=asyncio.FIRST_COMPLETED)
            for ended in (everything, beating):
                if ended.done():
                    ended.result()
        finally:
            for task in (*workers, beating):
                task.cancel()
            await asyncio.gather(*workers, beating, return_exceptions=True)
            await gateway.close()

    async def _run_next(self) -> None:
        for case, number in self._left:
            earlier = self._earlier.get((case.key, number))
            result = await db(reusable_result, self._run, earlier, case, self._workspace)
            is_kept = result is not None
            if result is None:
                played, customer_id = await run_case(self._workspace, case)
                result = await asyncio.to_thread(_result, self._run, case, number, played, customer_id)
            await db(partial(_store, is_kept=is_kept, took_ms=self._took_ms()), self._run, self._runner, result)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with suppress(AnyDatabaseError):
                await db(partial(_extend, took_ms=self._took_ms()), self._run, self._runner)

    def _took_ms(self) -> int:
        """Return the time since the last call, in milliseconds."""
        before, self._noted = self._noted, time.monotonic()
        return round((self._noted - before) * 1000)


def _tries(run: Run) -> Iterator[tuple[Case, int]]:
    """Yield each try. The first tries of all cases come first, so that a cancelled run has covered most cases."""
    cases = [(parse_case(document), repeats_of(document, run.repeat)) for document in run.cases]
    for number in range(1, max((times for _, times in cases), default=0) + 1):
        yield from ((case, number) for case, times in cases if number <= times)


def _result(run: Run, case: Case, number: int, played: CaseTry, customer_id: UUID | None) -> Result:
    grades, judged = grades_of(case, played), played.judgement
    return Result(
        run=run,
        key=case.key,
        number=number,
        passed=all(grade.passed for grade in grades),
        is_must=case.is_must,
        is_deterministic=played.is_deterministic,
        grades=[grade.as_json() for grade in grades],
        played=played.as_json(),
        judged_good=judged.is_good if judged else None,
        judged_by=judged.by[:200] if judged else "",
        customer_id=customer_id,
        took_ms=round(sum(reply.took_ms for reply in played.replies)),
    )


def _held(run: Run, runner: str) -> QuerySet[Run]:
    rows: QuerySet[Run] = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, runner=runner)
    return rows


@transaction.atomic
def _store(run: Run, runner: str, result: Result, *, is_kept: bool, took_ms: int) -> None:
    """Store an attempt, and extend the lease. Raises _RunTaken."""
    counts = {"done": F("done") + 1, "kept": F("kept") + int(is_kept), "played_ms": F("played_ms") + took_ms}
    if not _held(run, runner).update(**counts, lease_until=Now() + LEASE):
        raise _RunTaken()
    result.save(force_insert=True)


def _extend(run: Run, runner: str, *, took_ms: int) -> None:
    if not _held(run, runner).update(lease_until=Now() + LEASE, played_ms=F("played_ms") + took_ms):
        raise _RunTaken()


def _pause(run: Run, runner: str, code: str) -> None:
    logger.warning("evaluation run %s is interrupted: %s", run.pk, code)
    _held(run, runner).update(state=Run.State.PAUSED, problem=code[:40], runner="", lease_until=None)


def _finish(run: Run, runner: str) -> None:
    """Store the report of a completed run."""
    baseline = Run.objects.filter(pk=run.baseline_id).first() if run.baseline_id else None
    report = report_of(tries_of(run), tries_of(baseline) if baseline else ())
    _held(run, runner).update(
        state=Run.State.DONE, report=report.as_json(), runner="", lease_until=None, finished_at=Now()
    )


def results_of(run_id: Any) -> StoredResults:
    """Return the results of an earlier run by case and try; empty if there is no run."""
    if run_id is None:
        return {}
    return {(row.key, row.number): row for row in Result.objects.filter(run_id=run_id)}


def reusable_result(run: Run, earlier: Result | None, case: Case, workspace: Workspace) -> Result | None:
    """Return the result of an earlier run as a result of this run; None if articles may have changed it, so that the
    case must run again.
    """
    if earlier is None or not finds_the_same(played_from(earlier.played), case, workspace):
        return None
    original = None if earlier.judged_good is None else earlier.original or earlier.pk
    return Result(run=run, original=original, **{name: getattr(earlier, name) for name in _COPIED})


def finds_the_same(played: CaseTry, case: Case, workspace: Workspace) -> bool:
    """Return whether each turn of a stored conversation would still find what it found then."""
    if played.failure or not played.replies or case.given is not None:
        return False
    if case.expects("hit5") or case.expects("answerable"):  # measured outside the conversation
        return False
    try:
        with ordered(case.orders, case.customer):
            simulated = simulate_conversation(workspace, case.customer, locale=case.locale, plant=case.plant)
    except SupportBotError:  # the customer or the shop is unavailable, which a new try will report
        return False
    simulated.remember(case.history)
    for reply in played.replies:
        if reply.pressed or not reply.inputs:
            return False
        context = simulated.found_again(reply)
        if inputs_of(context, by=reply.by, is_abstention=reply.is_abstention) != reply.inputs:
            return False
    return True
