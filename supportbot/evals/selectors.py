"""Reads suites, runs and results."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext

from supportbot.errors import NotFound
from supportbot.evals.errors import NoRunToCompare, SuiteMissing
from supportbot.evals.grading.run_comparison import Comparison, compared
from supportbot.evals.grading.run_reports import CaseTries
from supportbot.evals.models import Case, Result, Run, Suite
from supportbot.evals.suite_formats import own_format
from supportbot.releases.errors import GateMissing
from supportbot.releases.models import Release
from supportbot.releases.selectors import gates


def suite_named(name: str) -> Suite:
    """Return the workspace's suite with this name. Raises SuiteMissing."""
    # PostgreSQL accepts neither NUL nor lone surrogates.
    found: Suite | None = Suite.objects.filter(name=name).first() if name.isprintable() else None
    if found is None:
        raise SuiteMissing(gettext("There is no suite called “{name}”.").format(name=name[:60]))
    return found


def document_of(suite: Suite) -> own_format.Suite:
    """Return a stored suite as its document."""
    stored = Case.objects.filter(suite=suite).order_by("position", "id").values_list("document", flat=True)
    cases = tuple(own_format.parse_case(document) for document in stored)
    return own_format.Suite(suite.name, suite.title, cases, suite.about)


def missing_suites(names: Sequence[str]) -> list[str]:
    """Return the given names that no suite has. The setting `RELEASES_MISSING_SUITES` refers to this function."""
    possible = [name for name in names if name.isprintable()]  # without NUL
    known = set(Suite.objects.filter(name__in=possible).values_list("name", flat=True))
    return [name for name in names if name not in known]


def gate_marks() -> dict[str, str]:
    """Return a fingerprint of each gate suite by name; it changes with the suite's cases. The setting
    `RELEASES_REFERENCES` refers to this function.
    """
    cases = Case.objects.filter(suite__name__in=gates()).order_by("suite__name", "position", "id")
    found: dict[str, list[str]] = defaultdict(list)
    for name, document in cases.values_list("suite__name", "document"):
        found[name].append(json.dumps(document, sort_keys=True))
    return {name: hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16] for name, texts in found.items()}


def gate_cases() -> list[tuple[str, own_format.Case]]:
    """Return the gate cases, each with its suite's name. Raises GateMissing."""
    named = gates()
    if missing := missing_suites(named):
        problem = gettext("These gate suites do not exist: {names}. Choose the gates again.")
        raise GateMissing(problem.format(names=", ".join(missing)))
    known = {suite.name: suite for suite in Suite.objects.filter(name__in=named)}
    return [(name, case) for name in named for case in document_of(known[name]).cases]


def runs() -> QuerySet[Run]:
    """Return the workspace's runs without their cases, newest first."""
    rows: QuerySet[Run] = Run.objects.defer("cases").order_by("-created_at", "-id")
    return rows


def run_with_id(run_id: UUID) -> Run:
    """Return a run of the workspace. Raises NotFound."""
    found: Run | None = Run.objects.filter(pk=run_id).first()
    if found is None:
        raise NotFound()
    return found


def suite_with_id(suite_id: UUID) -> Suite:
    """Return a suite of the workspace. Raises NotFound."""
    found: Suite | None = Suite.objects.filter(pk=suite_id).first()
    if found is None:
        raise NotFound()
    return found


def judged_keys(run: Run) -> set[str]:
    """Return the keys of the cases that a model judges."""
    return {str(case["id"]) for case in run.cases if "judge" in case.get("expect", {})}


def baseline_for(suite: Suite, release: Release) -> Run | None:
    """Return the newest finished run of a suite on a release, to compare other runs with; None if there is none."""
    return runs().filter(suite=suite, release_id=release.pk, state=Run.State.DONE).first()


def last_run_on(suite: Suite, release: Release) -> Run:
    """Return the newest finished run of a suite on a release. Raises NoRunToCompare."""
    found = baseline_for(suite, release)
    if found is None:
        problem = gettext("The suite has no finished run with release {name}. Run it with that release first.")
        raise NoRunToCompare(problem.format(name=release.number))
    return found


def tries_of(run: Run) -> list[CaseTries]:
    """Return the tries of each case of a run, in the run's order. Cases that have not run have no tries."""
    found: dict[str, list[Result]] = defaultdict(list)
    fields = (
        "key",
        "passed",
        "is_must",
        "is_deterministic",
        "took_ms",
        "played__cost",
        "played__currency",
        "played__signals",
    )
    for row in Result.objects.filter(run=run).order_by("number").values_list(*fields, named=True):
        found[row.key].append(row)
    return [_tried(document, found[key]) for document in run.cases for key in (str(document["id"]),)]


def compared_with_baseline(run: Run) -> Comparison | None:
    """Return how a finished run differs from its baseline; None if it has no baseline."""
    if run.report is None or run.baseline is None:
        return None
    return compared(tries_of(run.baseline), tries_of(run))


def _tried(document: dict[str, object], rows: list[Result]) -> CaseTries:
    return CaseTries(
        key=str(document["id"]),
        passes=sum(row.passed for row in rows),
        tries=len(rows),
        is_must=bool(document.get("must")),
        is_deterministic=bool(rows) and all(row.is_deterministic for row in rows),
        document=document,
        took_ms=tuple(row.took_ms for row in rows),
        # the stubs do not know the fields of named tuples
        cost=sum((Decimal(row.played__cost) for row in rows if row.played__cost), Decimal(0)),  # type: ignore[attr-defined]
        signals=Counter(name for row in rows for name in row.played__signals or ()),  # type: ignore[attr-defined]
        currency=next((row.played__currency for row in rows if row.played__currency), ""),  # type: ignore[attr-defined]
    )


def stored_keys(run_id: UUID) -> set[tuple[str, int]]:
    """Return the (key, number) of each stored try of a run."""
    rows: Iterable[tuple[str, int]] = Result.objects.filter(run_id=run_id).values_list("key", "number")
    return set(rows)
