"""The data directory: whose it is, who holds it, and where its parts lie.

`instance.json` marks a directory as ours. The lock is held by the kernel for as long as the supervisor lives, so that a
killed one never leaves a lock behind.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from supportbot.embedded.accounts import Account, server_account
from supportbot.installation.errors import AlreadyRunning, EmbeddedError, StartRefused
from supportbot.installation.runtime import read_json, write_private

FORMAT = 1
OUTSIDE = Path("/var/lib/supportbot")
# Commands, and workers on servers of one's own, may have made these before the first `up`.
_MADE_BY_COMMANDS = {"secrets.json", "lock", "logs", "mail", "media", "static"}
_MADE_BY_COMMANDS |= {"audit-heads.jsonl", "demo-api-key.json", "demo-knowledge.json"}


@dataclass(frozen=True)
class Instance:
    """What is remembered from one start to the next."""

    id: str
    format: int = FORMAT
    postgres_home: str | None = None  # set once the database was made
    postgres_port: int | None = None
    valkey_port: int | None = None


class DataDir:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.register = path / "processes.json"

    @property
    def is_ours(self) -> bool:
        return (self.path / "instance.json").exists()

    def check(self) -> None:
        """Raise StartRefused when it is not ours to use: a file, a stranger's folder, a newer version's."""
        if self.is_ours:
            self._remembered()
        elif self.path.exists():
            self._check_stranger()

    def prepare(self) -> None:
        """Check it and create what is missing. Raises StartRefused."""
        self.check()
        try:
            # Traversable, not readable: as root, PostgreSQL runs as another user in a folder inside. Files are 0600.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            (self.path / "lock").touch(mode=0o600)
        except OSError as error:
            raise StartRefused(
                f"DATA_DIR {self.path} cannot be written ({error.strerror}): choose another or give it to this user."
            ) from error
        self.instance()

    def _check_stranger(self) -> None:
        if not self.path.is_dir():
            raise StartRefused(f"DATA_DIR {self.path} is a file: name a directory.")
        strange = sorted(entry.name for entry in self.path.iterdir() if entry.name not in _MADE_BY_COMMANDS)
        if strange:
            raise StartRefused(
                f"DATA_DIR {self.path} holds {strange[0]}, which SupportBot did not make: choose a new directory."
            )

    def instance(self) -> Instance:
        """Return what is remembered here, made on the first call."""
        return self._remembered() or self.remember(Instance(id=uuid4().hex))

    def _remembered(self) -> Instance | None:
        content = read_json(self.path / "instance.json")
        if content is None:
            return None
        self._check_format(content.get("format"))
        try:
            return _instance_from(content)
        except TypeError as error:
            raise self._damaged() from error

    def _check_format(self, written: object) -> None:
        if type(written) is not int:
            raise self._damaged()
        if written > FORMAT:
            raise StartRefused(
                f"DATA_DIR {self.path} was written by a newer version of SupportBot (format {written}, this one knows "
                f"{FORMAT}): start the newer version, or choose another DATA_DIR."
            )
        if written < FORMAT:
            raise StartRefused(
                f"DATA_DIR {self.path} was written by an older version of SupportBot (format {written}, this one needs "
                f"{FORMAT}): see CHANGELOG.md for the way, or choose another DATA_DIR."
            )

    def _damaged(self) -> StartRefused:
        return StartRefused(f"{self.path}/instance.json is damaged: bring back a whole one.")

    def remember(self, instance: Instance) -> Instance:
        write_private(self.path / "instance.json", json.dumps(asdict(instance), indent=2))
        return instance

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory for this process. Raises AlreadyRunning."""
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise AlreadyRunning(
                    f"SupportBot already runs on DATA_DIR {self.path} (process {file.read().strip() or 'unknown'}): "
                    "stop it with Ctrl-C or `manage.py down`, or start a second one with its own DATA_DIR and ports."
                ) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def postgres_home(self) -> Path:
        """Return the folder for cluster and copied binaries, reachable by the user who runs PostgreSQL."""
        home = self.known_postgres_home()
        if home is None:
            return self._new_postgres_home(self.instance())
        if not (home / "cluster").exists():
            raise StartRefused(
                f"The database of DATA_DIR {self.path} was in {home} and is gone: bring it back, or choose a new one."
            )
        return home

    def known_postgres_home(self) -> Path | None:
        """Return where the database was made, None before it was."""
        known = self.instance().postgres_home
        return None if known is None else self.path / known  # an absolute one replaces the left side

    def outside_home(self) -> Path | None:
        """Return the database's folder if it lies outside. Raises StartRefused for one that we would not have made."""
        home = self.known_postgres_home()
        if home is None or home.is_relative_to(self.path):
            return None
        if home != OUTSIDE / self.instance().id:
            raise self._damaged()
        return home

    def _new_postgres_home(self, instance: Instance) -> Path:
        inside = self.path / "postgres"
        account = server_account()
        if account is None or _is_reachable(inside, account):
            return inside
        OUTSIDE.mkdir(parents=True, exist_ok=True)
        OUTSIDE.chmod(0o755)  # every instance's folder below it is closed, this one must be traversable
        return OUTSIDE / instance.id

    def remember_servers(
        self, *, postgres_home: Path | None, postgres_port: int | None, valkey_port: int | None
    ) -> None:
        """Note where the servers are once they run. A home inside is kept relative, so the directory can be moved."""
        instance = self.instance()
        if postgres_home is not None:
            inside = postgres_home.is_relative_to(self.path)
            home = str(postgres_home.relative_to(self.path) if inside else postgres_home)
            instance = replace(instance, postgres_home=home)
        self.remember(replace(instance, postgres_port=postgres_port, valkey_port=valkey_port))


def _instance_from(content: dict[str, Any]) -> Instance:
    """Raises TypeError for a field that is missing, unknown or of another type."""
    instance = Instance(**content)
    ports = (instance.postgres_port, instance.valkey_port)
    has_right_types = isinstance(instance.id, str) and isinstance(instance.postgres_home, str | None)
    if not has_right_types or not all(port is None or type(port) is int for port in ports):
        raise TypeError(content)
    return instance


def _is_reachable(folder: Path, account: Account) -> bool:
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, account.uid, account.gid)
    if account.can_enter(folder):
        return True
    folder.rmdir()
    return False


def purge(data: DataDir) -> bool:
    """Delete the directory and a database kept outside it; False when there was none. `check` has said it is ours.

    Raises AlreadyRunning, and deletes nothing, while a supervisor holds it that no register names.
    """
    if not data.is_ours:
        return False
    with data.held():
        remove(data)
    return True


def remove(data: DataDir) -> None:
    """Delete what belongs to a directory of ours that nobody else can hold."""
    home = data.outside_home()
    if home is not None and home.exists():  # what has gone already need not be deleted
        _delete_folder(home)
    _delete_folder(data.path)


def _delete_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or folder} could not be deleted ({error.strerror}): run the command as the user who "
            "started SupportBot, or delete the folder by hand."
        ) from error
