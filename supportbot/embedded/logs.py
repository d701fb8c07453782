"""The logs of an instance, kept from filling the disk."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

LIMIT_BYTES = 20_000_000


def cap_logs(folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move what a log above the limit holds to NAME.log.1, in place of what was there before.

    Copied and cut, not renamed: the processes keep their file open, in append mode, and go on at its new end. A line
    written between the two is lost. Where the disk is full already, so is what the log holds: it must end no process.
    """
    for log in folder.glob("*.log"):
        with suppress(OSError):  # a person may delete one in this moment
            if log.stat().st_size > limit_bytes:
                _put_aside(log)
                os.truncate(log, 0)


def _put_aside(log: Path) -> None:
    aside = log.with_name(f"{log.name}.1")
    try:
        shutil.copyfile(log, aside)
    except OSError:
        aside.unlink(missing_ok=True)
