"""The files that contain the counters of web processes sharing a port."""

import shutil
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead


class SharedCounters:
    """Counts are kept after their process has ended. Gauges, such as the number of open sockets, are not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pids: set[int] = set()

    def begin(self) -> None:
        """Start from zero, as counters do when their process starts."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)

    def forget_dead(self, pids: dict[str, int]) -> None:
        """Forget the gauges of processes that have ended.

        Call this with the ids of all running processes whenever they change.
        """
        now = set(pids.values())
        for pid in self._pids - now:
            mark_process_dead(pid, str(self.folder))  # type: ignore[no-untyped-call]
        self._pids = now
