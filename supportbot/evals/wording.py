"""Grades and reports as text in the reader's language."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop, ngettext

from supportbot.evals.graders import Grade, grade_from
from supportbot.evals.reports import Report

SIGNAL_WORDS: Final = {
    "withheld": gettext_noop("The checks withhold sentences in more answers than before."),
    "unmarked": gettext_noop("The model names the sources of its claims in fewer answers than before."),
}

# Why a run waits, by the code of what interrupted it.
INTERRUPTIONS: Final = {
    "model_unavailable": gettext_noop("The model does not answer."),
    "model_budget": gettext_noop("Today's budget for evaluations is spent."),
    "model_misconfigured": gettext_noop("No model is set up for this, or its server refuses the key."),
    "no_merchant": gettext_noop(
        "Its customers confirm cards, so it needs the benchmark's shop: run it with `manage.py retail_benchmark`."
    ),
    "release_changed": gettext_noop("The draft was changed while it was evaluated."),
    "not_found": gettext_noop("Its release is gone."),
}


def interruption(code: str) -> str:
    """Return why a run was interrupted, in words."""
    known = INTERRUPTIONS.get(code)
    return gettext(known) if known else gettext("Something went wrong ({code}). See the log.").format(code=code)


def stopped() -> str:
    """Return why a check has no result although nothing was wrong with what it checks."""
    return gettext("The check failed several times and will not be tried again. The error has been logged.")


def why(grade: Grade) -> str:
    """Return why an expectation failed: its name and the difference."""
    place = gettext("step {number}").format(number=grade.step) + ", " if grade.step else ""
    return f"{place}{grade.grader}: {_difference(grade)}"


def _difference(grade: Grade) -> str:
    if grade.missing:
        return gettext("missing {texts}").format(texts=_quoted(grade.missing))
    if grade.found:
        return gettext("must not say {texts}").format(texts=_quoted(grade.found))
    return gettext("expected {wanted}, got {got}").format(wanted=grade.wanted, got=grade.got or "–")


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(f"“{text}”" for text in texts)


def reasons(stored: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why a try failed, from its stored grades; [] if it passed."""
    return [why(grade) for grade in map(grade_from, stored) if not grade.passed]


def summary(report: Report) -> str:
    """Return how many cases passed, with the interval of the share."""
    share = round(100 * report.passed / report.cases) if report.cases else 0
    words = ngettext(
        "{passed} of {cases} case passed ({share}%, 95% confidence interval {low}% to {high}%).",
        "{passed} of {cases} cases passed ({share}%, 95% confidence interval {low}% to {high}%).",
        report.cases,
    )
    low, high = (round(100 * edge) for edge in report.interval)
    return words.format(passed=report.passed, cases=report.cases, share=share, low=low, high=high)


def verdict(report: Report) -> list[str]:
    """Return the reasons why a run is bad, one line each; [] for a good run."""
    lines = []
    if report.failed_must:
        lines.append(gettext("Must pass but failed: {cases}.").format(cases=", ".join(report.failed_must)))
    if report.regressions:
        lines.append(gettext("Passed before but failed now: {cases}.").format(cases=", ".join(report.regressions)))
    if report.is_worse:
        lost = round(-100 * report.difference)
        words = gettext("Worse than before: {lost} points fewer passes in {cases} sampled cases (p = {p}).")
        lines.append(words.format(lost=lost, cases=report.sampled, p=f"{report.worse_p:.3f}"))
    return lines + [gettext(SIGNAL_WORDS[name]) for name in report.signals]
