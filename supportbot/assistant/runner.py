"""The runner of a web process: claims waiting turns and carries them out concurrently.

When a customer's message is stored, its turn is usually claimed right away for a slot of this runner. Otherwise, the
runner is woken when a turn is inserted, and claims it concurrently with other claims. It also polls every two seconds,
so any process picks up turns that another process has lost. At shutdown, it stops claiming, gives running turns ten
seconds and then releases their leases.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import replace
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
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.turns import Claim, claim_turn, fail_turn, release_turn
from supportbot.observing.database_errors import trouble

logger = logging.getLogger(__name__)


class Slot:
    """Room for one turn, kept free while a message is being stored. The message's turn may be claimed for it
    (`chat.turns.Slot`).
    """

    def __init__(self, runner: str) -> None:
        self.runner = runner
        self.claim: Claim | None = None
        self._taken_at = 0.0

    def take(self, claim: Claim) -> None:
        self.claim, self._taken_at = claim, time.monotonic()

    def claim_for_now(self) -> Claim | None:
        """Return the claim, with the time it has waited since it was taken; None if no turn was claimed."""
        return self.claim and replace(self.claim, waited_seconds=time.monotonic() - self._taken_at)


class Runner:
    """The runner of a process; the ASGI lifespan calls `start` and `stop`."""

    def __init__(self) -> None:
        self.name = ""
        self._context = Context()  # the context of the call to `start`
        self._claiming: set[asyncio.Task[bool]] = set()
        self._slots: set[Slot] = set()  # kept free for messages that are being stored
        self._releasing: set[asyncio.Task[None]] = set()
        self._was_wakeup_missed = False  # whether a wake-up came while all slots were taken
        self._running: dict[asyncio.Task[None], UUID] = {}  # the turn of each task
        self._loop_task: asyncio.Task[None] | None = None
        self._admission = Admission()

    def start(self) -> None:
        self.name = f"runner-{uuid4().hex}"
        self._context = copy_context()
        self._admission = Admission()
        self._admission.start()
        self._loop_task = asyncio.create_task(self._keep_going())

    async def stop(self) -> None:
        """Stop claiming, and wait until every running turn has ended or released its lease."""
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
        await asyncio.gather(*self._releasing, return_exceptions=True)
        await self._admission.stop()
        await signal_broker().close()

    @property
    def has_died(self) -> bool:
        """Return whether the runner has ended without being stopped, so that this process no longer answers anyone."""
        return self._loop_task is not None and self._loop_task.done()

    @contextmanager
    def slot(self) -> Iterator[Slot | None]:
        """Yield a slot that stays free while a message is being stored, or None if all slots are taken. At the end of
        the block, the turn that was claimed for the slot begins; if there is none, the slot is released.
        """
        if self._loop_task is None or self._free_slots() <= 0:
            yield None
            return
        slot = Slot(self.name)
        self._slots.add(slot)
        try:
            yield slot
        finally:
            self._slots.discard(slot)
            if (claim := slot.claim_for_now()) is not None:
                self._begin(claim)
            self._make_up_for_missed_wakeup()

    def _begin(self, claim: Claim) -> None:
        if self._loop_task is not None:
            self._carry_out(claim)
        else:  # the runner has been stopped in the meantime
            releasing = asyncio.create_task(_release(claim), context=self._context.copy())
            self._releasing.add(releasing)
            releasing.add_done_callback(self._releasing.discard)

    async def _keep_going(self) -> None:
        while True:
            try:
                await self._loop()
            except Exception:
                # The edge of the process: whatever went wrong in this round, customers only have to wait for the next
                # one.
                logger.exception("runner: a round failed, retrying")
                await asyncio.sleep(POLL_SECONDS)

    async def _loop(self) -> None:
        await signal_broker().listen_for_turns(self._wake)
        while True:
            await self._round()
            await asyncio.sleep(POLL_SECONDS)

    async def _round(self) -> None:
        """Claim every waiting or lost turn, even if there was no wake-up for it."""
        has_claimed = True
        while has_claimed and self._free_slots() > 0:
            claiming = self._begin_claim()
            await asyncio.wait([claiming])  # `_claimed` logs its error
            has_claimed = not claiming.cancelled() and claiming.exception() is None and claiming.result()

    def _wake(self) -> None:
        """Claim the announced turn concurrently with other claims; in a burst, it would otherwise wait for each of
        them.
        """
        if self._loop_task is None:  # the runner has stopped
            return
        if self._free_slots() <= 0:
            self._was_wakeup_missed = True
            return
        self._begin_claim()

    def _begin_claim(self) -> asyncio.Task[bool]:
        """Start a claim in a context of its own; it occupies a slot until it ends. A wake-up arrives in the context of
        the request or socket that stored a message, but the claimed turn may belong to another conversation.
        """
        claiming = asyncio.create_task(self._claim_next(), context=self._context.copy())
        self._claiming.add(claiming)
        claiming.add_done_callback(self._claimed)
        return claiming

    def _claimed(self, claiming: asyncio.Task[bool]) -> None:
        self._claiming.discard(claiming)
        if not claiming.cancelled() and claiming.exception() is not None:
            logger.error("runner: a claim failed, the next round retries", exc_info=claiming.exception())
        self._make_up_for_missed_wakeup()

    def _make_up_for_missed_wakeup(self) -> None:
        if self._loop_task is not None and self._was_wakeup_missed and self._free_slots() > 0:
            self._was_wakeup_missed = False
            self._begin_claim().add_done_callback(self._made_up)

    def _made_up(self, claiming: asyncio.Task[bool]) -> None:
        """Start another claim if this one has found a turn, because any number of wake-ups may have been missed."""
        if not claiming.cancelled() and claiming.exception() is None and claiming.result():
            self._was_wakeup_missed = True
            self._make_up_for_missed_wakeup()

    def _free_slots(self) -> int:
        slots: int = settings.TURNS_PER_PROCESS - len(self._running) - len(self._claiming) - len(self._slots)
        return slots

    async def _claim_next(self) -> bool:
        """Claim a turn and start it; return whether there was one."""
        in_hand = [*self._running.values(), *(slot.claim.turn_id for slot in self._slots if slot.claim)]
        claiming = asyncio.create_task(db(claim_turn, self.name, in_hand=in_hand))
        try:
            claim = await asyncio.shield(claiming)
        except AnyDatabaseError as error:
            trouble.happened(error)
            return False
        except asyncio.CancelledError:  # the process is shutting down, but the database thread still finishes its query
            await _release_when_claimed(claiming)
            raise
        trouble.has_read()
        if claim is None:
            return False
        self._carry_out(claim)
        return True

    def _carry_out(self, claim: Claim) -> None:
        task = asyncio.create_task(carry_out(claim, self._admission), context=self._context.copy())
        self._running[task] = claim.turn_id
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        was_full = self._free_slots() <= 0
        self._running.pop(task, None)
        if was_full:
            self._wake()


async def _release_when_claimed(claiming: "asyncio.Task[Claim | None]") -> None:
    with suppress(AnyDatabaseError):
        claim = await claiming
        if claim is not None:
            await _release(claim)


async def _release(claim: Claim) -> None:
    """Release a claim that will not be carried out, so that its turn does not have to wait until the lease expires."""
    with suppress(AnyDatabaseError), workspace_scope(claim.workspace_id):
        await db(release_turn, claim)


async def carry_out(claim: Claim, admission: Admission | None = None) -> None:
    """Run a turn to its end as soon as there is room for it. Errors in the turn are handled here, not raised."""
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
            # The edge of a turn: the customer sees the failure and can retry, whatever went wrong.
            logger.exception("turn %s failed", claim.turn_id)
            with suppress(LeaseLost, AnyDatabaseError):
                await db(fail_turn, turn.claim, "internal")


runner = Runner()
