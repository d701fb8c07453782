"""Records a supervisor's processes. If the supervisor is killed, the next start can then end those left behind."""

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from supportbot.embedded.child_processes import terminate
from supportbot.installation.errors import StartRefused
from supportbot.installation.private_files import read_json, write_private
from supportbot.installation.process_identity import ProcessIdentity, identify, is_running


@dataclass(frozen=True)
class ProcessRegistry:
    """`processes.json` of one data directory."""

    path: Path

    def save(self, pids: dict[str, int]) -> None:
        identities = {name: identify(pid) for name, pid in pids.items()}
        processes = {name: asdict(known) for name, known in identities.items() if known is not None}
        # Save the folder, too, because a copied data directory must not end the processes of the original.
        write_private(self.path, json.dumps({"folder": str(self._folder), "processes": processes}, indent=2))

    @property
    def _folder(self) -> Path:
        return self.path.parent.resolve()  # the path may contain a symbolic link

    def running(self) -> dict[str, ProcessIdentity]:
        """Return the processes that are still running, by name. Raises StartRefused if the file is damaged."""
        content = read_json(self.path)
        if content is None or Path(str(content.get("folder"))).resolve() != self._folder:
            return {}
        return {name: known for name, known in self._identities(content).items() if is_running(known)}

    def _identities(self, content: dict[str, Any]) -> dict[str, ProcessIdentity]:
        try:
            return {name: _identity_from(known) for name, known in content["processes"].items()}
        except (KeyError, AttributeError, TypeError) as error:
            problem = gettext(
                "{file} is damaged. Make sure that no process is using this DATA_DIR, then delete the file."
            )
            raise StartRefused(problem.format(file=self.path)) from error

    def end_orphans(self) -> list[str]:
        """End the processes that are still running, and return their names.

        Raises StartRefused if one cannot be ended.
        """
        leftovers = self.running()
        for name, process in leftovers.items():
            first = signal.SIGINT if name == "postgres" else signal.SIGTERM
            if not terminate(process, first=first):
                problem = gettext(
                    "{name} from an earlier start (process {process}) could not be stopped. Stop it yourself, "
                    "then try again."
                )
                raise StartRefused(problem.format(name=name, process=process.pid))
        return sorted(leftovers)


def _identity_from(known: dict[str, Any]) -> ProcessIdentity:
    pid, started = known["pid"], known["started"]
    # kill(0) and kill(-1) signal whole groups, so only the id of a single process is valid.
    if type(pid) is not int or pid < 1 or not isinstance(started, str):
        raise TypeError(known)
    return ProcessIdentity(pid, started)
