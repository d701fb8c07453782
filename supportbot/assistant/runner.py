"""The runner of a web process: claims turns that wait and carries them out, many at a time.

It is woken when a turn is inserted and looks by itself every two seconds, so that any process picks up what another
lost. At shutdown it claims nothing more, gives running turns ten seconds and then gives their leases up.
"""

import asyncio
import logging
from contextlib import suppress
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.limits import DRAIN_SECONDS, POLL_SECONDS
from supportbot.assistant.turn import Turn
from supportbot.asyncdb import db
from supportbot.chat.errors import LeaseLost
from supportbot.chat.stream import switchboard
from supportbot.chat.turns import Claim, claim_turn, fail_turn, release_turn

logger = logging.getLogger(__name__)


class Runner:
    """One per process; `start` and `stop` belong to the ASGI lifespan."""

    def __init__(self) -> None:
        self.name = ""
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.name = f"runner-{uuid4().hex}"
        self._wake = asyncio.Event()
        self._loop_task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        """Drain: return when every running turn has ended or given its lease up."""
        if self._loop_task is None:
            return
        self._loop_task.cancel()
        await asyncio.gather(self._loop_task, return_exceptions=True)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await switchboard().close()

    async def _loop(self) -> None:
        await switchboard().listen_for_turns(self._wake.set)
        while True:
            self._wake.clear()
            await self._claim_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def _claim_all(self) -> None:
        while len(self._running) < settings.TURNS_PER_PROCESS:
            try:
                claim = await db(claim_turn, self.name)
            except DatabaseError as error:
                logger.warning("runner: no turn claimed: %s", type(error).__name__)
                return
            if claim is None:
                return
            task = asyncio.create_task(carry_out(claim))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()  # the conversation's next turn may have waited for this one


async def carry_out(claim: Claim) -> None:
    """Run one turn to its end, whatever happens in it."""
    with workspace_scope(claim.workspace_id):
        turn = Turn(claim)
        try:
            await turn.run()
        except asyncio.CancelledError:
            with suppress(DatabaseError):
                await asyncio.shield(db(release_turn, turn.claim))
            raise
        except DatabaseError:
            logger.exception("turn %s: the database failed; its lease runs out and it is claimed again", claim.turn_id)
        except Exception:
            # The edge of a turn: whatever went wrong, the customer is told and can try again.
            logger.exception("turn %s failed", claim.turn_id)
            with suppress(LeaseLost, DatabaseError):
                await db(fail_turn, turn.claim, "internal")


runner = Runner()
