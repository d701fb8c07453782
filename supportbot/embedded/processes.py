"""Child processes that never outlive their parent.

Linux delivers the parent-death signal when the *thread* that started the child ends: start children from the main
thread. Elsewhere the process register (`register.py`) finds what a killed supervisor left behind.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from supportbot.embedded.accounts import Account
from supportbot.installation.process_marks import ProcessMark, is_running

_PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec nothing may be imported or allocated by another thread's lock holder.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    output: IO[bytes],
    errors: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    folder: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, as `account` if given; it gets `death_signal` when this process dies.

    Its own session keeps the terminal's Ctrl-C away from it: the supervisor stops everything in order.
    """
    identity = {} if account is None else account.as_popen()
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if errors is None else errors,
        env=None if environment is None else dict(environment),
        cwd=folder or "/",
        start_new_session=True,
        preexec_fn=_die_with_parent(death_signal),
        **identity,
    )


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    libc = _LIBC
    if libc is None:
        return None
    parent = os.getpid()

    def ask_for_the_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call: no signal would ever come
            os._exit(1)

    return ask_for_the_signal


def stop(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn and wait its seconds; SIGKILL ends what is left. Returns when the child is reaped."""
    for signal_number, seconds in steps:
        if process.poll() is None:
            process.send_signal(signal_number)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def end_leftover(leftover: ProcessMark, *, seconds: float = 10.0, first: signal.Signals = signal.SIGTERM) -> bool:
    """End a process that is not our child; returns False if it survived even SIGKILL or belongs to somebody else."""
    for signal_number, patience in ((first, seconds), (signal.SIGKILL, 5.0)):
        if not is_running(leftover):
            return True
        try:
            os.kill(leftover.pid, signal_number)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        if wait_until(lambda: not is_running(leftover), seconds=patience):
            return True
    return False


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.05) -> bool:
    """Poll until the condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True
