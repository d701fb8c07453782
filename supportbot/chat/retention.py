"""Erases expired data of workspaces: conversations without events for a number of days, visitors who have no
conversations left, bodies of model calls, and the text of drafts for agents.

Financial records, the audit trail, daily sums and signed-in customers are kept. So are conversations with open work: a
person has the conversation or the customer has asked for one, a turn is waiting, or a request is open. Each
conversation is erased under its own lock, as at a customer's request, and each batch is one transaction, so a run can
be stopped and repeated. The first run after a limit is set may find years of conversations, so a run stops after 50
minutes and leaves the rest to the next night. A mail file may belong to any workspace, so mail files are kept only as
long as the shortest limit of all workspaces.

If something fails in a workspace, such as a statement that takes too long, its run is recorded as failed, together with
what had already been erased. The other workspaces continue.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils.module_loading import import_string
from django.utils.timezone import now

from actions.models import ActionRequest
from actions.states import OPEN
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat.erasure import erase
from supportbot.chat.models import Conversation, RetentionRun, Turn
from supportbot.llm.models import LLMBody
from supportbot.observing.logs import Event, log_event
from supportbot.outbox.services import count_due

logger = logging.getLogger(__name__)
AT_ONCE: Final = 500
# The broker redelivers a task that has not ended within an hour (`visibility_timeout`).
MOST_SECONDS: Final = 3_000.0
MOST_ANNOUNCED: Final = 500  # a worker delivers this many announcements in a few transactions
PAUSE_SECONDS: Final = 0.5
MANY: Final = 100  # conversations per batch
FEW: Final = 25  # the batch size while answers are being written
PAUSE_PER_BATCH: Final = 4  # times as long as the batch took, so a fifth of the time is spent erasing
# Pauses are longer than this only after slow batches (`PAUSE_PER_BATCH`). Even with this pause after each batch, the
# six runs of a night erase a hundred thousand conversations.
MOST_PAUSE_SECONDS: Final = 3.0
RUNS_KEPT_DAYS: Final = 90
NIGHT_HOURS: Final = 12  # longer than the time from a night's first run to its last
LATE_SECONDS: Final = 0.3  # a question that waits longer than this for its answer to begin is late


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one run in one workspace.

    `kept` counts old conversations with open work; `left` counts the conversations, bodies and visitors that there was
    no time left for. Both are 0 if they could not be counted, which also counts as a failure.
    """

    conversations: int
    kept: int
    bodies: int
    visitors: int = 0
    left: int = 0
    has_failed: bool = False  # the run ended early; nothing was erased if the sums could not be stored


class Pace:
    """The size of batches and the pauses between them.

    If no chat is active, batches are large and there is no pause. While an answer is being written in any workspace,
    batches are small. Each pause is then `PAUSE_PER_BATCH` times as long as the batch took, multiplied by how much
    slower that batch was than the fastest one, so busier machines get longer pauses. Pauses are longest while a
    question is waiting.
    """

    def __init__(self) -> None:
        self.batch = MANY
        self._fastest = float("inf")  # seconds for one row of a batch

    def pause(self, count: int, took: float) -> None:
        """Pause after a batch of `count` rows that took `took` seconds."""
        each = took / count
        self._fastest = min(self._fastest, each)
        with across_workspaces("chats of all workspaces share the machine"):
            is_late = _is_question_waiting()
            is_busy = is_late or Turn.objects.filter(state=Turn.State.RUNNING).exists()
        self.batch = FEW if is_busy else MANY
        if is_busy:
            slowness = each / self._fastest if self._fastest else 1.0
            least = PAUSE_PER_BATCH * took
            most = max(MOST_PAUSE_SECONDS, least)
            time.sleep(most if is_late else min(most, least * slowness))


def _is_question_waiting() -> bool:
    waiting = Turn.objects.filter(state=Turn.State.PENDING)
    return waiting.filter(created_at__lt=now() - timedelta(seconds=LATE_SECONDS)).exists()


def erase_expired() -> dict[UUID, Report]:
    """Erase expired data in all workspaces; return a report for each workspace with a limit.

    Workspaces take turns, one batch each, so that one with years of conversations leaves time for the others.
    """
    _forget_texts()
    limited = Workspace.objects.exclude(keep_conversations_days=None, keep_bodies_days=None).order_by("pk")
    pace, until = Pace(), time.monotonic() + MOST_SECONDS
    nights = [_RetentionNight(workspace, pace) for workspace in limited]
    unfinished = [night for night in nights if night.is_prepared()]
    while unfinished and time.monotonic() < until:
        unfinished = [night for night in unfinished if night.erases_a_share(until)]
    reports = {night.workspace.pk: night.report() for night in nights}
    for pk, report in reports.items():
        _record(pk, report)
    _forget_reports()
    limits = [row.keep_conversations_days for row in limited if row.keep_conversations_days is not None]
    if limits:
        erase_mail_files(now() - timedelta(days=min(limits)))
    return reports


