"""The editor's two fields for publishing and archiving at a set time. `due_plans` carries out the plans."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, localtime, make_aware
from django.utils.translation import gettext

from kb.models import Article, Plan
from kb.scheduling import LAST_YEAR, Step, drop_plan, field_of, make_plan
from supportbot.accounts.models import User
from supportbot.console.display import moment_in_words
from supportbot.errors import InvalidInput

FIELDS: Final = tuple(field_of(step) for step in Step)
Wanted = Mapping[Step, datetime | None]  # None deletes a plan


@dataclass(frozen=True, slots=True)
class PlanTag:
    """A plan as a tag. If it was not carried out, the tag says why."""

    kind: str
    words: str
    problem: str


def wanted(request: HttpRequest, *, is_published: bool) -> Wanted:
    """Return the times in those fields that the form contains. Raises InvalidInput."""
    times = {step: _time(request, step) for step in Step if field_of(step) in request.POST}
    if is_published:
        times[Step.PUBLISH] = None  # it is live now
    first, last = times.get(Step.PUBLISH), times.get(Step.ARCHIVE)
    if first and last and last <= first:
        raise InvalidInput(fields={"archive_at": [gettext("Choose a time after the publication.")]})
    return times


def set_plans(article: Article, times: Wanted, *, person: User, reasons: Mapping[Step, str]) -> None:
    """Create, change and delete the plans of a saved article. Raises InvalidDocument for a time in the past.

    `reasons` are the reasons for overriding the gates, by step.
    """
    known = {Step(plan.step): plan for plan in article.plans.all()}
    for step, at in times.items():
        plan = known.get(step)
        if at is None:
            drop_plan(article.pk, step)
        elif plan is None or not _is_kept(plan, at, article):
            make_plan(article.pk, step, at, person=person, override=reasons.get(step, ""))


def is_new(article: Article | None, times: Wanted, step: Step) -> bool:
    """Return whether the form plans this step for a time other than the stored one."""
    at = times.get(step)
    if at is None or article is None:
        return at is not None
    return all(not _is_same_time(plan, at) for plan in article.plans.all() if plan.step == step)


def times_of(article: Article) -> dict[str, str]:
    """Return the times of the plans as form values, "" for a step without a plan or whose plan failed."""
    planned = {
        field_of(Step(plan.step)): f"{localtime(plan.at):%Y-%m-%dT%H:%M}"
        for plan in article.plans.all()
        if not plan.problem
    }
    return dict.fromkeys(FIELDS, "") | planned


def shown_plans(article: Article) -> list[PlanTag]:
    """Return an article's plans as pages show them."""
    return [PlanTag(*_in_words(plan), plan.problem) for plan in article.plans.all()]


def _in_words(plan: Plan) -> tuple[str, str]:
    is_publication = plan.step == Step.PUBLISH
    if plan.problem:
        return "bad", gettext("Not published on schedule") if is_publication else gettext("Not archived on schedule")
    words = gettext("Will be published {time}") if is_publication else gettext("Will be archived {time}")
    return "warn", words.format(time=moment_in_words(plan.at))


def _time(request: HttpRequest, step: Step) -> datetime | None:
    text = request.POST.get(field_of(step), "").strip()
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:  # a day that does not exist, such as 31 June
        moment = None
    if moment is None or not 2000 <= moment.year <= LAST_YEAR:
        problem = gettext("Enter a date and a time, such as 2027-01-31 09:00.")
        raise InvalidInput(fields={field_of(step): [problem]})
    return make_aware(moment) if is_naive(moment) else moment


def _is_kept(plan: Plan, at: datetime, article: Article) -> bool:
    """Return whether a plan keeps its author and reason.

    A plan to archive survives edits, because it does not depend on the text.
    """
    newest = article.latest_revision.number if article.latest_revision else None
    is_about_it = plan.step == Step.ARCHIVE or plan.revision == newest
    return not plan.problem and _is_same_time(plan, at) and is_about_it


def _is_same_time(plan: Plan, at: datetime) -> bool:
    return plan.at.replace(second=0, microsecond=0) == at.replace(second=0, microsecond=0)
