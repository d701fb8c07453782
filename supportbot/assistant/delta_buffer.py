"""Sends an answer to the customer while it is being written: its deltas, joined into a few frames a second. If the
first words are slow to arrive, a status is sent before them.

The first words are sent at once. After that, each frame contains the text that arrived within its window. Nothing is
stored.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supportbot.assistant.turn_limits import STATUS_AFTER_SECONDS, STILL_WORKING_AFTER_SECONDS, WINDOW_SECONDS
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Delta, Status
from supportbot.chat.turns import Claim


class DeltaBuffer:
    """The live text of one claim."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._broker = signal_broker()
        self._pending = ""
        self._next_at = 0.0  # the end of the newest frame's window, on the loop's clock
        self._timer: asyncio.TimerHandle | None = None  # only while text is pending
        # The text that the current attempt has sent so far, and the number of its deltas. They are a single value,
        # because the thread that keeps the lease must read both at once.
        self.sent = ("", 0)

    @property
    def text(self) -> str:
        return self.sent[0]

    def close(self) -> None:
        """Drop pending text and send nothing more."""
        self._pending = ""
        if self._timer is not None:
            self._timer.cancel()

    def emit(self, text: str) -> None:
        """Send more text, at once or with the next frame."""
        if not text:
            return
        self._pending += text
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_at:
            self._send()
        else:
            self._timer = loop.call_at(self._next_at, self.flush)

    def flush(self) -> None:
        """Send pending text."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send()

    def restart(self, claim: Claim) -> None:
        """Start over under a new attempt; readers clear the text that they have shown."""
        self._pending = ""
        self.flush()
        self._claim, self.sent, self._next_at = claim, ("", 0), 0.0

    def repeat(self) -> None:
        """Send the whole text again for a late reader; other readers skip what they already have."""
        text, index = self.sent
        if text:
            self._publish(index - 1, text, offset=0)

    def status(self, words: str) -> None:
        """Tell the reader what the assistant is doing."""
        self._broker.publish(self._claim.conversation_id, Status(str(self._claim.message_id), words))

    def _send(self) -> None:
        if not self._pending:
            return
        text, self._pending = self._pending, ""
        before, index = self.sent
        self.sent = (before + text, index + 1)
        self._next_at = asyncio.get_running_loop().time() + WINDOW_SECONDS
        self._publish(index, text, offset=len(before))

    def _publish(self, index: int, text: str, *, offset: int) -> None:
        delta = Delta(str(self._claim.message_id), self._claim.attempt, index, text, offset)
        self._broker.publish(self._claim.conversation_id, delta)


class StatusLine:
    """The assistant's status, shown to a customer whose answer is slow, until its first words arrive."""

    def __init__(self, deltas: DeltaBuffer, words: str) -> None:
        self.words = words
        self._deltas = deltas
        self._is_late = False

    @contextmanager
    def shown(self, still_working: Callable[[], str]) -> Iterator[None]:
        """Show the status if this block is slow, and the text from `still_working` if it is very slow."""
        later = asyncio.get_running_loop().call_later
        timers = [
            later(STATUS_AFTER_SECONDS, self._begin),
            later(STILL_WORKING_AFTER_SECONDS, lambda: self.set(still_working())),
        ]
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()

    def set(self, words: str) -> None:
        """Change the status. It is sent at once if the customer already sees one."""
        self.words = words
        self.repeat()

    def repeat(self) -> None:
        """Send the status again for a reader in another process, who gets it only on request."""
        if self._is_late:
            self._send()

    def _begin(self) -> None:
        self._is_late = True
        self._send()

    def _send(self) -> None:
        if not self._deltas.text:
            self._deltas.status(self.words)
