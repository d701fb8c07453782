"""Changes suites and runs. `runs.run_worker` carries out runs."""

from datetime import timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.evals.build_fingerprint import product_mark
from supportbot.evals.erasure import (
    take_customer_out_of_cases as take_customer_out_of_cases,  # its former path, which settings may contain until 0.3
)
from supportbot.evals.errors import RunEnded
from supportbot.evals.models import OPEN_STATES, Case, Run, Suite
from supportbot.evals.runs.release_under_test import given_or_live
from supportbot.evals.selectors import baseline_for, document_of, run_with_id
from supportbot.evals.suite_formats import own_format
from supportbot.releases.models import Release
from supportbot.releases.ports import references_digest

LEASE: Final = timedelta(seconds=40)  # the lease of the worker that carries out a run


class Baseline(Enum):
    """The default for the run to compare a new run with."""

    LIVE = "live"  # the newest run of the live release


@transaction.atomic
def save_suite(document: own_format.Suite) -> Suite:
    """Create a suite, or replace the one with the same name."""
    suite, _ = Suite.objects.get_or_create(name=document.name, defaults={"title": document.title})
    suite = Suite.objects.select_for_update(no_key=True).get(pk=suite.pk)
    suite.title, suite.about, suite.updated_at = document.title[:200], document.about, now()
    suite.save(update_fields=["title", "about", "updated_at"])
    Case.objects.filter(suite=suite).delete()
    Case.objects.bulk_create(_case_row(suite, place, case) for place, case in enumerate(document.cases, 1))
    return suite


@transaction.atomic
def save_case(suite_id: UUID, document: own_format.Case, *, replacing: str = "") -> Case:
    """Add a case to a suite, or replace the case `replacing`. If the key is in use, a number is added to it."""
    suite = Suite.objects.select_for_update(no_key=True).get(pk=suite_id)
    others = Case.objects.filter(suite=suite).exclude(key=replacing)
    taken = set(others.values_list("key", flat=True))
    free = (key for number in range(1, len(taken) + 2) if (key := _numbered(document.key, number)) not in taken)
    known = Case.objects.filter(suite=suite, key=replacing).first() if replacing else None
    last = Case.objects.filter(suite=suite).order_by("-position").values_list("position", flat=True).first() or 0
    case = own_format.parse_case({**own_format.case_document(document), "id": next(free)})
    made = _case_row(suite, known.position if known else last + 1, case)
    if known:
        known.delete()
    made.save(force_insert=True)
    Suite.objects.filter(pk=suite.pk).update(updated_at=now())
    return made


def _numbered(key: str, number: int) -> str:
    return key if number == 1 else f"{key[:75]}-{number}"


def _case_row(suite: Suite, position: int, case: own_format.Case) -> Case:
    document = own_format.case_document(case)
    return Case(suite=suite, key=case.key, position=position, document=document, is_must=case.is_must)


def start_run(
    suite: Suite,
    *,
    repeat: int = 1,
    release: Release | None = None,
    baseline: Run | Baseline | None = Baseline.LIVE,
    person: User | None = None,
    runner: str = "",
    keeps_from: UUID | None = None,
) -> Run:
    """Start a run. A worker carries it out, unless `runner` holds it from the beginning.

    `repeat` is the number of tries for cases that do not specify it. Without a `release`, the live one answers. If
    `baseline` is None, the run is not compared with another. Results of the run `keeps_from` are reused if changed
    articles cannot affect them (`run_worker.reusable_result`).
    """
    answering = given_or_live(release)
    cases = [own_format.case_document(case) for case in document_of(suite).cases]
    return Run.objects.create(
        suite=suite,
        suite_name=suite.name,
        cases=cases,
        repeat=repeat,
        release_id=answering.pk,
        release_number=answering.number,
        release_digest=answering.digest,
        references_digest=references_digest(answering),
        product=product_mark(),
        baseline=baseline_for(suite, given_or_live(None)) if baseline is Baseline.LIVE else baseline,
        keeps_from=keeps_from,
        total=sum(repeats_of(case, repeat) for case in cases),
        started_by=person,
        **_in_hand(runner),
    )


def _in_hand(runner: str) -> dict[str, Any]:
    """Return the fields of a run that `runner` holds or, if it is "", of a run that waits for a worker."""
    if not runner:
        return {"state": Run.State.WAITING, "lease_until": now()}
    return {"state": Run.State.RUNNING, "runner": runner, "lease_until": now() + LEASE}


def repeats_of(document: dict[str, Any], repeat: int) -> int:
    """Return the number of times that a case is run."""
    return int(document.get("repeat", repeat))


def cancel_run(run_id: UUID) -> None:
    """End a run; its results so far are kept. Raises NotFound, RunEnded."""
    run_with_id(run_id)
    ended = Run.objects.filter(pk=run_id, state__in=OPEN_STATES)
    if not ended.update(state=Run.State.CANCELLED, runner="", lease_until=None, finished_at=now()):
        raise RunEnded()


def resume_run(run_id: UUID, *, runner: str = "") -> None:
    """Let a worker, or this runner, continue an interrupted run. Raises NotFound, RunEnded."""
    run_with_id(run_id)
    paused = Run.objects.filter(pk=run_id, state=Run.State.PAUSED)
    if not paused.update(problem="", **_in_hand(runner)):
        raise RunEnded()
