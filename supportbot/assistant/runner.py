"""The runner of a web process: claims waiting turns and carries them out concurrently.

It is woken when a turn is inserted, and claims it beside all other claims. It also polls every two seconds, so that any
process picks up what another lost.
At shutdown it stops claiming, gives running turns ten seconds and then releases their leases.
"""

import asyncio
import logging
from contextlib import suppress
from contextvars import Context, copy_context
from uuid import UUID, uuid4

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import InterfaceError, OperationalError

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.admission import Admission
from supportbot.assistant.turn import Turn
from supportbot.assistant.turn_limits import DRAIN_SECONDS, POLL_SECONDS
from supportbot.async_db import db
from supportbot.chat.errors import LeaseLost
from supportbot.chat.stream import signal_broker
from supportbot.chat.turns import Claim, claim_turn, fail_turn, release_turn
from supportbot.observing.database_errors import trouble

logger = logging.getLogger(__name__)


class Runner:
    """One per process; `start` and `stop` belong to the ASGI lifespan."""

    def __init__(self) -> None:
        self.name = ""
        self._context = Context()  # of `start`
        self._claiming: set[asyncio.Task[bool]] = set()
        self._was_wakeup_missed = False  # while all slots were taken
        self._running: dict[asyncio.Task[None], UUID] = {}  # the turn that each task carries out
        self._loop_task: asyncio.Task[None] | None = None
        self._admission = Admission()

    def start(self) -> None:
        self.name = f"runner-{uuid4().hex}"
        self._context = copy_context()
        self._admission = Admission()
        self._admission.start()
        self._loop_task = asyncio.create_task(self._keep_going())

    async def stop(self) -> None:
        """Drain: wait until every running turn has ended or released its lease."""
        if self._loop_task is None:
            return
        loop_task, self._loop_task = self._loop_task, None
        claiming = [loop_task, *self._claiming]
        for task in claiming:
            task.cancel()
        await asyncio.gather(*claiming, return_exceptions=True)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._admission.stop()
        await signal_broker().close()

    @property
    def has_died(self) -> bool:
        """Return whether it was started and no longer runs although it was not stopped, so that this process answers
        nobody.
        """
        return self._loop_task is not None and self._loop_task.done()

    async def _keep_going(self) -> None:
        while True:
            try:
                await self._loop()
            except Exception:
                # The edge of the process: whatever went wrong, customers are waiting for the next round.
                logger.exception("runner: a round failed, retrying")
                await asyncio.sleep(POLL_SECONDS)

    async def _loop(self) -> None:
        await signal_broker().listen_for_turns(self._wake)
        while True:
            await self._round()
            await asyncio.sleep(POLL_SECONDS)

    async def _round(self) -> None:
        """Claim every waiting or lost turn, with or without a wake-up."""
        has_claimed = True
        while has_claimed and self._free_slots() > 0:
            claiming = self._begin_claim()
            await asyncio.wait([claiming])  # `_claimed` logs its error
            has_claimed = not claiming.cancelled() and claiming.exception() is None and claiming.result()

    def _wake(self) -> None:
        """Claim the turn that was announced, beside all other claims: in a burst, it would wait for each of them."""
        if self._loop_task is None:  # stopped
            return
        if self._free_slots() <= 0:
            self._was_wakeup_missed = True
            return
        self._begin_claim()

    def _begin_claim(self) -> asyncio.Task[bool]:
        """Start a claim, which takes a slot until it has ended, in a context of its own: a wake-up comes in that of the
        request or socket that stored the message, and the turn may be anybody's.
        """
        claiming = asyncio.create_task(self._claim_next(), context=self._context.copy())
        self._claiming.add(claiming)
        claiming.add_done_callback(self._claimed)
        return claiming

    def _claimed(self, claiming: asyncio.Task[bool]) -> None:
        self._claiming.discard(claiming)
        if not claiming.cancelled() and claiming.exception() is not None:
            logger.error("runner: a claim failed, the next round retries", exc_info=claiming.exception())
        if self._was_wakeup_missed and self._free_slots() > 0:
            self._was_wakeup_missed = False
            self._wake()

    def _free_slots(self) -> int:
        slots: int = settings.TURNS_PER_PROCESS - len(self._running) - len(self._claiming)
        return slots

    async def _claim_next(self) -> bool:
        """Claim a turn and start it; return whether there was one."""
        claiming = asyncio.create_task(db(claim_turn, self.name, in_hand=list(self._running.values())))
        try:
            claim = await asyncio.shield(claiming)
        except AnyDatabaseError as error:
            trouble.happened(error)
            return False
        except asyncio.CancelledError:  # the process is shutting down, but the database thread finishes its query
            await _release_when_claimed(claiming)
            raise
        trouble.has_read()
        if claim is None:
            return False
        task = asyncio.create_task(carry_out(claim, self._admission), context=self._context.copy())
        self._running[task] = claim.turn_id
        task.add_done_callback(self._ended)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_full = self._free_slots() <= 0
        self._running.pop(task, None)
        if was_full:
            self._wake()


async def _release_when_claimed(claiming: "asyncio.Task[Claim | None]") -> None:
    """Release a claim that will not be carried out, so that the turn need not wait for its lease to expire."""
    with suppress(AnyDatabaseError):
        claim = await claiming
        if claim is not None:
            with workspace_scope(claim.workspace_id):
                await db(release_turn, claim)


async def carry_out(claim: Claim, admission: Admission | None = None) -> None:
    """Run one turn to its end, whatever happens in it, as soon as there is room for it."""
    with workspace_scope(claim.workspace_id):
        turn = Turn(claim, admission)
        try:
            await turn.run()
        except asyncio.CancelledError:
            with suppress(AnyDatabaseError):
                await asyncio.shield(db(release_turn, turn.claim))
            raise
        except (OperationalError, InterfaceError):
            logger.exception(
                "turn %s: database unavailable, another runner claims it once its lease expires", claim.turn_id
            )
        except Exception:
            # The edge of a turn: whatever went wrong, the customer sees the failure and can retry.
            logger.exception("turn %s failed", claim.turn_id)
            with suppress(LeaseLost, AnyDatabaseError):
                await db(fail_turn, turn.claim, "internal")


runner = Runner()
