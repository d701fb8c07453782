"""Which processes a supervisor started: what a killed one left behind is found and ended at the next start."""

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supportbot.embedded.processes import end_leftover
from supportbot.installation.errors import StartRefused
from supportbot.installation.process_marks import ProcessMark, is_running, mark
from supportbot.installation.runtime import read_json, write_private


@dataclass(frozen=True)
class Register:
    """`processes.json` of one data directory."""

    path: Path

    def save(self, pids: dict[str, int]) -> None:
        marks = {name: mark(pid) for name, pid in pids.items()}
        processes = {name: asdict(known) for name, known in marks.items() if known is not None}
        # The folder is noted too: a copied data directory must not end the processes of the original.
        write_private(self.path, json.dumps({"folder": str(self._folder), "processes": processes}, indent=2))

    @property
    def _folder(self) -> Path:
        return self.path.parent.resolve()  # the same folder may be named through a symbolic link

    def running(self) -> dict[str, ProcessMark]:
        """Return what still runs, by name. Raises StartRefused for a damaged file."""
        content = read_json(self.path)
        if content is None or Path(str(content.get("folder"))).resolve() != self._folder:
            return {}
        return {name: known for name, known in self._marks(content).items() if is_running(known)}

    def _marks(self, content: dict[str, Any]) -> dict[str, ProcessMark]:
        try:
            return {name: _mark_from(known) for name, known in content["processes"].items()}
        except (KeyError, AttributeError, TypeError) as error:
            raise StartRefused(
                f"{self.path} is damaged: make sure that nothing of this DATA_DIR runs any more, then delete the file."
            ) from error

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


def _mark_from(known: dict[str, Any]) -> ProcessMark:
    pid, started = known["pid"], known["started"]
    # kill(0) and kill(-1) reach whole groups: only the number of one process is a mark.
    if type(pid) is not int or pid < 1 or not isinstance(started, str):
        raise TypeError(known)
    return ProcessMark(pid, started)
