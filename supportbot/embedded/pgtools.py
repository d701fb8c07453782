"""PostgreSQL's own dump and restore, on the database of a URL.

The password travels through the environment: everybody on a machine can read command lines.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from supportbot.embedded.binaries import find_binaries
from supportbot.installation.errors import EmbeddedError


def dump(database_url: str, file: Path) -> None:
    """Write a consistent dump while others go on writing to the database. Raises EmbeddedError."""
    _run("pg_dump", database_url, "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")


def load(database_url: str, file: Path) -> None:
    """Load a dump into an empty database, whole or not at all. Raises EmbeddedError."""
    # Comments on extensions belong to whoever made those.
    _run(
        "pg_restore", database_url, "--no-owner", "--no-privileges", "--no-comments", "--single-transaction", str(file)
    )


def _run(program: str, database_url: str, *options: str) -> None:
    address = conninfo_to_dict(database_url)
    password = address.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": str(password)} if password else {})
    command: Sequence[str | Path] = [
        find_binaries().program(program), f"--dbname={make_conninfo('', **address)}", "--no-password", *options,
    ]  # fmt: skip
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise EmbeddedError(f"{program} failed: {_cause(answer.stderr)}.")


def _cause(errors: str) -> str:
    """Return the first line that names an error, on one line with its detail."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line]
    return (telling or lines or ["it ended without a word"])[0].partition("error:")[2].strip().rstrip(".") or lines[0]
