"""The rows of a run's page: each case with its tries, next to the same case in another run."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from supportbot.console.display import moment_in_words, tag
from supportbot.evals.grading.run_reports import Report, report_from
from supportbot.evals.models import Case, Result, Run
from supportbot.evals.result_texts import expectations, reasons_of_each
from supportbot.evals.runs.case_outcomes import CaseTry, played_from

SHOWN: Final = {
    "all": gettext_noop("All"),
    "failed": gettext_noop("Failed"),
    "worse": gettext_noop("Worse"),
    "better": gettext_noop("Better"),
}
STATES: Final = {"waiting": "", "running": "info", "paused": "warn", "done": "ok", "cancelled": ""}


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a case, with the reasons if it failed."""

    passed: bool
    reasons: list[str]
    played: CaseTry


@dataclass(slots=True)
class Row:
    """A case in this run (`now`) and in the run it is compared with (`before`)."""

    key: str
    asks: str
    is_must: bool
    is_simulated: bool = False
    plant: list[str] = field(default_factory=list)  # the texts that an attack plants
    now: list[Try] = field(default_factory=list)
    before: list[Try] = field(default_factory=list)
    is_hidden: bool = False  # its outcome would reveal the judge's verdict
    is_hidden_before: bool = False  # the other run's outcome would reveal it
    waits_for_label: bool | None = None  # only for a hidden case; None if it has not been judged

    @property
    def passed(self) -> bool:
        return bool(self.now) and all(one.passed for one in self.now)

    @property
    def passed_before(self) -> bool:
        return bool(self.before) and all(one.passed for one in self.before)

    @property
    def is_worse(self) -> bool:
        return self._is_compared and self.passed_before and not self.passed

    @property
    def is_better(self) -> bool:
        return self._is_compared and not self.passed_before and self.passed

    @property
    def _is_compared(self) -> bool:
        return bool(self.now and self.before) and not (self.is_hidden or self.is_hidden_before)

    @property
    def mark(self) -> SafeString:
        if not self.now:
            return tag("", gettext("Not run"))
        if self.is_hidden:
            return self._hidden_mark
        return tag("ok", gettext("Passed")) if self.passed else tag("bad", gettext("Failed"))

    @property
    def _hidden_mark(self) -> SafeString:
        if self.waits_for_label is None:
            return tag("", gettext("Hidden"))
        return tag("warn", gettext("Waiting for your label")) if self.waits_for_label else tag("", gettext("Labelled"))

    @property
    def why(self) -> list[str]:
        """The reasons why the case failed, without duplicates."""
        if self.is_hidden:
            return []
        return list(dict.fromkeys(reason for one in self.now for reason in one.reasons))

    @property
    def answers(self) -> list[tuple[str, Try]]:
        """The try to show from each run: the first that failed or, if none did, the first. For hidden cases, only the
        first try of this run.
        """
        if self.is_hidden:
            return [(gettext("Now"), one) for one in self.now[:1]]
        found = [(gettext("Before"), [] if self.is_hidden_before else self.before), (gettext("Now"), self.now)]
        return [(label, next((one for one in tries if not one.passed), tries[0])) for label, tries in found if tries]


def compared_runs(
    run: Run,
    other: Run | None,
    *,
    shown: str,
    page: str,
    per_page: int,
    hidden: Mapping[str, bool | None] | None = None,
    hidden_before: Collection[str] = (),
) -> tuple[list[Row], int]:
    """Return one page of the rows, and how many rows there are in total.

    `hidden` cases appear only if no filter is selected. Their values say whether a case is waiting for a label (None if
    it has not been judged). Cases that are hidden in the other run (`hidden_before`) are not compared.
    """
    hidden = hidden or {}
    passed = {one.pk: _passes(one) for one in (run, other) if one is not None}
    for one, keys in ((run, hidden), (other, hidden_before)):
        if one is not None:
            for key in keys:
                passed[one.pk].pop(key, None)
    rows = [_row(case) for case in run.cases]
    chosen = [row for row in rows if _is_shown(row.key, shown, passed[run.pk], passed[other.pk] if other else {})]
    start = (int(page) - 1 if page.isdecimal() and len(page) < 6 and int(page) else 0) * per_page
    part = chosen[start : start + per_page]
    keys = [row.key for row in part]
    now, before = _tries(run, keys), _tries(other, keys) if other else {}
    for row in part:
        row.now, row.before = now.get(row.key, []), before.get(row.key, [])
        row.is_hidden, row.waits_for_label = row.key in hidden, hidden.get(row.key)
        row.is_hidden_before = row.key in hidden_before
    return part, len(chosen)


def _row(case: dict[str, Any]) -> Row:
    plant = [str(text) for text in case.get("plant", {}).values()]
    return Row(str(case["id"]), _asks(case), bool(case.get("must")), "simulate" in case, plant)


def _is_shown(key: str, shown: str, now: dict[str, bool], before: dict[str, bool]) -> bool:
    match shown:
        case "failed":
            return now.get(key) is False
        case "worse":
            return before.get(key) is True and now.get(key) is False
        case "better":
            return before.get(key) is False and now.get(key) is True
    return True


def _passes(run: Run) -> dict[str, bool]:
    found: dict[str, bool] = defaultdict(lambda: True)
    for key, passed in Result.objects.filter(run=run).values_list("key", "passed"):
        found[key] = found[key] and passed
    return dict(found)


def _tries(run: Run, keys: list[str]) -> dict[str, list[Try]]:
    """Return the tries of several cases, by the case's key."""
    found: dict[str, list[Try]] = defaultdict(list)
    rows = list(Result.objects.filter(run=run, key__in=keys).order_by("number"))
    for row, reasons in zip(rows, reasons_of_each([row.grades for row in rows]), strict=True):
        found[row.key].append(Try(row.passed, reasons, played_from(row.played)))
    return found


def _asks(case: dict[str, Any]) -> str:
    steps = case.get("steps") or [{}]
    return str(case.get("ask") or steps[0].get("say") or case.get("simulate", {}).get("goal", ""))


def case_rows(cases: Iterable[Case]) -> list[dict[str, Any]]:
    """Return the rows for the cases on a suite's page."""
    return [
        {
            "key": case.key,
            "asks": _asks(case.document),
            "is_must": case.is_must,
            "expects": ", ".join(expectations(case.document)),
        }
        for case in cases
    ]


def rows_of(runs: Iterable[Run], hidden: Collection[UUID] = ()) -> list[dict[str, Any]]:
    """Return the rows for runs in lists. The outcome of `hidden` runs is not shown."""
    return [
        {
            "run": run,
            "state": state_tag(run, is_hidden=run.pk in hidden),
            "result": result_of(run, is_hidden=run.pk in hidden),
            "at": moment_in_words(run.created_at),
        }
        for run in runs
    ]


def state_tag(run: Run, *, is_hidden: bool = False) -> SafeString:
    if run.report is not None and not is_hidden and not report_from(run.report).is_good:
        return tag("bad", gettext("Worse or failed"))
    return tag("" if is_hidden else STATES[run.state], run.get_state_display())


def result_of(run: Run, *, is_hidden: bool = False) -> str:
    """Return how many cases passed or, for an unfinished run, its progress."""
    if run.report is not None and is_hidden:
        return gettext("Hidden until you have labelled it")
    if run.report is not None:
        return passed_of(report_from(run.report))
    return gettext("{number} of {total} cases run").format(number=run.done, total=run.total)


def passed_of(report: Report) -> str:
    return gettext("{number} of {total} passed").format(number=report.passed, total=report.cases)
