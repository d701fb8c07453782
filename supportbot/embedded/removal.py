"""Deleting an instance's data: its directory, and a database that had to be kept outside it."""

import shutil
from pathlib import Path

from supportbot.embedded.datadir import DataDir
from supportbot.installation.errors import EmbeddedError


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
        _remove(home)
    _remove(data.path)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or folder} could not be deleted ({error.strerror}): run the command as the user who "
            "started SupportBot, or delete the folder by hand."
        ) from error
