"""The data directory: its owner, its lock, and where its parts are.

`instance.json` marks a directory as ours. The kernel holds the lock as long as the supervisor lives, so a killed
supervisor never leaves a lock behind.
"""

import errno
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

from django.utils.translation import gettext

from supportbot.embedded.servers.os_accounts import Account, server_account
from supportbot.installation.errors import AlreadyRunning, InstallationError, StartRefused
from supportbot.installation.private_files import read_json, write_private

FORMAT = 1
OUTSIDE = Path("/var/lib/supportbot")
# Commands and separate processes may have created these before the first `up` (`static` is from 0.1).
_MADE_BY_COMMANDS = {"secrets.json", "lock", "logs", "mail", "media", "static", "beat", "metrics"}
_MADE_BY_COMMANDS |= {"audit-heads.jsonl", "demo-api-key.json", "demo-knowledge.json"}


@dataclass(frozen=True)
class Instance:
    """The content of `instance.json`, which is kept from one start to the next."""

    id: str
    format: int = FORMAT
    postgres_home: str | None = None  # set once the database exists
    postgres_port: int | None = None
    valkey_port: int | None = None


def require_writable(path: Path) -> None:
    """Create the directory for a part that runs alone, if it is missing.

    Raises StartRefused if it is not writable. A full disk is no reason to refuse, since chats can continue.
    """
    try:
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(path, str(error.strerror)) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise not_writable(path, os.strerror(errno.EACCES))


def not_writable(path: Path, cause: str) -> StartRefused:
    return StartRefused(
        gettext("DATA_DIR {path} is not writable ({strerror}). Choose another one, or change its owner.").format(
            path=path, strerror=cause
        )
    )


class DataDir:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.processes_file = path / "processes.json"

    @property
    def is_ours(self) -> bool:
        return (self.path / "instance.json").exists()

    def check(self) -> None:
        """Raise StartRefused if the path is a file, a folder with files that are not ours, or a directory of a newer
        version.
        """
        if self.is_ours:
            self._saved_instance()
        elif self.path.exists():
            self._check_foreign_folder()

    def prepare(self) -> None:
        """Check the directory and create what is missing. Raises StartRefused."""
        self.check()
        try:
            # Traversable but not readable, because under root, PostgreSQL runs as another user in a subfolder. Files
            # are 0600.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            (self.path / "lock").touch(mode=0o600)
        except OSError as error:
            raise not_writable(self.path, str(error.strerror)) from error
        self.instance()

    def _check_foreign_folder(self) -> None:
        if not self.path.is_dir():
            raise StartRefused(gettext("DATA_DIR {path} is a file. Choose a directory.").format(path=self.path))
        foreign = sorted(entry.name for entry in self.path.iterdir() if entry.name not in _MADE_BY_COMMANDS)
        if foreign:
            raise StartRefused(
                gettext(
                    "DATA_DIR {path} contains {foreign}, which SupportBot did not create. Choose a new directory."
                ).format(path=self.path, foreign=foreign[0])
            )

    def instance(self) -> Instance:
        """Return the saved instance. The first call creates it."""
        return self._saved_instance() or self.save_instance(Instance(id=uuid4().hex))

    def _saved_instance(self) -> Instance | None:
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
                gettext(
                    "DATA_DIR {path} was written by a newer version of SupportBot (format {written}, this version "
                    "reads {format}). Start the newer version, or choose another DATA_DIR."
                ).format(path=self.path, written=written, format=FORMAT)
            )
        if written < FORMAT:
            raise StartRefused(
                gettext(
                    "DATA_DIR {path} was written by an older version of SupportBot (format {written}, this version "
                    "needs {format}). See CHANGELOG.md for how to upgrade, or choose another DATA_DIR."
                ).format(path=self.path, written=written, format=FORMAT)
            )

    def _damaged(self) -> StartRefused:
        return StartRefused(
            gettext("{path}/instance.json is damaged. Restore it from a backup, or choose another DATA_DIR.").format(
                path=self.path
            )
        )

    def save_instance(self, instance: Instance) -> Instance:
        write_private(self.path / "instance.json", json.dumps(asdict(instance), indent=2))
        return instance

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory for this process. Raises AlreadyRunning."""
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                problem = gettext(
                    "SupportBot is already running on DATA_DIR {folder} (process {process}). Stop it with Ctrl-C or "
                    "`manage.py down`, or start a second one with its own DATA_DIR and ports."
                )
                process = file.read().strip() or gettext("unknown")
                raise AlreadyRunning(problem.format(folder=self.path, process=process)) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def postgres_home(self) -> Path:
        """Return the folder for the cluster and the copied binaries. The user that runs PostgreSQL can reach it."""
        home = self.known_postgres_home()
        if home is None:
            return self._new_postgres_home(self.instance())
        if not (home / "cluster").exists():
            raise StartRefused(
                gettext(
                    "The database of DATA_DIR {path} is missing: it was in {home}. Restore it, or choose a new "
                    "DATA_DIR."
                ).format(path=self.path, home=home)
            )
        return home

    def known_postgres_home(self) -> Path | None:
        """Return the database's folder, or None if it has not been created yet."""
        known = self.instance().postgres_home
        return None if known is None else self.path / known  # an absolute path replaces the left side

    def outside_home(self) -> Path | None:
        """Return the database's folder if it is outside the data directory, otherwise None. Raises StartRefused for a
        location that we never use.
        """
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
        OUTSIDE.chmod(0o755)  # this one must be traversable; the instances' folders inside are private
        return OUTSIDE / instance.id

    def save_servers(self, *, postgres_home: Path | None, postgres_port: int | None, valkey_port: int | None) -> None:
        """Save where the servers are. A home inside the data directory is saved as a relative path, so that the
        directory can be moved.
        """
        instance = self.instance()
        if postgres_home is not None:
            inside = postgres_home.is_relative_to(self.path)
            home = str(postgres_home.relative_to(self.path) if inside else postgres_home)
            instance = replace(instance, postgres_home=home)
        self.save_instance(replace(instance, postgres_port=postgres_port, valkey_port=valkey_port))


def _instance_from(content: dict[str, Any]) -> Instance:
    """Return the instance. Raises TypeError if a field is missing, unknown or of the wrong type."""
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
    """Delete the directory and a database kept outside it. Return False if there was none. Call `check` first.

    If a supervisor that is missing from the registry holds the lock, raises AlreadyRunning and deletes nothing.
    """
    if not data.is_ours:
        return False
    with data.locked():
        remove(data)
    return True


def remove(data: DataDir) -> None:
    """Delete one of our directories and the database that it keeps elsewhere.

    The caller ensures that nothing uses them.
    """
    home = data.outside_home()
    if home is not None and home.exists():
        _delete_folder(home)
    _delete_folder(data.path)


def _delete_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise InstallationError(
            gettext(
                "{path} could not be deleted ({strerror}). Run the command as the user that started SupportBot, or "
                "delete the folder by hand."
            ).format(path=error.filename or folder, strerror=error.strerror)
        ) from error
