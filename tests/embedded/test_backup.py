"""Back-up and restore, through the commands an operator types."""

import json
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

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


def test_what_is_no_back_up_changes_nothing(restored: Instance, home: Path) -> None:
    letter = home / "letter.txt"
    letter.write_text("Dear all")
    assert "is no whole back-up of SupportBot" in refused(restored.command("restore", str(letter)))
    assert "does not exist" in refused(restored.command("restore", str(home / "nothing")))
    damaged = home / "damaged.backup"
    archive_of(damaged, about={"format": 1, "version": "0.1.0", "made_at": "", "has_secrets": True, "migrations": []})
    assert "pg_restore failed" in refused(restored.command("restore", str(damaged)))
    newer = home / "newer.backup"
    archive_of(newer, about={"format": 99, "version": "9.0"})
    assert "by a newer version of SupportBot (9.0)" in refused(restored.command("restore", str(newer)))
    ahead = [["kb", "9999_later"]]
    archive_of(newer, about={"format": 1, "version": "9", "made_at": "", "has_secrets": True, "migrations": ahead})
    assert "kb.9999_later is not known here" in refused(restored.command("restore", str(newer)))
    assert not restored.data_dir.exists()
    assert [path.name for path in home.iterdir() if "restor" in path.name] == []


def archive_of(file: Path, *, about: dict[str, Any]) -> None:
    secrets = dict.fromkeys(("secret_key", "field_key", "database_password", "valkey_password"), "a" * 48)
    secrets |= dict.fromkeys(("demo_key", "identity_secret", "webhook_secret"), "b" * 48)
    parts = {"about.json": json.dumps(about), "database.dump": "no dump", "secrets.json": json.dumps(secrets)}
    with tarfile.open(file, "w") as archive:
        for name, content in parts.items():
            part = file.with_name("part")
            part.write_text(content)
            archive.add(part, arcname=name)


def what_it_holds(instance: Instance) -> list[tuple[Any, ...]]:
    url = json.loads((instance.data_dir / "runtime.json").read_text())["database_url"]
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
