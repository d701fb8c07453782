"""The confined reader of uploaded files, forked from a process that has loaded it.

In production, each file gets a new process, which first loads the parsers; here, that would take longer than most
tests. A fork is confined and ends like that process. Tests of the process itself use the fixture `new_reader`.
"""

import subprocess
import sys
import threading
from pathlib import Path
from socket import send_fds, socketpair
from typing import IO, Final

import pytest

from kb.importing import confinement

_SERVER: Final = Path(__file__).with_name("server.py")
_start = confinement._run


class ForkedReaders:
    """The process from which readers are forked, started when the first file is read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line, self._theirs = socketpair()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, kind: confinement.Kind, source: IO[bytes], output: IO[bytes]) -> int:
        """Does what `confinement._run` does."""
        with self._lock:
            if self._process is None:  # it ends when this process has ended and closed the other side
                self._process = subprocess.Popen([sys.executable, "-I", _SERVER], stdin=self._theirs.fileno())
                self._theirs.close()
            send_fds(self._line, [kind.encode()], [source.fileno(), output.fileno()])
            return int(self._line.recv(64))


def fork_readers() -> None:
    confinement._run = ForkedReaders().run


@pytest.fixture
def new_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a new process for each file, as in production."""
    monkeypatch.setattr(confinement, "_run", _start)
