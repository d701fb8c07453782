"""Whose a data directory is, and who holds it."""

import json
from pathlib import Path

import pytest

from supportbot.embedded.datadir import DataDir
from supportbot.installation.errors import AlreadyRunning, StartRefused


def test_a_new_one_is_ours_from_then_on(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "new" / "data")
    data.prepare()
    made = data.instance()
    data.prepare()
    assert data.instance() == made
    assert (data.path / "logs").stat().st_mode & 0o077 == 0


def test_a_folder_with_other_peoples_files_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StartRefused, match=r"holds letter\.txt, which SupportBot did not make"):
        DataDir(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", ["mail", "audit-heads.jsonl", "demo-api-key.json", "demo-knowledge.json"])
def test_what_commands_left_before_the_first_start_is_no_obstacle(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    DataDir(tmp_path).prepare()
    assert DataDir(tmp_path).is_ours


def test_a_newer_versions_directory_is_refused_and_untouched(tmp_path: Path) -> None:
    content = json.dumps({"id": "x", "format": 2, "something": "new"})
    (tmp_path / "instance.json").write_text(content)
    with pytest.raises(StartRefused, match="written by a newer version of SupportBot"):
        DataDir(tmp_path).prepare()
    assert (tmp_path / "instance.json").read_text() == content


def test_an_older_versions_directory_is_told_from_a_newer_one(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text(json.dumps({"id": "x", "format": 0}))
    with pytest.raises(StartRefused, match=r"written by an older version .*CHANGELOG"):
        DataDir(tmp_path).prepare()


@pytest.mark.parametrize(
    "content",
    [
        {"id": "x"},
        {"id": "x", "format": "1"},
        {"id": "x", "format": 1, "postgres_port": "many"},
        {"id": "x", "format": 1, "postgres_home": 7},
        {"id": 5, "format": 1},
    ],
)
def test_a_damaged_mark_is_refused_in_a_sentence(tmp_path: Path, content: dict[str, object]) -> None:
    (tmp_path / "instance.json").write_text(json.dumps(content))
    with pytest.raises(StartRefused, match=r"instance\.json is damaged"):
        DataDir(tmp_path).prepare()


def test_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(StartRefused, match="is a file"):
        DataDir(path).prepare()


def test_only_one_holds_it_and_the_other_learns_who(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    refusal = pytest.raises(AlreadyRunning, match=r"already runs on DATA_DIR .*\(process \d+\)")
    with data.held(), refusal, data.held():
        pass
    with data.held():
        pass


def test_a_database_that_has_gone_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    home = data.postgres_home()
    data.remember_servers(postgres_home=home, postgres_port=1, valkey_port=2)
    with pytest.raises(StartRefused, match="is gone"):
        data.postgres_home()


def test_a_moved_directory_finds_its_database(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    (data.path / "postgres" / "cluster").mkdir(parents=True)
    data.remember_servers(postgres_home=data.path / "postgres", postgres_port=1, valkey_port=2)
    moved = data.path.rename(tmp_path / "moved")
    assert DataDir(moved).postgres_home() == moved / "postgres"
