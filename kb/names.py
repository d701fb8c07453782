"""The names of help pages in their addresses: chosen by editors; every former name still leads to its article."""

import re
from typing import Final

from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.models import Article, OldAddress

MAX_SLUG: Final = 200
_RESERVED: Final = {"answer", "theme"}


def check_slug(value: str, *, article: Article | None) -> str:
    """Return a name as it will be stored; "" means the article's id. Raises InvalidDocument if it is taken."""
    parts = [slugify(part, allow_unicode=True) for part in re.split(r"/+", value.strip().strip("/"))]
    slug = "/".join(part for part in parts if part)
    if (value.strip() and not slug) or slug in _RESERVED:
        _refuse(gettext("Use letters, digits and hyphens."))
    if len(slug) > MAX_SLUG:
        _refuse(gettext("Use at most {limit} characters.").format(limit=MAX_SLUG))
    if slug and _is_taken(slug, article):
        _refuse(gettext("Another article has this address, or had it before. Choose another."))
    return slug


def rename(article: Article, slug: str) -> None:
    """Give a stored article's help page another name; the former one redirects from now on."""
    if slug == article.slug:
        return
    if article.slug:
        OldAddress.objects.get_or_create(name=article.slug, defaults={"article": article})
    OldAddress.objects.filter(article=article, name=slug).delete()
    article.slug = slug
    article.save(update_fields=["slug", "updated_at"])


def _is_taken(slug: str, article: Article | None) -> bool:
    own = Q(pk=article.pk) if article is not None else Q(pk=None)
    former = OldAddress.objects.filter(name=slug)
    if article is not None:
        former = former.exclude(article=article)
    return Article.objects.filter(Q(slug=slug) | Q(external_id=slug)).exclude(own).exists() or former.exists()


def _refuse(problem: str) -> None:
    raise InvalidDocument(problem, fields={"slug": [problem]})
