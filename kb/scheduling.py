"""Plans: an article's publication or archiving at a set time.

A plan is for one revision. If a newer one is saved in the meantime, nothing is published, and the plan says so until it
is made again. The packages above run their gates, then call `carry_out`.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.errors import ArticleChanged, ArticleMissing, InvalidDocument
from kb.models import Article, Plan
from kb.revisions import lock_articles
from kb.services import archive, publish
from supportbot.accounts.models import User
from supportbot.accounts.scope import across_workspaces

DUE_AT_ONCE: Final = 50
LAST_YEAR: Final = 9000  # later years overflow in some time zones
Step = Plan.Step


@transaction.atomic
def make_plan(
    article_id: UUID,
    step: Step,
    at: datetime,
    *,
    person: User | None = None,
    key_id: UUID | None = None,
    override: str = "",
) -> Plan:
    """Plan a step for the newest revision; this replaces the article's earlier plan for the step. Raises
    InvalidDocument or ArticleMissing.

    `override` is the reason for overriding the gates, `key_id` the API key used to plan it.
    """
    if at <= now():
        problem = gettext("This time is in the past. Choose a later one.")
        raise InvalidDocument(problem, fields={field_of(step): [problem]})
    if at.year > LAST_YEAR:
        problem = gettext("Enter a date and a time, such as 2027-01-31 09:00.")
        raise InvalidDocument(problem, fields={field_of(step): [problem]})
    article = _locked(article_id)
    assert article.latest_revision is not None, "an article is created together with its first revision"
    if step == Step.PUBLISH and article.is_live and article.live_revision_id == article.latest_revision_id:
        problem = gettext("This text is already published. Change it, then schedule its publication.")
        raise InvalidDocument(problem, fields={field_of(step): [problem]})
    facts: dict[str, Any] = {
        "at": at,
        "revision": article.latest_revision.number,
        "person": person,
        "key_id": key_id,
        "override": override,
    }
    facts["by_program"] = person is None
    plan: Plan = Plan.objects.update_or_create(article=article, step=step, defaults={**facts, "problem": ""})[0]
    return plan


def drop_plan(article_id: UUID, *steps: Step) -> None:
    """Delete an article's plans for these steps."""
    Plan.objects.filter(article_id=article_id, step__in=steps).delete()


def due_plans() -> list[tuple[UUID, UUID]]:
    """Return (workspace, plan) of the plans that are due, earliest first."""
    with across_workspaces("plans that are due"):
        rows = Plan.objects.filter(at__lte=now(), problem="").order_by("at", "id")
        return list(rows.values_list("workspace_id", "pk")[:DUE_AT_ONCE])


@transaction.atomic
def carry_out(plan_id: UUID) -> Plan | None:
    """Carry out a due plan, delete it and return it; None if it is already done or has been changed. Raises
    ArticleChanged if there is a newer revision than the planned one.
    """
    found = Plan.objects.filter(pk=plan_id).first()
    if found is None:
        return None
    article = _locked(found.article_id)  # the article first, as everywhere
    plan: Plan | None = Plan.objects.select_for_update().filter(pk=plan_id, at__lte=now(), problem="").first()
    if plan is None:
        return None
    if plan.step == Step.PUBLISH:
        if article.latest_revision is None or article.latest_revision.number != plan.revision:
            raise ArticleChanged(
                gettext("A newer draft was saved after this was scheduled. Check it and schedule it again.")
            )
        publish(article.pk)
    else:
        archive(article.pk)
    plan.delete()
    return plan


def note_problem(plan: Plan, problem: str) -> None:
    """Store why a plan was not carried out; it is not tried again. Does nothing for a plan that has been changed."""
    same = Plan.objects.filter(pk=plan.pk, at=plan.at, revision=plan.revision, problem="")
    same.update(problem=problem[:1_000])


def field_of(step: Step) -> str:
    """Return the name of a step's time in forms and errors."""
    return "publish_at" if step == Step.PUBLISH else "archive_at"


def _locked(article_id: UUID) -> Article:
    found = lock_articles(Q(pk=article_id))
    if not found:
        raise ArticleMissing
    return found[0]
