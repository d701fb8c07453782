"""The logs of an instance, kept from filling the disk."""

import shutil
from pathlib import Path

LIMIT_BYTES = 20_000_000


def cap_logs(folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move what a log above the limit holds to NAME.log.1, in place of what was there before.

    Copied and cut, not renamed: the processes keep their file open, in append mode, and go on at its new end. A line
    written between the two is lost.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate()
