"""The application's role on the product's tables: statements that are refused, and those that work."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from psycopg import errors

from kb.indexing.models import Recipe
from supportbot.embedded.backup import back_up, restore
from supportbot.embedded.checks import check_roles
from supportbot.embedded.management.commands import migrate
from supportbot.embedded.servers.database_roles import (
    APPEND_ONLY,
    create_application_role,
    divide,
    may_write,
    refuse_two_databases,
    server_of,
    weaknesses,
)
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.installation.errors import InstallationError, StartRefused
from supportbot.installation.start_plan import Plan
from tests.embedded.instance import MANAGE
from tests.embedded.test_backup import archive_of
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

NAME, PASSWORD = "roles_app", "hidden"
EMPTY = {"format": 1, "version": "0.1.0", "made_at": "", "has_secrets": True, "migrations": []}


def address(database: str, login: str = "") -> str:
    parts = urlsplit(settings.DATABASE_URL)
    netloc = f"{login}@{parts.netloc.rpartition('@')[2]}" if login else parts.netloc
    return f"postgresql://{netloc}/{database}"


@pytest.fixture
def urls(transactional_db: None) -> Iterator[tuple[str, str]]:
    """The addresses of the test's database, as its owner and as the application."""
    database = str(connection.settings_dict["NAME"])
    owner, application = address(database), address(database, f"{NAME}:{PASSWORD}")
    with psycopg.connect(owner, autocommit=True) as almighty:
        create_application_role(almighty, NAME, PASSWORD)
    divide(owner, application)
    yield owner, application
    with psycopg.connect(owner, autocommit=True) as almighty:
        almighty.execute(f"DROP OWNED BY {NAME}")
        almighty.execute(f"DROP ROLE {NAME}")


@pytest.fixture
def application(urls: tuple[str, str]) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(urls[1], autocommit=True) as line:
        yield line


REFUSED = [
    "ALTER TABLE actions_auditentry DISABLE TRIGGER USER",
    "UPDATE actions_auditentry SET seq = 2",
    "DELETE FROM actions_auditentry",
    "TRUNCATE actions_auditentry",
    "DROP TABLE actions_auditentry",
    "ALTER TABLE accounts_user ADD COLUMN extra text",
    "CREATE TABLE notes (text text)",
    "CREATE TEMPORARY TABLE notes (text text)",
    "CREATE SCHEMA another",
    "CREATE FUNCTION zero() RETURNS int LANGUAGE sql AS 'SELECT 0'",
    "CREATE EXTENSION pg_trgm",
    "SET session_replication_role = replica",
    "SELECT pg_read_file('/etc/passwd')",
    "COPY accounts_user FROM '/etc/passwd'",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "CREATE ROLE another SUPERUSER",
    "DELETE FROM django_migrations",
    "SELECT * FROM pg_authid",
]


@pytest.mark.django_db(transaction=True)
def test_the_application_is_refused_what_only_the_owner_may_do(application: "psycopg.Connection[Any]") -> None:
    for statement in REFUSED:
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute(statement.encode())
            pytest.fail(f"allowed: {statement}")


@pytest.mark.django_db(transaction=True)
def test_the_application_reads_and_writes_rows(application: "psycopg.Connection[Any]") -> None:
    tables = [name for name in connection.introspection.table_names() if name not in APPEND_ONLY]
    for name in tables:
        application.execute(f'SELECT * FROM "{name}" LIMIT 1'.encode())
        if name != "django_migrations":
            application.execute(f'DELETE FROM "{name}" WHERE false'.encode())
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE of_a_later_migration (id int)")
    try:
        application.execute("INSERT INTO of_a_later_migration VALUES (1)")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE of_a_later_migration")


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_the_index_of_another_model_is_built_as_the_owner(urls: tuple[str, str]) -> None:
    owner, application = urls
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX IF EXISTS kb_chunk_hnsw_64")
    refused = reindexed(application, "")
    assert (refused.returncode, refused.stderr.strip().splitlines()[1:]) == (1, []), refused.stderr
    assert "Set DATABASE_OWNER_URL" in refused.stderr
    refused = reindexed(application, address(str(connection.settings_dict["NAME"]), "nobody:wrong"))
    assert "Set DATABASE_OWNER_URL" in refused.stderr
    with psycopg.connect(owner) as busy:
        busy.execute("LOCK TABLE kb_chunk IN SHARE UPDATE EXCLUSIVE MODE")
        refused = reindexed(application, f"{owner}?options=-c%20lock_timeout%3D1")
    assert refused.stderr == "Error: The database failed: canceling statement due to lock timeout.\n"
    assert not Recipe.objects.filter(is_active=True, dimensions=64).exists()
    done = reindexed(application, owner)
    assert done.returncode == 0, done.stderr
    assert Recipe.objects.get(is_active=True).dimensions == 64
    assert reindexed(application, "").returncode == 0, "the index exists"


