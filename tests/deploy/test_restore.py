"""The guide's backup, restored on another server as the guide says."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings

from supportbot.embedded.servers.binaries import find_binaries
from supportbot.embedded.servers.database_roles import weaknesses
from tests.deploy.conftest import NAME
from tests.deploy.test_parts import PATH, manage
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.long
GUIDE = (settings.BASE_DIR / "docs" / "deploy.md").read_text()


def test_the_guides_backup_is_restored(database_url: str, tmp_path: Path) -> None:
    parts = urlsplit(database_url)
    application = urlunsplit(parts._replace(netloc=f"supportbot_app:secret@{parts.netloc.rpartition('@')[2]}"))
    environment = {
        **os.environ, "DATABASE_URL": application, "DATABASE_OWNER_URL": database_url, "DATA_DIR": str(tmp_path),
        "PATH": PATH,
    }  # fmt: skip
    manage(environment, "migrate", "--noinput")
    manage(environment, "workspace_create", "Acme")
    backup, restore = re.findall(r"^    (pg_(?:dump|restore) --dbname=.*)$", GUIDE, re.MULTILINE)
    # With Compose, the same commands run inside the database's container.
    [inside] = re.findall(r"^    docker .* (pg_restore .*) < backup.dump$", GUIDE, re.MULTILINE)
    assert {"--no-owner", "--no-privileges", "--single-transaction"} <= set(restore.split()) & set(inside.split())
    run(backup, environment, tmp_path)
    # Another server does not have our roles.
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as server:
        server.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())
        server.execute("DROP ROLE supportbot_app")
        server.execute(f"CREATE DATABASE {NAME}".encode())
    run(restore, environment, tmp_path)
    manage(environment, "migrate", "--noinput")
    with psycopg.connect(application) as connection:
        assert connection.execute("SELECT name FROM accounts_workspace").fetchall() == [("Acme",)]
        assert weaknesses(connection) == ""


def run(command: str, environment: dict[str, str], folder: Path) -> None:
    programs = Path(find_binaries().program("pg_dump")).parent
    done = subprocess.run(
        ["sh", "-c", command], env={**environment, "PATH": f"{programs}:{environment['PATH']}"}, cwd=folder,
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
