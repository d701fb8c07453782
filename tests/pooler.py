"""PgBouncer in front of a test's PostgreSQL."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.servers.os_accounts import server_account
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (Debian's package pgbouncer)")
CONFIGURED = """[databases]
pooled = host=127.0.0.1 port={PORT} dbname={NAME} user={USER} password={PASSWORD}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
{more}
"""


class Pooler:
    """A pooler that a test may restart. It listens on loopback, and anybody may log in."""

    def __init__(self, folder: Path, server: Mapping[str, Any], *, mode: str, more: str = "") -> None:
        """`server` has the names of Django's settings."""
        self._file, self._port = folder / "pgbouncer.ini", reserved_port()
        self._file.write_text(CONFIGURED.format(port=self._port, mode=mode, more=more, **server))
        self._file.chmod(0o644)
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"postgresql://anyone:anything@127.0.0.1:{self._port}/pooled"

    def start(self) -> None:
        assert PROGRAM is not None
        account = server_account()
        identity = {} if account is None else account.as_popen()
        self._process = subprocess.Popen([PROGRAM, "-q", str(self._file)], cwd="/", **identity)
        assert wait_until(self._answers, seconds=PATIENCE_SECONDS)

    def stop(self) -> None:
        """Stop it at once, with every connection."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=PATIENCE_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address).close()
        except psycopg.OperationalError:
            return False
        return True
