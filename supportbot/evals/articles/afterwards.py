"""Reports on articles that were just published, for commands and the import page, with the results found so far."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from supportbot.evals.articles.comparing import Outcome
from supportbot.evals.articles.publications import awaited, outcomes_in
from supportbot.evals.articles.reported_failures import broken_now, checks
from supportbot.evals.models import ArticleCheck, DraftCheck


def told_of(article_ids: Sequence[UUID], since: datetime) -> dict[str, Any]:
    """Return the state of the comparison of these articles, published since `since`; the number of questions with each
    outcome; the failing gate cases; and the address of the page with both answers, or else of an article. The setting
    `KB_AFTERWARDS` names this function.
    """
    found, is_awaited = comparison_of(article_ids, since)
    page = f"comparisons/{found.pk}/" if found else f"{article_ids[0]}/change/"
    outcomes, more = (outcomes_in(found), found.found or {}) if found else ({}, {})
    return {
        "state": found.state if found else "waiting" if is_awaited else "none",
        **{str(one): outcomes.get(one, 0) for one in Outcome},
        "contradictions": len(more.get("contradictions", ())),
        "duplicates": len(more.get("duplicates", ())),
        "broken": [] if is_awaited else _broken(article_ids, since),
        "address": f"{settings.BASE_URL}/admin/kb/article/{page}",
    }


def comparison_of(article_ids: Sequence[UUID], since: datetime | None = None) -> tuple[DraftCheck | None, bool]:
    """Return the comparison of these articles, published since `since`, and whether it is still pending (then it is
    None). Without a time, return the comparison of the newest change.

    It is also None if nothing was compared, so changes by an earlier publication are not reported for this one.
    """
    if awaited(article_ids) or checks().filter(state="running", articles__overlap=list(article_ids)).exists():
        return None, True
    check = _check_of(article_ids, since)
    found: DraftCheck | None = (
        DraftCheck.objects.filter(pk=check.comparison).first() if check and check.comparison else None
    )
    return found, False


def _check_of(article_ids: Sequence[UUID], since: datetime | None) -> ArticleCheck | None:
    """Return the newest check of these articles; one that had already finished is about an earlier publication."""
    over = Q(finished_at__lt=since) if since else Q(pk=None)
    found: ArticleCheck | None = checks().filter(articles__overlap=list(article_ids)).exclude(over).first()
    return found


def _broken(article_ids: Sequence[UUID], since: datetime) -> list[str]:
    """Return the cases that these articles broke, except those that pass again or were dismissed."""
    check = _check_of(article_ids, since)
    names = {one["case"] for one in check.failures} if check else set()
    return [one["case"] for _, one in broken_now() if one["case"] in names]
