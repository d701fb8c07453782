"""People's labels on results that a model has judged. Stores the labels, and decides which results still need one and
from whom the judge's verdicts are hidden until then.
"""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Right
from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.errors import NotFound
from supportbot.evals.errors import LabelInvalid, LabelRefused
from supportbot.evals.models import OPEN_STATES, Label, Result, Run, SeenVerdicts

_NOTE: Final = 500

_RANDOM: Final = 12  # the last characters of an id, which are random


def to_label(person_id: UUID, *, run_id: UUID | None = None) -> QuerySet[Result]:
    """Return the judged results waiting for this person's label, in random order. With `run_id`, return only those of
    that run and of the runs behind it.

    A result does not wait if anyone has labelled it pass or fail, if this person has chosen to see the run's verdicts,
    or if it is a copy: only the original is labelled.
    """
    known = Label.objects.filter(result=OuterRef("pk")).filter(~Q(verdict="unsure") | Q(person_id=person_id))
    seen = SeenVerdicts.objects.filter(run=OuterRef("run"), person_id=person_id)
    judged = Result.objects.filter(judged_good__isnull=False, original__isnull=True)
    rows: QuerySet[Result] = judged.exclude(Exists(known) | Exists(seen))
    if run_id is not None:
        rows = rows.filter(run__in={run_id, *runs_behind([run_id])[run_id]})
    return rows.order_by(Right(Cast("id", CharField()), _RANDOM))


def runs_behind(run_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return the runs behind each of these runs: the earlier runs whose judged results it has copied, directly or
    through other runs. The number of queries depends on the length of these chains, not on the number of runs.
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
    """Return the ids of the judged runs among these whose verdicts are hidden from a person who can label results.

    Unless the person has chosen to see a run's verdicts, they are hidden while the run or a run behind it is unfinished
    or has a result that waits for the person's label. This way, nobody sees the verdict on a copy while they can still
    label results in the original's run.
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
    """Return whether the judge's verdicts on a run are hidden from a person (see `hidden_runs`). The verdicts on an
    unfinished run are hidden even if nothing has been judged yet.
    """
    if run.is_open:
        return not SeenVerdicts.objects.filter(run=run, person_id=person_id).exists()
    return run.pk in hidden_runs([run.pk], person_id)


def may_label(result: Result, run: Run, person_id: UUID) -> bool:
    """Return whether a person may label a judged result. They may if the result waits for their label, and may correct
    their own label as long as the run's verdicts are hidden from them.
    """
    if Label.objects.filter(result=result, person_id=person_id).exists():
        return are_hidden(run, person_id)
    return to_label(person_id).filter(pk=result.pk).exists()


def who_sees_verdicts(run: Run) -> list[UUID]:
    """Return the ids of the people who can see the verdicts on a run although it has unlabelled results, such as those
    who are unsure about each of these results. Only people who have labelled something in the run or in a run behind
    it, or have seen the verdicts on one of these runs, need to be considered. For everyone else, unlabelled results
    wait for a label, so the verdicts are hidden.
    """
    runs = [run.pk, *runs_behind([run.pk])[run.pk]]
    labelled = Label.objects.filter(result__run__in=runs, person__isnull=False).order_by().values("person_id")
    known = labelled.union(SeenVerdicts.objects.filter(run__in=runs).order_by().values("person_id"))
    return [row["person_id"] for row in known if not are_hidden(run, row["person_id"])]


@transaction.atomic
def label_result(result_id: UUID, verdict: str, *, note: str = "", person: User) -> Label:
    """Store a person's verdict on a judged result, replacing an earlier one. Raises NotFound, LabelInvalid,
    LabelRefused.
    """
    result = Result.objects.filter(pk=result_id, judged_good__isnull=False).first()
    if result is None:
        raise NotFound()
    [run] = (one for one in _locked_runs(result.run_id) if one.pk == result.run_id)
    if not may_label(result, run, person.pk):  # the verdicts may have been shown in another tab
        raise LabelRefused()
    if verdict not in Label.Verdict.values:
        raise LabelInvalid()
    if verdict == Label.Verdict.UNSURE and result.labels.filter(person=person).exclude(verdict=verdict).exists():
        _note_who_sees(run)
    values = {"verdict": verdict, "note": note.strip()[:_NOTE], "created_at": now()}
    label, _ = Label.objects.update_or_create(result=result, person=person, defaults=values)
    return label


def _note_who_sees(run: Run) -> None:
    """Record everyone who can see the verdicts on a run as having seen them, before a withdrawn label makes its result
    wait again. They include everyone who can see the verdict on a copy of the result.
    """
    rows = [SeenVerdicts(run=run, person_id=person_id) for person_id in who_sees_verdicts(run)]
    SeenVerdicts.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def show_verdicts(run_id: UUID, person_id: UUID) -> None:
    """Show a person the judge's verdicts on a run. From then on, they cannot label the results of this run or of the
    runs behind it. Raises NotFound.
    """
    rows = [SeenVerdicts(run=run, person_id=person_id) for run in _locked_runs(run_id)]
    SeenVerdicts.objects.bulk_create(rows, ignore_conflicts=True)


def _locked_runs(run_id: UUID) -> list[Run]:
    """Return a run and the runs behind it, locked so that labels and views of verdicts take turns. Raises NotFound."""
    rows = Run.objects.select_for_update(no_key=True, of=("self",)).defer("cases", "report")
    runs = list(rows.filter(pk__in={run_id, *runs_behind([run_id])[run_id]}).order_by("pk"))
    if run_id not in (run.pk for run in runs):
        raise NotFound()
    return runs
