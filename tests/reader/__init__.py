"""The confined reader of uploaded files, forked from a process that has loaded it.

In production, each file gets a new process, which first loads the parsers; here, that would take longer than most
tests. A fork is confined and ends like that process. Tests of the process itself use the fixture `new_reader`.
"""

import subprocess
import sys
import threading
from pathlib import Path
from socket import send_fds, socket, socketpair
from typing import IO, Final

import pytest

from kb.importing import confinement

_SERVER: Final = Path(__file__).with_name("server.py")
_start = confinement._run


class ForkedReaders:
    """The process from which readers are forked, started when the first file is read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, kind: confinement.Kind, source: IO[bytes], output: IO[bytes]) -> int:
        """Do what `confinement._run` does."""
        with self._lock:
            line = self._line or self._begin()
            line.settimeout(confinement.SECONDS)
            try:
                send_fds(line, [kind.encode()], [source.fileno(), output.fileno()])
                answer = line.recv(64)
            except TimeoutError as error:
                self._end()  # it would answer for this file when the next one is read
                raise confinement.ReaderEnded(confinement.reason_in_words("time", {})) from error
            except ConnectionError:
                answer = b""
            if not answer:
                self._end()
                raise RuntimeError("The reader server has stopped. See standard error.")
            return int(answer)

    def _begin(self) -> socket:
        """Start the server, which ends when this process has ended and closed its side of the line."""
        self._line, theirs = socketpair()
        with theirs:
            self._process = subprocess.Popen([sys.executable, "-I", _SERVER], stdin=theirs.fileno())
        return self._line

    def _end(self) -> None:
        assert self._line is not None and self._process is not None
        self._line.close()
        self._line = None
        self._process.kill()
        self._process.wait()


def fork_readers() -> None:
    confinement._run = ForkedReaders().run


@pytest.fixture
def new_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a new process for each file, as in production."""
    monkeypatch.setattr(confinement, "_run", _start)
