"""Checks of the servers before a start, and of what they store: every refusal names the cause and the fix."""

import os
import socket
import subprocess
import sys
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import redis
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg.conninfo import make_conninfo

from kb.indexing.models import Recipe
from kb.indexing.recipes import active_recipe
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.embedded import checks
from supportbot.embedded.applied_migrations import pending_migrations
from supportbot.embedded.checks import check_field_keys, check_index, check_mail, check_schema
from supportbot.embedded.servers import external_servers
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import Plan
from tests.embedded.instance import MANAGE
from tests.embedded.test_backup import archive_of, refusal_of
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port


def database_url(**other: object) -> str:
    settings = connection.settings_dict
    known = {
        "user": settings["USER"],
        "password": settings["PASSWORD"],
        "port": settings["PORT"],
        "name": settings["NAME"],
    }
    known.update(other)
    return "postgresql://{user}:{password}@127.0.0.1:{port}/{name}".format(**known)


def test_an_unreachable_server_is_reported_without_the_password() -> None:
    with pytest.raises(StartRefused, match="Connection refused") as refusal:
        external_servers.probe_database(f"postgresql://someone:hidden@127.0.0.1:{reserved_port()}/name")
    assert "hidden" not in str(refusal.value)


@pytest.mark.django_db
def test_a_database_lost_right_after_it_was_opened_counts_as_away(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = external_servers.connect

    def open_and_lose(url: str) -> "psycopg.Connection[tuple[object, ...]]":
        line = opened(url)
        with opened(url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [line.info.backend_pid])
        return line

    monkeypatch.setattr(external_servers, "connect", open_and_lose)
    with pytest.raises(external_servers.DatabaseAway, match=r"DATABASE_URL .* could not be opened: terminating"):
        external_servers.refuse_transaction_pooling(database_url())


@pytest.mark.django_db
def test_a_wrong_password_is_reported() -> None:
    with pytest.raises(StartRefused, match="password authentication failed"):
        external_servers.probe_database(database_url(password="wrong"))


@pytest.mark.django_db
def test_a_suitable_server_is_reported_with_its_versions() -> None:
    assert external_servers.probe_database(database_url()).startswith("PostgreSQL 18 with pgvector 0.8")


@pytest.mark.django_db
def test_a_server_without_pgvector_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The test server has pgvector, so the test asks for an extension that no server has.
    monkeypatch.setattr(external_servers, "EXTENSIONS", ("no_such_extension",))
    with pytest.raises(StartRefused, match=r"does not have the extension no_such_extension\. Install it there"):
        external_servers.probe_database(database_url())


@pytest.mark.django_db
def test_an_embedded_database_that_is_set_to_read_only_is_reported(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    running = SimpleNamespace(database_url=database_url())
    monkeypatch.setattr(checks, "load_runtime", lambda _: running)
    assert checks.check_embedded_database(plan).startswith("embedded PostgreSQL ")
    running.database_url += "?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(StartRefused, match=r"is set to read-only\. Reset default_transaction_read_only"):
        checks.check_embedded_database(plan)


@pytest.mark.django_db
def test_an_old_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_servers, "OLDEST_POSTGRES", 99)
    with pytest.raises(StartRefused, match="points to PostgreSQL 18, but at least 99 is required"):
        external_servers.probe_database(database_url())


@pytest.fixture
def plain_role(db: None) -> str:
    """A separate database whose owner is not a superuser."""
    admin = database_url()
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        session.execute("CREATE DATABASE plain OWNER plain")
    yield database_url(user="plain", password="plain", name="plain")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("DROP DATABASE plain WITH (FORCE)")
        session.execute("DROP ROLE plain")


def test_a_role_without_permission_gets_the_sql_for_an_administrator(plain_role: str) -> None:
    with pytest.raises(
        StartRefused, match=r"Ask an administrator to run this in the database plain: CREATE EXTENSION .*vector;"
    ):
        external_servers.create_extensions(plain_role)


def test_a_restore_names_the_variable_of_the_role_that_may_not_create_it(
    plan: Plan, plain_role: str, tmp_path: Path
) -> None:
    about = {"format": 1, "version": "0.1.0", "made_at": "", "has_secrets": True, "migrations": []}
    archive_of(tmp_path / "backup.tar", about=about)
    for owner, variable in ((plain_role, "DATABASE_OWNER_URL"), (None, "DATABASE_URL")):
        refusal = refusal_of(tmp_path / "backup.tar", replace(plan, database_url=plain_role, database_owner_url=owner))
        assert f"The role in {variable} is not allowed to create extensions." in refusal


def test_doctor_foresees_an_extension_that_migrate_may_not_create(plan: Plan, plain_role: str) -> None:
    administrator = database_url(name="plain")
    with pytest.raises(
        StartRefused, match=r"The role in DATABASE_OWNER_URL .* in the database plain: CREATE EXTENSION"
    ):
        check_schema(replace(plan, database_url=plain_role, database_owner_url=plain_role))
    with pytest.raises(StartRefused, match="The role in DATABASE_URL"):
        check_schema(replace(plan, database_url=plain_role))
    found = check_schema(replace(plan, database_url=plain_role, database_owner_url=administrator))
    assert "Run `manage.py migrate`" in found
    with psycopg.connect(administrator) as session:
        assert not session.execute("SELECT FROM pg_extension WHERE extname = 'vector'").fetchall()


def test_doctor_reports_a_server_without_pgvector_once(
    plan: Plan, plain_role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_servers, "EXTENSIONS", ("no_such_extension",))
    plan = replace(plan, database_url=plain_role)
    findings = checks.run_checks(plan, {name: checks.machine_checks(plan)[name] for name in ("database", "schema")})
    assert [(finding.name, finding.is_well) for finding in findings] == [("database", False)]
    assert "does not have the extension no_such_extension" in findings[0].message


def test_doctor_reports_a_read_only_server_without_the_extension_once(plan: Plan, plain_role: str) -> None:
    with psycopg.connect(plain_role, autocommit=True) as owner:
        owner.execute("ALTER DATABASE plain SET default_transaction_read_only = on")
    plan = replace(plan, database_url=plain_role)
    findings = checks.run_checks(plan, {name: checks.machine_checks(plan)[name] for name in ("database", "schema")})
    assert [(finding.name, finding.is_well) for finding in findings] == [("database", False)]
    assert "is read-only" in findings[0].message


@pytest.mark.long
def test_a_role_that_may_not_create_tables_is_told_so(plain_role: str) -> None:
    with psycopg.connect(database_url(name="plain"), autocommit=True) as administrator:
        administrator.execute("CREATE EXTENSION vector")
        administrator.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    try:
        migrated = subprocess.run(
            [sys.executable, MANAGE, "migrate", "--noinput"], check=False,
            env={**os.environ, "DATABASE_URL": database_url(user="guest", password="guest", name="plain")},
            capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
    finally:
        with psycopg.connect(database_url(), autocommit=True) as administrator:
            administrator.execute("DROP ROLE guest")
    assert migrated.returncode == 1
    assert "The role in DATABASE_URL is not allowed to create or change tables (permission denied" in migrated.stderr
    assert "Traceback" not in migrated.stderr


@pytest.mark.django_db(transaction=True)
def test_doctor_finds_secrets_that_no_key_decrypts(plan: Plan, settings: Any) -> None:
    assert check_field_keys(plan) == "checked once the database is running and migrated"
    plan = replace(plan, database_url=database_url(name=connection.settings_dict["NAME"]))
    first, second = (urlsafe_b64encode(bytes([number] * 32)).decode() for number in (1, 2))
    settings.FIELD_KEYS = [first]
    assert check_field_keys(plan) == "decrypt all stored secrets (0)"
    workspace = Workspace.objects.create(name="Acme", slug="acme")
    with workspace_scope(workspace.pk):
        create_channel(workspace, "Web shop")
        settings.FIELD_KEYS = [second]
        create_channel(workspace, "Second shop")
    with pytest.raises(StartRefused, match=r"FIELD_KEYS does not decrypt 1 of 2 stored secrets\. Add the key"):
        check_field_keys(plan)
    settings.FIELD_KEYS = [second, first]
    assert check_field_keys(plan) == "decrypt all stored secrets (2)"


@pytest.mark.parametrize(
    ("greeting", "sentence"),
    [
        (b"421 4.3.2 Too busy\r\n", r"EMAIL_URL smtp://me:…@127\.0\.0\.1:\d+ cannot be used: 421 4\.3\.2 Too busy\."),
        (b"", "cannot be used: .*Connection"),
    ],
    ids=["busy", "closed"],
)
def test_a_mail_server_that_refuses_is_reported(plan: Plan, settings: Any, greeting: bytes, sentence: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as other:
        port = server.getsockname()[1]
        settings.EMAIL_URL = f"smtp://me:hidden@127.0.0.1:{port}"
        settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
        settings.EMAIL_PORT, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = port, "me", "hidden"

        def refuse() -> None:
            line, _ = server.accept()
            line.sendall(greeting)
            line.close()

        refusing = other.submit(refuse)
        with pytest.raises(StartRefused, match=sentence) as refusal:
            check_mail(plan)
        refusing.result()
    assert "hidden" not in str(refusal.value)


@pytest.mark.django_db(transaction=True)
def test_an_old_pgvector_in_the_database_is_reported_with_the_statement(plain_role: str) -> None:
    inside = database_url(name="plain")
    external_servers.create_extensions(inside)
    with psycopg.connect(inside, autocommit=True) as administrator:
        administrator.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    with pytest.raises(StartRefused, match=r"still uses pgvector 0\.7\.4\. .* in the database plain: ALTER EXTENSION"):
        external_servers.probe_database(inside)


NEWER = "INSERT INTO django_migrations (app, name, applied) VALUES (%s, '9999_from_the_future', now())"


@pytest.fixture
def migrated(plain_role: str) -> str:
    """A database with only the extension and Django's table of applied migrations."""
    external_servers.create_extensions(database_url(name="plain"))
    with psycopg.connect(plain_role, autocommit=True) as owner:
        owner.execute("CREATE TABLE django_migrations (app text, name text, applied timestamptz)")
    return plain_role


def test_a_database_of_a_newer_version_is_refused(plan: Plan, migrated: str) -> None:
    assert checks.check_schema(replace(plan, database_url=migrated))
    with psycopg.connect(migrated, autocommit=True) as owner:
        owner.execute(NEWER, ["chat"])
    plan = replace(plan, database_url=migrated)
    with pytest.raises(StartRefused, match=r"by a newer version of SupportBot \(chat\.9999_from_the_future"):
        checks.require_all(plan, {"schema": checks.machine_checks(plan)["schema"]})


def test_the_secrets_of_a_newer_version_are_not_read(plan: Plan, migrated: str, settings: Any) -> None:
    settings.FIELD_KEYS = [urlsafe_b64encode(bytes(32)).decode()]
    with psycopg.connect(migrated, autocommit=True) as owner:
        for app, _, name in (one.partition(".") for one in pending_migrations(migrated)):
            owner.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", [app, name])
        owner.execute(NEWER, ["chat"])
    plan = replace(plan, database_url=migrated)
    findings = checks.run_checks(plan, {"schema": check_schema, "field keys": check_field_keys})
    assert [(finding.name, finding.is_well) for finding in findings] == [("schema", False)]


def test_migrations_of_other_products_do_not_matter(plan: Plan, migrated: str) -> None:
    with psycopg.connect(migrated, autocommit=True) as owner:
        owner.execute(NEWER, ["auth"])
        owner.execute(NEWER, ["warehouse"])
    assert checks.check_schema(replace(plan, database_url=migrated)).startswith("older than this version (")


@pytest.mark.django_db(transaction=True)
def test_a_schema_that_lacks_migrations_is_reported(plan: Plan) -> None:
    plan = replace(plan, database_url=database_url(name=connection.settings_dict["NAME"]))
    assert checks.check_schema(plan) == "all migrations of this version are applied"
    last = MigrationRecorder.Migration.objects.filter(app="chat").latest("name")
    last.delete()
    try:
        found = checks.check_schema(plan)
    finally:
        MigrationRecorder.Migration.objects.create(app=last.app, name=last.name)
    assert found.startswith(f"older than this version (missing migrations: 1, the first: chat.{last.name}). Run ")


def test_too_few_connections_are_reported(plan: Plan, plain_role: str) -> None:
    plan = replace(plan, database_url=plain_role, web_processes=1)
    for limit, is_reported in ((71, True), (72, False)):
        with psycopg.connect(database_url(), autocommit=True) as administrator:
            administrator.execute(f"ALTER ROLE plain CONNECTION LIMIT {limit}".encode())
        words = "only 71 connections, and the web processes, a worker and a beat on this machine may open 72: "
        assert (words in checks.check_given_database(plan)) == is_reported


def test_a_server_that_may_drop_tasks_is_reported(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert "set maxmemory-policy noeviction (now allkeys-lru)" in external_servers.probe_redis(valkey_url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.django_db(transaction=True)
def test_an_index_of_another_embedder_is_reported(plan: Plan) -> None:
    assert check_index(plan) == "checked once the database is running"
    plan = replace(plan, database_url=database_url(name=connection.settings_dict["NAME"]))
    assert check_index(plan) == "empty"
    active_recipe()
    assert check_index(plan).startswith("built with ")
    Recipe.objects.update(name="openai:some-model:1024")
    with pytest.raises(StartRefused, match=r"built with openai:some-model:1024, .* Run `manage\.py kb_reindex`"):
        check_index(plan)


def test_an_index_is_empty_before_the_first_migration(plan: Plan, migrated: str) -> None:
    assert check_index(replace(plan, database_url=migrated)) == "empty"


def test_the_sql_for_the_administrator_is_sufficient(plain_role: str) -> None:
    with pytest.raises(StartRefused) as refusal:
        external_servers.create_extensions(plain_role)
    line = str(refusal.value).partition("plain: ")[2]
    with psycopg.connect(make_conninfo(database_url(), dbname="plain"), autocommit=True) as administrator:
        administrator.execute(line)
    external_servers.create_extensions(plain_role)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1",
        "nonsense",
        "redis://:hidden@127.0.0.1:1/0",
        "redis://:hidden@[::1",
        "redis://:hidden@127.0.0.1:abc",
        "redis://127.0.0.1:1?password=hidden&colour=red",
    ],
)
def test_an_unreachable_redis_is_reported(url: str) -> None:
    with pytest.raises(StartRefused, match=r"REDIS_URL .* does not respond") as refusal:
        external_servers.probe_redis(url)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "amqp://127.0.0.1:1",
        "nothing://127.0.0.1",
        "redis://127.0.0.1:1/0",
        "amqp://someone:hidden@[::1",
        "amqp://someone:hidden@127.0.0.1:abc",
        "amqp://127.0.0.1:1?password=hidden",
        "kafka://127.0.0.1",
        "sqs://",
    ],
)
def test_an_unreachable_broker_is_reported(url: str) -> None:
    with pytest.raises(StartRefused, match=r"CELERY_BROKER_URL .* does not respond") as refusal:
        external_servers.probe_broker(url)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://someone:hidden@host/name",
        "postgres://someone@host/name?sslmode=require_all&password=hidden",
        "postgres://host/name?sslpassword=hidden",
        "postgres://host/name?PASSFILE=hidden&connect_timeout=3",
        "postgres://host/name?pass%77ord=hidden",
        "postgres://someone:hidden@[host",
    ],
)
def test_secrets_in_a_url_are_masked(url: str) -> None:
    assert "hidden" not in external_servers.without_secrets(url)


def test_the_rest_of_a_url_is_shown() -> None:
    shown = external_servers.without_secrets(
        "postgres://someone:hidden@host:5/name?sslmode=require_all&password=hidden"
    )
    assert shown == "postgres://someone:…@host:5/name?sslmode=require_all&password=…"
    assert external_servers.without_secrets("amqp://someone@host//") == "amqp://someone@host//"


def test_a_real_valkey_passes_both_probes(valkey_url: str) -> None:
    assert external_servers.probe_redis(valkey_url).startswith("version ")
    assert external_servers.probe_broker(f"{valkey_url}/0") == "responds"
