"""How long a customer is expected to wait for an agent, and their position in the queue.

The estimate is based on how long recent customers have waited. It is fixed when a wait begins and only counts down, so
it never grows. Once it has run out, there is no estimate, and the sweep sends the customer a message. While no agent is
available, the frame reports that and contains no estimate.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

from django.utils.timezone import now

from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.handoff.models import State, Ticket
from supportbot.handoff.tickets.presence import is_team_online
from supportbot.handoff.tickets.queue_rules import WaitingTicket, serving_order
from supportbot.widget.socket.protocol import Queue

MIN_WAITS: Final = 3  # fewer are not enough for an estimate
MAX_WAITS: Final = 20
HISTORY: Final = timedelta(days=7)


def queue_frames(conversation_ids: Iterable[UUID]) -> dict[UUID, Queue]:
    """Return a frame for each of these conversations that has a customer waiting for an agent."""
    with across_workspaces("queue positions of waiting customers"):
        mine = Ticket.objects.filter(conversation_id__in=set(conversation_ids), state=State.WAITING)
        waiting = {ticket.pk: ticket for ticket in mine}
        if not waiting:
            return {}
        frames: dict[UUID, Queue] = {}
        for workspace_id in {ticket.workspace_pk for ticket in waiting.values()}:
            history = _recent_waits(workspace_id)
            with workspace_scope(workspace_id):
                away = None if is_team_online() else True
            for place, one in enumerate(_queue(workspace_id), start=1):
                if one.ticket_id in waiting:
                    wait = None if away else minutes_left(one.since, history, now())
                    frames[waiting[one.ticket_id].conversation_id] = Queue(one.ticket_id, place, wait, away)
        return frames


def _queue(workspace_id: UUID) -> list[WaitingTicket]:
    rows = Ticket.objects.filter(workspace_id=workspace_id, state=State.WAITING)
    return serving_order(WaitingTicket(*row) for row in rows.values_list("id", "priority", "waiting_since"))


def _recent_waits(workspace_id: UUID) -> list[tuple[datetime, timedelta]]:
    """Return when recent waits ended and how long they were, newest first."""
    claimed = Ticket.objects.filter(workspace_id=workspace_id, claimed_at__gt=now() - HISTORY)
    rows = claimed.order_by("-claimed_at").values_list("waiting_since", "claimed_at")[:200]
    return [(claimed_at, claimed_at - since) for since, claimed_at in rows if claimed_at is not None]


def minutes_left(
    since: datetime, history: Sequence[tuple[datetime, timedelta]], moment: datetime
) -> dict[str, int] | None:
    """Return the range of minutes that remain of a typical wait, or None if there is no estimate.

    Only waits that ended before this one began are used, so the estimate stays stable.
    """
    before = [length for ended, length in history if ended <= since]
    lengths = sorted(before[:MAX_WAITS])
    if len(lengths) < MIN_WAITS:
        return None
    quarter = len(lengths) // 4
    shortest, longest = (_minutes(since + length - moment) for length in (lengths[quarter], lengths[-1 - quarter]))
    return {"min": max(shortest, 1), "max": longest} if longest >= 1 else None


def _minutes(left: timedelta) -> int:
    return ceil(left.total_seconds() / 60)
