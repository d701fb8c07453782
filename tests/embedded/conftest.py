"""Folders that the user that runs PostgreSQL can access, even if root runs the tests, and the plan of a start."""

from pathlib import Path

import pytest

from supportbot.installation.start_plan import Plan
from tests.embedded.instance import open_to_postgres
from tests.ports import reserved_port


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a space in its name."""
    folder = tmp_path / "two words"
    folder.mkdir()
    return open_to_postgres(folder)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(
        data_dir=tmp_path / "data",
        host="127.0.0.1",
        port=reserved_port(),
        shop_port=reserved_port(),
        public_url="",
        database_url=None,
        redis_url=None,
        broker_url=None,
        embedder="packaged",
        with_demo=True,
    )
