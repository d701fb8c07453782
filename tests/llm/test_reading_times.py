"""When answers are read, on a clock that tests move."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from supportbot.llm.providers.transport import READ_EVERY_SECONDS, Body, ReadingTimes, reading_times

JUST_AFTER = READ_EVERY_SECONDS * 0.1
JUST_BEFORE = READ_EVERY_SECONDS * 0.9
Timer = tuple[float, Callable[..., None], tuple[Any, ...]]


class Loop:
    """An event loop whose time only a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []
        self.calls = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., None], *arguments: Any) -> Timer:  # as asyncio's
        self.timers.append((when, callback, arguments))
        return self.timers[-1]

    def wait_until(self, now: float) -> None:
        """Let time pass, and call what becomes due at its time."""
        while due := [timer for timer in self.timers if timer[0] <= now]:
            timer = min(due, key=lambda each: each[0])
            self.timers.remove(timer)
            self.now, callback, arguments = max(timer[0], self.now), *timer[1:]
            self.calls += 1
            callback(*arguments)
        self.now = now


class Answer:
    """An answer that notes when its socket begins to count as readable."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.read_at: list[float] = []

    def count_as_readable(self) -> None:
        self.read_at.append(self._loop.now)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


@pytest.fixture
def times() -> ReadingTimes:
    return ReadingTimes()


def gathering(times: ReadingTimes, loop: Loop, at: float) -> Answer:
    """Return an answer for which data gathers from this time on."""
    loop.wait_until(at)
    answer = Answer(loop)
    times.add(cast(Body, answer))
    return answer


def test_answers_are_read_together_and_wake_the_loop_once(loop: Loop, times: ReadingTimes) -> None:
    answers = [gathering(times, loop, JUST_AFTER * number) for number in range(1, 6)]
    loop.wait_until(READ_EVERY_SECONDS)
    assert [answer.read_at for answer in answers] == [[READ_EVERY_SECONDS]] * 5
    assert loop.calls == 1


def test_half_of_the_answers_are_read_between_the_common_times_of_the_others(loop: Loop) -> None:
    """Otherwise, the end of an answer would wait for the text of all others."""
    groups = reading_times()
    answers = [gathering(next(groups), loop, 0.0) for _ in range(6)]
    loop.wait_until(READ_EVERY_SECONDS)
    assert [answer.read_at for answer in answers] == [[READ_EVERY_SECONDS], [READ_EVERY_SECONDS / 2]] * 3
    assert loop.calls == 2


def test_an_answer_that_was_just_read_waits_for_the_common_time_after_the_next(loop: Loop, times: ReadingTimes) -> None:
    """A read for a single token would cost as much as one for many."""
    early, late = gathering(times, loop, JUST_AFTER), gathering(times, loop, JUST_BEFORE)
    loop.wait_until(READ_EVERY_SECONDS * 1.5)
    assert (early.read_at, late.read_at) == ([READ_EVERY_SECONDS], [])
    loop.wait_until(READ_EVERY_SECONDS * 2)
    assert (early.read_at, late.read_at) == ([READ_EVERY_SECONDS], [READ_EVERY_SECONDS * 2])


@pytest.mark.parametrize("hundredths", range(0, 100, 7))
def test_no_answer_waits_much_longer_than_one_interval(loop: Loop, times: ReadingTimes, hundredths: int) -> None:
    gathering(times, loop, 0.0)  # sets the timer for the others, too
    began_at = READ_EVERY_SECONDS * hundredths / 100
    answer = gathering(times, loop, began_at)
    loop.wait_until(READ_EVERY_SECONDS * 5)
    (read_at,) = answer.read_at
    assert READ_EVERY_SECONDS / 4 <= read_at - began_at <= READ_EVERY_SECONDS * 5 / 4


def test_a_silent_server_wakes_nobody(loop: Loop, times: ReadingTimes) -> None:
    """Its socket already counts as readable, so the next token is read at once."""
    gathering(times, loop, 0.0)
    loop.wait_until(READ_EVERY_SECONDS * 100)
    assert (loop.calls, loop.timers) == (1, [])


def test_an_answer_that_was_read_early_is_not_waited_for(loop: Loop, times: ReadingTimes) -> None:
    answer = gathering(times, loop, 0.0)
    assert times.discard(cast(Body, answer))
    assert not times.discard(cast(Body, answer))
    loop.wait_until(READ_EVERY_SECONDS * 10)
    assert (answer.read_at, loop.calls, loop.timers) == ([], 1, [])


@pytest.mark.parametrize("interval", [1, 1_000, 12_345_678])
@pytest.mark.parametrize("phase", [0.0, READ_EVERY_SECONDS / 2])
def test_a_common_time_comes_once_on_a_clock_of_milliseconds(loop: Loop, phase: float, interval: int) -> None:
    """uvloop calls back at whole milliseconds. In floating point, most common times lie in the interval before them."""
    times = ReadingTimes(phase)
    every_ms, phase_ms = round(READ_EVERY_SECONDS * 1000), round(phase * 1000)
    for number in range(interval, interval + 1_000):
        loop.now = (number * every_ms + phase_ms) / 1000
        times.add(cast(Body, Answer(loop)))
        ((when, callback, arguments),) = loop.timers
        assert round((when - loop.now) * 1000) == every_ms
        loop.timers.clear()
        loop.now = ((number + 1) * every_ms + phase_ms) / 1000
        callback(*arguments)
        assert not loop.timers
