"""The operating-system user that runs PostgreSQL.

PostgreSQL refuses to run as root, so if we are root, another user runs it.
"""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from django.utils.translation import gettext

from supportbot.installation.errors import StartRefused

# Prefer our own user: other daemons may also run as `nobody` and could then read the cluster.
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
        """Return whether this user may list and traverse the folder.

        A process that runs as this user asks the kernel.
        """
        return self._holds("-x", folder) and self._holds("-r", folder)

    def can_run(self, program: Path) -> bool:
        return self._holds("-x", program) and self._holds("-r", program)

    def _holds(self, test: str, path: Path) -> bool:
        command = ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)]
        return subprocess.run(command, cwd="/", check=False, **self.as_popen()).returncode == 0


def server_account() -> Account | None:
    """Return the user that runs PostgreSQL, or None if the current user can.

    Only users in the passwd database can be used, because initdb refuses a bare UID. Raises StartRefused if no suitable
    user exists.
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
        gettext(
            "PostgreSQL cannot run as root, and this machine has no user named supportbot or nobody. Create one "
            "(`useradd --system supportbot`), start SupportBot as an ordinary user, or set DATABASE_URL."
        )
    )
