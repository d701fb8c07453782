"""Deals with findings: publishes an edit that fixes them, or dismisses them with a reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from kb.access import check_may_write
from kb.collections import default_collection
from kb.models import Article
from kb.selectors import article_with_id
from kb.services import Change, create_article, publish, save_draft
from supportbot.accounts.models import User
from supportbot.errors import InvalidInput
from supportbot.insights.models import Handled

MAX_REASON: int = 300


@dataclass(frozen=True, slots=True)
class Edit:
    """Text that fixes findings, for an existing or a new article. `based_on` is the number of the revision that it
    changes.
    """

    article_id: UUID | None
    title: str
    body: str
    based_on: int | None = None

    @property
    def change(self) -> Change:
        return Change(title=self.title, body=self.body)


@transaction.atomic
def publish_edit(kind: str, subjects: Iterable[UUID], edit: Edit, *, author: User) -> Article:
    """Publish an edit and mark the findings as dealt with.

    Raises NotAllowed if the author may not write to the collection, and the errors of saving an article.
    """
    if edit.article_id is None:
        check_may_write(author, default_collection())
        article = create_article(edit.change, author=author)
    else:
        found = article_with_id(edit.article_id)
        check_may_write(author, found.collection)
        article = save_draft(found.pk, edit.change, author=author, based_on=edit.based_on, is_published_at_once=True)
    publish(article.pk)
    _handle(kind, subjects, Handled.Outcome.PUBLISHED, author, article_id=article.pk)
    return article


@transaction.atomic
def dismiss(kind: str, subjects: Iterable[UUID], *, reason: str, person: User | None) -> None:
    """Mark findings as dealt with, so that they are not shown again. Raises InvalidInput without a reason."""
    reason = " ".join(reason.split())[:MAX_REASON]
    if not reason:
        raise InvalidInput(fields={"reason": [gettext("Explain briefly why nothing needs to be done.")]})
    _handle(kind, subjects, Handled.Outcome.DISMISSED, person, reason=reason)


def _handle(kind: str, subjects: Iterable[UUID], outcome: str, person: User | None, **more: object) -> None:
    rows = [Handled(kind=kind, subject=one, outcome=outcome, person=person, **more) for one in subjects]
    Handled.objects.bulk_create(rows, ignore_conflicts=True)
