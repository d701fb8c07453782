"""Files in a data directory that only their owner can read, each written as a whole."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from supportbot.installation.errors import StartRefused


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically. Only its owner can read it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    _write_new(unfinished, text)
    unfinished.replace(path)


def create_once(path: Path, text: str) -> None:
    """Create a file that only its owner can read, unless it already exists."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    _write_new(unfinished, text)
    try:
        os.link(unfinished, path)  # unlike a rename, this never replaces a file that another process has just created
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None if there is no file. Raises StartRefused if the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StartRefused(f"{path} could not be read ({error.strerror}). Choose another DATA_DIR.") from error
    except ValueError as error:
        raise StartRefused(
            f"{path} is not valid JSON. Restore it from a backup, or choose another DATA_DIR."
        ) from error
    if not isinstance(content, dict):
        raise StartRefused(f"{path} is not a JSON object. Restore it from a backup, or choose another DATA_DIR.")
    return content


def are_strings(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
