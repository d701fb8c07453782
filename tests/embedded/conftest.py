"""Folders that the user that runs PostgreSQL can access, even if root runs the tests."""

from pathlib import Path

import pytest

from tests.embedded.instance import open_to_postgres


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a space in its name."""
    folder = tmp_path / "two words"
    folder.mkdir()
    return open_to_postgres(folder)
