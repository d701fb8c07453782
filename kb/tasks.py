"""The Celery tasks of the index and of sources, on the queue `ingestion`, and the consumer of `article_changed`.

`sweep` runs every minute and makes up for lost messages; `repair` runs every night and finds everything else that is
wrong. `switch_index` does nothing unless an index for another model is wanted.

Nothing waits for the broker, because a broker that is down or hangs would block its caller. Instead, one thread per
process publishes from a short queue, which drops messages when it is full; the sweep finds what was dropped. For the
same reason, only `serve_due_sources` starts work on sources: its next run finds the work that a lost message or a dead
worker left behind.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final
from uuid import UUID

from celery import current_app, shared_task
from kombu.exceptions import OperationalError

from kb.errors import KnowledgeError
from kb.help_centre.reader_statistics import forget_old_reads
from kb.indexing.model_switch import carry_on, delete_retired_rows
from kb.indexing.sync import outdated_articles, repair_index, sync_article, sync_articles
from kb.phrasings import embed_phrasings
from kb.pictures import delete_unused_pictures
from kb.sources import item_import, run_worker, runs
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.outbox.models import Announcement

logger = logging.getLogger(__name__)
QUEUE_SIZE: Final = 1_000
SERVE_SOURCE: Final = "kb.sources.tasks.serve"  # the name in messages and schedules, as for `serve_due` below
MESSAGE_LIFE_SECONDS: Final = 30

_Publish = Callable[[], object]


class Publisher:
    """A publisher with its own thread, which starts with the first message."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[_Publish] = queue.Queue(maxsize=QUEUE_SIZE)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, publish: _Publish) -> None:
        """Call `publish` soon; drop the call if too many are waiting."""
        self._start()
        try:
            self._waiting.put_nowait(publish)
        except queue.Full:
            logger.info("kb: publisher queue is full, the sweep will index the article")

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="kb-publisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            publish = self._waiting.get()
            try:
                publish()
            except (OperationalError, OSError):
                logger.info("kb: the broker is not responding, the sweep will index the article")


publisher: Final = Publisher()


def on_article_changed(announcement: Announcement) -> None:
    """Ask a worker to index the article. The announcement counts as delivered, since the sweep finds articles whose
    message is lost.
    """
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
        embed_phrasings(UUID(article_id))
        sync_article(UUID(article_id))


@shared_task
def sweep() -> None:
    """Index outdated articles in every workspace, and delete the rows of retired recipes."""
    delete_retired_rows()
    for workspace in _each_workspace():
        embed_phrasings()
        if not (outdated := outdated_articles()):
            continue
        try:
            report = sync_articles(outdated)
        except KnowledgeError as error:
            logger.warning("kb: %s not swept: %s", workspace.slug, error.message)
            continue
        logger.info("kb: swept %s, %d articles, %d embedded", workspace.slug, len(outdated), report.embedded)


@shared_task
def switch_index() -> None:
    """Continue building the index for another model, and switch once it is complete."""
    if carry_on():
        for _ in _each_workspace():
            embed_phrasings()


@shared_task
def repair() -> None:
    """Repair the index of every workspace; one that cannot be repaired now does not stop the others."""
    for workspace in _each_workspace():
        try:
            report = repair_index()
        except KnowledgeError as error:
            logger.warning("kb: %s not repaired: %s", workspace.slug, error.message)
            continue
        logger.info(
            "kb: repaired %s, %d articles, %d embedded, %d orphans",
            workspace.slug, report.articles, report.embedded, report.orphans,
        )  # fmt: skip


@shared_task
def forget_reads() -> None:
    """Delete old reader counts in every workspace."""
    for _ in _each_workspace():
        forget_old_reads()


@shared_task
def purge_pictures() -> None:
    """Delete the pictures of every workspace that no text uses."""
    for workspace in _each_workspace():
        if count := delete_unused_pictures():
            logger.info("kb: deleted %d unused pictures of %s", count, workspace.slug)


def _each_workspace() -> Iterator[Workspace]:
    for workspace in Workspace.objects.order_by("id"):
        with workspace_scope(workspace.pk):
            yield workspace


@shared_task(name="kb.sources.tasks.serve_due")
def serve_due_sources() -> None:
    """Start scheduled runs of sources, and a time slice for each waiting run."""
    runs.begin_scheduled()
    with across_workspaces("items whose vectors came later"):
        item_import.settle_embedded()
    for workspace_id, run_id in run_worker.runs_to_serve():
        current_app.send_task(
            SERVE_SOURCE,
            args=(str(workspace_id), str(run_id)),
            retry=False,
            ignore_result=True,
            expires=MESSAGE_LIFE_SECONDS,
        )


@shared_task(name=SERVE_SOURCE)
def serve_source(workspace_id: str, run_id: str) -> None:
    """Work on a run of a source for one time slice."""
    run_worker.serve(UUID(workspace_id), UUID(run_id))
