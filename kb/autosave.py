"""Text that people have typed in the editor but not saved. It is kept per person, visible only to them, and never
published.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from kb.errors import ArticleMissing
from kb.models import Article, Unsaved
from supportbot.accounts.models import User


def keep(person: User, article_id: UUID | None, values: Mapping[str, str], *, based_on: int | None) -> None:
    """Keep what a person has typed for an existing or a new article, replacing what was kept earlier.

    Raises ArticleMissing if the article no longer exists.
    """
    facts = {"values": dict(values), "based_on": based_on}
    article: Article | None = None if article_id is None else Article.objects.filter(pk=article_id).first()
    if article_id is not None and article is None:
        raise ArticleMissing
    Unsaved.objects.update_or_create(person=person, article=article, defaults=facts)


def kept(person: User, article_id: UUID | None) -> Unsaved | None:
    found: Unsaved | None = _rows(person, article_id).first()
    return found


def forget(person: User, article_id: UUID | None) -> None:
    _rows(person, article_id).delete()


def _rows(person: User, article_id: UUID | None) -> QuerySet[Unsaved]:
    rows: QuerySet[Unsaved] = Unsaved.objects.filter(person=person)
    return rows.filter(article=None) if article_id is None else rows.filter(article=article_id)


def as_json(row: Unsaved) -> dict[str, Any]:
    """Return the data for the editor's page."""
    return {"values": row.values, "on": row.based_on, "at": int(row.updated_at.timestamp() * 1000)}
