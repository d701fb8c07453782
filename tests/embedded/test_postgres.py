"""The local PostgreSQL, by real clusters."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from supportbot.embedded.accounts import server_account
from supportbot.embedded.postgres import PostgresServer
from supportbot.embedded.processes import ProcessMark, is_running, mark


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder, with a space in its name, that the user who runs PostgreSQL can reach."""
    folder = tmp_path / "two words"
    folder.mkdir()
    account = server_account()
    for path in (folder, *folder.parents):
        if account is not None and path.stat().st_uid == os.geteuid() and not account.can_enter(path):
            path.chmod(0o755)
    return folder


@pytest.fixture
def server(home: Path) -> Iterator[PostgresServer]:
    postgres = PostgresServer(home / "postgres", password="right", port=None, log=home / "postgres.log", durable=False)
    yield postgres
    postgres.stop()


def mark_of(server: PostgresServer) -> ProcessMark:
    assert server.pid is not None
    process = mark(server.pid)
    assert process is not None
    return process


def write_row(server: PostgresServer) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE note (text text)")
        connection.execute("INSERT INTO note VALUES ('kept')")


def read_rows(server: PostgresServer) -> list[tuple[str]]:
    with psycopg.connect(server.conninfo()) as connection:
        return connection.execute("SELECT text FROM note").fetchall()


def test_a_stop_and_a_start_keep_the_data(server: PostgresServer) -> None:
    server.start()
    write_row(server)
    process = mark_of(server)
    server.stop()
    assert not is_running(process)
    server.start()
    assert read_rows(server) == [("kept",)]