def _record(workspace_id: UUID, report: Report) -> None:
    """Store the report for the console and the metrics, and log it as one line."""
    found = {"conversations": report.conversations, "bodies": report.bodies, "kept": report.kept}
    more = {"visitors": report.visitors, "left": report.left, "failed": report.has_failed}
    log_event(Event.RETENTION, workspace=workspace_id, **found, **more)
    try:
        with workspace_scope(workspace_id):
            RetentionRun.objects.create(
                **found, visitors=report.visitors, remaining=report.left, has_failed=report.has_failed
            )
    except AnyDatabaseError:  # for example, because the workspace has been deleted; the others are still recorded
        logger.exception("retention: the run in workspace %s could not be recorded", workspace_id)
        _drop_lost_connection()


def _drop_lost_connection() -> None:
    """Close a connection that no longer works, so that the next workspace opens a new one."""
    if not connection.is_usable():
        connection.close()


def _forget_reports() -> None:
    with across_workspaces("workspaces whose limits were lifted have old reports, too"):
        RetentionRun.objects.filter(ended_at__lt=now() - timedelta(days=RUNS_KEPT_DAYS)).delete()


def latest_runs(workspace: Workspace) -> tuple[RetentionRun, int, int] | None:
    """Return a workspace's newest run, and how many conversations and bodies the runs of that night erased; None if
    there was no run. Call it in the workspace's scope.
    """
    newest = RetentionRun.objects.filter(workspace=workspace).order_by("-ended_at").first()
    if newest is None:
        return None
    night = RetentionRun.objects.filter(
        workspace=workspace, ended_at__gt=newest.ended_at - timedelta(hours=NIGHT_HOURS)
    )
    sums = night.aggregate(conversations=Sum("conversations"), bodies=Sum("bodies"))
    return newest, sums["conversations"], sums["bodies"]


def count_expired(workspace: Workspace) -> int:
    """Return how many conversations of the current workspace the next run will erase if no events are added to them."""
    before = _before(workspace.keep_conversations_days)
    return 0 if before is None else _settled(before).count()


def _forget_texts() -> None:
    for forget_texts in map(import_string, settings.RETENTION_OF_TEXTS):
        try:
            forget_texts()
        except Exception:
            # The edge of one kind of text: conversations are still erased, and the texts are tried again in an hour.
            logger.exception("retention: texts are left to the next run")


def erase_mail_files(before: datetime) -> int:
    """Delete mail files written on this machine before a time; return their number."""
    folder = getattr(settings, "EMAIL_FILE_PATH", None)
    if folder is None:
        return 0
    old = [file for file in Path(folder).glob("*.log") if file.stat().st_mtime < before.timestamp()]
    for file in old:
        file.unlink(missing_ok=True)
    logger.info("retention: %s mail files erased", len(old))
    return len(old)


class _RetentionNight:
    """The work of one night in one workspace."""

    def __init__(self, workspace: Workspace, pace: Pace) -> None:
        self.workspace = workspace
        self._pace = pace
        self._pace_of_bodies, self._pace_of_visitors = Pace(), Pace()  # rows of different kinds take different times
        self._conversations_before = _before(workspace.keep_conversations_days)
        self._bodies_before = _before(workspace.keep_bodies_days)
        self._after: UUID | None = None  # the last conversation that was checked
        self._after_visitor: UUID | None = None
        self._has_bodies = self._bodies_before is not None
        self._has_conversations = self._has_visitors = self._conversations_before is not None
        self._erased = self._bodies = self._visitors = 0
        self._has_failed = False

    def is_prepared(self) -> bool:
        """Prepare the erasures with the function named in `BEFORE_RETENTION`; return whether it succeeded."""
        with self._edge():
            for prepare in map(import_string, settings.BEFORE_RETENTION):
                prepare(self.workspace)
        return not self._has_failed  # nothing may be erased before its sums are stored

    def erases_a_share(self, until: float) -> bool:
        """Erase up to `AT_ONCE` bodies, and as many conversations, or visitors once no conversations are left. Return
        whether there may be more to erase.
        """
        with self._edge(), workspace_scope(self.workspace.pk):
            self._has_bodies = self._has_bodies and self._erases_bodies(until)
            if self._has_conversations:
                self._has_conversations = self._erases_conversations(until)
            elif self._has_visitors:  # many have just lost their last conversation in this run
                self._has_visitors = self._erases_visitors(until)
        return (self._has_bodies or self._has_conversations or self._has_visitors) and not self._has_failed

    def report(self) -> Report:
        old = left = more = 0
        with self._edge(), workspace_scope(self.workspace.pk):
            if (before := self._conversations_before) is not None:
                # One statement, because a customer may write in an old conversation between two statements.
                found = _silent(before).aggregate(old=Count("pk"), left=Count("pk", filter=_is_settled()))
                old, left = found["old"], found["left"]
                more += _lonely(before).count() if self._has_visitors else 0
            if self._has_bodies and self._bodies_before is not None:
                more += _old_bodies(self._bodies_before).count()
        return Report(self._erased, old - left, self._bodies, self._visitors, left + more, self._has_failed)

    @contextmanager
    def _edge(self) -> Iterator[None]:
        """Catch and log any failure inside, and mark this workspace's night as failed, so that the other workspaces
        continue.
        """
        try:
            yield
        except Exception:
            logger.exception("retention: workspace %s is left to the next run", self.workspace.pk)
            self._has_failed = True
            _drop_lost_connection()

    def _erases_bodies(self, until: float) -> bool:
        assert self._bodies_before is not None
        found = list(_old_bodies(self._bodies_before).values_list("pk", flat=True)[:AT_ONCE])
        is_more, pace = len(found) == AT_ONCE, self._pace_of_bodies
        while found:
            if time.monotonic() >= until:
                return True
            began, some, found = time.monotonic(), found[: pace.batch], found[pace.batch :]
            self._bodies += LLMBody.objects.filter(pk__in=some).delete()[0]
            pace.pause(len(some), time.monotonic() - began)
        return is_more

    def _erases_conversations(self, until: float) -> bool:
        assert self._conversations_before is not None
        rows = _settled(self._conversations_before).order_by("pk")
        rows = rows.filter(pk__gt=self._after) if self._after else rows
        found = list(rows.values_list("pk", flat=True)[:AT_ONCE])
        is_more = len(found) == AT_ONCE
        while found:
            if not _has_time(until):
                return True
            began, some, found = time.monotonic(), found[: self._pace.batch], found[self._pace.batch :]
            self._erased += _erase(some, self._conversations_before)
            self._after = some[-1]
            self._pace.pause(len(some), time.monotonic() - began)
        return is_more

    def _erases_visitors(self, until: float) -> bool:
        assert self._conversations_before is not None
        pace = self._pace_of_visitors
        for _ in range(0, AT_ONCE, pace.batch):
            if time.monotonic() >= until:
                return True
            began, batch = time.monotonic(), pace.batch
            found, count = _erase_visitors(self._conversations_before, self._after_visitor, batch)
            self._visitors += count
            if found:
                self._after_visitor = found[-1]
                pace.pause(len(found), time.monotonic() - began)
            if len(found) < batch:
                return False
        return True


