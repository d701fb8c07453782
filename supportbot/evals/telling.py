"""A finished run as commands tell it: facts for programs, and the same in words."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext

from supportbot.evals.labels import agreement_in
from supportbot.evals.models import Result, Run
from supportbot.evals.reports import report_from
from supportbot.evals.wording import reasons, summary, verdict


def facts_of(run: Run) -> dict[str, Any]:
    """Return the report of a run with what it is about. `cost_per_case` is that of one try; "" without prices."""
    report, agreement = report_from(run.report or {}), agreement_in(run)
    failed = Result.objects.filter(run=run, passed=False).order_by("id")
    return {
        "suite": run.suite_name,
        "run": str(run.pk),
        "release": run.release_number,
        "baseline": str(run.baseline_id) if run.baseline_id else None,
        "took_seconds": round((run.finished_at - run.created_at).total_seconds(), 1) if run.finished_at else None,
        **report.as_json(),
        "cost_per_case": f"{Decimal(report.cost) / run.total:.4f}" if report.cost and run.total else "",
        "judge": agreement.as_json() if agreement else None,
        "summary": summary(report),
        "problems": verdict(report),
        "failures": {row.key: reasons(row.grades) for row in failed},
    }


def words_of_run(facts: dict[str, Any]) -> str:
    """Return the facts of a run in words."""
    failures = [f"  {key}: {'; '.join(why)}" for key, why in facts["failures"].items()]
    good = gettext("All cases that must pass have passed, and nothing is worse than before.")
    judge = [facts["judge"]["words"]] if facts["judge"] else []
    hats = [f"pass^{k}: {hat:.3f}" for k, hat in enumerate(facts["pass_hat"], 1)] if len(facts["pass_hat"]) > 1 else []
    costs = [
        gettext("Cost of a case: {cost} {currency}.").format(cost=facts["cost_per_case"], currency=facts["currency"])
    ]
    told = [*failures, facts["summary"], *hats, *(costs if facts["cost_per_case"] else []), *judge]
    return "\n".join([*told, *(facts["problems"] or [good])])
