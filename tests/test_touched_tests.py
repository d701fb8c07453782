"""The tests that `make check` runs for a change."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from scripts.touched_tests import LOOKED_AT, touched_tests

ROOT = Path(settings.BASE_DIR)
FILES = {
    "tests/kb/test_search.py": "from kb.search import search\n",
    "tests/kb/test_pages.py": "from kb import services, views\n",
    "tests/kb/conftest.py": "",
    "tests/kb/test_import.py": "from tests.kb.importing import files\n",
    "tests/handoff/test_queue.py": "",
    "tests/browser/test_desk.py": "",
    "tests/test_docs.py": "",
    "tests/test_health.py": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (["kb/search.py"], ["tests/kb/test_search.py"]),
        (["kb/services.py", "kb/search.py"], ["tests/kb/test_pages.py", "tests/kb/test_search.py"]),
        (["kb/models.py"], ["tests/kb"]),  # no test imports it, so all tests of its package run
        (["kb/search.py", "kb/models.py"], ["tests/kb"]),
        (["supportbot/handoff/static/desk/desk.js"], ["tests/handoff"]),
        (["supportbot/health.py"], ["tests/test_health.py"]),
        (["tests/kb/conftest.py"], ["tests/kb"]),
        (["tests/kb/importing.py"], ["tests/kb/test_import.py"]),
        (["tests/browser/test_desk.py"], []),
        (["README.md", "docs/kb.md"], ["tests/test_docs.py"]),
        (["templates/kb/home.html"], ["tests/kb/test_pages.py"]),
        (["kb/migrations/0001_first.py", "Makefile"], []),
    ],
)
def test_a_change_selects_the_tests_of_its_users(checkout: Path, changed: list[str], tests: list[str]) -> None:
    assert touched_tests(checkout, changed) == tests


def test_every_selected_test_exists() -> None:
    assert [test for _, tests in LOOKED_AT for test in tests if not (ROOT / test).exists()] == []


def test_an_unknown_git_base_is_reported() -> None:
    command = [sys.executable, "scripts/touched_tests.py", "no-such-branch"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("git cannot list the changed files: ")
