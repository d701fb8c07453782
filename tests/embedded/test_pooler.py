"""A pooler works in session mode. Its transaction mode is refused at once, and so is a read-only database."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.free_ports import free_port
from supportbot.embedded.servers import external_servers
from supportbot.embedded.servers.os_accounts import server_account
from supportbot.installation.errors import StartRefused
from tests.embedded.test_checks import database_url
from tests.embedded.test_separate_processes import refusal
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
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


@pytest.fixture
def pooled(home: Path) -> Iterator[Callable[..., str]]:
    """Return a function that starts a pooler in front of the test database in this mode, and returns its address."""
    running: list[subprocess.Popen[bytes]] = []

    def start(mode: str, more: str = "") -> str:
        assert PROGRAM is not None
        port, file = free_port(), home / "pgbouncer.ini"
        file.write_text(CONFIGURED.format(port=port, mode=mode, more=more, **connection.settings_dict))
        file.chmod(0o644)
        account = server_account()
        running.append(
            subprocess.Popen([PROGRAM, "-q", str(file)], cwd="/", **({} if account is None else account.as_popen()))
        )
        address = f"postgresql://anyone:anything@127.0.0.1:{port}/pooled"
        assert wait_until(lambda: _answers(address), seconds=PATIENCE_SECONDS)
        return address

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.long
@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (Debian's package pgbouncer)")
def test_a_pooler_works_in_session_mode_and_is_refused_in_transaction_mode(
    pooled: Callable[..., str], settings: Settings
) -> None:
    assert external_servers.probe_database(pooled("session")).startswith("PostgreSQL 18")
    settings.DATABASE_URL = pooled("transaction")
    with pytest.raises(StartRefused, match="session mode"):
        external_servers.probe_database(settings.DATABASE_URL)
    with pytest.raises(StartRefused, match="session mode"):
        call_command("migrate", verbosity=0)
    for part in ("serve", "work"):
        assert "session mode" in refusal(part, DATABASE_URL=settings.DATABASE_URL)


@pytest.mark.long
@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (Debian's package pgbouncer)")
def test_a_pooler_that_uses_spare_connections_in_turn_is_refused(pooled: Callable[..., str]) -> None:
    address = pooled("transaction", "server_round_robin = 1")
    with ExitStack() as stack:  # more at the same time than the probe opens
        busy = [stack.enter_context(psycopg.connect(address)) for _ in range(12)]
        for one in busy:
            one.execute("SELECT 1")
    with pytest.raises(StartRefused, match="session mode"):
        external_servers.refuse_transaction_pooling(address)


def test_a_read_only_database_is_refused() -> None:
    address = f"{database_url()}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(StartRefused, match="read-only"):
        external_servers.probe_database(address)
