"""The backups of docs/deploy.md, restored on another machine with exactly the commands of the guide."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import yaml
from django.conf import settings

from supportbot.embedded.servers.database_roles import weaknesses
from supportbot.embedded.servers.postgres import PostgresServer
from tests.deploy.conftest import NAME
from tests.deploy.machine import OWNER, Machine, secret, values_of
from tests.deploy.test_files import check_schema
from tests.deploy.test_parts import PATH, manage
from tests.deploy.test_reindex import SECRETS, addresses
from tests.deploy.test_upgrading import blocks_in
from tests.migrated import load_schema

__all__ = ["addresses"]  # a fixture
pytestmark = pytest.mark.long
GUIDE = (settings.BASE_DIR / "docs" / "deploy.md").read_text()
HEADS = {"audit-heads.jsonl": "the checkpoints of the audit chains"}


def commands_of(section: str) -> list[list[str]]:
    """Return the commands that back up and those that restore, from the guide's section with this heading."""
    backups = GUIDE.partition("\n## Backup and restore\n")[2].partition("\n## ")[0]
    saving, restoring = blocks_in(backups.partition(f"\n### {section}")[2].partition("\n### ")[0])
    return [saving, restoring]


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, content: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        (folder / name).write_text(text)


def check_restored(application: str) -> None:
    """Assert that the rows are there, and that the application's role has its privileges and no more."""
    with psycopg.connect(application) as connection:
        assert connection.execute("SELECT name FROM accounts_workspace").fetchall() == [("Acme",)]
        assert weaknesses(connection) == ""


@pytest.fixture
def administered(deployment_server: PostgresServer) -> Iterator[str]:
    """The address for an administrator of a server whose role `supportbot` may get a different password."""
    own = deployment_server.conninfo("postgres")
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("CREATE ROLE administrator SUPERUSER LOGIN PASSWORD 'administrator'")
    parts = urlsplit(deployment_server.url("postgres"))
    address = urlunsplit(parts._replace(netloc=f"administrator:administrator@{parts.netloc.rpartition('@')[2]}"))
    yield address
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {OWNER} PASSWORD 'test'".encode())
        connection.execute(f"DROP DATABASE IF EXISTS {OWNER} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}".encode())
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("DROP ROLE administrator")


def test_compose(administered: str, migrated_schema: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path, administered)
    volumes = machine.state / "volumes"
    machine.run("docker compose -f deploy/compose.yaml up --detach --wait postgres")
    load_schema((volumes / "owner" / "DATABASE_OWNER_URL").read_text(), migrated_schema)
    machine.run("docker compose -f deploy/compose.yaml up --detach")
    application = (volumes / "secrets" / "DATABASE_URL").read_text()
    own = {"PATH": PATH, "SECRETS_DIR": str(volumes / "secrets"), "DATA_DIR": str(volumes / "data")}
    manage({**own, "PUBLIC_URL": "https://localhost"}, "workspace_create", "Acme")
    write(volumes / "data", HEADS)
    saving, restoring = commands_of("Compose")
    machine.run(*saving)
    kept = {name: files(volumes / name) for name in ("secrets", "owner", "data")}

    [deletion] = [one for one in GUIDE.replace("`", "\n").splitlines() if one.endswith(" down --volumes")]
    machine.run(deletion)
    assert not list(machine.state.glob("volumes/*"))
    machine.run(*restoring)
    assert {name: files(volumes / name) for name in kept} == kept
    check_restored(application)


@pytest.fixture
def installed(addresses: dict[str, str], migrated_schema: Path, tmp_path: Path) -> dict[str, str]:
    """The settings of an installation with a workspace and two roles."""
    load_schema(addresses["DATABASE_OWNER_URL"], migrated_schema)
    environment = {**SECRETS, **addresses, "PATH": PATH, "DATA_DIR": str(tmp_path), "PUBLIC_URL": "https://localhost"}
    manage(environment, "migrate", "--noinput")
    manage(environment, "workspace_create", "Acme")
    return environment


def empty_the_server(owner: str) -> None:
    """Make a new database in place of ours, on a server without our roles."""
    with psycopg.connect(urlunsplit(urlsplit(owner)._replace(path="/postgres")), autocommit=True) as server:
        server.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())
        server.execute("DROP ROLE supportbot_app")
        server.execute(f"CREATE DATABASE {NAME}".encode())


def test_kubernetes(installed: dict[str, str], tmp_path: Path) -> None:
    machine = Machine(tmp_path / "cluster")
    owner = {"DATABASE_OWNER_URL": installed["DATABASE_OWNER_URL"]}
    known = {name: installed[name] for name in ("DATABASE_URL", "REDIS_URL", *SECRETS)}
    objects = {name: secret(name, values) for name, values in (("supportbot", known), ("supportbot-owner", owner))}
    write(machine.state / "secrets", {name: json.dumps(one) for name, one in objects.items()})
    saving, restoring = commands_of("Kubernetes")
    machine.run(*saving, **owner)

    empty_the_server(owner["DATABASE_OWNER_URL"])
    for file in (machine.state / "secrets").iterdir():
        file.unlink()
    for one in yaml.safe_load((machine.folder / "secrets.yaml").read_text())["items"]:
        check_schema(one)
    machine.run(*restoring, **owner)
    given = {}
    for name in objects:
        given |= values_of(json.loads((machine.state / "secrets" / name).read_text()))
    assert given == {**known, **owner}
    manage({**installed, **given}, "migrate", "--noinput")
    check_restored(known["DATABASE_URL"])


def test_systemd(installed: dict[str, str], tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    machine.add_program("systemctl", '#!/bin/sh\necho "$*" >>"$STATE/calls"\n')
    etc, data = machine.state / "etc", machine.state / "data"
    owner = {"DATABASE_OWNER_URL": installed["DATABASE_OWNER_URL"]}
    known = {name: installed[name] for name in ("DATABASE_URL", "REDIS_URL", *SECRETS)}
    write(etc / "supportbot", {"environment": "".join(f"{name}={value}\n" for name, value in known.items())})
    write(data / "supportbot", HEADS)
    (etc / "supportbot" / "environment").chmod(0o640)
    saving, restoring = (
        [one.replace("-C /etc ", f"-C {etc} ").replace("-C /var/lib ", f"-C {data} ") for one in commands]
        for commands in commands_of("systemd")
    )
    machine.run(*saving, **owner)

    empty_the_server(owner["DATABASE_OWNER_URL"])
    etc, data = (folder.rename(folder.with_name(f"old-{folder.name}")) for folder in (etc, data))
    for folder in ("etc", "data"):
        (machine.state / folder).mkdir()
    machine.run(*restoring, **owner)
    assert files(machine.state / "etc") == files(etc) and files(machine.state / "data") == files(data)
    assert (machine.state / "etc" / "supportbot" / "environment").stat().st_mode & 0o777 == 0o640
    [started] = (machine.state / "calls").read_text().splitlines()
    assert {f"supportbot-{part}" for part in ("web", "worker", "beat")} < set(started.split())
    manage({**installed, **owner}, "migrate", "--noinput")
    check_restored(known["DATABASE_URL"])
