"""Start, measure (through /proc, so on Linux only) and stop servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from supportbot.embedded.child_processes import spawn, stop, wait_until
from supportbot.embedded.free_ports import LOOPBACK, free_port, is_taken

START_SECONDS: Final = 60.0
ROOT: Final = Path(__file__).resolve().parent.parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# The flags of the product's web process, so that both sides use the same server.
UVICORN: Final = ("--ws", "auto", "--ws-max-size", "262144", "--no-proxy-headers", "--no-server-header",
                  "--no-access-log", "--log-level", "warning")  # fmt: skip


@contextmanager
def serving(command: Sequence[str], port: int, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server during the block, which starts once the port is open. If the server ends before that, the error
    contains its last output.
    """
    with log.open("ab") as output:
        server = spawn(command, output=output, environment={**os.environ, **environment}, folder=ROOT)
    try:
        if not wait_until(lambda: is_taken(port) or server.poll() is not None, seconds=START_SECONDS):
            raise SystemExit(f"{command[2]} did not open port {port}: see {log}.")
        if server.poll() is not None:
            raise SystemExit(f"{command[2]} ended: {log.read_text(errors='replace')[-800:]}")
        yield server
    finally:
        stop(server, (signal.SIGTERM, 20.0))


@contextmanager
def paced_model(folder: Path) -> Iterator[str]:
    """Run the model server and return its address."""
    port = free_port()
    with serving([sys.executable, "-m", "bench.paced_model", "--port", str(port)], port, folder / "model.log"):
        yield f"http://{LOOPBACK}:{port}"


@contextmanager
def bare_relay(folder: Path, model_url: str) -> Iterator[tuple[int, str]]:
    """Run the bare relay and return its process id and address."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.bare_relay:application", "--port", str(port), *UVICORN]
    with serving([*command, "--lifespan", "off"], port, folder / "bare.log", UPSTREAM=f"{model_url}/v1") as server:
        yield server.pid, f"ws://{LOOPBACK}:{port}"


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of all its threads, including ended ones, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def private_bytes(pid: int) -> int:
    """Return the bytes of memory that a process does not share with others."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


def resident_bytes(pid: int) -> int:
    lines: Mapping[str, str] = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(lines["VmRSS"].split()[0]) * 1024
