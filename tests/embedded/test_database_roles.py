"""The application's role on the product's tables: statements that are refused, and those that work."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from psycopg import errors

from kb.indexing.models import Recipe
from supportbot.embedded.checks import check_roles
from supportbot.embedded.servers.database_roles import (
    APPEND_ONLY,
    create_application_role,
    divide,
    may_write,
    weaknesses,
)
from supportbot.installation.start_plan import Plan
from tests.embedded.instance import MANAGE
from tests.patience import PATIENCE_SECONDS

NAME, PASSWORD = "roles_app", "test"


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
