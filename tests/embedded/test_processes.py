"""Children that do not outlive their parent, by real processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supportbot.embedded.processes import end_leftover, spawn, stop, wait_until
from supportbot.embedded.register import Register
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_marks import ProcessMark, is_running, mark

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Deaf to the polite signals, and says so once it is.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; [signal.signal(number, signal.SIG_IGN) for number in (2, 15)];"
    "print('deaf', flush=True); time.sleep(600)",
]
PARENT = """
import sys, time
from pathlib import Path
from supportbot.installation.errors import StartRefused
from supportbot.embedded.processes import spawn
with open(sys.argv[1], "wb") as output:
    print(spawn([sys.executable, "-c", "import time; time.sleep(600)"], output=output).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.chaos
@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "output")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = mark(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
    assert wait_until(lambda: not is_running(child), seconds=10)


def test_a_reused_id_is_not_taken_for_the_old_process() -> None:
    me = mark(os.getpid())
    assert me is not None
    assert is_running(me)
    assert not is_running(ProcessMark(me.pid, "1"))


def test_a_zombie_counts_as_gone(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    assert wait_until(lambda: mark(child.pid) is None, seconds=10)
    assert child.wait() == 0


def test_a_deaf_child_is_ended_by_force(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as file:
        child = spawn(STUBBORN, output=file)
    assert wait_until(lambda: output.read_bytes() == b"deaf\n", seconds=30)
    stop(child, (signal.SIGTERM, 0.2))
    assert child.returncode == -signal.SIGKILL


def test_a_leftover_is_found_and_ended(tmp_path: Path) -> None:
    register = Register(tmp_path / "processes.json")
    child = subprocess.Popen(SLEEP)
    register.save({"web": child.pid})
    assert register.end_leftovers() == ["web"]
    assert child.wait(timeout=10) == -signal.SIGTERM
    assert register.running() == {}


def test_a_copied_directory_leaves_the_originals_processes_alone(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    copy.mkdir()
    Register(original / "processes.json").save({"web": os.getpid()})
    (copy / "processes.json").write_bytes((original / "processes.json").read_bytes())
    assert Register(copy / "processes.json").running() == {}


def test_a_folder_under_two_names_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    Register(tmp_path / "link" / "processes.json").save({"web": os.getpid()})
    assert list(Register(tmp_path / "real" / "processes.json").running()) == ["web"]


@pytest.mark.parametrize(
    "processes", [None, [], {"web": 5}, {"web": {"pid": -1, "started": "1"}}, {"web": {"pid": "1", "started": "1"}}]
)
def test_a_damaged_register_is_refused_and_ends_nobody(tmp_path: Path, processes: object) -> None:
    register = Register(tmp_path / "processes.json")
    register.path.write_text(json.dumps({"folder": str(tmp_path), "processes": processes}))
    with pytest.raises(StartRefused, match=r"processes\.json is damaged"):
        register.end_leftovers()


def test_ending_what_has_ended_is_no_error() -> None:
    assert end_leftover(ProcessMark(os.getpid(), "1"))
