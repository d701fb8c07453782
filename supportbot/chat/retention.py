"""Erases what a workspace no longer keeps: conversations after a number of days of silence, and bodies of model calls.

Financial records, the audit trail and daily sums are kept. A conversation with open work is kept: a person has it or is
requested, a turn is waiting, or a request is open. Each is erased under its own lock, as at a customer's request, so
this can be stopped and run again. The first night with a limit may find years of conversations; what it cannot erase
in 50 minutes is left to the next nights. Mail in files, which may be anyone's, is kept no longer than the workspace
with the shortest limit keeps a conversation.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.timezone import now

from actions.models import ActionRequest
from actions.states import OPEN
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.erasure import erase
from supportbot.chat.models import Conversation, Turn
from supportbot.llm.models import LLMBody
from supportbot.outbox.services import count_due

logger = logging.getLogger(__name__)
AT_ONCE: Final = 500
# The broker delivers a task again that has not ended within the hour (`visibility_timeout`).
MOST_SECONDS: Final = 3_000.0
LOOKS_EVERY: Final = 50
MOST_ANNOUNCED: Final = 100
PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one night in one workspace; `kept` are old conversations with open work, and there was no time for
    those that are `left`.
    """

    conversations: int
    kept: int
    bodies: int
    left: int = 0


def erase_expired() -> dict[UUID, Report]:
    """Erase what every workspace no longer keeps; return the report of each that has a limit."""
    limited = Workspace.objects.exclude(keep_conversations_days=None, keep_bodies_days=None).order_by("pk")
    reports, until = {}, time.monotonic() + MOST_SECONDS
    for workspace in limited:
        with workspace_scope(workspace.pk):
            reports[workspace.pk] = report = _erase_in(workspace, until)
        logger.info(
            "retention: workspace %s: %s conversations and %s bodies erased, %s kept, %s left to the next night",
            workspace.pk, report.conversations, report.bodies, report.kept, report.left,
        )  # fmt: skip
    limits = [row.keep_conversations_days for row in limited if row.keep_conversations_days is not None]
    if limits:
        erase_mail_files(now() - timedelta(days=min(limits)))
    return reports


def erase_mail_files(before: datetime) -> int:
    """Delete mail files that this machine wrote before a time; return their number."""
    folder = getattr(settings, "EMAIL_FILE_PATH", None)
    if folder is None:
        return 0
    old = [file for file in Path(folder).glob("*.log") if file.stat().st_mtime < before.timestamp()]
    for file in old:
        file.unlink(missing_ok=True)
    logger.info("retention: %s mail files erased", len(old))
    return len(old)


def _erase_in(workspace: Workspace, until: float) -> Report:
    bodies, erased, kept, left = 0, 0, 0, 0
    if workspace.keep_bodies_days is not None:
        before = now() - timedelta(days=workspace.keep_bodies_days)
        bodies, _ = LLMBody.objects.filter(call__started_at__lt=before).delete()
    if workspace.keep_conversations_days is not None:
        before = now() - timedelta(days=workspace.keep_conversations_days)
        erased = sum(_erase_one(pk, before) for pk in _unhurried(_due(before), until))
        left = _settled(before).count()
        kept = Conversation.objects.filter(last_event_at__lt=before).count() - left
    return Report(erased, kept, bodies, left)


def _unhurried(found: Iterator[UUID], until: float) -> Iterator[UUID]:
    """Yield these until the time is over, and wait while the erasures so far are being announced: otherwise, outcomes
    of actions and mails would queue behind thousands of them.
    """
    for place, pk in enumerate(found):
        while place % LOOKS_EVERY == 0 and count_due() > MOST_ANNOUNCED and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
        if time.monotonic() >= until:
            return
        yield pk


def _due(before: datetime) -> Iterator[UUID]:
    """Yield the conversations without open work, oldest first, in batches."""
    after: UUID | None = None
    while True:
        rows = _settled(before).order_by("pk")
        found = list((rows.filter(pk__gt=after) if after else rows).values_list("pk", flat=True)[:AT_ONCE])
        yield from found
        if len(found) < AT_ONCE:
            return
        after = found[-1]


def _settled(before: datetime) -> QuerySet[Conversation]:
    requests = ActionRequest.objects.filter(conversation_id=OuterRef("pk"), state__in=[str(state) for state in OPEN])
    turns = Turn.objects.filter(conversation=OuterRef("pk"), state__in=[Turn.State.PENDING, Turn.State.RUNNING])
    silent = Conversation.objects.filter(last_event_at__lt=before, mode=Conversation.Mode.ASSISTANT)
    return silent.exclude(Exists(requests)).exclude(Exists(turns))


@transaction.atomic
def _erase_one(conversation_id: UUID, before: datetime) -> int:
    """Erase a conversation unless something has happened in it meanwhile."""
    locked = list(Conversation.objects.filter(pk=conversation_id).select_for_update())
    return erase(locked) if _settled(before).filter(pk=conversation_id).exists() else 0
