"""Formats a finished run for commands: as data for programs, as text for people, and as JUnit XML for CI servers."""

import re
from decimal import Decimal
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from django.utils.translation import gettext

from actions.registry import all_actions
from supportbot.evals.grading.judge_agreement import agreement_in, words_of
from supportbot.evals.grading.run_reports import report_from
from supportbot.evals.models import Result, Run
from supportbot.evals.result_texts import comparison_facts, reasons, summary, verdict
from supportbot.evals.selectors import compared_with_baseline

# characters that XML 1.0 does not allow
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def facts_of(run: Run) -> dict[str, Any]:
    """Return the report of a run with its suite and release. `cost_per_case` is the cost of one try; "" without
    prices.
    """
    report, agreement = report_from(run.report or {}), agreement_in(run)
    failed = Result.objects.filter(run=run, passed=False).order_by("id")
    tried, actions = run.done - run.kept, all_actions()
    took = run.played_ms / 1000  # 0 for runs of an earlier version
    return {
        "suite": run.suite_name,
        "run": str(run.pk),
        "release": run.release_number,
        "baseline": str(run.baseline_id) if run.baseline_id else None,
        "took_seconds": round(took, 1) if took else None,
        "tries_per_minute": round(60 * tried / took) if took else None,
        **report.as_json(),
        "cost_per_case": f"{Decimal(report.cost) / run.total:.4f}" if report.cost and run.total else "",
        "judge": agreement.as_json() if agreement else None,
        "comparison": comparison_facts(compared_with_baseline(run), report),
        "summary": summary(report),
        "problems": verdict(report),
        "failures": {row.key: reasons(row.grades, actions) for row in failed},
    }


def words_of_run(facts: dict[str, Any]) -> str:
    """Return the facts of a run as text."""
    failures = [f"  {key}: {'; '.join(why)}" for key, why in facts["failures"].items()]
    good = gettext("All cases that must pass have passed, and nothing is worse than before.")
    judge = [facts["judge"]["words"]] if facts["judge"] else []
    hats = [f"pass^{k}: {hat:.3f}" for k, hat in enumerate(facts["pass_hat"], 1)] if len(facts["pass_hat"]) > 1 else []
    costs = [
        gettext("Cost per case: {cost} {currency}.").format(cost=facts["cost_per_case"], currency=facts["currency"])
    ]
    pace = gettext("Took {seconds} s: {number} attempts per minute.")
    paces = [pace.format(seconds=facts["took_seconds"], number=facts["tries_per_minute"])]
    lines = [
        *failures,
        facts["summary"],
        *(paces if facts["took_seconds"] else []),
        *hats,
        *(facts["comparison"]["words"] if facts["comparison"] else []),
        *(costs if facts["cost_per_case"] else []),
        *judge,
    ]
    return "\n".join([*lines, *(facts["problems"] or [good])])


def junit(run: Run) -> bytes:
    """Return a run as JUnit XML, with a test for each try."""
    results, actions = list(Result.objects.filter(run=run).order_by("key", "number")), all_actions()
    failed = sum(not result.passed for result in results)
    seconds = sum(result.took_ms for result in results) / 1000
    root = Element(
        "testsuite", name=run.suite_name, tests=str(len(results)), failures=str(failed), time=f"{seconds:.3f}"
    )
    agreement = agreement_in(run)
    if agreement is not None:
        properties = SubElement(root, "properties")
        SubElement(properties, "property", name="judge", value=_printable(words_of(agreement)))
    for result in results:
        name = result.key if result.number == 1 else f"{result.key} ({result.number})"
        test = SubElement(root, "testcase", classname=run.suite_name, name=name, time=f"{result.took_ms / 1000:.3f}")
        if not result.passed:
            why = reasons(result.grades, actions)
            failure = SubElement(test, "failure", message=_printable("; ".join(why)), type="failure")
            failure.text = _printable("\n\n".join(_quoted(reply) for reply in result.played["replies"]))
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _quoted(reply: dict[str, str]) -> str:
    return f"> {reply['said']}\n{reply['text']}"


def _printable(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
