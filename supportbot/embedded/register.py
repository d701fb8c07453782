"""Which processes a supervisor started: what a killed one left behind is found and ended at the next start."""

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from supportbot.embedded.errors import StartRefused
from supportbot.embedded.processes import ProcessMark, end_leftover, is_running, mark
from supportbot.embedded.runtime import read_json, write_private


@dataclass(frozen=True)
class Register:
    """`processes.json` of one data directory."""

    path: Path

    def save(self, pids: dict[str, int]) -> None:
        marks = {name: mark(pid) for name, pid in pids.items()}
        processes = {name: asdict(known) for name, known in marks.items() if known is not None}
        # The folder is noted too: a copied data directory must not end the processes of the original.
        write_private(self.path, json.dumps({"folder": str(self.path.parent), "processes": processes}, indent=2))

    def running(self) -> dict[str, ProcessMark]:
        content = read_json(self.path) or {}
        if content.get("folder") != str(self.path.parent):
            return {}
        marks = {name: ProcessMark(**known) for name, known in content.get("processes", {}).items()}
        return {name: known for name, known in marks.items() if is_running(known)}

    def end_leftovers(self) -> list[str]:
        """End what still runs and return the names. Raises StartRefused when one cannot be ended."""
        leftovers = self.running()
        for name, process in leftovers.items():
            first = signal.SIGINT if name == "postgres" else signal.SIGTERM
            if not end_leftover(process, first=first):
                raise StartRefused(
                    f"{name} of an earlier start (process {process.pid}) cannot be ended: end it and retry."
                )
        return sorted(leftovers)
