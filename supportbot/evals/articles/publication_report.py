"""Reports on articles that have just been published, with the results so far, for commands and the import page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Coalesce

from supportbot.evals.articles.answer_comparison import Outcome
from supportbot.evals.articles.broken_cases import broken_now, checks
from supportbot.evals.articles.publication_comparison import awaited, outcomes_in
from supportbot.evals.models import ArticleCheck, DraftCheck


def publication_report(article_ids: Sequence[UUID], since: datetime, until: datetime) -> dict[str, Any]:
    """Return a report on these articles, which were published between the two times. It contains the state of their
    comparison, the number of questions with each outcome, the failing gate cases, and an address: that of the page with
    both answers or, if there is none, that of an article. The setting `KB_AFTERWARDS` refers to this function.
    """
    check, is_awaited = check_of(article_ids, since, until)
    found = _comparison_in(check)
    page = f"comparisons/{found.pk}/" if found else f"{article_ids[0]}/change/"
    outcomes, more = (outcomes_in(found), found.found or {}) if found else ({}, {})
    return {
        "state": found.state if found else "waiting" if is_awaited else "none",
        **{str(one): outcomes.get(one, 0) for one in Outcome},
        "contradictions": len(more.get("contradictions", ())),
        "duplicates": len(more.get("duplicates", ())),
        "broken": [] if is_awaited else _broken(check),
        "address": f"{settings.BASE_URL}/admin/kb/article/{page}",
    }


told_of = publication_report  # its former name, which settings may contain until 0.3


def comparison_of(article_ids: Sequence[UUID], since: datetime, until: datetime) -> tuple[DraftCheck | None, bool]:
    """Return the comparison of these articles, which were published between the two times, and whether it is still
    pending.

    The comparison is None while it is pending and if nothing was compared.
    """
    check, is_awaited = check_of(article_ids, since, until)
    return _comparison_in(check), is_awaited


def check_of(article_ids: Sequence[UUID], since: datetime, until: datetime) -> tuple[ArticleCheck | None, bool]:
    """Return the check of these articles, which were published between the two times, and whether it is still pending.
    While it is pending, the check is None.

    It is the first check that a worker took after `until`. If there is none, because the last articles were unchanged,
    it is the newest check taken since `since`. All times are the database's (`database_now`). For checks from a
    previous version, which did not store when a worker took them, the creation time counts.
    """
    begun = checks().exclude(state=ArticleCheck.State.WAITING).filter(articles__overlap=list(article_ids))
    taken = begun.annotate(moment=Coalesce("taken_at", "created_at")).filter(moment__gte=since)
    found: ArticleCheck | None = taken.filter(moment__gte=until).last()
    if found is None:
        if awaited(article_ids):
            return None, True
        found = taken.first()
    if found is not None and found.state == ArticleCheck.State.RUNNING:
        return None, True
    return found, False


def _comparison_in(check: ArticleCheck | None) -> DraftCheck | None:
    if check is None or check.comparison is None:
        return None
    found: DraftCheck | None = DraftCheck.objects.filter(pk=check.comparison).first()
    return found


def _broken(check: ArticleCheck | None) -> list[str]:
    """Return the cases that a check found broken, except those that pass again or were dismissed."""
    names = {one["case"] for one in check.failures} if check else set()
    return [one["case"] for _, one in broken_now() if one["case"] in names]
