"""How fast work at night may go beside chats, which come first."""

import time
from datetime import timedelta
from typing import Final

from django.utils.timezone import now

from supportbot.accounts.scope import across_workspaces
from supportbot.chat.models import Turn

MANY: Final = 100
FEW: Final = 25
MOST_PAUSE_SECONDS: Final = 2.0
LATE_SECONDS: Final = 0.3  # a question that waits longer than this for its answer to begin


class Pace:
    """The size of batches, and the pauses between them.

    Without chats, batches are large and there is no pause. While an answer is being written in any workspace, batches
    are small, and a pause is as long as the batch took, times how much slower it was than the fastest one: the more
    others need the machine, the more is left to them. While a question waits, the pause is longest.
    """

    def __init__(self) -> None:
        self.batch = MANY
        self._fastest = float("inf")  # seconds for one row of a batch

    def pause(self, count: int, took: float) -> None:
        """Pause after a batch of `count` rows that took so many seconds."""
        each = took / count
        self._fastest = min(self._fastest, each)
        with across_workspaces("chats of all workspaces share the machine"):
            is_late = _is_question_waiting()
            is_busy = is_late or Turn.objects.filter(state=Turn.State.RUNNING).exists()
        self.batch = FEW if is_busy else MANY
        if is_busy:
            slowness = each / self._fastest if self._fastest else 1.0
            time.sleep(MOST_PAUSE_SECONDS if is_late else min(MOST_PAUSE_SECONDS, took * slowness))


def _is_question_waiting() -> bool:
    waiting = Turn.objects.filter(state=Turn.State.PENDING)
    return waiting.filter(created_at__lt=now() - timedelta(seconds=LATE_SECONDS)).exists()
