"""Celery's doors to the index, on the queue `ingestion`, and the outbox's ear.

`sweep` runs every minute for what a lost nudge left behind, `repair` every night for everything else; both find nothing
to do on a quiet day.
"""

import logging
from collections.abc import Iterator
from functools import partial
from uuid import UUID

from celery import shared_task

from kb.drift import articles_behind, repair_drift
from kb.errors import KnowledgeError
from kb.index import sync_article, sync_articles
from kb.nudge import publisher
from kb.reindex import drop_retired
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.outbox.models import Announcement

logger = logging.getLogger(__name__)


def on_article_changed(announcement: Announcement) -> None:
    """Ask a worker to index the article; the announcement counts as delivered, since the sweep keeps the promise."""
    task = partial(
        index_article.apply_async,
        args=(str(announcement.workspace_id), str(announcement.object_id)),
        retry=False,
        ignore_result=True,
    )
    publisher.put(task)


@shared_task
def index_article(workspace_id: str, article_id: str) -> None:
    with workspace_scope(UUID(workspace_id)):
        sync_article(UUID(article_id))


@shared_task
def sweep() -> None:
    """Index what is behind in every workspace, and drop what a reindex has replaced; as `repair`, one by one."""
    drop_retired()
    for workspace in _each_workspace():
        if not (behind := articles_behind()):
            continue
        try:
            report = sync_articles(behind)
        except KnowledgeError as error:
            logger.warning("kb: %s not swept: %s", workspace.slug, error.message)
            continue
        logger.info("kb: swept %s, %d articles, %d embedded", workspace.slug, len(behind), report.embedded)


@shared_task
def repair() -> None:
    """Find and mend drift in every workspace; one that cannot be mended now does not hold up the others."""
    for workspace in _each_workspace():
        try:
            report = repair_drift()
        except KnowledgeError as error:
            logger.warning("kb: %s not repaired: %s", workspace.slug, error.message)
            continue
        logger.info(
            "kb: repaired %s, %d articles, %d embedded, %d orphans",
            workspace.slug, report.articles, report.embedded, report.orphans,
        )  # fmt: skip


def _each_workspace() -> Iterator[Workspace]:
    for workspace in Workspace.objects.order_by("id"):
        with workspace_scope(workspace.pk):
            yield workspace
