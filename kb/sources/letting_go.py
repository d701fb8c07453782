"""What has vanished from a source, at the gates: with `source_sync --gate`, an article stays if archiving it would fail
a case that must pass. Its item is listed as broken with the reason, and the next run asks again.
"""

from collections.abc import Callable, Sequence

from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from kb.documents import ArticleText
from kb.errors import GatesRefuse
from kb.models import Article, State
from kb.ports import Touched, Verdict, verdict_on
from kb.sources.models import SourceItem
from kb.sources.runs import ItemState, Outcome, archive_lost, archive_where
from kb.sources.storing import GATE_SECONDS, settle


def archive_by_gates(lost: QuerySet[SourceItem], *, still_busy: Callable[[], None]) -> None:
    """Archive the articles of these items, except those that the gates keep; `still_busy` is called between two."""
    items = list(lost)
    try:
        agrees_to_all = _verdict(items).untried == 0
    except GatesRefuse:
        agrees_to_all = False
    if agrees_to_all:
        archive_lost(lost)
        return
    for item in items:
        still_busy()
        _archive_alone(item)


def _archive_alone(item: SourceItem) -> None:
    try:
        untried = _verdict([item]).untried
    except GatesRefuse as refusal:
        told = gettext("Its articles are kept. {reason}").format(reason=refusal.message)
        settle(item, ItemState.FAILED, Outcome.BROKEN, told)
        return
    mine = SourceItem.objects.filter(pk=item.pk)
    archive_lost(mine)
    if untried:
        told = gettext("Gate cases not tried because it took too long: {number}.").format(number=untried)
        mine.update(reason=f"{item.reason} {told}".strip())


def _verdict(items: Sequence[SourceItem]) -> Verdict:
    """Return how far the gates agree to archive the articles of these items. Raises GatesRefuse."""
    theirs = Q(source_item__in=[item.pk for item in items])
    articles = Article.objects.filter(theirs, state=State.LIVE).select_related("live_revision")
    touched = {
        one.external_id: Touched(ArticleText(one.live_revision.title, one.live_revision.body), one.locale)
        for one in articles
        if one.live_revision
    }
    return verdict_on(lambda: archive_where(theirs), touched, seconds=GATE_SECONDS) if touched else Verdict()
