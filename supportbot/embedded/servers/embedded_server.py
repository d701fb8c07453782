"""The base class of the embedded servers: a home folder, a port that is chosen once, and a running process."""

import subprocess
from pathlib import Path

from supportbot.embedded.free_ports import free_port, is_taken


class LocalServer:
    def __init__(self, home: Path, *, password: str, port: int | None, log: Path) -> None:
        self.home = home
        self.log = log
        self._password = password
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._has_run = False

    @property
    def port(self) -> int:
        if self._port is None:
            self._port = free_port()
        return self._port

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _choose_port(self) -> None:
        """Choose another port if ours is in use. This is possible only before the first start, since other processes
        know the address after that.
        """
        if not self._has_run and is_taken(self.port):
            self._port = free_port()
