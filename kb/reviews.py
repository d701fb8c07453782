"""Responsibility for an article: its owner, the date of its next check, and the person asked to review it."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.timezone import localdate

from kb.errors import ArticleMissing
from kb.models import Article, State
from supportbot.accounts.models import User
from supportbot.accounts.principals import ROLE_SCOPES
from supportbot.accounts.scope import current_workspace_id

_WRITERS: Final = [role for role, scopes in ROLE_SCOPES.items() if "kb:write" in scopes]


@dataclass(frozen=True, slots=True)
class ReviewSettings:
    """The values that an editor sets; None means nobody or never."""

    owner: User | None
    reviewer: User | None
    check_by: date | None


def writers() -> QuerySet[User]:
    """Return the people of the workspace who may write articles, sorted by name."""
    here = {"memberships__workspace_id": current_workspace_id(), "memberships__role__in": _WRITERS}
    rows: QuerySet[User] = User.objects.filter(is_active=True, **here).order_by("first_name", "username")
    return rows


def set_care(article: Article, care: ReviewSettings, *, by: User | None) -> None:
    """Store who is responsible for an article. `by` is the person who asks for the review, or None if a program does.

    Raises ArticleMissing.
    """
    asks = by if care.reviewer is not None else None
    if care.reviewer is not None and article.reviewer_id == care.reviewer.pk:
        asks = article.review_asked_by
    rows = Article.objects.filter(pk=article.pk)
    changed = rows.update(owner=care.owner, reviewer=care.reviewer, review_asked_by=asks, check_by=care.check_by)
    if not changed:
        raise ArticleMissing


def is_stale(article: Article) -> bool:
    """Return whether an article is due for another check."""
    return article.check_by is not None and article.check_by <= localdate() and article.state != State.ARCHIVED


def stale() -> Q:
    """Return the condition of `is_stale` as a query on articles."""
    return Q(check_by__lte=localdate()) & ~Q(state=State.ARCHIVED)


def to_review(person_id: UUID) -> QuerySet[Article]:
    """Return the articles that a person is asked to review."""
    rows: QuerySet[Article] = Article.objects.filter(reviewer_id=person_id).exclude(state=State.ARCHIVED)
    return rows


def count_to_review(person_id: UUID) -> int:
    return to_review(person_id).count()
