"""Backup and restore, through the commands that an operator types."""

import gzip
import json
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any, LiteralString

import psycopg
import pytest

from supportbot.embedded import backup
from supportbot.embedded.backup import back_up, restore
from supportbot.installation.errors import InstallationError
from supportbot.installation.start_plan import Plan, plan_from_environment
from tests.embedded.instance import Instance, open_to_postgres


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, migrated_schema: Path) -> Iterator[Instance]:
    """The servers of an installation with one workspace and an encrypted channel secret; no test changes it."""
    made = Instance(open_to_postgres(tmp_path_factory.mktemp("running")) / "data")
    made.prepare(migrated_schema)
    made.start_servers()
    assert made.command("workspace_create", "Harbour").returncode == 0
    # Whatever PORT is given, the snippet contains the address of the running instance.
    assert (
        f":{made.port}/widget/v1.js"
        in output_of(made.command("channel_create", "Web", "--json", PORT="8000"))["snippet"]
    )
    yield made
    made.end()


@pytest.fixture
def restored(home: Path) -> Iterator[Instance]:
    made = Instance(home / "restored")
    yield made
    made.end()


@pytest.fixture
def empty_database(running: Instance) -> Iterator[str]:
    """The URL of an empty database on the running instance's server, which restoring treats like any other."""
    server, _, _ = url_of(running).rpartition("/")
    with psycopg.connect(url_of(running), autocommit=True) as connection:
        connection.execute("CREATE DATABASE own")
        yield f"{server}/own"
        connection.execute("DROP DATABASE own WITH (FORCE)")


