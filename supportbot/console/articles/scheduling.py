"""Publishing and archiving at a set time: two fields of the editor, and what carries the plans out.

The gates are asked twice: when something is planned, as for publishing, and when it is due.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, localtime, make_aware, now
from django.utils.translation import gettext, override

from kb.collections import check_may_write
from kb.errors import ArticleChanged
from kb.models import Article, Plan
from kb.scheduling import LAST_YEAR, Step, carry_out, drop_plan, due_plans, field_of, make_plan, note_problem
from kb.services import lock_unchanged
from supportbot.accounts.models import ApiKey, User, Workspace
from supportbot.accounts.scope import current_workspace_id, workspace_scope
from supportbot.accounts.selectors import staff_of
from supportbot.console.articles.gates import ArticleRefused
from supportbot.console.display import error_text, moment_in_words
from supportbot.errors import InvalidInput, NotAllowed, SupportBotError
from supportbot.evals.articles.trials import archiving, publishing_newest, tried
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE
from supportbot.team_language import team_language

logger = logging.getLogger(__name__)
PLANNED: Final = "article.planned_against_gates"
TURN_SECONDS: Final = 120  # to ask the gates about one plan
GIVEN_UP_AFTER: Final = timedelta(hours=1)
FIELDS: Final = tuple(field_of(step) for step in Step)
Wanted = Mapping[Step, datetime | None]  # None drops a plan


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as a tag, and why it was not carried out."""

    kind: str
    words: str
    problem: str


def wanted(request: HttpRequest, *, is_published: bool) -> Wanted:
    """Return the times in the form, without the fields that it lacks. Raises InvalidInput."""
    times = {step: _time(request, step) for step in Step if field_of(step) in request.POST}
    if is_published:
        times[Step.PUBLISH] = None  # it is live now
    first, last = times.get(Step.PUBLISH), times.get(Step.ARCHIVE)
    if first and last and last <= first:
        raise InvalidInput(fields={"archive_at": [gettext("Choose a time after the publication.")]})
    return times


def set_plans(article: Article, times: Wanted, *, person: User, reasons: Mapping[Step, str]) -> None:
    """Make, change and drop the plans of a saved article. Raises InvalidDocument for a time in the past.

    `reasons` are those for which the gates are overridden, of each step on its own.
    """
    known = {Step(plan.step): plan for plan in article.plans.all()}
    for step, at in times.items():
        plan = known.get(step)
        if at is None:
            drop_plan(article.pk, step)
        elif plan is None or not _is_kept(plan, at, article):
            make_plan(article.pk, step, at, person=person, override=reasons.get(step, ""))


def is_new(article: Article | None, times: Wanted, step: Step) -> bool:
    """Return whether the form plans this step for a different time."""
    at = times.get(step)
    if at is None or article is None:
        return at is not None
    return all(not _is_same_time(plan, at) for plan in article.plans.all() if plan.step == step)


def times_of(article: Article) -> dict[str, str]:
    """Return the times of the plans as the form's fields hold them; a plan that failed has none."""
    return {
        field_of(Step(plan.step)): f"{localtime(plan.at):%Y-%m-%dT%H:%M}"
        for plan in article.plans.all()
        if not plan.problem
    }


def shown_plans(article: Article) -> list[Shown]:
    """Return an article's plans as pages show them."""
    return [Shown(*_in_words(plan), plan.problem) for plan in article.plans.all()]


def _in_words(plan: Plan) -> tuple[str, str]:
    is_publication = plan.step == Step.PUBLISH
    if plan.problem:
        return "bad", gettext("Not published as planned") if is_publication else gettext("Not archived as planned")
    words = gettext("Will be published {time}") if is_publication else gettext("Will be archived {time}")
    return "warn", words.format(time=moment_in_words(plan.at))


