"""What commands and the page of an import tell about articles just published, as far as a worker has found out."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from supportbot.evals.articles.comparing import Outcome
from supportbot.evals.articles.publications import awaited, newest_about, outcomes_in
from supportbot.evals.articles.reported_failures import checks
from supportbot.evals.models import ArticleCheck, DraftCheck


def told_of(article_ids: Sequence[UUID]) -> dict[str, Any]:
    """Return the state of the newest comparison of one of these articles, how many questions have each outcome, the
    gate cases that fail, and the page of an article that links to both answers. `KB_AFTERWARDS` names this function.
    """
    found, is_awaited = comparison_of(article_ids)
    about = (found.articles and next(iter(found.articles))) if found else None
    outcomes, more = (outcomes_in(found), found.found or {}) if found else ({}, {})
    return {
        "state": found.state if found else "waiting" if is_awaited else "none",
        **{str(one): outcomes.get(one, 0) for one in Outcome},
        "contradictions": len(more.get("contradictions", ())),
        "duplicates": len(more.get("duplicates", ())),
        "broken": [] if is_awaited else _broken(article_ids),
        "address": f"{settings.BASE_URL}/admin/kb/article/{about or article_ids[0]}/change/",
    }


def comparison_of(article_ids: Sequence[UUID]) -> tuple[DraftCheck | None, bool]:
    """Return the newest comparison of any of these articles, and whether a newer one is awaited (then None)."""
    is_awaited = awaited(article_ids) or checks().filter(state="running", articles__overlap=list(article_ids)).exists()
    return (None if is_awaited else newest_about(*article_ids)), is_awaited


def _broken(article_ids: Sequence[UUID]) -> list[str]:
    newest: ArticleCheck | None = checks().filter(articles__overlap=list(article_ids)).first()
    return [one["case"] for one in newest.failures] if newest else []
