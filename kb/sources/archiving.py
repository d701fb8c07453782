"""Archiving articles whose origin is gone from a source, either after a person has confirmed a large loss or through
the gates. With `source_sync --gate`, an article stays if archiving it would fail a case that must pass. Its item is
listed as broken with the reason, and the next run asks again.
"""

from collections.abc import Callable, Sequence
from time import monotonic

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.errors import GatesRefuse
from kb.models import Article, State
from kb.ports import ChangedContent, Verdict, verdict_on
from kb.services import archive_where
from kb.sources.errors import NothingToConfirm, SourceUnreadable
from kb.sources.item_import import GATE_SECONDS, settle
from kb.sources.models import Source, SourceItem, SourceRun
from kb.sources.runs import LOSS_CONFIRMED, ItemState, Outcome, RunState, end
from kb.validation import ArticleText
from supportbot.releases.errors import GateMissing


def archive_by_gates(lost: QuerySet[SourceItem], *, ends_at: float, still_busy: Callable[[], None]) -> bool:
    """Archive the articles of these items, except those that the gates keep; return whether all are decided.

    A group that does not pass the gates is halved, so that finding one article that must stay among many takes only a
    few trials. After `ends_at`, by the monotonic clock, the rest is left to another time slice; each slice decides at
    least one group. `still_busy` is called before each trial. Raises SourceUnreadable if a gate's suite does not exist.
    """
    undecided, has_decided = [list(lost.order_by("id"))], False
    while undecided:
        if has_decided and monotonic() > ends_at:
            return False
        items = undecided.pop()
        still_busy()
        if _is_decided(items):
            has_decided = True
        else:
            half = len(items) // 2
            undecided += [items[half:], items[:half]]
    return True


def _is_decided(items: Sequence[SourceItem]) -> bool:
    """Archive or keep the articles of these items; return False if they must be tried in smaller groups."""
    try:
        untried = _verdict(items).untried
    except GatesRefuse as refusal:
        if len(items) > 1:
            return False
        text = gettext("Its articles are kept. {reason}").format(reason=refusal.message)
        settle(items[0], ItemState.FAILED, Outcome.BROKEN, text)
        return True
    except GateMissing as missing:
        raise SourceUnreadable(missing.message) from missing
    if untried and len(items) > 1:
        return False
    mine = SourceItem.objects.filter(pk__in=[item.pk for item in items])
    archive_lost(mine)
    if untried:
        text = gettext("Gate cases skipped because time ran out: {number}.").format(number=untried)
        mine.update(reason=f"{items[0].reason} {text}".strip())
    return True


def _verdict(items: Sequence[SourceItem]) -> Verdict:
    """Return the gates' verdict on archiving the articles of these items. Raises GatesRefuse."""
    theirs = Q(source_item__in=[item.pk for item in items])
    articles = Article.objects.filter(theirs, state=State.LIVE).select_related("live_revision")
    touched = {
        one.external_id: ChangedContent(ArticleText(one.live_revision.title, one.live_revision.body), one.locale)
        for one in articles
        if one.live_revision
    }
    return verdict_on(lambda: archive_where(theirs), touched, seconds=GATE_SECONDS) if touched else Verdict()


@transaction.atomic
def confirm_loss(source: Source) -> int:
    """Archive articles that are gone, after a person has confirmed the loss; return their number. A run with gates
    continues instead, and keeps the articles that the gates keep. Raises NothingToConfirm if no run is waiting for
    this.
    """
    run = SourceRun.objects.select_for_update(no_key=True).filter(source=source, state=RunState.UNCONFIRMED).first()
    if run is None:
        raise NothingToConfirm()
    if run.asks_gates:
        counts = run.counts | {LOSS_CONFIRMED: True}
        SourceRun.objects.filter(pk=run.pk).update(state=RunState.QUEUED, counts=counts, lease_until=None, due_at=None)
        return 0
    count = archive_lost(lost_in(run))
    end(run, RunState.DONE)
    return count


@transaction.atomic
def keep_lost(source: Source) -> None:
    """Keep the articles whose origin is gone. The next run asks again if the origin is still gone. Raises
    NothingToConfirm.
    """
    run = SourceRun.objects.select_for_update(no_key=True).filter(source=source, state=RunState.UNCONFIRMED).first()
    if run is None:
        raise NothingToConfirm()
    lost_in(run).update(state=ItemState.READY, outcome="")
    end(run, RunState.DONE)


def lost_in(run: SourceRun) -> QuerySet[SourceItem]:
    """Return the items that a run found to be gone but whose articles still exist."""
    return SourceItem.objects.filter(run=run, outcome=Outcome.GONE, imported_at__isnull=False, archived_at=None)


@transaction.atomic
def archive_lost(items: QuerySet[SourceItem]) -> int:
    """Archive the articles of items that are gone, and record this, so that they come back if their origin does."""
    ids = list(items.values_list("pk", flat=True))
    count = archive_where(Q(source_item__in=ids))
    SourceItem.objects.filter(pk__in=ids).update(archived_at=now())
    return count
