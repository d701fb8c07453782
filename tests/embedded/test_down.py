"""`manage.py down`: the data it deletes, and the data it refuses to delete."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from supportbot.embedded import data_dir
from supportbot.embedded.data_dir import DataDir


@pytest.fixture
def data(tmp_path: Path, settings: Settings) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.prepare()
    settings.DATA_DIR = made.path
    return made


def test_a_purge_under_a_running_supervisor_is_refused_and_deletes_nothing(data: DataDir) -> None:
    # Its registry is gone, as if someone had deleted too much; only the lock is left.
    before = sorted(path.name for path in data.path.iterdir())
    with data.locked(), pytest.raises(CommandError, match="already running on DATA_DIR"):
        call_command("down", purge=True)
    assert sorted(path.name for path in data.path.iterdir()) == before


def test_a_missing_database_outside_does_not_prevent_a_purge(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_dir, "OUTSIDE", data.path.parent / "outside")
    home = data_dir.OUTSIDE / data.instance().id
    data.save_servers(postgres_home=home, postgres_port=1, valkey_port=2)
    call_command("down", purge=True)
    assert not data.path.exists()


def test_a_second_purge_says_that_there_was_no_data(data: DataDir) -> None:
    output = StringIO()
    for _ in range(2):
        call_command("down", purge=True, stdout=output)
    not_running = f"Nothing is running in {data.path}."
    assert output.getvalue().splitlines() == [
        not_running, "Deleted the data.", not_running, "There was no data to delete."
    ]  # fmt: skip


def test_a_folder_that_we_did_not_create_is_never_deleted(data: DataDir, tmp_path: Path) -> None:
    foreign = tmp_path / "letters"
    foreign.mkdir()
    data.save_servers(postgres_home=foreign, postgres_port=1, valkey_port=2)
    with pytest.raises(CommandError, match=r"instance\.json is damaged"):
        call_command("down", purge=True)
    assert foreign.exists()
    assert data.path.exists()


def test_a_failed_deletion_is_reported_in_one_sentence(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(data_dir.shutil, "rmtree", refuse)
    with pytest.raises(CommandError, match=r"could not be deleted \(Permission denied\)"):
        call_command("down", purge=True)
