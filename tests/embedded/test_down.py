"""`manage.py down`: what it deletes, and what keeps it from deleting."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from supportbot.embedded import datadir
from supportbot.embedded.datadir import DataDir


@pytest.fixture
def data(tmp_path: Path, settings: Settings) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.prepare()
    settings.DATA_DIR = made.path
    return made


def test_a_purge_under_a_running_supervisor_is_refused_and_deletes_nothing(data: DataDir) -> None:
    # Its register is gone, as after a hand that deleted too much: only the lock knows.
    before = sorted(path.name for path in data.path.iterdir())
    with data.held(), pytest.raises(CommandError, match="already runs on DATA_DIR"):
        call_command("down", purge=True)
    assert sorted(path.name for path in data.path.iterdir()) == before


def test_a_database_outside_that_is_gone_is_no_obstacle(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datadir, "OUTSIDE", data.path.parent / "outside")
    home = datadir.OUTSIDE / data.instance().id
    data.remember_servers(postgres_home=home, postgres_port=1, valkey_port=2)
    call_command("down", purge=True)
    assert not data.path.exists()


def test_a_second_purge_says_that_nothing_was_there(data: DataDir) -> None:
    told = StringIO()
    for _ in range(2):
        call_command("down", purge=True, stdout=told)
    nothing_runs = f"Nothing runs on {data.path}."
    assert told.getvalue().splitlines() == [
        nothing_runs, "Deleted the data.", nothing_runs, "There was no data to delete."
    ]  # fmt: skip


def test_a_folder_that_we_did_not_make_is_never_deleted(data: DataDir, tmp_path: Path) -> None:
    strange = tmp_path / "letters"
    strange.mkdir()
    data.remember_servers(postgres_home=strange, postgres_port=1, valkey_port=2)
    with pytest.raises(CommandError, match=r"instance\.json is damaged"):
        call_command("down", purge=True)
    assert strange.exists()
    assert data.path.exists()


def test_what_cannot_be_deleted_is_told_in_a_sentence(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(datadir.shutil, "rmtree", refuse)
    with pytest.raises(CommandError, match=r"could not be deleted \(Permission denied\)"):
        call_command("down", purge=True)
