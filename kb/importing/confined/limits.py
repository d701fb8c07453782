"""Gives up everything a process could do harm with. Linux supports all of it; elsewhere, memory or network may stay
unrestricted. On every system, a process with no descriptor left can neither open a file nor create a socket. The
network namespace, if the kernel allows one, is a second line of defence.
"""

import ctypes
import importlib
import os
import pkgutil
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

MEMORY_BYTES: Final = 768 * 1024 * 1024
CPU_SECONDS: Final = 120
OUTPUT_BYTES: Final = 512 * 1024 * 1024

_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


def confine(packages: Sequence[str] = ()) -> None:
    """Keep only the three standard streams, some memory and some time; import all modules of `packages` before."""
    for package in packages:
        _load_modules(package)
    os.closerange(3, 1_024)
    if sys.platform == "linux":
        _without_network()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 5)  # SIGXCPU comes first, and says what happened
    _limit(resource.RLIMIT_FSIZE, OUTPUT_BYTES)
    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 3)


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    known = resource.getrlimit(what)[1]
    most = soft if hard is None else hard
    most = most if known == resource.RLIM_INFINITY else min(most, known)
    with suppress(ValueError, OSError):  # macOS does not limit the address space
        resource.setrlimit(what, (min(soft, most), most))


def _without_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_CLONE_NEWNET):  # only root may do this; others need a user namespace, which some kernels refuse
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _load_modules(package: str) -> None:
    """Import what the readers would import lazily, since modules cannot be opened later."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        if module.name not in ("encodings.mbcs", "encodings.oem"):  # Windows only
            with suppress(ImportError):  # of an optional package
                importlib.import_module(module.name)
