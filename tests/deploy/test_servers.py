"""The files in deploy/ that other servers read, given to these servers: Caddy and Valkey."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.servers.valkey import find_program
from tests.deploy.test_files import COMPOSE, DEPLOY
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed (Debian's package)")
@pytest.mark.parametrize("site", [{}, {"SITE_ADDRESS": "support.example.com"}])
def test_caddy_understands_its_file(site: dict[str, str], tmp_path: Path) -> None:
    """Without variables and with those of Compose."""
    checked = subprocess.run(
        ["caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **site}, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert checked.returncode == 0 and "Valid configuration" in checked.stdout, checked.stderr


@pytest.mark.long
def test_valkey_starts_with_the_file_of_compose_and_neither_evicts_nor_forgets(tmp_path: Path) -> None:
    """On another port, and with the folder of its volume moved: everything else is as in the container."""
    secrets, data, port = tmp_path / "secrets", tmp_path / "data", reserved_port()
    made = [str(DEPLOY / "make_secrets.py"), str(secrets), str(tmp_path / "owner")]
    subprocess.run([sys.executable, *made, "--redis-host", "127.0.0.1"], check=True)
    data.mkdir()
    file = secrets / "valkey.conf"
    file.write_text(file.read_text().replace("dir /data\n", f"dir {data}\n"))
    assert COMPOSE["services"]["valkey"]["command"] == ["valkey-server", f"/secrets/{file.name}"]
    url = (secrets / "REDIS_URL").read_text().replace(":6379", f":{port}")
    for _ in range(2):
        server = subprocess.Popen([str(find_program()), str(file), "--port", str(port)], stdout=subprocess.DEVNULL)
        try:
            with redis.Redis.from_url(url) as client, redis.Redis(port=port) as stranger:
                assert wait_until(lambda: is_up(client), seconds=PATIENCE_SECONDS)
                assert client.incr("starts") and client.config_get("maxmemory-policy") == {
                    "maxmemory-policy": "noeviction"
                }
                with pytest.raises(redis.AuthenticationError):
                    stranger.ping()
                starts = int(client.get("starts") or 0)
        finally:
            server.kill()  # what it has acknowledged must be there again
            server.wait()
    assert starts == 2


def is_up(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
