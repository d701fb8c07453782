"""The names of help pages in their addresses. Editors choose them, and every former name still leads to its article."""

import re
from typing import Final, NoReturn
from uuid import UUID

from django.db.models import Case, Q, When
from django.utils.text import slugify
from django.utils.translation import gettext

from kb.access import Viewer, readable
from kb.errors import ArticleMissing, InvalidDocument
from kb.models import Article, OldAddress
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id

MAX_SLUG: Final = 200
_RESERVED: Final = {"answer", "theme"}


def check_slug(value: str) -> str:
    """Return a name as it will be stored; "" means the article's id. Raises InvalidDocument."""
    parts = [slugify(part, allow_unicode=True) for part in re.split(r"/+", value.strip().strip("/"))]
    slug = "/".join(part for part in parts if part)
    if (value.strip() and not slug) or slug in _RESERVED:
        _refuse(gettext("Use letters, digits and hyphens."))
    if len(slug) > MAX_SLUG:
        _refuse(gettext("Use at most {limit} characters.").format(limit=MAX_SLUG))
    if as_id(slug) is not None:
        _refuse(gettext("This looks like an article's id. Use words."))
    return slug


def check_free_slug(value: str, *, article: Article | None) -> str:
    """Return a name as it will be stored. Raises InvalidDocument if another article has or used to have it."""
    slug = check_slug(value)
    if slug and is_taken(slug, article):
        _refuse(_taken())
    return slug


def as_id(name: str) -> UUID | None:
    """Return the article id that a name in an address stands for; None if the name is not an id."""
    try:
        return UUID(name)
    except ValueError:
        return None


def rename(article: Article, slug: str) -> None:
    """Give a stored article's help page a new name; the former one redirects from now on.

    Runs in the caller's transaction. Raises InvalidDocument if the name has been taken since it was checked.
    """
    if slug == article.slug:
        return
    # Only one process at a time: otherwise, two articles that want the same name would both find it free.
    list(Workspace.objects.select_for_update(no_key=True).filter(pk=current_workspace_id()))
    if slug and is_taken(slug, article):
        _refuse(_taken())
    if article.slug:
        OldAddress.objects.get_or_create(name=article.slug, defaults={"article": article})
    OldAddress.objects.filter(article=article, name=slug).delete()
    article.slug = slug
    article.save(update_fields=["slug", "updated_at"])


def former_names(article: Article) -> list[str]:
    """Return the names that redirect to an article, the oldest first."""
    return list(OldAddress.objects.filter(article=article).order_by("pk").values_list("name", flat=True))


def is_taken(slug: str, article: Article | None) -> bool:
    """Return whether a name leads to another article, or used to."""
    own = Q(pk=article.pk) if article is not None else Q(pk=None)
    former = OldAddress.objects.filter(name=slug)
    if article is not None:
        former = former.exclude(article=article)
    return Article.objects.filter(Q(slug=slug) | Q(external_id=slug)).exclude(own).exists() or former.exists()


def _taken() -> str:
    return gettext("Another article has or used to have this address. Choose a different one.")


def _refuse(problem: str) -> NoReturn:
    raise InvalidDocument(problem, fields={"slug": [problem]})


def leads_elsewhere(external_id: str) -> bool:
    """Return whether this id in the address of a help page would lead to another article."""
    article_id = as_id(external_id)
    return is_taken(external_id, None) or (article_id is not None and Article.objects.filter(pk=article_id).exists())


def help_article(viewer: Viewer, name: str) -> Article:
    """Return the article with this name, former name, external id or id; raises ArticleMissing if the viewer may not
    read one.
    """
    if "\x00" in name:  # the database would refuse it
        raise ArticleMissing
    rows = readable(viewer).select_related("workspace", "collection", "live_revision")
    named = rows.filter(Q(slug=name) | Q(external_id=name)).order_by(Case(When(slug=name, then=0), default=1))
    article = named.first()
    article_id = as_id(name)
    if article is None and article_id is not None:
        article = rows.filter(pk=article_id).first()
    if article is None:
        article = rows.filter(pk__in=OldAddress.objects.filter(name=name).values("article")).first()
    if article is None:
        raise ArticleMissing
    return article
