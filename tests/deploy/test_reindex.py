"""`kb_reindex` as docs/deploy.md runs it, as a process with exactly the environment that each deployment gives it."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import yaml
from django.conf import settings

from tests.deploy.test_files import DEPLOY, KUBERNETES, OWNER, manifests
from tests.deploy.test_parts import PATH, entry
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.long
GUIDE = (settings.BASE_DIR / "docs" / "deploy.md").read_text()
SECRETS = {"SECRET_KEY": "for-nothing-but-tests", "FIELD_KEYS": "dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk="}
# Runs the job with this name, or this unit or systemd-run command.
Run = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def addresses(database_url: str, valkey_url: str) -> dict[str, str]:
    """The settings that name servers, with a role for rows as well as the owner."""
    parts = urlsplit(database_url)
    application = urlunsplit(parts._replace(netloc=f"supportbot_app:secret@{parts.netloc.rpartition('@')[2]}"))
    return {"DATABASE_URL": application, "REDIS_URL": valkey_url, "DATABASE_OWNER_URL": database_url}


@pytest.fixture
def on_kubernetes(addresses: dict[str, str], tmp_path: Path) -> Run:
    """The pods of jobs: the image's variables, an overlay's config map, and the secrets that the guide creates."""
    overlay = yaml.safe_load((KUBERNETES / "overlays" / "small" / "kustomization.yaml").read_text())
    config = dict(literal.split("=", 1) for literal in overlay["configMapGenerator"][0]["literals"])
    owner = {"DATABASE_OWNER_URL": addresses["DATABASE_OWNER_URL"]}
    secret = {**SECRETS, **addresses, "METRICS_TOKEN": "token"}
    secret.pop("DATABASE_OWNER_URL")
    assert {*re.findall(r"--from-literal=(\w+)=", GUIDE)} == {*secret, *owner}
    image = re.search(r"^ENV (.*?)^USER", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    assert image is not None
    given = dict(pair.split("=", 1) for pair in image[1].replace("\\\n", " ").split())
    (tmp_path / "data").mkdir(mode=0o700)

    def run(name: str) -> "subprocess.CompletedProcess[str]":
        [job] = [one for one in manifests(KUBERNETES / "overlays" / "small") if one["metadata"]["name"] == name]
        spec = job["spec"]["jobTemplate"]["spec"] if job["kind"] == "CronJob" else job["spec"]
        [container] = spec["template"]["spec"]["containers"]
        assert OWNER in container["envFrom"]
        environment = {**given, **config, **secret, **owner, "PATH": PATH, "DATA_DIR": str(tmp_path / "data")}
        return finished(entry(*container["args"]), environment, Path("/"))

    return run


@pytest.fixture
def under_systemd(addresses: dict[str, str], tmp_path: Path) -> Run:
    """The commands of the unit and of the guide, with the files in /etc/supportbot that the guide describes."""
    owner = {"DATABASE_OWNER_URL": addresses["DATABASE_OWNER_URL"]}
    files = {
        "/etc/supportbot/environment": {
            **SECRETS, "DATABASE_URL": addresses["DATABASE_URL"], "REDIS_URL": addresses["REDIS_URL"],
            "PUBLIC_URL": "https://support.example.com",
        },
        "-/etc/supportbot/owner": owner,
    }  # fmt: skip
    (tmp_path / "data").mkdir(mode=0o700)

    def run(text: str) -> "subprocess.CompletedProcess[str]":
        properties, command = parsed(text)
        folder = dict(properties)["WorkingDirectory"]
        assert folder in ("/opt/supportbot", "/opt/supportbot-0.3") and ("User", "supportbot") in properties
        given: dict[str, str] = {}
        for value in [value for name, value in properties if name == "Environment"]:
            given |= dict(pair.split("=", 1) for pair in shlex.split(value))
        assert given["DATA_DIR"] == "/var/lib/supportbot"
        for value in [value for name, value in properties if name == "EnvironmentFile"]:
            given |= files[value]
        environment = {**given, "PATH": os.defpath, "DATA_DIR": str(tmp_path / "data")}
        if command[:2] == ["/bin/sh", "-c"]:
            command = shlex.split(command[2].removeprefix("exec ").replace("$$(pwd -P)", folder))
        assert command[0] == f"{folder}/.venv/bin/python"
        return finished([sys.executable, *command[1:]], environment, settings.BASE_DIR)

    return run


def parsed(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the properties and the command of a unit or of a systemd-run call."""
    if not text.startswith("systemd-run"):
        properties = [(name, value) for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)]
        return properties, shlex.split(dict(properties)["ExecStart"])
    words, properties = shlex.split(text)[1:], []
    while words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-p", "-E"):
            name, _, value = words.pop(0).partition("=")
            properties.append((name, value) if word == "-p" else ("Environment", f"{name}={value}"))
        elif word.startswith("--uid="):
            properties.append(("User", word.partition("=")[2]))
    return properties, words


def finished(command: list[str], environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def owner_of_the_index(address: str) -> str | None:
    with psycopg.connect(address) as connection:
        row = connection.execute(
            "SELECT tableowner FROM pg_indexes JOIN pg_tables USING (tablename) WHERE indexname LIKE 'kb_chunk_hnsw_%'"
        ).fetchone()
    return None if row is None else str(row[0])


def drop_the_index(address: str) -> None:
    with psycopg.connect(address) as connection:
        for (name,) in connection.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE 'kb_chunk_hnsw_%'"):
            connection.execute(f'DROP INDEX "{name}"')


def test_the_job_of_the_manifests_builds_the_index(on_kubernetes: Run, addresses: dict[str, str]) -> None:
    [name] = re.findall(r"create job supportbot-reindex --from=cronjob/(\S+)", GUIDE)
    check_reindexing(on_kubernetes, "supportbot-migrate", name, addresses)


def test_the_transient_unit_builds_the_index(under_systemd: Run, addresses: dict[str, str]) -> None:
    unit = (DEPLOY / "systemd" / "supportbot-migrate.service").read_text()
    migrate, reindex = (
        command.replace("\\\n", " ")
        for command in re.findall(r"^    (systemd-run (?:.*\\\n)*.*manage\.py \w+)$", GUIDE, re.MULTILINE)
    )
    assert migrate.endswith(" migrate") and reindex.endswith(" kb_reindex")
    check_reindexing(under_systemd, unit, reindex, addresses)
    upgrade = under_systemd(migrate)
    assert upgrade.returncode == 0, upgrade.stderr


def check_reindexing(run: Run, migrate: str, reindex: str, addresses: dict[str, str]) -> None:
    migrated = run(migrate)
    assert migrated.returncode == 0, migrated.stderr
    drop_the_index(addresses["DATABASE_OWNER_URL"])
    done = run(reindex)
    assert (done.returncode, "Vectors computed" in done.stdout) == (0, True), done.stderr
    assert owner_of_the_index(addresses["DATABASE_OWNER_URL"]) == urlsplit(addresses["DATABASE_OWNER_URL"]).username