def _before(days: int | None) -> datetime | None:
    return None if days is None else now() - timedelta(days=days)


def _has_time(until: float) -> bool:
    """Wait until the erasures so far have been announced, and return whether there is time left. Without the wait,
    outcomes of actions and e-mails would queue behind thousands of announcements.
    """
    while count_due() > MOST_ANNOUNCED and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)
    return time.monotonic() < until


def _settled(before: datetime) -> QuerySet[Conversation]:
    return _silent(before).filter(_is_settled())


def _silent(before: datetime) -> QuerySet[Conversation]:
    return Conversation.objects.filter(last_event_at__lt=before)


def _is_settled() -> Q:
    requests = ActionRequest.objects.filter(conversation_id=OuterRef("pk"), state__in=[str(state) for state in OPEN])
    turns = Turn.objects.filter(conversation=OuterRef("pk"))
    # One condition per state, because each state has an index of its own. With both states in one condition, every turn
    # would be read for each batch.
    waiting, running = (turns.filter(state=state) for state in (Turn.State.PENDING, Turn.State.RUNNING))
    return Q(~Exists(requests), ~Exists(waiting), ~Exists(running), mode=Conversation.Mode.ASSISTANT)


@transaction.atomic
def _erase(conversation_ids: Sequence[UUID], before: datetime) -> int:
    """Erase these conversations, except those that have had new events in the meantime."""
    locked = Conversation.objects.filter(pk__in=conversation_ids).order_by("pk").select_for_update()
    held = {one.pk: one for one in locked}
    return erase([held[pk] for pk in _settled(before).filter(pk__in=held).values_list("pk", flat=True)])


@transaction.atomic
def _erase_visitors(before: datetime, after: UUID | None, limit: int) -> tuple[list[UUID], int]:
    """Erase up to `limit` visitors who have no conversations and are older than `before`, in key order, starting after
    the key `after`.

    Returns the keys that were checked and the number of visitors erased. A browser that still has the secret of an
    erased visitor becomes a new visitor.
    """
    rows = _lonely(before).order_by("pk")
    rows = rows.filter(pk__gt=after) if after else rows  # otherwise, earlier rows would be searched for each batch
    locked = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
    # Locked visitors cannot start conversations, but one may have been started just before.
    found = list(rows.filter(pk__in=locked).values_list("pk", flat=True))
    Customer.objects.filter(pk__in=found).delete()
    return locked, len(found)


def _lonely(before: datetime) -> QuerySet[Customer]:
    """Return the visitors without conversations who are older than a time."""
    theirs = Conversation.objects.filter(customer=OuterRef("pk"))
    return Customer.objects.filter(~Exists(theirs), external_id=None, created_at__lt=before)


def _old_bodies(before: datetime) -> QuerySet[LLMBody]:
    return LLMBody.objects.filter(call__started_at__lt=before)
