"""Which operating-system user runs PostgreSQL: it refuses root, so root has to lend it another identity."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from supportbot.installation.errors import StartRefused

# `nobody` may be shared with other daemons, which could then read the cluster: a user of our own is preferred.
PREFERRED = ("supportbot", "nobody")


class PopenIdentity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def as_popen(self) -> PopenIdentity:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """True when this user may list and traverse the folder: asked of the kernel, as that user."""
        return self._holds("-x", folder) and self._holds("-r", folder)

    def can_run(self, program: Path) -> bool:
        return self._holds("-x", program) and self._holds("-r", program)

    def _holds(self, test: str, path: Path) -> bool:
        command = ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)]
        return subprocess.run(command, cwd="/", check=False, **self.as_popen()).returncode == 0


def server_account() -> Account | None:
    """Return the user to run PostgreSQL as, None when the current one will do.

    Only users of the passwd database count: initdb refuses a bare number. Raises StartRefused when there is none.
    """
    if os.geteuid() != 0:
        return None
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartRefused(
        "PostgreSQL does not run as root, and this machine has neither a user supportbot nor nobody: make one "
        "(`useradd --system supportbot`), start as an ordinary user, or set DATABASE_URL."
    )
