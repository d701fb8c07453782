"""Back-up and restore, through the commands an operator types."""

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
from supportbot.installation.errors import EmbeddedError
from supportbot.installation.plan import Plan, plan_from_environment
from tests.embedded.instance import Instance, open_to_postgres


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The servers of an installation with one workspace and a channel whose secret is encrypted; no test changes it."""
    made = Instance(open_to_postgres(tmp_path_factory.mktemp("running")) / "data")
    made.start_servers()
    assert made.command("migrate", "--noinput").returncode == 0
    assert made.command("workspace_create", "Harbour").returncode == 0
    # Whatever port the command would take for itself, the snippet leads to the instance that runs.
    assert f":{made.port}/widget/v1.js" in told(made.command("channel_create", "Web", "--json", PORT="8000"))["snippet"]
    yield made
    made.end()


@pytest.fixture
def restored(home: Path) -> Iterator[Instance]:
    made = Instance(home / "restored")
    yield made
    made.end()


@pytest.fixture
def empty_database(running: Instance) -> Iterator[str]:
    """The URL of an empty database on the running instance's server: to a restore it is one like any other."""
    server, _, _ = url_of(running).rpartition("/")
    with psycopg.connect(url_of(running), autocommit=True) as connection:
        connection.execute("CREATE DATABASE own")
        yield f"{server}/own"
        connection.execute("DROP DATABASE own WITH (FORCE)")


