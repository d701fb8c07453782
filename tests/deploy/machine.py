"""A machine on which an administrator types the commands of docs/deploy.md, with programs in place of those that a test
cannot run: `docker`, with folders as volumes and this run's servers, and `kubectl`, with files as secrets.
"""

import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from supportbot.embedded.servers.binaries import find_binaries
from tests.patience import PATIENCE_SECONDS

COMPOSE_FILE: Final = "deploy/compose.yaml"
OWNER: Final = "supportbot"  # the owner of the database in compose.yaml, and the database's name
PROGRAM: Final = """#!/bin/sh
PYTHONPATH={checkout} DJANGO_SETTINGS_MODULE=supportbot.settings exec {python} -c \\
    'from tests.deploy import machine; machine.{name}()' "$@"
"""


class Machine:
    """`folder` is where the commands are typed: a checkout whose `deploy` is ours. The programs keep their files in
    `state`. `server` is a PostgreSQL for new databases; it takes the place of one inside a container.
    """

    def __init__(self, folder: Path, server: str = "") -> None:
        self.folder, self.state = folder, folder / "state"
        self._programs = folder / "programs"
        self.state.mkdir(parents=True)
        self._programs.mkdir()
        (folder / "deploy").symlink_to(settings.BASE_DIR / "deploy")
        for name in ("docker", "kubectl"):
            self.add_program(name, PROGRAM.format(checkout=settings.BASE_DIR, python=sys.executable, name=name))
        postgres = Path(find_binaries().program("pg_dump")).parent
        self._environment = {
            **os.environ, "PATH": f"{self._programs}:{Path(sys.executable).parent}:{postgres}:{os.environ['PATH']}",
            "STATE": str(self.state), "SERVER": server,
        }  # fmt: skip

    def add_program(self, name: str, text: str) -> None:
        (self._programs / name).write_text(text)
        (self._programs / name).chmod(0o755)

    def run(self, *commands: str, **more: str) -> str:
        """Type these commands; return what they print. `more` are further variables of the shell."""
        done = subprocess.run(
            ["sh", "-c", "\n".join(["set -eu", *commands])], env={**self._environment, **more}, cwd=self.folder,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


# --- docker


def docker() -> None:
    """Carry out `docker compose -f deploy/compose.yaml` with `run`, `exec`, `up` or `down`, as far as the guide uses
    them.
    """
    tool, option, file, command, *words = sys.argv[1:]
    assert (tool, option, file) == ("compose", "-f", COMPOSE_FILE), sys.argv
    services = yaml.safe_load(Path(file).read_text())["services"]
    match command:
        case "run":
            _run(services, words)
        case "exec":
            assert words[:2] == ["-T", "postgres"], words
            _inside_postgres(words[2:])
        case "up":
            _up(services, words)
        case "down":
            assert words == ["--volumes"], words
            shutil.rmtree(_volumes())
        case _:
            raise AssertionError(sys.argv)


def _volumes() -> Path:
    folder = Path(os.environ["STATE"]) / "volumes"
    folder.mkdir(exist_ok=True)
    return folder


def _run(services: dict[str, Any], words: list[str]) -> None:
    """Run tar in a container of a service; its root has nothing but the service's volumes."""
    assert words[:5] == ["--rm", "--no-deps", "-T", "--entrypoint", "tar"], words
    service, change, root, how, *rest = words[5:]
    assert (change, root) == ("-C", "/"), words
    mounts = dict(volume.split(":", 1) for volume in services[service]["volumes"])
    content = sys.stdin.buffer.read() if "x" in how else None
    if content is not None:
        listed = subprocess.run(["tar", "-tf", "-"], input=content, capture_output=True, check=True).stdout.decode()
        writable = {path.strip("/") for path in mounts.values() if not path.endswith(":ro")}
        assert {name.split("/")[0] for name in listed.split()} <= writable, "Read-only file system"
    with _mounted(mounts) as folder:
        subprocess.run(["tar", "-C", str(folder), how, *rest], input=content, check=True)


@contextmanager
def _mounted(mounts: dict[str, str]) -> Iterator[Path]:
    """Move volumes to their mount points; a missing volume is empty."""
    root = Path(os.environ["STATE"]) / "root"
    places = {_volumes() / name: root / path.removesuffix(":ro").strip("/") for name, path in mounts.items()}
    root.mkdir()
    for volume, place in places.items():
        volume.mkdir(mode=0o700, exist_ok=True)
        volume.rename(place)
    try:
        yield root
    finally:
        for volume, place in places.items():
            place.rename(volume)
        root.rmdir()


def _inside_postgres(command: list[str]) -> None:
    """Run a program of the database's container, which trusts connections from inside."""
    server = conninfo_to_dict(os.environ["SERVER"])
    password = (_volumes() / "owner" / "postgres_password").read_text()
    given = {"PGHOST": str(server["host"]), "PGPORT": str(server["port"]), "PGPASSWORD": password}
    subprocess.run(command, env={**os.environ, **given}, check=True)


def _up(services: dict[str, Any], words: list[str]) -> None:
    """Start services and what they depend on; only those that leave something behind do anything here."""
    assert words[0] == "--detach", words
    waiting, started = [word for word in words[1:] if word != "--wait"] or list(services), list[str]()

    def start(name: str) -> None:
        if name in started:
            return
        for other in services[name]["depends_on"]:
            start(other)
        started.append(name)
        match name:
            case "secrets":
                _make_secrets(services[name])
            case "postgres":
                _first_start_of_postgres()
            case "migrate":
                _migrate(services[name])

    for name in waiting:
        start(name)


def _make_secrets(service: dict[str, Any]) -> None:
    """Run the service's program, then replace the host `postgres` with the address of this run's server."""
    volumes, server = _volumes(), conninfo_to_dict(os.environ["SERVER"])
    command = [sys.executable, "deploy/make_secrets.py", str(volumes / "secrets"), str(volumes / "owner")]
    assert service["entrypoint"] == ["python", "/app/make_secrets.py", "/secrets", "/owner"]
    subprocess.run(command, check=True)
    for file in (volumes / "secrets" / "DATABASE_URL", volumes / "owner" / "DATABASE_OWNER_URL"):
        file.write_text(file.read_text().replace("@postgres:5432/", f"@{server['host']}:{server['port']}/"))


def _first_start_of_postgres() -> None:
    """Do as the image's entry point does: in an empty volume, make a role with the file's password and its database."""
    if (_volumes() / "postgres").exists():
        return
    (_volumes() / "postgres").mkdir()
    password = (_volumes() / "owner" / "postgres_password").read_text()
    with psycopg.connect(os.environ["SERVER"], autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(OWNER)))
        connection.execute("DROP ROLE IF EXISTS supportbot_app")
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(OWNER), password))
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(OWNER)))


