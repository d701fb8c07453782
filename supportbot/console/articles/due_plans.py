"""Carries out plans that are due, by publishing or archiving their articles.

The gates run when the plan is made, as they do before publishing, and again when it is due.
"""

import logging
from datetime import timedelta
from typing import Final

from django.core.cache import cache
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext, override

from kb.access import check_may_write
from kb.errors import ArticleChanged
from kb.models import Article, Plan
from kb.scheduling import Step, carry_out, due_plans, note_problem
from kb.services import lock_unchanged
from supportbot.accounts.models import ApiKey, Workspace
from supportbot.accounts.scope import current_workspace_id, workspace_scope
from supportbot.accounts.staff_principals import staff_of
from supportbot.console.articles.gate_check import ArticleRefused
from supportbot.console.display import error_text
from supportbot.errors import NotAllowed, SupportBotError
from supportbot.evals.articles.article_gates import archiving, publishing_newest, tried
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE
from supportbot.team_language import team_language

logger = logging.getLogger(__name__)
PLAN_SECONDS: Final = 120  # the time for the gates; afterwards, another worker may take the plan
GIVEN_UP_AFTER: Final = timedelta(hours=1)


def carry_out_due() -> None:
    """Carry out each due plan. If one is refused, store the reason for the editor.

    The gates take longer than the interval between ticks, so only one worker at a time works on a plan.
    """
    for workspace_id, plan_id in due_plans():
        with workspace_scope(workspace_id):
            plan = Plan.objects.select_related("person").filter(pk=plan_id).first()
            if plan is not None and cache.add(f"plan:{plan_id}:{plan.at.isoformat()}", 1, timeout=PLAN_SECONDS):
                _carry_out_or_log(plan)


def _carry_out_or_log(plan: Plan) -> None:
    try:
        _carry_out_or_note_refusal(plan)
    except Exception:  # continue with the other plans; this one is tried again later
        logger.exception("console: plan %s was not carried out", plan.pk)
        if now() > plan.at + GIVEN_UP_AFTER:
            note_problem(plan, gettext("Something went wrong on our side. The error has been logged."))


def _carry_out_or_note_refusal(plan: Plan) -> None:
    try:
        _check_rights(plan)
        judged = _run_gates(plan) if gates() and not plan.override else None
        with transaction.atomic():
            if judged is None or _is_unchanged(judged):
                carry_out(plan.pk)
    except SupportBotError as refusal:
        with override(team_language(plan.person.language if plan.person else "")):
            note_problem(plan, error_text(refusal))


def _check_rights(plan: Plan) -> None:
    """Raise NotAllowed if the person or API key that made the plan may no longer carry it out."""
    person = plan.person
    planner = staff_of(person, current_workspace_id()) if person else None
    if (plan.by_program or plan.key_id) and not _is_key_live(plan):
        raise NotAllowed(
            gettext("The API key that scheduled this is no longer allowed to write articles. Schedule it again.")
        )
    if not plan.by_program and (planner is None or not planner.may("kb:write")):
        raise NotAllowed(
            gettext("Whoever scheduled this is no longer allowed to write articles. Check it and schedule it again.")
        )
    check_may_write(person, Article.objects.select_related("collection").get(pk=plan.article_id).collection)
    if plan.override and not (planner and planner.may(OVERRIDE)):
        raise NotAllowed(
            gettext(
                "Whoever scheduled this is no longer allowed to override the gates. Check it and schedule it again."
            )
        )


def _is_key_live(plan: Plan) -> bool:
    key = ApiKey.objects.filter(pk=plan.key_id).first() if plan.key_id else None
    return key is not None and key.is_live and "kb:write" in key.scopes


def _is_unchanged(article: Article) -> bool:
    """Lock an article. Return False if it changed while the gates ran, in which case they have to run again."""
    try:
        lock_unchanged(article)
    except ArticleChanged:
        return False
    return True


def _run_gates(plan: Plan) -> Article:
    """Return the article as it was when the gates checked it. Raises ArticleRefused."""
    article = Article.objects.select_related("live_revision", "latest_revision").get(pk=plan.article_id)
    trial = publishing_newest(article) if plan.step == Step.PUBLISH else archiving(article)
    found = tried(trial, workspace=Workspace.objects.get(pk=current_workspace_id()))
    if found.failures:
        raise ArticleRefused(found.failures)
    return article