def reindexed(application: str, owner: str) -> "subprocess.CompletedProcess[str]":
    model = "tests.kb.test_index.SecondEmbedder"
    own = {"DATABASE_URL": application, "DATABASE_OWNER_URL": owner, "KB_EMBEDDER": model}
    return subprocess.run(
        [sys.executable, MANAGE, "kb_reindex"], env={**os.environ, **own}, cwd=settings.BASE_DIR, capture_output=True,
        text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_the_application_has_time_limits_and_no_excess_rights(
    application: "psycopg.Connection[Any]", urls: tuple[str, str]
) -> None:
    assert application.execute("SHOW lock_timeout").fetchone() == ("1min",)
    assert application.execute("SHOW statement_timeout").fetchone() == ("2min",)
    assert (weaknesses(application), may_write(application)) == ("", True)


@pytest.mark.django_db(transaction=True)
def test_doctor_says_what_is_weaker_with_a_single_role(urls: tuple[str, str], plan: Plan) -> None:
    owner, application = urls
    assert check_roles(replace(plan, database_url=application)) == "the application's role can only read and write rows"
    weaker = "weaker than it could be: the role in DATABASE_URL may do more than read and write rows"
    assert check_roles(replace(plan, database_url=owner)).startswith(f"{weaker} (it is a superuser). Give ")
    with psycopg.connect(owner, autocommit=True) as almighty:
        almighty.execute(f"GRANT CREATE ON SCHEMA public TO {NAME}".encode())
    may_alter = f"{weaker} (it may alter tables and change the audit trail). Give "
    assert check_roles(replace(plan, database_url=application)).startswith(may_alter)


@pytest.mark.django_db(transaction=True)
def test_two_roles_must_use_one_database(urls: tuple[str, str]) -> None:
    owner, application = urls
    refuse_two_databases(owner, application)  # though the application's role may not read everything
    refuse_two_databases(owner, address(database_of(owner), "nobody:wrong"))  # its role may be missing
    for role in (application, address(database_of(owner), "nobody:wrong")):
        with pytest.raises(StartRefused, match=r"DATABASE_OWNER_URL .* point to different databases") as refusal:
            refuse_two_databases(address("postgres"), role)
        assert PASSWORD not in str(refusal.value)


@pytest.mark.django_db(transaction=True)
def test_a_failed_login_says_nothing_about_the_database_behind_another_address(urls: tuple[str, str]) -> None:
    """There may be a pooler, which gives the database a different name."""
    owner, _ = urls
    pooler = f"127.0.0.1:{reserved_port()}"
    for given in (f"{pooler}/pooled", f"{pooler}/pooled?unknown=1"):
        refuse_two_databases(owner, f"postgresql://{NAME}:wrong@{given}")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgres://a:b@db/x", ("db", "5432")),
        ("postgresql://c@db:5432/y", ("db", "5432")),
        ("postgresql://c@db:6432/y", ("db", "6432")),
        ("postgresql:///y?host=/run/postgresql", ("/run/postgresql", "5432")),
        ("postgresql://db/y?unknown=1", None),
    ],
)
def test_the_server_of_an_address(url: str, server: object) -> None:
    assert server_of(url) == server


@pytest.mark.long
def test_a_database_of_the_same_name_on_another_server_is_another_one(deployment_server: PostgresServer) -> None:
    with pytest.raises(StartRefused, match="point to different databases"):
        refuse_two_databases(deployment_server.url("postgres"), address("postgres"))


@pytest.mark.django_db(transaction=True)
def test_every_command_of_the_owner_refuses_another_database(urls: tuple[str, str], plan: Plan, tmp_path: Path) -> None:
    """The role of a managed server often has an address that ends in `/postgres`."""
    plan = replace(plan, database_url=urls[1], database_owner_url=address("postgres"))
    file = tmp_path / "one.backup"
    archive_of(tmp_path / "old.backup", about=EMPTY)
    with override_settings(DATABASE_URL=urls[1], DATABASE_OWNER_URL=address("postgres")):
        for call in (
            lambda: call_command("backup", str(file)),
            lambda: restore(tmp_path / "old.backup", plan),
            lambda: migrate.Command().check(),
            lambda: check_roles(plan),
        ):
            with pytest.raises((StartRefused, CommandError), match="point to different databases"):
                call()
    assert not file.exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_without_an_installation_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match=r"/postgres contains no installation of SupportBot, so there is"):
        back_up(address("postgres"), tmp_path, tmp_path / "empty.backup", with_secrets=False)
    assert not list(tmp_path.iterdir())


def database_of(url: str) -> str:
    return urlsplit(url).path.strip("/")


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_doctor_finds_a_role_that_cannot_write(urls: tuple[str, str]) -> None:
    owner, application = urls
    with psycopg.connect(owner, autocommit=True) as almighty:
        almighty.execute(f"REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM {NAME}")
    done = subprocess.run(
        [sys.executable, MANAGE, "doctor"], env={**os.environ, "DATABASE_URL": application}, cwd=settings.BASE_DIR,
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert "The role in DATABASE_URL is not allowed to store anything." in done.stdout
    assert done.returncode != 0
