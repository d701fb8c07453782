"""Counts of how often articles are read and whether they helped. Nothing is stored about the readers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum
from django.utils.timezone import localdate

from kb.models import Article, ArticleReads, Helpfulness

DAYS: Final = 7
KEPT_DAYS: Final = 30


def count_read(article: Article) -> None:
    """Count one more reader of an article today."""
    today = localdate()
    if not ArticleReads.objects.filter(article=article, day=today).update(count=F("count") + 1):
        made, is_new = ArticleReads.objects.get_or_create(article=article, day=today, defaults={"count": 1})
        if not is_new:  # another process has just created it
            ArticleReads.objects.filter(pk=made.pk).update(count=F("count") + 1)


def read_most(among: Collection[UUID], *, most: int) -> Sequence[UUID]:
    """Return the ids of the articles that were read most in the last seven days, most read first."""
    rows = ArticleReads.objects.filter(article__in=among, day__gt=localdate() - timedelta(days=DAYS))
    sums = rows.values("article").annotate(all=Sum("count")).order_by("-all", "article")
    return list(sums.values_list("article", flat=True)[:most])


def forget_old_reads() -> None:
    ArticleReads.objects.filter(day__lt=localdate() - timedelta(days=KEPT_DAYS)).delete()


@dataclass(frozen=True, slots=True)
class Votes:
    """The numbers of readers whom an article helped or did not help."""

    yes: int
    no: int

    @property
    def all(self) -> int:
        return self.yes + self.no


@transaction.atomic
def count_vote(article: Article, *, is_helpful: bool) -> None:
    """Count one reader's vote for the article's live revision."""
    assert article.live_revision is not None, "a readable article is live"
    number = article.live_revision.number
    Helpfulness.objects.get_or_create(article=article, revision=number)
    column = "yes" if is_helpful else "no"
    Helpfulness.objects.filter(article=article, revision=number).update(**{column: F(column) + 1})


def votes_of(article: Article) -> Votes:
    """Return the votes for all revisions of an article."""
    sums = Helpfulness.objects.filter(article=article).aggregate(yes=Sum("yes", default=0), no=Sum("no", default=0))
    return Votes(**sums)
