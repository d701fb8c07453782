"""The supervisor, with small real processes."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.product_processes import ChildProcess
from supportbot.embedded.supervisor import Supervisor, stop_signals
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import identify, is_running
from tests.patience import PATIENCE_SECONDS

SLEEP = "import time; time.sleep(600)"


class Recorder:
    """A record of the supervisor's reports, in order."""

    def __init__(self) -> None:
        self.pids: list[dict[str, int]] = []
        self.polls = 0

    def on_change(self, pids: dict[str, int]) -> None:
        self.pids.append(dict(pids))

    def on_poll(self) -> None:
        self.polls += 1


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def supervisor(recorder: Recorder) -> Iterator[Supervisor]:
    running = Supervisor(on_change=recorder.on_change, on_poll=recorder.on_poll)
    yield running
    running.stop()


def child(tmp_path: Path, name: str, program: str = SLEEP) -> ChildProcess:
    command = [sys.executable, "-c", program]
    return ChildProcess(name, command, tmp_path / f"{name}.log", dict(os.environ), folder=tmp_path)


@pytest.mark.chaos
def test_a_killed_child_is_restarted_and_reported(supervisor: Supervisor, recorder: Recorder, tmp_path: Path) -> None:
    web = child(tmp_path, "web")
    supervisor.start([web])
    first = web.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    def runs_again() -> bool:
        supervisor.check()
        return web.is_alive and web.pid != first

    assert wait_until(runs_again, seconds=PATIENCE_SECONDS)
    assert recorder.pids == [{"web": first}, {"web": web.pid}]


def test_a_restart_that_cannot_be_stored_is_not_called_a_failure(
    supervisor: Supervisor, recorder: Recorder, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def on_full_disk(pids: dict[str, int]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    web = child(tmp_path, "web")
    supervisor.start([web])
    monkeypatch.setattr(supervisor, "_on_change", on_full_disk)
    assert web.process is not None
    web.process.kill()

    def runs_again() -> bool:
        supervisor.check()
        return "is running again" in caplog.text

    assert wait_until(runs_again, seconds=PATIENCE_SECONDS)
    supervisor.check()
    assert [line.partition(": ")[0] for line in caplog.messages[1:]] == [
        "web is running again",
        "the list of processes could not be stored",
    ]
    monkeypatch.setattr(supervisor, "_on_change", recorder.on_change)
    for _ in range(2):
        supervisor.check()
    assert recorder.pids[1:] == [{"web": web.pid}]


@pytest.mark.long
def test_a_child_that_keeps_dying_is_restarted_after_growing_pauses(
    supervisor: Supervisor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start([child(tmp_path, "web", "raise SystemExit(1)")])

    def has_died_thrice() -> bool:
        supervisor.check()
        return caplog.text.count("exited unexpectedly") == 3

    assert wait_until(has_died_thrice, seconds=PATIENCE_SECONDS)
    assert [line for line in ("in 0.5 s", "in 1.5 s", "in 3.5 s") if line in caplog.text] == [
        "in 0.5 s",
        "in 1.5 s",
        "in 3.5 s",
    ]


def test_every_check_calls_on_poll(supervisor: Supervisor, recorder: Recorder) -> None:
    supervisor.check()
    supervisor.check()
    assert recorder.polls == 2


def test_a_stop_leaves_no_process(supervisor: Supervisor, tmp_path: Path) -> None:
    children = [child(tmp_path, name) for name in ("web", "worker")]
    supervisor.start(children)
    marks = [identify(one.pid) for one in children if one.pid is not None]
    supervisor.stop()
    assert len(marks) == 2
    assert not any(known is not None and is_running(known) for known in marks)


def test_a_failed_start_is_stopped_with_the_rest(supervisor: Supervisor, tmp_path: Path) -> None:
    web, broken = child(tmp_path, "web"), child(tmp_path, "broken")
    broken.command = ["/no/such/program"]
    with pytest.raises(FileNotFoundError):
        supervisor.start([web, broken])
    assert web.pid is not None
    known = identify(web.pid)
    supervisor.stop()
    assert known is not None
    assert not is_running(known)


class BrokenServer:
    """A database on a full disk: every restart fails."""

    name = "postgres"
    pid = None
    is_alive = False
    starts = 0

    def start(self) -> None:
        self.starts += 1
        if self.starts > 1:
            raise StartRefused("the disk is full")

    def request_stop(self) -> None: ...

    def stop(self) -> None: ...


@pytest.mark.long
def test_a_failed_restart_is_reported_and_retried(supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
    server = BrokenServer()
    supervisor.start([server])

    def tried_twice() -> bool:
        supervisor.check()
        return server.starts == 3

    assert wait_until(tried_twice, seconds=PATIENCE_SECONDS)
    assert "postgres could not be restarted: the disk is full" in caplog.text


def test_a_second_stop_signal_cannot_interrupt_the_first() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stop_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before