def test_what_was_backed_up_runs_again_elsewhere(running: Instance, restored: Instance, home: Path) -> None:
    before = what_it_holds(running)
    file = home / "first.backup"
    said = told(running.command("backup", str(file), "--json"))
    assert said["has_secrets"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert refused(running.command("backup", str(file))) == f"CommandError: {file} exists: name a new file, an older " \
        "back-up is not written over."  # fmt: skip
    assert "holds an installation already" in refused(running.command("restore", str(file)))

    assert told(restored.command("restore", str(file), "--json"))["restored_to"] == str(restored.data_dir)
    assert [path.name for path in home.iterdir() if "restoring" in path.name] == []
    restored.start_servers()
    assert what_it_holds(restored) == before
    assert restored.command("migrate", "--check").returncode == 0
    assert secrets_of(restored) == secrets_of(running)  # the key that opens what is encrypted came along


def test_a_back_up_without_secrets_asks_for_them(running: Instance, restored: Instance, home: Path) -> None:
    file = home / "bare.backup"
    assert not told(running.command("backup", str(file), "--without-secrets", "--json"))["has_secrets"]
    with tarfile.open(file) as archive:
        assert "secrets.json" not in archive.getnames()

    assert "made without secrets" in refused(restored.command("restore", str(file)))
    assert not restored.data_dir.exists()

    restored.data_dir.mkdir()
    (restored.data_dir / "secrets.json").write_text((running.data_dir / "secrets.json").read_text())
    told(restored.command("restore", str(file), "--json"))
    restored.start_servers()
    assert what_it_holds(restored) == what_it_holds(running)


def test_a_back_up_goes_into_a_database_of_ones_own(
    running: Instance, restored: Instance, empty_database: str, home: Path
) -> None:
    file = home / "own.backup"
    told(running.command("backup", str(file), "--json"))
    strange = home / "strange"
    (strange / "photos").mkdir(parents=True)
    other = with_other_secrets(home / "other")
    for data_dir, sentence in ((strange, "holds photos, which"), (other, "has another field key than this back-up")):
        answer = restored.command("restore", str(file), DATABASE_URL=empty_database, DATA_DIR=str(data_dir))
        assert sentence in refused(answer)
        assert rows_of(empty_database, "pg_tables WHERE schemaname = 'public'") == 0

    told(restored.command("restore", str(file), "--json", DATABASE_URL=empty_database))
    assert what_it_holds(running) == what_a_database_holds(empty_database)
    assert secrets_of(restored) == secrets_of(running)
    assert [path.name for path in home.iterdir() if "restoring" in path.name] == []
    # A start on both opens what was encrypted: the key came along.
    checked = restored.command("identitykey_add", channel_of(empty_database), DATABASE_URL=empty_database,
                               **keys_of(restored))  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    again = restored.command("restore", str(file), DATABASE_URL=empty_database)
    assert "holds an installation already" in refused(again)


def test_keys_in_the_environment_open_a_back_up_without_secrets(
    running: Instance, restored: Instance, empty_database: str, home: Path
) -> None:
    file = home / "bare.backup"
    told(running.command("backup", str(file), "--without-secrets", "--json"))
    asked = refused(restored.command("restore", str(file), DATABASE_URL=empty_database))
    assert "first, or set SECRET_KEY and FIELD_KEYS" in asked
    told(restored.command("restore", str(file), "--json", DATABASE_URL=empty_database, **keys_of(running)))
    assert what_it_holds(running) == what_a_database_holds(empty_database)
    assert not (restored.data_dir / "secrets.json").exists()


def test_a_damaged_part_is_found_before_anything_is_loaded(running: Instance, restored: Instance, home: Path) -> None:
    file = home / "whole.backup"
    told(running.command("backup", str(file), "--json"))
    content = bytearray(file.read_bytes())
    middle = content.index(b"PGDMP") + 2000
    content[middle] ^= 1
    file.write_bytes(content)
    answer = refused(restored.command("restore", str(file)))
    assert (
        answer == f"CommandError: {file} is damaged (database.dump is not what was written): restore another back-up."
    )
    assert not restored.data_dir.exists()


def test_the_remembered_ends_of_the_audit_are_none_that_the_dump_lacks(
    running: Instance, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = running.data_dir / "audit-heads.jsonl"

    def dump_while_an_end_is_written_down(url: str, file: Path) -> None:
        dump(url, file)
        heads.write_text("later\n")

    dump = backup.dump_database
    monkeypatch.setattr(backup, "dump_database", dump_while_an_end_is_written_down)
    heads.write_text("before\n")
    back_up(url_of(running), running.data_dir, home / "busy.backup", with_secrets=False)
    with tarfile.open(home / "busy.backup") as archive:
        kept = archive.extractfile("audit-heads.jsonl")
        assert kept is not None
        assert kept.read() == b"before\n"
    heads.unlink()


def test_a_back_up_may_lie_where_nobody_may_write(running: Instance, restored: Instance, home: Path) -> None:
    shelf = home / "shelf"
    shelf.mkdir()
    file = shelf / "kept.backup"
    told(running.command("backup", str(file), "--json"))
    watched = shelf.stat().st_mtime_ns
    told(restored.command("restore", str(file), "--json"))
    assert shelf.stat().st_mtime_ns == watched


def test_what_is_no_back_up_changes_nothing(restored: Instance, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = home / "letter.txt"
    letter.write_text("Dear all")
    assert "is no whole back-up of SupportBot" in refused(restored.command("restore", str(letter)))
    # Each refusal comes to the command as this error; a process for each would cost more than the whole of the rest.
    for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name)
    plan = replace(plan_from_environment(), data_dir=restored.data_dir)
    assert "does not exist" in declined(home / "nothing", plan)
    cut = home / "cut.backup.gz"
    archive_of(cut, about={"format": 1, "version": token_hex(100_000)})
    cut.write_bytes(gzip.compress(cut.read_bytes())[:50_000])
    assert "is no whole back-up of SupportBot" in declined(cut, plan)
    assert "cannot be read (Is a directory)" in declined(home, plan)
    damaged = home / "damaged.backup"
    archive_of(damaged, about={"format": 1, "version": "0.1.0", "made_at": "", "has_secrets": True, "migrations": []})
    assert "pg_restore failed" in declined(damaged, plan)
    newer = home / "newer.backup"
    archive_of(newer, about={"format": 99, "version": "9.0"})
    assert "by a newer version of SupportBot (9.0)" in declined(newer, plan)
    ahead = [["kb", "9999_later"]]
    archive_of(newer, about={"format": 1, "version": "9", "made_at": "", "has_secrets": True, "migrations": ahead})
    assert "kb.9999_later is not known here" in declined(newer, plan)
    assert not restored.data_dir.exists()
    assert [path.name for path in home.iterdir() if "restor" in path.name] == []


def declined(file: Path, plan: Plan) -> str:
    with pytest.raises(EmbeddedError) as refusal:
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


def what_it_holds(instance: Instance) -> list[tuple[Any, ...]]:
    return what_a_database_holds(url_of(instance))


def url_of(instance: Instance) -> str:
    return str(json.loads((instance.data_dir / "runtime.json").read_text())["database_url"])


def what_a_database_holds(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT w.slug, c.key, c.name FROM accounts_channel c JOIN accounts_workspace w "
                                  "ON w.id = c.workspace_id").fetchall()  # fmt: skip
        keys = connection.execute("SELECT kid, secret FROM accounts_identitykey").fetchall()
    assert rows and keys
    return [*rows, *keys]


def secrets_of(instance: Instance) -> dict[str, str]:
    found: dict[str, str] = json.loads((instance.data_dir / "secrets.json").read_text())
    return found


def told(answer: Any) -> dict[str, Any]:
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def refused(answer: Any) -> str:
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    return str(answer.stderr.strip())
