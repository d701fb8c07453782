"""The counters of several web processes on one port, on a disk that fills up: no process ends, and no count is lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.patience import PATIENCE_SECONDS

# A file system of this process and its child alone.
SMALL_DISK = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
OWN_MOUNTS = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount"]
MAY_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0
)
# Each label takes more than a hundred bytes, so the counters outgrow their first 64 KiB.
PROGRAM = """
import os, sys, time
from pathlib import Path

def fill():
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def count():
    for number in range(1000):
        TURNS.labels("answered", f"{number:020}").inc()

def shown():
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    lines = generate_latest(registry).decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("supportbot_turns_total{"))

folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
if sys.argv[1] == "before":
    fill()
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from supportbot.observing import counter_files
counter_files.RETRY_SECONDS = 0.2
from supportbot.observing.metrics import TURNS
if sys.argv[1] == "after":
    fill()
count()
print(shown())
(folder / "filler").unlink()
time.sleep(0.3)
count()
print(shown())
"""


def on_a_small_disk(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*OWN_MOUNTS, "sh", "-euc", SMALL_DISK, str(folder), *command],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}, cwd=settings.BASE_DIR, capture_output=True,
        text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not MAY_MOUNT, reason="this user cannot mount a small disk")
@pytest.mark.parametrize(("filled", "least"), [("before", 0), ("after", 1)])
def test_a_process_on_a_full_disk_counts_in_memory_and_later_in_its_files(
    tmp_path: Path, filled: str, least: int
) -> None:
    done = on_a_small_disk(tmp_path, sys.executable, "-c", PROGRAM, filled)
    assert done.returncode == 0, done.stderr  # -7 or 135: SIGBUS
    shown, later = map(float, done.stdout.split())
    assert least <= shown < 1000 and later == 2000
    assert done.stderr.startswith(f"the disk of {tmp_path} is full, so this process counts in memory")