@pytest.mark.long
def test_a_backup_can_be_restored_and_started_elsewhere(running: Instance, restored: Instance, home: Path) -> None:
    before = content_of(running)
    file = home / "first.backup"
    facts = output_of(running.command("backup", str(file), "--json"))
    assert facts["has_secrets"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"Error: {file} already exists. Choose a new file" in error_of(running.command("backup", str(file)))
    assert "already contains an installation" in error_of(running.command("restore", str(file)))

    assert output_of(restored.command("restore", str(file), "--json"))["restored_to"] == str(restored.data_dir)
    assert [path.name for path in home.iterdir() if "restoring" in path.name] == []
    restored.start_servers()
    assert content_of(restored) == before
    assert restored.command("migrate", "--check").returncode == 0
    assert secrets_of(restored) == secrets_of(running)  # includes the key of the encrypted columns


@pytest.mark.long
def test_a_backup_without_secrets_asks_for_them(running: Instance, restored: Instance, home: Path) -> None:
    file = home / "bare.backup"
    assert not output_of(running.command("backup", str(file), "--without-secrets", "--json"))["has_secrets"]
    with tarfile.open(file) as archive:
        assert "secrets.json" not in archive.getnames()

    assert "made without secrets" in error_of(restored.command("restore", str(file)))
    assert not restored.data_dir.exists()

    restored.data_dir.mkdir()
    (restored.data_dir / "secrets.json").write_text((running.data_dir / "secrets.json").read_text())
    output_of(restored.command("restore", str(file), "--json"))
    restored.start_servers()
    assert content_of(restored) == content_of(running)


@pytest.mark.long
def test_a_backup_can_be_restored_into_an_external_database(
    running: Instance, restored: Instance, empty_database: str, home: Path
) -> None:
    file = home / "own.backup"
    output_of(running.command("backup", str(file), "--json"))
    foreign = home / "foreign"
    (foreign / "photos").mkdir(parents=True)
    other = with_other_secrets(home / "other")
    for data_dir, sentence in (
        (foreign, "contains photos, which"),
        (other, "has a different field key"),
    ):
        answer = restored.command("restore", str(file), DATABASE_URL=empty_database, DATA_DIR=str(data_dir))
        assert sentence in error_of(answer)
        assert rows_of(empty_database, "pg_tables WHERE schemaname = 'public'") == 0

    output_of(restored.command("restore", str(file), "--json", DATABASE_URL=empty_database))
    assert content_of(running) == database_content(empty_database)
    assert secrets_of(restored) == secrets_of(running)
    assert [path.name for path in home.iterdir() if "restoring" in path.name] == []
    # The restored key opens the encrypted columns.
    checked = restored.command("identitykey_add", channel_of(empty_database), DATABASE_URL=empty_database,
                               **keys_of(restored))  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    again = restored.command("restore", str(file), DATABASE_URL=empty_database)
    assert "already contains an installation" in error_of(again)


@pytest.mark.long
def test_the_owner_of_a_running_instance_is_not_that_of_another_database(
    running: Instance, empty_database: str, home: Path
) -> None:
    """Otherwise, this would back up the running instance's database."""
    answer = running.command("backup", str(home / "one.backup"), DATABASE_URL=empty_database)
    assert "/own contains no installation of SupportBot" in error_of(answer)


@pytest.mark.long
def test_keys_in_the_environment_open_a_backup_without_secrets(
    running: Instance, restored: Instance, empty_database: str, home: Path
) -> None:
    file = home / "bare.backup"
    output_of(running.command("backup", str(file), "--without-secrets", "--json"))
    asked = error_of(restored.command("restore", str(file), DATABASE_URL=empty_database))
    assert "first, or set SECRET_KEY and FIELD_KEYS" in asked
    output_of(restored.command("restore", str(file), "--json", DATABASE_URL=empty_database, **keys_of(running)))
    assert content_of(running) == database_content(empty_database)
    assert not (restored.data_dir / "secrets.json").exists()


@pytest.mark.long
def test_a_damaged_part_is_found_before_anything_is_loaded(running: Instance, restored: Instance, home: Path) -> None:
    file = home / "whole.backup"
    output_of(running.command("backup", str(file), "--json"))
    content = bytearray(file.read_bytes())
    middle = content.index(b"PGDMP") + 2000
    content[middle] ^= 1
    file.write_bytes(content)
    answer = error_of(restored.command("restore", str(file)))
    assert answer == f"Error: {file} is damaged (database.dump does not match its checksum). Restore another backup."
    assert not restored.data_dir.exists()


@pytest.mark.long
def test_saved_audit_heads_are_never_newer_than_the_dump(
    running: Instance, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = running.data_dir / "audit-heads.jsonl"

    def dump_while_a_head_is_recorded(url: str, file: Path) -> None:
        dump(url, file)
        heads.write_text("later\n")

    dump = backup.dump_database
    monkeypatch.setattr(backup, "dump_database", dump_while_a_head_is_recorded)
    heads.write_text("before\n")
    back_up(url_of(running), running.data_dir, home / "busy.backup", with_secrets=False)
    with tarfile.open(home / "busy.backup") as archive:
        kept = archive.extractfile("audit-heads.jsonl")
        assert kept is not None
        assert kept.read() == b"before\n"
    heads.unlink()


@pytest.mark.long
def test_a_backup_may_be_in_a_read_only_folder(running: Instance, restored: Instance, home: Path) -> None:
    folder = home / "folder"
    folder.mkdir()
    file = folder / "kept.backup"
    output_of(running.command("backup", str(file), "--json"))
    modified_at = folder.stat().st_mtime_ns
    output_of(restored.command("restore", str(file), "--json"))
    assert folder.stat().st_mtime_ns == modified_at


@pytest.mark.long
def test_an_invalid_backup_changes_nothing(restored: Instance, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text_file = home / "letter.txt"
    text_file.write_text("Dear all")
    assert "is not a complete SupportBot backup" in error_of(restored.command("restore", str(text_file)))
    # The command prints this error. Running the command for each case would take longer than all other tests here.
    for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name)
    plan = replace(plan_from_environment(), data_dir=restored.data_dir)
    assert "does not exist" in refusal_of(home / "nothing", plan)
    cut = home / "cut.backup.gz"
    archive_of(cut, about={"format": 1, "version": token_hex(100_000)})
    cut.write_bytes(gzip.compress(cut.read_bytes())[:50_000])
    assert "is not a complete SupportBot backup" in refusal_of(cut, plan)
    assert "cannot be read (Is a directory)" in refusal_of(home, plan)
    damaged = home / "damaged.backup"
    archive_of(damaged, about={"format": 1, "version": "0.1.0", "made_at": "", "has_secrets": True, "migrations": []})
    assert "pg_restore failed" in refusal_of(damaged, plan)
    newer = home / "newer.backup"
    archive_of(newer, about={"format": 99, "version": "9.0"})
    assert "by a newer version of SupportBot (9.0)" in refusal_of(newer, plan)
    ahead = [["kb", "9999_later"]]
    archive_of(newer, about={"format": 1, "version": "9", "made_at": "", "has_secrets": True, "migrations": ahead})
    assert "kb.9999_later is unknown here" in refusal_of(newer, plan)
    assert not restored.data_dir.exists()
    assert [path.name for path in home.iterdir() if "restor" in path.name] == []


def refusal_of(file: Path, plan: Plan) -> str:
    with pytest.raises(InstallationError) as refusal:
        restore(file, plan)
    return str(refusal.value)


def archive_of(file: Path, *, about: dict[str, Any]) -> None:
    secrets = dict.fromkeys(("secret_key", "field_key", "database_password", "valkey_password"), "a" * 48)
    secrets |= dict.fromkeys(("demo_key", "identity_secret", "webhook_secret"), "b" * 48)
    parts = {"about.json": json.dumps(about), "database.dump": "no dump", "secrets.json": json.dumps(secrets)}
    with tarfile.open(file, "w") as archive:
        for name, content in parts.items():
            part = file.with_name("part")
            part.write_text(content)
            archive.add(part, arcname=name)


def with_other_secrets(data_dir: Path) -> Path:
    data_dir.mkdir()
    secrets = dict.fromkeys(("secret_key", "field_key", "database_password", "valkey_password"), "c" * 48)
    secrets |= dict.fromkeys(("demo_key", "identity_secret", "webhook_secret"), "d" * 48)
    (data_dir / "secrets.json").write_text(json.dumps(secrets))
    return data_dir


def keys_of(instance: Instance) -> dict[str, str]:
    secrets = secrets_of(instance)
    return {"SECRET_KEY": secrets["secret_key"], "FIELD_KEYS": secrets["field_key"]}


def rows_of(url: str, table: LiteralString) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM " + table).fetchone()
    assert row is not None
    return int(row[0])


def channel_of(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT key FROM accounts_channel").fetchone()
    assert row is not None
    return str(row[0])


def content_of(instance: Instance) -> list[tuple[Any, ...]]:
    return database_content(url_of(instance))


def url_of(instance: Instance) -> str:
    return str(json.loads((instance.data_dir / "runtime.json").read_text())["database_owner_url"])


def database_content(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT w.slug, c.key, c.name FROM accounts_channel c JOIN accounts_workspace w "
                                  "ON w.id = c.workspace_id").fetchall()  # fmt: skip
        keys = connection.execute("SELECT kid, secret FROM accounts_identitykey").fetchall()
    assert rows and keys
    return [*rows, *keys]


def secrets_of(instance: Instance) -> dict[str, str]:
    found: dict[str, str] = json.loads((instance.data_dir / "secrets.json").read_text())
    return found


def output_of(answer: Any) -> dict[str, Any]:
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def error_of(answer: Any) -> str:
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    return str(answer.stderr.strip())
