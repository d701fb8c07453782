"""Whether an article helped its readers: two counts per revision, nothing about the readers."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Sum

from kb.models import Article, Helpfulness


@dataclass(frozen=True, slots=True)
class Votes:
    """How many readers an article helped, and how many it did not."""

    yes: int
    no: int

    @property
    def all(self) -> int:
        return self.yes + self.no


@transaction.atomic
def count_vote(article: Article, *, is_helpful: bool) -> None:
    """Count one reader's answer for the article's live revision."""
    assert article.live_revision is not None, "a readable article is live"
    number = article.live_revision.number
    Helpfulness.objects.get_or_create(article=article, revision=number)
    column = "yes" if is_helpful else "no"
    Helpfulness.objects.filter(article=article, revision=number).update(**{column: F(column) + 1})


def votes_of(article: Article) -> Votes:
    """Return the votes for all revisions of an article."""
    sums = Helpfulness.objects.filter(article=article).aggregate(yes=Sum("yes", default=0), no=Sum("no", default=0))
    return Votes(**sums)
