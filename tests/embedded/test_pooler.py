"""A pooler works in session mode. Its transaction mode is refused at once, and so is a read-only database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django.fixtures import Settings

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.servers import external_servers
from supportbot.installation.errors import StartRefused
from supportbot.observing.database_errors import own_words
from supportbot.server_urls import postgres_at
from tests.embedded.test_checks import database_url
from tests.embedded.test_separate_processes import refusal
from tests.patience import PATIENCE_SECONDS
from tests.pooler import Pooler, needs_pgbouncer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pooled(home: Path) -> Iterator[Callable[..., str]]:
    """Return a function that starts a pooler in front of the test database in this mode, and returns its address."""
    running: list[Pooler] = []

    def start(mode: str, more: str = "") -> str:
        running.append(Pooler(home, connection.settings_dict, mode=mode, more=more))
        running[-1].start()
        return running[-1].address

    yield start
    for pooler in running:
        pooler.stop()


@pytest.mark.long
@needs_pgbouncer
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
@needs_pgbouncer
def test_a_pooler_that_uses_spare_connections_in_turn_is_refused(pooled: Callable[..., str]) -> None:
    address = pooled("transaction", "server_round_robin = 1")
    with ExitStack() as stack:  # more at the same time than the probe opens
        for one in [stack.enter_context(psycopg.connect(address)) for _ in range(12)]:
            one.execute("SELECT 1")
    with pytest.raises(StartRefused, match="session mode"):
        external_servers.refuse_transaction_pooling(address)


@pytest.mark.long
@needs_pgbouncer
def test_a_pooler_without_a_free_server_is_the_cause_that_the_log_names(pooled: Callable[..., str]) -> None:
    """It accepts a connection at once, and ends it when the first statement has waited too long."""
    address = pooled("session", "default_pool_size = 1\nquery_wait_timeout = 1")
    parts = urlsplit(address)
    other = connection.copy()
    pool = postgres_at(address, most_connections=2)["OPTIONS"]
    other.settings_dict = {
        **connection.settings_dict, "USER": parts.username, "PASSWORD": parts.password, "PORT": parts.port,
        "NAME": parts.path[1:], "CONN_MAX_AGE": 0, "OPTIONS": {**pool, "pool": {**pool["pool"], "timeout": 3.0}},
    }  # fmt: skip
    with psycopg.connect(address) as busy:
        busy.execute("SELECT 1")
        try:
            assert wait_until(lambda: "query_wait_timeout" in refused(other), seconds=PATIENCE_SECONDS)
        finally:
            other.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's backend


def refused(other: BaseDatabaseWrapper) -> str:
    """Return the text of the error with which a connection from the pool is refused. On a busy machine, its limit may
    end before the pooler has refused one.
    """
    with pytest.raises(OperationalError) as failed:
        other.ensure_connection()
    return own_words(failed.value)


def test_a_read_only_database_is_refused() -> None:
    address = f"{database_url()}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(StartRefused, match="read-only"):
        external_servers.probe_database(address)
