"""The signal broker: publishes live changes to conversations within the process and between processes.

The log is authoritative. Signals only announce that it has grown, and carry what is never logged: deltas, the
assistant's status, and who is typing. They are delivered directly within a process. Another process gets them through
the channel layer if one of its readers follows the conversation and it has therefore joined the conversation's group.
Deltas and the status leave the process only while another process requests them. To make up for lost signals, the
broker compares its conversations' heads with the database every few seconds.
"""

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import Error as AnyDatabaseError

from supportbot.async_db import db
from supportbot.chat import channel_layer
from supportbot.chat.selectors import heads_of
from supportbot.chat.signals import (
    Delta,
    NewEvent,
    Signal,
    Status,
    TurnWaiting,
    WatchRequested,
    signal_from_wire,
    signal_to_wire,
)

logger = logging.getLogger(__name__)
PROCESS: Final = uuid4().hex
TURNS_GROUP: Final = "turns"
HEAD_POLL_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 60.0
Listener = Callable[[Signal], None]

_live: "dict[asyncio.AbstractEventLoop, SignalBroker]" = {}
_live_lock = threading.Lock()


def _group(conversation_id: UUID) -> str:
    return f"conversation.{conversation_id.hex}"


class SignalBroker:
    """The listeners of one event loop, by conversation. Use it only from its own loop."""

    def __init__(self) -> None:
        self._listeners: defaultdict[UUID, set[Listener]] = defaultdict(set)
        self._turn_listeners: set[Callable[[], None]] = set()
        self._watched_elsewhere: dict[UUID, float] = {}
        self._heads: dict[UUID, int] = {}
        self._unsent_heads: dict[UUID, int] = {}
        self._is_started = False
        self._starting = asyncio.Lock()
        self._channel = ""  # empty until the layer has assigned one
        self._joined: set[UUID] = set()
        self._unjoined: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, conversation_id: UUID, listener: Listener) -> None:
        """Call `listener` with every signal of the conversation from now on."""
        await self._ensure_started()
        self._listeners[conversation_id].add(listener)
        if conversation_id not in self._joined:  # a turn and sockets may listen to the same conversation
            is_joined = await self._join(_group(conversation_id))
            if is_joined and conversation_id in self._listeners:
                self._joined.add(conversation_id)

    def unlisten(self, conversation_id: UUID, listener: Listener) -> None:
        listeners = self._listeners.get(conversation_id)
        if listeners is None:
            return
        listeners.discard(listener)
        if not listeners:
            del self._listeners[conversation_id]
            self._heads.pop(conversation_id, None)
            self._unjoined.discard(_group(conversation_id))
            self._joined.discard(conversation_id)
            self._spawn(self._leave(conversation_id))

    async def listen_for_turns(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a turn is waiting for a runner, whichever process inserted it."""
        await self._ensure_started()
        self._turn_listeners.add(listener)

    def publish(self, conversation_id: UUID, signal: Signal) -> None:
        """Deliver a signal to listeners in this process and, if it concerns them, to other processes."""
        if isinstance(signal, TurnWaiting):
            self._wake_runner()  # this process has a runner, so others need no signal
            return
        self._deliver(conversation_id, signal)
        if isinstance(signal, NewEvent):
            self._send_head_soon(conversation_id, signal.seq)
        elif not isinstance(signal, Delta | Status) or self._is_watched_elsewhere(conversation_id):
            self._send(_group(conversation_id), conversation_id, signal)

    def watch(self, conversation_id: UUID) -> None:
        """Ask the runner of the conversation's turn to repeat the text so far and, if it runs in another process, to
        send later text here.
        """
        self._deliver(conversation_id, WatchRequested())
        self._send(TURNS_GROUP, conversation_id, WatchRequested())

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with _live_lock:
            _live.pop(asyncio.get_running_loop(), None)

    def _wake_runner(self) -> None:
        for listener in list(self._turn_listeners):
            listener()

    def _deliver(self, conversation_id: UUID, signal: Signal) -> None:
        listeners = self._listeners.get(conversation_id)
        if not listeners:  # most conversations have no listeners; storing all their heads would use ever more memory
            return
        if isinstance(signal, NewEvent):
            self._heads[conversation_id] = max(signal.seq, self._heads.get(conversation_id, 0))
        for listener in list(listeners):
            listener(signal)

    def _send(self, group: str, conversation_id: UUID, signal: Signal) -> None:
        self._spawn(channel_layer.send(group, _message(conversation_id, signal)))

    def _send_head_soon(self, conversation_id: UUID, seq: int) -> None:
        """Tell other processes how far the log has grown, but only once if a transaction adds several events, such as a
        message and the start of its answer.
        """
        if not self._unsent_heads:
            asyncio.get_running_loop().call_soon(self._send_heads)
        self._unsent_heads[conversation_id] = max(seq, self._unsent_heads.get(conversation_id, 0))

    def _send_heads(self) -> None:
        heads, self._unsent_heads = self._unsent_heads, {}
        for conversation_id, seq in heads.items():
            self._send(_group(conversation_id), conversation_id, NewEvent(seq, None))

    def _is_watched_elsewhere(self, conversation_id: UUID) -> bool:
        return self._watched_elsewhere.get(conversation_id, 0.0) > time.monotonic()

    async def _ensure_started(self) -> None:
        """Start receiving from other processes. Signals within the process need no layer."""
        async with self._starting:
            if self._is_started:
                return
            self._is_started = True
            self._unjoined.add(TURNS_GROUP)
            await self._open_channel()
            self._spawn(self._receive())
            self._spawn(self._poll_heads())

    async def _open_channel(self) -> None:
        self._channel = await channel_layer.new_channel()
        if self._channel:
            await self._join_failed_groups()

    async def _join(self, group: str) -> bool:
        is_joined = bool(self._channel) and await channel_layer.join(group, self._channel)
        if not is_joined:
            self._unjoined.add(group)
        return is_joined

    async def _leave(self, conversation_id: UUID) -> None:
        # otherwise, a reader has returned in the meantime and already joined
        if conversation_id not in self._listeners:
            await channel_layer.leave(_group(conversation_id), self._channel)

    async def _join_failed_groups(self) -> None:
        """Try again to join groups that failed.

        Stop at the first that fails again, because the layer is then down for the others too.
        """
        for group in list(self._unjoined):
            if not await channel_layer.join(group, self._channel):
                return
            self._unjoined.discard(group)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("signal broker: a task failed", exc_info=task.exception())

    async def _receive(self) -> None:
        while not self._channel:
            await asyncio.sleep(channel_layer.RECEIVE_PAUSE_SECONDS)
            await self._open_channel()
        while True:
            message = await channel_layer.receive(self._channel)
            if message.get("process") == PROCESS:
                continue
            try:
                self._take(UUID(message["conversation"]), signal_from_wire(message["signal"]))
            except (KeyError, TypeError, ValueError):  # from a newer version; if it has an event, that is in the log
                channel_layer.LOST.labels("unknown").inc()

    def _take(self, conversation_id: UUID, signal: Signal) -> None:
        """Deliver a signal from another process."""
        if isinstance(signal, WatchRequested):
            self._watched_elsewhere[conversation_id] = time.monotonic() + WATCH_SECONDS
        if isinstance(signal, TurnWaiting):
            self._wake_runner()
        else:
            self._deliver(conversation_id, signal)

    async def _poll_heads(self) -> None:
        while True:
            await asyncio.sleep(HEAD_POLL_SECONDS)
            self._forget_watchers()
            if self._channel:
                await self._join_failed_groups()
            with suppress(AnyDatabaseError):  # the next round retries
                for conversation_id, seq in (await db(heads_of, list(self._listeners))).items():
                    if seq > self._heads.get(conversation_id, 0):
                        self._deliver(conversation_id, NewEvent(seq, None))

    def _forget_watchers(self) -> None:
        now = time.monotonic()
        self._watched_elsewhere = {key: until for key, until in self._watched_elsewhere.items() if until > now}


def signal_broker() -> SignalBroker:
    """Return the signal broker of the running event loop."""
    loop = asyncio.get_running_loop()
    with _live_lock:
        if loop not in _live:
            for dead in [other for other in _live if other.is_closed()]:
                del _live[dead]
            _live[loop] = SignalBroker()
        return _live[loop]


def publish(conversation_id: UUID, signal: Signal) -> None:
    """Publish from any thread, after a commit; return at once."""
    brokers = _running_brokers()
    for broker, loop in brokers:
        with suppress(RuntimeError):  # the loop and its readers have closed
            loop.call_soon_threadsafe(broker.publish, conversation_id, signal)
    if not brokers:
        group = TURNS_GROUP if isinstance(signal, TurnWaiting) else _group(conversation_id)
        channel_layer.send_from_outside(group, _message(conversation_id, signal))


def _running_brokers() -> list[tuple[SignalBroker, asyncio.AbstractEventLoop]]:
    with _live_lock:
        return [(broker, loop) for loop, broker in _live.items() if loop.is_running()]


def _message(conversation_id: UUID, signal: Signal) -> dict[str, Any]:
    return {
        "type": "signal",
        "process": PROCESS,
        "conversation": conversation_id.hex,
        "signal": signal_to_wire(signal),
    }
