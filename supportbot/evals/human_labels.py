"""Measures how far a judging model can be trusted: results waiting for a person's label, and the agreement between
judge and people. A verdict is compared with each label that says pass or fail. A suite's labels count for all its runs
judged by the same model; "unsure" is counted but not compared.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast, Right
from django.utils.translation import gettext

from supportbot.evals.models import OPEN_STATES, Label, Result, Run, SeenVerdicts
from supportbot.evals.statistics import Confusion, confusion, kappa

_RANDOM: Final = 12  # the last characters of an id, which are random
_Said = tuple[str, bool, str, int]  # judge, its verdict, a person's verdict, and the number of times


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


def agreement_in(run: Run) -> Agreement | None:
    """Return the agreement of a run's judge; None if nothing was judged."""
    return agreements_in([run]).get(run.pk)


def agreements_in(runs: Sequence[Run]) -> dict[UUID, Agreement]:
    """Return the agreement of each run's judge, if it judged anything, using two queries in total."""
    judged = Result.objects.filter(run__in=runs, judged_good__isnull=False).order_by()
    judges: defaultdict[UUID, set[str]] = defaultdict(set)
    for run_id, judge in judged.values_list("run_id", "judged_by").distinct():
        judges[run_id].add(judge)
    said = _said({run.suite_name for run in runs if run.pk in judges}, set().union(*judges.values()))
    return {run.pk: _agreement(tuple(sorted(judges[run.pk])), said[run.suite_name]) for run in runs if run.pk in judges}


def agreement_of(suite_name: str) -> Agreement | None:
    """Return the agreement of the judge of a suite's newest run; None if it judged nothing."""
    newest: Run | None = Run.objects.defer("cases").filter(suite_name=suite_name, state=Run.State.DONE).first()
    return agreement_in(newest) if newest else None


def _said(suites: Set[str], judges: Set[str]) -> Mapping[str, Sequence[_Said]]:
    """Return the verdicts of these judges and of people on the same results, by suite name."""
    found: defaultdict[str, list[_Said]] = defaultdict(list)
    if suites:
        labels = Label.objects.filter(result__run__suite_name__in=suites, result__judged_by__in=judges)
        rows = labels.exclude(result__judged_good=None).order_by()
        names = ("result__run__suite_name", "result__judged_by", "result__judged_good", "verdict")
        for suite, judge, is_good, verdict, count in rows.values_list(*names).annotate(count=Count("pk")):
            found[suite].append((judge, bool(is_good), verdict, count))
    return found


def _agreement(judges: tuple[str, ...], said: Sequence[_Said]) -> Agreement:
    mine = [one for one in said if one[0] in judges]
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
    or fail are not included, nor are runs whose verdicts this person has chosen to see. Of copies, the original waits:
    for a run with copies, too.
    """
    known = Label.objects.filter(result=OuterRef("pk")).filter(~Q(verdict="unsure") | Q(person_id=person_id))
    seen = SeenVerdicts.objects.filter(run=OuterRef("run"), person_id=person_id)
    judged = Result.objects.filter(judged_good__isnull=False, original__isnull=True)
    rows: QuerySet[Result] = judged.exclude(Exists(known) | Exists(seen))
    if run_id is not None:
        rows = rows.filter(Q(run_id=run_id) | Q(pk__in=originals_in([run_id])))
    return rows.order_by(Right(Cast("id", CharField()), _RANDOM))


def originals_in(run_ids: Collection[UUID]) -> QuerySet[Result, UUID | None]:
    """Return the ids of the results of which these runs have copies."""
    copies = Result.objects.filter(run__in=run_ids, original__isnull=False).order_by()
    found: QuerySet[Result, UUID | None] = copies.values_list("original", flat=True)
    return found


def hidden_runs(run_ids: Collection[UUID], person_id: UUID) -> set[UUID]:
    """Return the ids of those judged runs whose verdicts are hidden from this person: see `are_hidden`."""
    judged = Result.objects.filter(run=OuterRef("pk"), judged_good__isnull=False)
    seen = SeenVerdicts.objects.filter(run=OuterRef("pk"), person_id=person_id)
    waiting = to_label(person_id).order_by()
    own, copies = waiting.filter(run=OuterRef("pk")), judged.filter(original__in=waiting.values("pk"))
    rows = Run.objects.filter(Q(state__in=OPEN_STATES) | Exists(own) | Exists(copies), Exists(judged), pk__in=run_ids)
    return set(rows.exclude(Exists(seen)).order_by().values_list("pk", flat=True))


def are_hidden(run: Run, person_id: UUID) -> bool:
    """Return whether the judge's verdicts of a run are hidden from a person who can label its results: until they have
    chosen to see them, or the run has ended and none of its results waits for their label.
    """
    if SeenVerdicts.objects.filter(run=run, person_id=person_id).exists():
        return False
    return run.is_open or to_label(person_id, run_id=run.pk).exists()


def may_label(result: Result, run: Run, person_id: UUID) -> bool:
    """Return whether a person can label a judged result without having seen a verdict of the judge in its run. While
    the verdicts are hidden from them, they can correct a label of their own.
    """
    if Label.objects.filter(result=result, person_id=person_id).exists():
        return are_hidden(run, person_id)
    return to_label(person_id, run_id=run.pk).filter(pk=result.pk, run=run).exists()


def who_sees_verdicts(run: Run) -> list[UUID]:
    """Return the people from whom the verdicts of a run with unlabelled results are not hidden although they have not
    chosen to see them: those who are unsure about each of these results.
    """
    if run.is_open:
        return []
    decided = Label.objects.filter(result=OuterRef("pk")).exclude(verdict="unsure")
    judged = Result.objects.filter(run=run, judged_good__isnull=False, original__isnull=True)
    left = judged.exclude(Exists(decided)).order_by()
    unsure = Label.objects.filter(result__in=left, person__isnull=False).order_by().values("person_id")
    counted = unsure.annotate(count=Count("pk")).filter(count=left.count())
    return list(counted.values_list("person_id", flat=True))
