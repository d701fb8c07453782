"""The services of deploy/compose.yaml as processes, with their commands and exactly their environment."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import psycopg
import pytest
from django.conf import settings

from tests.deploy.test_files import COMPOSE, DEPLOY
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

pytestmark = pytest.mark.long
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def secrets(tmp_path: Path, database_url: str, valkey_url: str) -> Path:
    """The folder of secrets, created by its service, with the addresses of this test's servers."""
    folder, owner = tmp_path / "secrets", tmp_path / "owner"
    for _ in range(2):  # a second start keeps the secrets
        subprocess.run([sys.executable, str(DEPLOY / "make_secrets.py"), str(folder), str(owner)], check=True)
    assert (folder / "valkey_password").read_text() in (folder / "valkey.conf").read_text()
    assert (owner / "postgres_password").read_text() in (owner / "DATABASE_OWNER_URL").read_text()
    here = database_url.rpartition("@")[2]
    (folder / "DATABASE_URL").write_text(
        (folder / "DATABASE_URL").read_text().replace("postgres:5432/supportbot", here)
    )
    (owner / "DATABASE_OWNER_URL").write_text(database_url)
    (folder / "REDIS_URL").write_text(valkey_url)
    return folder


@pytest.fixture
def environment(secrets: Path, tmp_path: Path) -> dict[str, str]:
    """The variables that the image and the services set, and none of this machine's."""
    given = {name: str(value) for name, value in COMPOSE["services"]["web"]["environment"].items()}
    given["PUBLIC_URL"] = "https://localhost"
    port = reserved_port()
    return {
        **given, "PATH": PATH, "SECRETS_DIR": str(secrets), "DATA_DIR": str(tmp_path / "data"), "HOME": "/nowhere",
        "HOST": "127.0.0.1", "PORT": str(port), "PROBE_HOST": "127.0.0.1", "OMP_NUM_THREADS": "1", "LOG_FORMAT": "json",
        "WORKER_PROBE_PORT": str(reserved_port()), "BEAT_PROBE_PORT": str(reserved_port()),
    }  # fmt: skip


def manage(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        entry(*command), env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def entry(*command: str) -> list[str]:
    """Run the image's command from the checkout's folder."""
    script = (DEPLOY / "entrypoint.sh").read_text().replace('$(dirname "$0")', str(settings.BASE_DIR))
    return ["sh", "-c", script, "entrypoint", *command]


@pytest.fixture
def parts(environment: dict[str, str]) -> Iterator[dict[str, int]]:
    """Start the services; return the port on which each answers probes."""
    Path(environment["DATA_DIR"]).mkdir(mode=0o700)
    migrate = COMPOSE["services"]["migrate"]
    own = {name: value for name, value in migrate["environment"].items() if name not in environment}
    assert own.keys() == {"MIGRATE_ALLOW_NEWER", "OWNER_SECRETS_DIR"}
    own["OWNER_SECRETS_DIR"] = str(Path(environment["SECRETS_DIR"]).with_name("owner"))
    manage({**environment, **own}, *migrate["command"])
    with log_of(environment).open("wb") as log:
        running = [
            subprocess.Popen(entry(*COMPOSE["services"][name]["command"]), env=environment, stdout=log, stderr=log)
            for name in ("web", "worker", "beat")
        ]
    ports = [int(environment[name]) for name in ("PORT", "WORKER_PROBE_PORT", "BEAT_PROBE_PORT")]
    yield dict(zip(("web", "worker", "beat"), ports, strict=True))
    for process in running:
        process.terminate()
    assert [process.wait(timeout=PATIENCE_SECONDS) for process in running] == [0, 0, 0]


def log_of(environment: dict[str, str]) -> Path:
    return Path(environment["SECRETS_DIR"]).with_name("log")


def status(port: int, page: str) -> int:
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}{page}", timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except OSError as error:  # also HTTPError, whose code is the answer
        return int(getattr(error, "code", 0))


def test_every_part_becomes_ready_and_an_answer_has_a_source(
    parts: dict[str, int], environment: dict[str, str]
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    for port in parts.values():
        while status(port, "/readyz") != 200:
            assert time.monotonic() < deadline, {name: status(one, "/readyz") for name, one in parts.items()}
            time.sleep(0.5)
    manage(environment, "workspace_create", "Harbour")
    manage(environment, "kb_import", str(settings.BASE_DIR / "examples" / "knowledge" / "returns-refunds"))
    answer = json.loads(manage(environment, "ask", "How long do I have to return something?", "--json"))
    assert answer["citations"]
    checked = json.loads(manage(environment, "doctor", "--no-demo", "--json"))
    assert "ports free" not in [one["name"] for one in checked], "the parts themselves use the ports"
    # without a banner or warnings
    lines = [json.loads(line) for line in log_of(environment).read_text().splitlines()]
    assert all(line["logger"] and line["message"] for line in lines)
    assert status(parts["web"], "/metrics") in (401, 403, 404)  # without the metrics token
    address = (Path(environment["SECRETS_DIR"]) / "DATABASE_URL").read_text()
    with psycopg.connect(address) as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("CREATE TABLE mine (id int)")
