"""The data directory: ownership, format and lock."""

import json
from pathlib import Path

import pytest

from supportbot.embedded.data_dir import DataDir
from supportbot.installation.errors import AlreadyRunning, StartRefused


def test_a_new_directory_is_ours_from_then_on(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "new" / "data")
    data.prepare()
    made = data.instance()
    data.prepare()
    assert data.instance() == made
    assert (data.path / "logs").stat().st_mode & 0o077 == 0


def test_a_folder_with_unknown_files_is_refused_and_left_untouched(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StartRefused, match=r"contains letter\.txt, which SupportBot did not create"):
        DataDir(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", ["mail", "beat", "audit-heads.jsonl", "demo-api-key.json", "demo-knowledge.json"])
def test_files_that_commands_created_before_the_first_start_are_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    DataDir(tmp_path).prepare()
    assert DataDir(tmp_path).is_ours


def test_a_newer_versions_directory_is_refused_and_untouched(tmp_path: Path) -> None:
    content = json.dumps({"id": "x", "format": 2, "something": "new"})
    (tmp_path / "instance.json").write_text(content)
    with pytest.raises(StartRefused, match="written by a newer version of SupportBot"):
        DataDir(tmp_path).prepare()
    assert (tmp_path / "instance.json").read_text() == content


def test_an_older_versions_directory_is_refused(tmp_path: Path) -> None:
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
def test_a_damaged_instance_file_is_refused(tmp_path: Path, content: dict[str, object]) -> None:
    (tmp_path / "instance.json").write_text(json.dumps(content))
    with pytest.raises(StartRefused, match=r"instance\.json is damaged"):
        DataDir(tmp_path).prepare()


def test_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(StartRefused, match="is a file"):
        DataDir(path).prepare()


def test_only_one_process_can_lock_it_and_the_other_learns_which(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    refusal = pytest.raises(AlreadyRunning, match=r"already running on DATA_DIR .*\(process \d+\)")
    with data.locked(), refusal, data.locked():
        pass
    with data.locked():
        pass


def test_a_missing_database_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    home = data.postgres_home()
    data.save_servers(postgres_home=home, postgres_port=1, valkey_port=2)
    with pytest.raises(StartRefused, match="is missing"):
        data.postgres_home()


def test_a_moved_directory_finds_its_database(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    (data.path / "postgres" / "cluster").mkdir(parents=True)
    data.save_servers(postgres_home=data.path / "postgres", postgres_port=1, valkey_port=2)
    moved = data.path.rename(tmp_path / "moved")
    assert DataDir(moved).postgres_home() == moved / "postgres"
