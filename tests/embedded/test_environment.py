"""`scripts/environment.sh`: one `.venv`, whoever asks for it at the same time."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

# An interpreter in name only: it tells a version, makes a folder with the real one, and notes what it was asked.
STAND_IN = """#!/bin/sh
case "$*" in
  *"% sys.version_info"*) echo 3.12 ;;
  *flock*) exec "{real}" "$@" ;;
  "-m venv"*)
    mkdir -p .venv/bin && ln -s "{real}" .venv/bin/python && cp stamp .venv/installed.sha256 && echo made >>book ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a lock file, and a stamp as an installation of it would leave."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(settings.BASE_DIR / "scripts" / "environment.sh", tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    (tmp_path / "stamp").write_text(hashlib.sha256(b"nothing==1\n").hexdigest())
    stand_in = tmp_path / "python-stand-in"
    stand_in.write_text(STAND_IN.format(real=sys.executable))
    stand_in.chmod(0o755)
    return tmp_path


def begin(checkout: Path, **more: str) -> "subprocess.Popen[str]":
    command = ["sh", "scripts/environment.sh", "requirements.lock"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.Popen(command, cwd=checkout, env={**kept, **more}, stderr=subprocess.PIPE, text=True)


def test_a_second_start_waits_for_the_first_and_finds_its_work(checkout: Path) -> None:
    with (checkout / "scripts" / "environment.sh").open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = begin(checkout, PYTHON="./python-stand-in")
        assert second.stderr is not None
        assert "Another make is at work" in second.stderr.readline()
        assert not (checkout / ".venv").exists()
        subprocess.run(["./python-stand-in", "-m", "venv", ".venv"], cwd=checkout, check=True)
    words = second.communicate(timeout=30)[1]
    assert (second.returncode, words) == (0, "")
    assert (checkout / "book").read_text() == "made\n"


def test_another_python_than_that_of_the_environment_is_refused(checkout: Path) -> None:
    subprocess.run(["./python-stand-in", "-m", "venv", ".venv"], cwd=checkout, check=True)
    if sys.version_info[:2] == (3, 12):
        stand_in = checkout / "python-stand-in"
        stand_in.write_text(stand_in.read_text().replace("3.12", "3.13"))
    asked = begin(checkout, PYTHON="./python-stand-in")
    words = asked.communicate(timeout=30)[1]
    assert asked.returncode == 1
    assert words.startswith(".venv was made with Python 3.")
    assert "delete .venv to make it anew" in words
    assert (checkout / "book").read_text() == "made\n"


def test_a_complete_environment_is_left_alone(checkout: Path) -> None:
    subprocess.run(["./python-stand-in", "-m", "venv", ".venv"], cwd=checkout, check=True)
    asked = begin(checkout)
    assert (asked.communicate(timeout=30)[1], asked.returncode) == ("", 0)
