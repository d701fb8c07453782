"""Which articles are read most: a count per article and day, nothing about the readers."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F, Sum
from django.utils.timezone import localdate

from kb.models import Article, ArticleReads

DAYS: Final = 7
KEPT_DAYS: Final = 30


def count_read(article: Article) -> None:
    """Count one more reader of an article today."""
    today = localdate()
    if not ArticleReads.objects.filter(article=article, day=today).update(count=F("count") + 1):
        made, is_new = ArticleReads.objects.get_or_create(article=article, day=today, defaults={"count": 1})
        if not is_new:  # somebody else's, in between
            ArticleReads.objects.filter(pk=made.pk).update(count=F("count") + 1)


def read_most(among: Collection[UUID], *, most: int) -> Sequence[UUID]:
    """Return the ids of the articles that were read most in the last seven days, the most read first."""
    rows = ArticleReads.objects.filter(article__in=among, day__gt=localdate() - timedelta(days=DAYS))
    sums = rows.values("article").annotate(all=Sum("count")).order_by("-all", "article")
    return list(sums.values_list("article", flat=True)[:most])


def forget_old_reads() -> None:
    ArticleReads.objects.filter(day__lt=localdate() - timedelta(days=KEPT_DAYS)).delete()
