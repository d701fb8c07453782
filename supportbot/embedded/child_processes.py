"""Child processes that never outlive their parent.

Linux sends the parent-death signal when the *thread* that started the child ends, so start children from the main
thread. On other systems, the process registry (`process_registry.py`) finds processes that a killed supervisor left
behind.
"""

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from django.utils.translation import gettext

from supportbot.embedded.servers.os_accounts import Account
from supportbot.installation.process_identity import ProcessIdentity, is_running

_PR_SET_PDEATHSIG = 1
_LEAST_BYTES = 1_000_000  # the least free disk space: a server needs about this much to start
# Loaded here because nothing may be imported between fork and exec, where another thread may hold the import lock.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | None,
    errors: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    folder: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, as `account` if given. Without `output`, it shares this process's output.

    The child receives `death_signal` when this process dies. Since it has its own session, it does not get the
    terminal's Ctrl-C, so the supervisor can stop everything in order.
    """
    identity = {} if account is None else account.as_popen()
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if errors is None and output is not None else errors,
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

    def set_death_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call, so no signal would arrive
            os._exit(1)

    return set_death_signal


def stop(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn, waiting the given number of seconds after each, then send SIGKILL. Return once the
    child has been reaped.
    """
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


def terminate(process: ProcessIdentity, *, seconds: float = 10.0, first: signal.Signals = signal.SIGTERM) -> bool:
    """End a process that is not our child. Return False if it survived SIGKILL or belongs to another user."""
    for signal_number, patience in ((first, seconds), (signal.SIGKILL, 5.0)):
        if not is_running(process):
            return True
        try:
            os.kill(process.pid, signal_number)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        if wait_until(lambda: not is_running(process), seconds=patience):
            return True
    return False


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: float = 0.05) -> bool:
    """Poll until the condition holds. Return False if it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
    return True


def without_a_word(log: Path) -> str:
    """Return the likely reason why a program ended without writing anything to its log."""
    is_full = shutil.disk_usage(log.parent).free < _LEAST_BYTES
    return f"{log.parent}: {os.strerror(errno.ENOSPC)}" if is_full else gettext("no error message")
