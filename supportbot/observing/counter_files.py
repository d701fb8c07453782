"""The counter files of web processes that share a port, on a disk that may be full.

prometheus_client writes through memory into files whose blocks have not been allocated. If the disk has no block left,
the kernel ends the process with SIGBUS. This happens to every web process, and to each that replaces it, until somebody
frees some space. Here, blocks are allocated first. A process that gets none counts in memory, and goes back to its
files once there is space. Until then, `/metrics` shows that process's earlier numbers.
"""

import errno
import logging
import mmap
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

FIRST_BYTES: Final = 1 << 16  # prometheus_client's own
RETRY_SECONDS: Final = 10.0
_BESIDES_KEY: Final = 32  # more than the bytes of an entry's length, padding, value and time
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# On other systems, nothing changes: macOS has neither of these functions.
IS_SUPPORTED: Final = hasattr(os, "posix_fallocate") and hasattr(os, "memfd_create")
logger = logging.getLogger(__name__)


class AllocatedDict(MmapedDict):
    """A file of counters whose blocks are allocated before it is written."""

    _in_memory: ClassVar[set[Path]] = set()  # the files of this process that have no space

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._path = Path(filename)
        self._retry_at = 0.0  # 0 while the counters are in the file
        if not read_mode:
            try:
                _create(self._path)
            except OSError as error:
                _raise_others(error)
                self._begin_in_memory()
                return
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _begin_in_memory(self) -> None:
        with _memory() as file:
            super().__init__(f"/proc/self/fd/{file.fileno()}")  # type: ignore[no-untyped-call]
        self._note_full()

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _BESIDES_KEY > self._capacity:
            try:
                os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
            except OSError as error:
                _raise_others(error)
                self._continue_in(_memory())
                self._note_full()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        if self._retry_at and time.monotonic() >= self._retry_at:
            self._return_to_file()
        super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]

    def _note_full(self) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._in_memory:
            logger.error("the disk of %s is full, so this process counts in memory", self._path.parent)
        self._in_memory.add(self._path)

    def _return_to_file(self) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        with suppress(OSError):  # still full, or the folder is gone
            _create(self._path, self._capacity)
            self._continue_in(self._path.open("r+b"))
            self._retry_at = 0.0
            self._in_memory.discard(self._path)
            if not self._in_memory:
                logger.warning("%s has space again, so this process counts in its files", self._path.parent)

    def _continue_in(self, file: BinaryIO) -> None:
        """Copy everything into this file, which is large enough, or into memory, which can grow."""
        content = self._m[: self._used]
        self._f.close()
        self._f = file
        self._f.truncate(self._capacity)
        self._m = mmap.mmap(self._f.fileno(), self._capacity)
        self._m[: self._used] = content


def _create(path: Path, size: int = FIRST_BYTES) -> None:
    """Create the file if it is missing, and allocate at least this many bytes. Raises OSError."""
    unfinished = path.with_suffix(".part")  # `/metrics` would fail if it read an empty file
    is_new = not path.exists()
    try:
        with (unfinished if is_new else path).open("a+b") as file:
            os.posix_fallocate(file.fileno(), 0, max(size, os.fstat(file.fileno()).st_size))
        if is_new:
            unfinished.rename(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def _memory() -> BinaryIO:
    return os.fdopen(os.memfd_create("supportbot-counters"), "r+b")


def _raise_others(error: OSError) -> None:
    """Raise the error unless it means that the disk is full."""
    if error.errno not in _FULL:
        raise error


def use_allocated_files() -> None:
    """Count every series defined after this call in an `AllocatedDict`, if several processes share their counters."""
    if IS_SUPPORTED:
        values_module: Any = values
        values_module.MmapedDict = AllocatedDict
