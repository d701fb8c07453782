"""The confined process: reads a file from standard input and writes its content to standard output.

    python -I child.py pdf|pdf_text|word|zip|page|picture|logo < FILE > RESULT

The first line of the result is a JSON object. It is followed by the contents of the files that it lists. If the result
cannot be written, the exit code is the number of the error.

Before it reads, the process gives up everything that could do harm. Linux supports all of it; elsewhere, memory or
network may stay unrestricted. On every system, a process with no descriptor left can neither open a file nor create a
socket. The network namespace, if the kernel allows one, is a second line of defence.
"""

import ctypes
import json
import logging
import os
import pkgutil
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from kb.importing.confined.refusal import Refused

Reader = Callable[[BinaryIO], tuple[dict[str, Any], list[bytes]]]

# By kind: a reader, and the packages that import modules only when a file needs them. Nothing else is loaded.
READERS = {
    "page": ("html_depth", "check_page", ()),
    "pdf": ("pdf.reader", "read_pdf", ("encodings", "pypdf", "xml")),
    "pdf_text": ("pdf.reader", "read_pdf_text", ("encodings", "pypdf", "xml")),
    "word": ("word.reader", "read_word", ("encodings", "mammoth", "xml")),
    "zip": ("archive", "read_archive", ("encodings",)),
    "picture": ("picture", "read_picture", ()),
    "logo": ("picture", "read_logo", ()),
}
MEMORY_BYTES: Final = 768 * 1024 * 1024
CPU_SECONDS: Final = 120
OUTPUT_BYTES: Final = 512 * 1024 * 1024

_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


def main(kind: str, source: BinaryIO, target: BinaryIO) -> None:
    module, name, packages = READERS[kind]
    reader: Reader = getattr(import_module(f"kb.importing.confined.{module}"), name)
    confine(packages)
    contents: list[bytes] = []
    try:
        facts, contents = reader(source)
    except Refused as refusal:
        facts = {"error": refusal.code, "values": refusal.values}
    except MemoryError:
        facts = {"error": "memory"}
    except Exception as error:  # noqa: BLE001  # the process's edge: a parser may raise anything on a hostile file
        facts = {"error": "damaged", "values": {"what": type(error).__name__}}
    try:
        target.writelines([json.dumps(facts).encode() + b"\n", *contents])
        target.flush()
    except OSError as error:
        os._exit(error.errno or 1)  # tells the parent why; a normal exit would try to write the rest once more


def confine(packages: Sequence[str] = ()) -> None:
    """Import all modules of `packages`, then give up everything but the three standard streams, limited memory and
    limited time.
    """
    for package in packages:
        _load_modules(package)
    os.closerange(3, 1_024)
    if sys.platform == "linux":
        _without_network()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 5)  # SIGXCPU comes first, and tells the parent why it ended
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
    """Import now what the readers would import lazily: once confined, the process cannot open module files."""
    found = import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        if module.name not in ("encodings.mbcs", "encodings.oem"):  # Windows only
            with suppress(ImportError):  # the module may need an optional package
                import_module(module.name)


if __name__ == "__main__":
    logging.disable()
    main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
