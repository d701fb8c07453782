"""`scripts/environment.sh`: one `.venv`, even for concurrent callers."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.patience import PATIENCE_SECONDS

# A stub interpreter: it prints a version, creates an environment with the real one, and records that it did.
STUB = """#!/bin/sh
case "$*" in
  *"% sys.version_info"*) echo 3.12 ;;
  *flock*) exec "{real}" "$@" ;;
  "-m venv"*)
    mkdir -p .venv/bin && ln -s "{real}" .venv/bin/python && cp stamp .venv/installed.sha256 && echo created >>calls ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a lock file and the stamp that an installation would leave."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(settings.BASE_DIR / "scripts" / "environment.sh", tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    (tmp_path / "stamp").write_text(hashlib.sha256(b"nothing==1\n").hexdigest())
    stub = tmp_path / "python-stub"
    stub.write_text(STUB.format(real=sys.executable))
    stub.chmod(0o755)
    return tmp_path


def begin(checkout: Path, **more: str) -> "subprocess.Popen[str]":
    command = ["sh", "scripts/environment.sh", "requirements.lock"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.Popen(command, cwd=checkout, env={**kept, **more}, stderr=subprocess.PIPE, text=True)


def test_a_second_start_waits_for_the_first_and_reuses_its_environment(checkout: Path) -> None:
    with (checkout / "scripts" / "environment.sh").open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = begin(checkout, PYTHON="./python-stub")
        assert second.stderr is not None
        assert "Waiting for another make" in second.stderr.readline()
        assert not (checkout / ".venv").exists()
        subprocess.run(["./python-stub", "-m", "venv", ".venv"], cwd=checkout, check=True)
    errors = second.communicate(timeout=PATIENCE_SECONDS)[1]
    assert (second.returncode, errors) == (0, "")
    assert (checkout / "calls").read_text() == "created\n"


def test_a_different_python_version_is_refused(checkout: Path) -> None:
    subprocess.run(["./python-stub", "-m", "venv", ".venv"], cwd=checkout, check=True)
    if sys.version_info[:2] == (3, 12):
        stub = checkout / "python-stub"
        stub.write_text(stub.read_text().replace("3.12", "3.13"))
    process = begin(checkout, PYTHON="./python-stub")
    errors = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert process.returncode == 1
    assert errors.startswith(".venv was created with Python 3.")
    assert "Delete .venv to create it again" in errors
    assert (checkout / "calls").read_text() == "created\n"


def test_a_complete_environment_is_left_alone(checkout: Path) -> None:
    subprocess.run(["./python-stub", "-m", "venv", ".venv"], cwd=checkout, check=True)
    process = begin(checkout)
    assert (process.communicate(timeout=PATIENCE_SECONDS)[1], process.returncode) == ("", 0)
