"""The supervisor, with small real processes."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supportbot.embedded.children import ChildProcess
from supportbot.embedded.processes import wait_until
from supportbot.embedded.supervisor import Supervisor, stop_signals
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_marks import is_running, mark

SLEEP = "import time; time.sleep(600)"


class Books:
    """What the supervisor reported, in order."""

    def __init__(self) -> None:
        self.pids: list[dict[str, int]] = []
        self.tidied = 0

    def note(self, pids: dict[str, int]) -> None:
        self.pids.append(dict(pids))

    def tidy(self) -> None:
        self.tidied += 1


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def supervisor(books: Books) -> Iterator[Supervisor]:
    running = Supervisor(on_change=books.note, tidy=books.tidy)
    yield running
    running.stop()


def child(tmp_path: Path, name: str, program: str = SLEEP) -> ChildProcess:
    command = [sys.executable, "-c", program]
    return ChildProcess(name, command, tmp_path / f"{name}.log", dict(os.environ), folder=tmp_path)


@pytest.mark.chaos
def test_a_killed_child_runs_again_and_is_noted(supervisor: Supervisor, books: Books, tmp_path: Path) -> None:
    web = child(tmp_path, "web")
    supervisor.start([web])
    first = web.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)

    def runs_again() -> bool:
        supervisor.look()
        return web.is_alive and web.pid != first

    assert wait_until(runs_again, seconds=10)
    assert books.pids == [{"web": first}, {"web": web.pid}]


def test_a_child_that_keeps_dying_is_given_longer_and_longer_pauses(
    supervisor: Supervisor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor.start([child(tmp_path, "web", "raise SystemExit(1)")])

    def has_died_thrice() -> bool:
        supervisor.look()
        return caplog.text.count("ended by itself") == 3

    assert wait_until(has_died_thrice, seconds=20)
    assert [line for line in ("in 0.5 s", "in 1.5 s", "in 3.5 s") if line in caplog.text] == [
        "in 0.5 s",
        "in 1.5 s",
        "in 3.5 s",
    ]


def test_every_look_tidies_up(supervisor: Supervisor, books: Books) -> None:
    supervisor.look()
    supervisor.look()
    assert books.tidied == 2


def test_a_stop_leaves_no_process(supervisor: Supervisor, tmp_path: Path) -> None:
    children = [child(tmp_path, name) for name in ("web", "worker")]
    supervisor.start(children)
    marks = [mark(one.pid) for one in children if one.pid is not None]
    supervisor.stop()
    assert len(marks) == 2
    assert not any(known is not None and is_running(known) for known in marks)


def test_a_failed_start_is_taken_down_with_the_rest(supervisor: Supervisor, tmp_path: Path) -> None:
    web, broken = child(tmp_path, "web"), child(tmp_path, "broken")
    broken.command = ["/no/such/program"]
    with pytest.raises(FileNotFoundError):
        supervisor.start([web, broken])
    assert web.pid is not None
    known = mark(web.pid)
    supervisor.stop()
    assert known is not None
    assert not is_running(known)


class BrokenServer:
    """A database whose disk is full: every restart is refused."""

    name = "postgres"
    pid = None
    is_alive = False
    starts = 0

    def start(self) -> None:
        self.starts += 1
        if self.starts > 1:
            raise StartRefused("the disk is full")

    def ask_to_stop(self) -> None: ...

    def stop(self) -> None: ...


def test_a_refused_restart_is_told_and_tried_again(supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
    server = BrokenServer()
    supervisor.start([server])

    def tried_twice() -> bool:
        supervisor.look()
        return server.starts == 3

    assert wait_until(tried_twice, seconds=20)
    assert "postgres could not be started: the disk is full" in caplog.text


def test_the_second_stop_signal_cannot_disturb_the_first() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stop_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before
