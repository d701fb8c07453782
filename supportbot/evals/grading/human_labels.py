"""Measures how far a judging model can be trusted: results waiting for a person's label, and the agreement between
judge and people. A verdict is compared with each label that says pass or fail. A suite's labels count for all its runs
judged by the same model; "unsure" is counted but not compared.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Right
from django.utils.translation import gettext

from supportbot.evals.grading.statistics import Confusion, confusion, kappa
from supportbot.evals.models import OPEN_STATES, Label, Result, Run, SeenVerdicts

_RANDOM: Final = 12  # the last characters of an id, which are random
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
    """Return the agreement of each run's judge, if it judged anything, with a fixed number of queries. For a person who
    can label, labels in runs that are hidden from them do not count: a count that changes with their own label would
    reveal the judge's verdict.
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
    """Return the verdicts of these judges and of people on the same results, by suite name; without those in runs that
    are hidden from this person.
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
            "Nobody has labelled verdicts of the judge ({judge}), so it is unknown how far to trust them."
        ).format(judge=judge)
    words = gettext("The judge ({judge}) agrees with people on {agreed} of {labels} labelled results (kappa {kappa}).")
    shown = "–" if agreement.kappa is None else f"{agreement.kappa:.2f}"
    return words.format(judge=judge, agreed=agreement.agreed, labels=agreement.labels, kappa=shown)


def to_label(person_id: UUID, *, run_id: UUID | None = None) -> QuerySet[Result]:
    """Return the judged results waiting for this person's label, in random order. Results that anyone has labelled pass
    or fail are not included, nor are runs whose verdicts this person has chosen to see. Of copies, the original waits;
    those waiting for a run include the results of the runs behind it.
    """
    known = Label.objects.filter(result=OuterRef("pk")).filter(~Q(verdict="unsure") | Q(person_id=person_id))
    seen = SeenVerdicts.objects.filter(run=OuterRef("run"), person_id=person_id)
    judged = Result.objects.filter(judged_good__isnull=False, original__isnull=True)
    rows: QuerySet[Result] = judged.exclude(Exists(known) | Exists(seen))
    if run_id is not None:
        rows = rows.filter(run__in={run_id, *runs_behind([run_id])[run_id]})
    return rows.order_by(Right(Cast("id", CharField()), _RANDOM))


def runs_behind(run_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return, for each of these runs, the earlier runs of whose judged results it has copies, and the runs behind
    those. The number of queries depends on how long such chains are, not on the number of runs.
    """
    direct: dict[UUID, set[UUID]] = {}
    new = set(run_ids)
    while new:
        direct |= {run_id: set() for run_id in new}
        original = Result.objects.filter(pk=OuterRef("original")).order_by().values("run")
        copies = Result.objects.filter(run__in=new).annotate(behind=Subquery(original)).exclude(behind=None)
        for run_id, behind in copies.order_by().values_list("run_id", "behind").distinct():
            direct[run_id].add(behind)
        new = {behind for run_id in new for behind in direct[run_id]} - direct.keys()
    return {run_id: _reached(direct, run_id) for run_id in run_ids}


def _reached(direct: Mapping[UUID, set[UUID]], run_id: UUID) -> set[UUID]:
    found: set[UUID] = set()
    left = [run_id]
    while left:
        more = direct[left.pop()] - found
        found |= more
        left += more
    return found


def hidden_runs(run_ids: Collection[UUID], person_id: UUID) -> set[UUID]:
    """Return the ids of those judged runs whose verdicts are hidden from a person who can label their results: until
    they have chosen to see them, or neither the run nor a run behind it is open or has a result that waits for their
    label. So nobody sees the verdict on a copy while they could still label, or correct a label, in the original's run.
    """
    behind = runs_behind(run_ids)
    judged = Result.objects.filter(run=OuterRef("pk"), judged_good__isnull=False)
    seen = SeenVerdicts.objects.filter(run=OuterRef("pk"), person_id=person_id)
    waiting = to_label(person_id).order_by().filter(run=OuterRef("pk"))
    rows = Run.objects.filter(Exists(judged), pk__in={*run_ids, *set[UUID]().union(*behind.values())})
    unseen = rows.exclude(Exists(seen)).annotate(waits=Exists(waiting)).order_by()
    waits = {pk: waits or state in OPEN_STATES for pk, state, waits in unseen.values_list("pk", "state", "waits")}
    return {one for one in run_ids if one in waits and any(waits.get(run_id) for run_id in (one, *behind[one]))}


def are_hidden(run: Run, person_id: UUID) -> bool:
    """Return whether the judge's verdicts of a run are hidden from a person: see `hidden_runs`. Those of an open run
    are, even if nothing has been judged yet.
    """
    if run.is_open:
        return not SeenVerdicts.objects.filter(run=run, person_id=person_id).exists()
    return run.pk in hidden_runs([run.pk], person_id)


def may_label(result: Result, run: Run, person_id: UUID) -> bool:
    """Return whether a person can label a judged result without having seen a verdict of the judge in its run. While
    the verdicts are hidden from them, they can correct a label of their own.
    """
    if Label.objects.filter(result=result, person_id=person_id).exists():
        return are_hidden(run, person_id)
    return to_label(person_id).filter(pk=result.pk).exists()


def who_sees_verdicts(run: Run) -> list[UUID]:
    """Return the people from whom the verdicts of a run with unlabelled results are not hidden, such as those who are
    unsure about each of these results. They have labelled something in it or in a run behind it, or have seen such a
    run: for everyone else, the results wait.
    """
    runs = [run.pk, *runs_behind([run.pk])[run.pk]]
    labelled = Label.objects.filter(result__run__in=runs, person__isnull=False).order_by().values("person_id")
    known = labelled.union(SeenVerdicts.objects.filter(run__in=runs).order_by().values("person_id"))
    return [row["person_id"] for row in known if not are_hidden(run, row["person_id"])]
