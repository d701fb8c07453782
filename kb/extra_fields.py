"""Properties that programs set in addition to an article's text and metadata: address, source, owner, reviewer and next
check.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn
from uuid import UUID

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.help_centre.slugs import check_slug, rename
from kb.models import Article
from kb.reviews import ReviewSettings, set_care, writers
from kb.translations import check_source, translate
from supportbot.accounts.models import User

EXTRA_FIELDS: Final = ("slug", "translation_of", "owner", "reviewer", "check_by")
_CARE: Final = ("owner", "reviewer", "check_by")


def set_extra_fields(article: Article, given: Mapping[str, Any], *, by: User | None) -> None:
    """Store the given properties of an article in the caller's transaction; other properties are unchanged. Raises
    InvalidDocument.

    `translation_of` is an article's id, `owner` and `reviewer` are user names; None removes the value.
    """
    if "slug" in given:
        rename(article, check_slug(given["slug"]))
    if "translation_of" in given:
        translate(article, _source(given["translation_of"], article))
    if any(name in given for name in _CARE):
        people = {name: _person(name, given[name]) for name in ("owner", "reviewer") if name in given}
        owner, reviewer = people.get("owner", article.owner), people.get("reviewer", article.reviewer)
        set_care(article, ReviewSettings(owner, reviewer, given.get("check_by", article.check_by)), by=by)


def _source(article_id: UUID | None, article: Article) -> Article | None:
    if article_id is None:
        return None
    return check_source(Article.objects.filter(pk=article_id).first(), article)


def _person(field: str, name: str | None) -> User | None:
    if name is None:
        return None
    found = writers().filter(username=name).first()
    if found is None:
        _refuse(field, gettext("Choose a person who may write articles."))
    return found


def _refuse(field: str, problem: str) -> NoReturn:
    raise InvalidDocument(problem, fields={field: [problem]})
