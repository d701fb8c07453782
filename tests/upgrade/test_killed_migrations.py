"""Migrations that are killed half-way are continued by the next `migrate`."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from supportbot.embedded.child_processes import wait_until
from tests.deploy.conftest import database_url
from tests.patience import PATIENCE_SECONDS

__all__ = ["database_url"]  # a fixture
pytestmark = pytest.mark.long
KILLED_AFTER = (10, 40, 80)  # migrations
APPLIED = "SELECT count(*) FROM django_migrations"


def begin(database_url: str, folder: Path, *options: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "DATABASE_URL": database_url, "DATABASE_OWNER_URL": "", "DATA_DIR": str(folder)}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--noinput", *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def applied(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        if connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
            return 0
        row = connection.execute(APPLIED).fetchone()
        return int(row[0]) if row else 0


def test_two_machines_may_migrate_at_once(database_url: str, tmp_path: Path) -> None:
    """The second one must not wait in a statement: an index that is built concurrently waits for all statements."""
    running = [begin(database_url, tmp_path) for _ in range(2)]
    for one in running:
        errors = one.communicate(timeout=PATIENCE_SECONDS)[1]
        assert one.returncode == 0, errors


def test_a_killed_migration_is_continued(database_url: str, tmp_path: Path) -> None:
    for count in KILLED_AFTER:
        killed = begin(database_url, tmp_path)
        assert wait_until(lambda: applied(database_url) >= count, seconds=PATIENCE_SECONDS)  # noqa: B023  # called here
        killed.kill()
        assert killed.wait(timeout=PATIENCE_SECONDS) == -9, "it was killed before its end"
    for options in ((), ("--check",)):
        done = begin(database_url, tmp_path, *options)
        errors = done.communicate(timeout=PATIENCE_SECONDS)[1]
        assert done.returncode == 0, errors
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1 FROM pg_index WHERE NOT indisvalid").fetchall() == []
