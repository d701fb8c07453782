"""How far a judging model can be trusted: the agreement between its verdicts and people's labels. A verdict is compared
with each label that says pass or fail; "unsure" is counted but not compared. The labels in a suite count for all of its
runs that the same model judged.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils.translation import gettext

from supportbot.evals.grading.human_labels import hidden_runs
from supportbot.evals.grading.statistics import Confusion, confusion, kappa
from supportbot.evals.models import Label, Result, Run

_Verdicts = tuple[str, bool, str, int]  # judge, its verdict, a person's verdict, and the number of times


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of a judge's verdicts with people's labels. `kappa` is None if it is not defined."""

    judges: tuple[str, ...]
    labels: int
    unsure: int
    kappa: float | None
    confusion: Confusion

    @property
    def agreed(self) -> int:
        return self.confusion.both_good + self.confusion.both_bad

    @property
    def words(self) -> str:
        return words_of(self)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "confusion": self.confusion._asdict(), "words": self.words}


def agreement_in(run: Run, person_id: UUID | None = None) -> Agreement | None:
    """Return the agreement of a run's judge; None if nothing was judged. See `agreements_in`."""
    return agreements_in([run], person_id).get(run.pk)


def agreements_in(runs: Sequence[Run], person_id: UUID | None = None) -> dict[UUID, Agreement]:
    """Return the agreement of the judges of these runs, by run id; runs in which nothing was judged are left out. The
    number of queries is fixed. For a person who can label, labels in runs whose verdicts are hidden from them do not
    count: a count that changes with their own label would reveal the judge's verdict.
    """
    judged = Result.objects.filter(run__in=runs, judged_good__isnull=False).order_by()
    judges: defaultdict[UUID, set[str]] = defaultdict(set)
    for run_id, judge in judged.values_list("run_id", "judged_by").distinct():
        judges[run_id].add(judge)
    verdicts = _verdicts_of(
        {run.suite_name for run in runs if run.pk in judges}, set().union(*judges.values()), person_id
    )
    return {
        run.pk: _agreement(tuple(sorted(judges[run.pk])), verdicts[run.suite_name]) for run in runs if run.pk in judges
    }


def agreement_of(suite_name: str, person_id: UUID | None = None) -> Agreement | None:
    """Return the agreement of the judge of a suite's newest run; None if it judged nothing. See `agreements_in`."""
    newest: Run | None = Run.objects.defer("cases").filter(suite_name=suite_name, state=Run.State.DONE).first()
    return agreement_in(newest, person_id) if newest else None


def _verdicts_of(suites: Set[str], judges: Set[str], person_id: UUID | None) -> Mapping[str, Sequence[_Verdicts]]:
    """Return the verdicts of these judges and of people on the same results, by suite name. Runs whose verdicts are
    hidden from this person are left out.
    """
    found: defaultdict[str, list[_Verdicts]] = defaultdict(list)
    if suites:
        labels = Label.objects.filter(result__run__suite_name__in=suites, result__judged_by__in=judges)
        rows = labels.exclude(result__judged_good=None).order_by()
        if person_id is not None:
            labelled = set(rows.values_list("result__run_id", flat=True).distinct())
            rows = rows.exclude(result__run__in=hidden_runs(labelled, person_id))
        names = ("result__run__suite_name", "result__judged_by", "result__judged_good", "verdict")
        for suite, judge, is_good, verdict, count in rows.values_list(*names).annotate(count=Count("pk")):
            found[suite].append((judge, bool(is_good), verdict, count))
    return found


def _agreement(judges: tuple[str, ...], verdicts: Sequence[_Verdicts]) -> Agreement:
    mine = [one for one in verdicts if one[0] in judges]
    pairs = [
        (is_good, verdict == "pass") for _, is_good, verdict, count in mine if verdict != "unsure" for _ in range(count)
    ]
    unsure = sum(count for *_, verdict, count in mine if verdict == "unsure")
    return Agreement(judges, len(pairs), unsure, kappa(pairs), confusion(pairs))


def words_of(agreement: Agreement) -> str:
    """Return a sentence on how far the judge can be trusted."""
    judge = ", ".join(agreement.judges)
    if not agreement.labels:
        return gettext(
            "Nobody has labelled results of the judge ({judge}), so it is not known how far its verdicts can be "
            "trusted."
        ).format(judge=judge)
    words = gettext("The judge ({judge}) agrees with people on {agreed} of {labels} labelled results (kappa {kappa}).")
    shown = "–" if agreement.kappa is None else f"{agreement.kappa:.2f}"
    return words.format(judge=judge, agreed=agreement.agreed, labels=agreement.labels, kappa=shown)
