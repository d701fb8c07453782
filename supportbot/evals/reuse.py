"""Which results of an earlier run still hold after articles have changed.

An answer depends on articles only through what the turn finds for it. So the searches of a stored conversation are
repeated, without its answers: if each turn would find the same texts, its results cannot have changed. The built-in
answerer also weighs them by their scores, which any article may shift; a model does not see these.
"""

from collections.abc import Mapping
from typing import Any

from supportbot.accounts.models import Workspace
from supportbot.errors import SupportBotError
from supportbot.evals.documents import Case
from supportbot.evals.models import Result, Run
from supportbot.evals.outcomes import Played, played_from
from supportbot.evals.rehearsal import inputs_of, rehearsal_for

Kept = Mapping[tuple[str, int], Result]
_COPIED = (
    "key", "number", "passed", "is_must", "is_deterministic", "grades", "played", "judged_good", "judged_by",
    "customer_id", "took_ms",
)  # fmt: skip


def results_of(run_id: Any) -> Kept:
    """Return the results of an earlier run by case and try; none without a run."""
    if run_id is None:
        return {}
    return {(row.key, row.number): row for row in Result.objects.filter(run_id=run_id)}


def kept(run: Run, earlier: Result | None, case: Case, workspace: Workspace) -> Result | None:
    """Return an earlier result as one of this run if articles cannot have changed it; None if it must be run again."""
    if earlier is None or not finds_the_same(played_from(earlier.played), case, workspace):
        return None
    return Result(run=run, **{name: getattr(earlier, name) for name in _COPIED})


def finds_the_same(played: Played, case: Case, workspace: Workspace) -> bool:
    """Return whether each turn of a conversation finds now what it found then."""
    if played.failure or not played.replies or case.given is not None:
        return False
    try:
        rehearsal = rehearsal_for(workspace, case.customer, locale=case.locale, plant=case.plant)
    except SupportBotError:  # the customer or their shop is gone: a new try says so
        return False
    rehearsal.remember(case.history)
    for reply in played.replies:
        if reply.pressed or not reply.inputs:
            return False
        context = rehearsal.found_again(reply)
        if inputs_of(context, by=reply.by) != reply.inputs:
            return False
    return True