def carry_out_due() -> None:
    """Carry out each plan that is due; one that is refused keeps the reason for the editor.

    Asking the gates takes longer than the time between two ticks, so a plan is with one worker at a time.
    """
    for workspace_id, plan_id in due_plans():
        with workspace_scope(workspace_id):
            plan = Plan.objects.select_related("person").filter(pk=plan_id).first()
            if plan is not None and cache.add(f"plan:{plan_id}:{plan.at.isoformat()}", 1, timeout=TURN_SECONDS):
                _try(plan)


def _try(plan: Plan) -> None:
    try:
        _carry_out(plan)
    except Exception:  # the other plans do not wait for this one; after the turn it is tried again
        logger.exception("console: plan %s was not carried out", plan.pk)
        if now() > plan.at + GIVEN_UP_AFTER:
            note_problem(plan, gettext("Something went wrong on our side. The error has been logged."))


def _carry_out(plan: Plan) -> None:
    try:
        _check_rights(plan)
        tried_one = _ask_gates(plan) if gates() and not plan.override else None
        with transaction.atomic():
            if tried_one is None or _is_unchanged(tried_one):
                carry_out(plan.pk)
    except SupportBotError as refusal:
        with override(team_language(plan.person.language if plan.person else "")):
            note_problem(plan, error_text(refusal))


def _check_rights(plan: Plan) -> None:
    """Raise NotAllowed unless whoever planned this may still do it."""
    person = plan.person
    planner = staff_of(person, current_workspace_id()) if person else None
    if (plan.by_program or plan.key_id) and not _is_key_live(plan):
        raise NotAllowed(gettext("The API key that planned this may no longer write articles. Plan it again."))
    if not plan.by_program and (planner is None or not planner.may("kb:write")):
        raise NotAllowed(gettext("Whoever planned this may no longer write articles. Check it and plan it again."))
    check_may_write(person, Article.objects.select_related("collection").get(pk=plan.article_id).collection)
    if plan.override and not (planner and planner.may(OVERRIDE)):
        raise NotAllowed(gettext("Whoever planned this may no longer override the gates. Check it and plan it again."))


def _is_key_live(plan: Plan) -> bool:
    key = ApiKey.objects.filter(pk=plan.key_id).first() if plan.key_id else None
    return key is not None and key.is_live and "kb:write" in key.scopes


def _is_unchanged(article: Article) -> bool:
    """Lock an article; return False if it was changed while the gates tried it: they are asked again."""
    try:
        lock_unchanged(article)
    except ArticleChanged:
        return False
    return True


def _ask_gates(plan: Plan) -> Article:
    """Return the article as the gates have tried it. Raises ArticleRefused."""
    article = Article.objects.select_related("live_revision", "latest_revision").get(pk=plan.article_id)
    trial = publishing_newest(article) if plan.step == Step.PUBLISH else archiving(article)
    found = tried(trial, workspace=Workspace.objects.get(pk=current_workspace_id()))
    if found.failures:
        raise ArticleRefused(found.failures)
    return article


def _time(request: HttpRequest, step: Step) -> datetime | None:
    text = request.POST.get(field_of(step), "").strip()
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:  # a 31 June
        moment = None
    if moment is None or not 2000 <= moment.year <= LAST_YEAR:
        problem = gettext("Enter a day and a time, such as 2027-01-31 09:00.")
        raise InvalidInput(fields={field_of(step): [problem]})
    return make_aware(moment) if is_naive(moment) else moment


def _is_kept(plan: Plan, at: datetime, article: Article) -> bool:
    """Return whether a plan stays as it is, with its planner and reason: an archiving is about no particular text."""
    newest = article.latest_revision.number if article.latest_revision else None
    is_about_it = plan.step == Step.ARCHIVE or plan.revision == newest
    return not plan.problem and _is_same_time(plan, at) and is_about_it


def _is_same_time(plan: Plan, at: datetime) -> bool:
    return plan.at.replace(second=0, microsecond=0) == at.replace(second=0, microsecond=0)