def _migrate(service: dict[str, Any]) -> None:
    places = {"SECRETS_DIR": str(_volumes() / "secrets"), "OWNER_SECRETS_DIR": str(_volumes() / "owner")}
    data = _volumes() / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    given = {**service["environment"], **places, "PUBLIC_URL": "https://localhost", "DATA_DIR": str(data)}
    script = Path("deploy/entrypoint.sh").read_text().replace('$(dirname "$0")', str(settings.BASE_DIR))
    command = ["sh", "-c", script, "entrypoint", *service["command"]]
    subprocess.run(command, env={"PATH": os.environ["PATH"], **given}, check=True, stdout=subprocess.DEVNULL)


# --- kubectl


def kubectl() -> None:
    """Carry out the guide's commands about secrets, and accept the overlay."""
    folder = Path(os.environ["STATE"]) / "secrets"
    folder.mkdir(exist_ok=True)
    words = sys.argv[1:] if sys.argv[1] != "--namespace" else sys.argv[3:]
    match words:
        case ["create", "namespace", "supportbot"]:
            pass
        case ["get", "secret", *names, "--output", "yaml"]:
            items = [json.loads((folder / name).read_text()) for name in names]
            yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout)
        case ["apply", "--filename", file]:
            for one in yaml.safe_load(Path(file).read_text())["items"]:
                (folder / one["metadata"]["name"]).write_text(json.dumps(one))
        case ["apply", "-k", overlay]:
            assert (Path(overlay) / "kustomization.yaml").exists()
        case _:
            raise AssertionError(shlex.join(sys.argv))


def secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    """Return a secret as the API server returns it."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": "supportbot", "resourceVersion": "4711", "uid": "0e1f", "managedFields": []}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}


def values_of(one: dict[str, Any]) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
