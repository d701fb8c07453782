"""Translations: articles with the content of another article, their source, in another language."""

from typing import Final, NoReturn

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.models import Article, State

MAX_OFFERED: Final = 500
MAX_WORDS: Final = 8


def check_source(found: Article | None, article: Article | None) -> Article:
    """Return `found` if `article` may be its translation. Raises InvalidDocument."""
    if found is None or (article is not None and found.pk == article.pk):
        _refuse(gettext("Choose another article."))
    if found.translation_of_id is not None:
        _refuse(gettext("This article is itself a translation. Choose its source."))
    return found


def translate(article: Article, source: Article | None) -> None:
    """Store which article this one translates; a newly linked translation counts as up to date."""
    if source is None or article.translation_of_id == source.pk:
        number = article.translated_revision if source is not None else None
    else:
        number = source.live_revision.number if source.live_revision else None
    Article.objects.filter(pk=article.pk).update(translation_of=source, translated_revision=number)


def is_older(article: Article) -> bool:
    """Return whether the source has been published since the translation was last published."""
    source = article.translation_of
    if source is None or source.live_revision is None or article.state == State.ARCHIVED:
        return False
    return source.live_revision.number > (article.translated_revision or 0)


def older() -> Q:
    """Return the condition of `is_older` as a query on articles."""
    never, changed = Q(translated_revision=None), Q(translation_of__live_revision__number__gt=F("translated_revision"))
    return Q(translation_of__live_revision__isnull=False) & (never | changed) & ~Q(state=State.ARCHIVED)


def sources_for(article: Article | None, words: str = "") -> QuerySet[Article]:
    """Return the articles in other languages that are not translations themselves.

    With `words`, return only those whose title contains all the words, or whose id equals `words`.
    """
    rows: QuerySet[Article] = Article.objects.filter(translation_of=None).exclude(state=State.ARCHIVED)
    if article is not None:
        rows = rows.exclude(pk=article.pk).exclude(locale=article.locale)
    titled = Q(*(Q(latest_revision__title__icontains=word) for word in words.split()[:MAX_WORDS]))
    rows = rows.filter(titled | Q(external_id=words)) if words else rows
    return rows.select_related("latest_revision").defer("latest_revision__body").order_by("external_id")[:MAX_OFFERED]


def _refuse(problem: str) -> NoReturn:
    raise InvalidDocument(problem, fields={"translation_of": [problem]})
