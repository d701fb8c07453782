"""Folders that the user who runs PostgreSQL can reach, whoever runs the tests."""

import os
from pathlib import Path

import pytest

from supportbot.embedded.accounts import server_account


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a space in its name; pytest's own temporary folders are closed to other users."""
    folder = tmp_path / "two words"
    folder.mkdir()
    account = server_account()
    for path in (folder, *folder.parents):
        if account is not None and path.stat().st_uid == os.geteuid() and not account.can_enter(path):
            path.chmod(path.stat().st_mode | 0o055)
    return folder
