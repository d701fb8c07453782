"""Children that do not outlive their parent, tested with real processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supportbot.embedded.child_processes import spawn, stop, terminate, wait_until
from supportbot.embedded.process_registry import ProcessRegistry
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import ProcessIdentity, identify, is_running
from tests.patience import PATIENCE_SECONDS

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Ignores SIGINT and SIGTERM, and prints a line once it does.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; [signal.signal(number, signal.SIG_IGN) for number in (2, 15)];"
    "print('ignoring', flush=True); time.sleep(600)",
]
PARENT = """
import sys, time
from pathlib import Path
from supportbot.installation.errors import StartRefused
from supportbot.embedded.child_processes import spawn
with open(sys.argv[1], "wb") as output:
    print(spawn([sys.executable, "-c", "import time; time.sleep(600)"], output=output).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.chaos
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the parent-death signal")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "output")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = identify(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
    assert wait_until(lambda: not is_running(child), seconds=PATIENCE_SECONDS)


def test_a_reused_id_is_not_taken_for_the_old_process() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert is_running(me)
    assert not is_running(ProcessIdentity(me.pid, "1"))


def test_a_zombie_counts_as_gone(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    assert wait_until(lambda: identify(child.pid) is None, seconds=PATIENCE_SECONDS)
    assert child.wait() == 0


def test_a_child_that_ignores_signals_is_killed(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as file:
        child = spawn(STUBBORN, output=file)
    assert wait_until(lambda: output.read_bytes() == b"ignoring\n", seconds=PATIENCE_SECONDS)
    stop(child, (signal.SIGTERM, 0.2))
    assert child.returncode == -signal.SIGKILL


def test_an_orphan_is_found_and_ended(tmp_path: Path) -> None:
    registry = ProcessRegistry(tmp_path / "processes.json")
    child = subprocess.Popen(SLEEP)
    registry.save({"web": child.pid})
    assert registry.end_orphans() == ["web"]
    assert child.wait(timeout=PATIENCE_SECONDS) == -signal.SIGTERM
    assert registry.running() == {}


def test_a_copied_directory_does_not_end_the_processes_of_the_original(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    copy.mkdir()
    ProcessRegistry(original / "processes.json").save({"web": os.getpid()})
    (copy / "processes.json").write_bytes((original / "processes.json").read_bytes())
    assert ProcessRegistry(copy / "processes.json").running() == {}


def test_a_folder_under_two_names_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ProcessRegistry(tmp_path / "link" / "processes.json").save({"web": os.getpid()})
    assert list(ProcessRegistry(tmp_path / "real" / "processes.json").running()) == ["web"]


@pytest.mark.parametrize(
    "processes", [None, [], {"web": 5}, {"web": {"pid": -1, "started": "1"}}, {"web": {"pid": "1", "started": "1"}}]
)
def test_a_damaged_registry_is_refused_and_ends_nothing(tmp_path: Path, processes: object) -> None:
    registry = ProcessRegistry(tmp_path / "processes.json")
    registry.path.write_text(json.dumps({"folder": str(tmp_path), "processes": processes}))
    with pytest.raises(StartRefused, match=r"processes\.json is damaged"):
        registry.end_orphans()


def test_ending_a_process_that_has_ended_succeeds() -> None:
    assert terminate(ProcessIdentity(os.getpid(), "1"))
