"""The runner of a web process: claims turns that wait and carries them out, many at a time.

It is woken when a turn is inserted and looks by itself every two seconds, so that any process picks up what another
lost. At shutdown it claims nothing more, gives running turns ten seconds and then gives their leases up.
"""

import asyncio
import logging
from contextlib import suppress
from uuid import UUID, uuid4

from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import InterfaceError, OperationalError

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.limits import DRAIN_SECONDS, POLL_SECONDS
from supportbot.assistant.turn import Turn
from supportbot.asyncdb import db
from supportbot.chat.errors import LeaseLost
from supportbot.chat.stream import signal_broker
from supportbot.chat.turns import Claim, claim_turn, fail_turn, release_turn

logger = logging.getLogger(__name__)


class Runner:
    """One per process; `start` and `stop` belong to the ASGI lifespan."""

    def __init__(self) -> None:
        self.name = ""
        self._rings = 0
        self._rang = asyncio.Event()
        self._running: dict[asyncio.Task[None], UUID] = {}  # the turn that each task carries out
        self._loop_task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.name = f"runner-{uuid4().hex}"
        self._rang = asyncio.Event()
        self._loop_task = asyncio.create_task(self._keep_going())

    async def stop(self) -> None:
        """Drain: return when every running turn has ended or given its lease up."""
        if self._loop_task is None:
            return
        loop_task, self._loop_task = self._loop_task, None
        loop_task.cancel()
        await asyncio.gather(loop_task, return_exceptions=True)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await signal_broker().close()

    @property
    def has_died(self) -> bool:
        """Say whether it was started, not stopped, and runs no more: then nobody is answered here."""
        return self._loop_task is not None and self._loop_task.done()

    async def _keep_going(self) -> None:
        while True:
            try:
                await self._loop()
            except Exception:
                # The edge of the process's work: whatever went wrong, customers wait for the next round.
                logger.exception("runner: a round failed; trying again")
                await asyncio.sleep(POLL_SECONDS)

    async def _loop(self) -> None:
        await signal_broker().listen_for_turns(self._ring)
        while True:
            await self._round()
            next_round = asyncio.get_running_loop().time() + POLL_SECONDS
            # Each ring stands for one turn, so looking for more would be a query for nothing.
            while rings := await self._next_rings(until=next_round):
                await self._claim_up_to(min(rings, self._room()))

    async def _round(self) -> None:
        """Claim whatever waits or was lost, rung for or not."""
        while self._room() > 0 and await self._claim_next():
            pass

    async def _claim_up_to(self, most: int) -> None:
        """Claim so many turns side by side. Cancelled, it ends when each claim has: one is not left to itself."""
        claims = await asyncio.gather(*(self._claim_next() for _ in range(most)), return_exceptions=True)
        for claim in claims:
            if isinstance(claim, BaseException):
                raise claim

    def _ring(self) -> None:
        self._rings += 1
        self._rang.set()

    async def _next_rings(self, *, until: float) -> int:
        """Return how often it rang since the last call, 0 when it is time for a round, which looks for all of them.

        A busy process too makes its rounds: a ring whose claim failed would leave one turn waiting behind all others.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._rang.wait()
        self._rang.clear()
        rings, self._rings = self._rings, 0
        return rings if asyncio.get_running_loop().time() < until else 0

    def _room(self) -> int:
        room: int = settings.TURNS_PER_PROCESS - len(self._running)
        return room

    async def _claim_next(self) -> bool:
        """Claim a turn and begin it; return whether there was one."""
        claiming = asyncio.create_task(db(claim_turn, self.name, in_hand=list(self._running.values())))
        try:
            claim = await asyncio.shield(claiming)
        except AnyDatabaseError as error:
            logger.warning("runner: no turn claimed: %s", type(error).__name__)
            return False
        except asyncio.CancelledError:  # the process shuts down, but a database thread ends what it has begun
            await _give_back(claiming)
            raise
        if claim is None:
            return False
        task = asyncio.create_task(carry_out(claim))
        self._running[task] = claim.turn_id
        task.add_done_callback(self._ended)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_full = self._room() <= 0
        self._running.pop(task, None)
        if was_full:
            self._ring()


async def _give_back(claiming: "asyncio.Task[Claim | None]") -> None:
    """Give up what comes of a claim that nobody carries out: it waits for no lease to run out, and is no loss."""
    with suppress(AnyDatabaseError):
        claim = await claiming
        if claim is not None:
            with workspace_scope(claim.workspace_id):
                await db(release_turn, claim)


async def carry_out(claim: Claim) -> None:
    """Run one turn to its end, whatever happens in it."""
    with workspace_scope(claim.workspace_id):
        turn = Turn(claim)
        try:
            await turn.run()
        except asyncio.CancelledError:
            with suppress(AnyDatabaseError):
                await asyncio.shield(db(release_turn, turn.claim))
            raise
        except (OperationalError, InterfaceError):
            logger.exception("turn %s: the database is away; its lease runs out and it is claimed again", claim.turn_id)
        except Exception:
            # The edge of a turn: whatever went wrong, the customer is told and can try again.
            logger.exception("turn %s failed", claim.turn_id)
            with suppress(LeaseLost, AnyDatabaseError):
                await db(fail_turn, turn.claim, "internal")


runner = Runner()
