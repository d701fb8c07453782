"""The test database: migrated once per state of the migrations, then loaded from a dump or copied. Migrating takes ten
seconds of processor time in each worker of each run, a copy a third of a second. The dump is kept in pytest's cache
under the digest of its migrations; without it, the first worker migrates, and all others in this checkout wait for its
dump. Other servers that a test starts load the same dump.
"""

import fcntl
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg.conninfo import make_conninfo

from supportbot.embedded.servers.binaries import find_binaries
from tests.patience import PATIENCE_SECONDS

TEMPLATE: Final = "migrated"
MAINTENANCE: Final = "postgres"
_IMPORTED: Final = re.compile(r"^(?:from|import) ((?:supportbot|kb|actions)(?:\.\w+)+)", re.MULTILINE)


def create_database(cache: Path) -> None:
    """Create this process's migrated database, and use it from now on."""
    name = connection.creation._get_test_db_name()
    with _one_at_a_time(cache), _admin() as admin:
        _ensure_template(admin, cache)
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
    _use(name)


def migrated_dump(cache: Path) -> Path:
    """Return the dump of the migrated schema, made if there is none yet."""
    dump = _dump(cache)
    with _one_at_a_time(cache), _admin() as admin:
        if not dump.exists():
            _ensure_template(admin, cache)
    return dump


def load_schema(conninfo: str, dump: Path) -> None:
    """Bring an empty database to the state that `migrate` leaves."""
    with psycopg.connect(conninfo, autocommit=True) as empty:
        empty.execute(dump.read_bytes())


def _ensure_template(admin: "psycopg.Connection[Any]", cache: Path) -> None:
    if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone() is None:
        admin.execute(f"CREATE DATABASE {TEMPLATE}_part")
        _fill(f"{TEMPLATE}_part", _dump(cache))
        admin.execute(f"ALTER DATABASE {TEMPLATE}_part RENAME TO {TEMPLATE}")


def _dump(cache: Path) -> Path:
    return cache / f"{_digest()}.sql"


def _fill(database: str, dump: Path) -> None:
    if dump.exists():
        load_schema(_address(database), dump)
        return
    before = connection.settings_dict["NAME"]
    _use(database)
    call_command("migrate", verbosity=0, interactive=False)
    connection.close()
    _use(before)
    _keep(database, dump)


def _keep(database: str, dump: Path) -> None:
    """Write the dump as statements, atomically, and delete dumps of other states."""
    command = [find_binaries().program("pg_dump"), "--inserts", f"--dbname={_address(database)}"]
    plain = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE_SECONDS).stdout
    part = dump.with_suffix(f".{os.getpid()}")
    part.write_bytes(re.sub(rb"^\\.*$", b"", plain, flags=re.MULTILINE))  # commands that only psql knows
    for other in dump.parent.glob("*.sql"):
        other.unlink(missing_ok=True)
    part.rename(dump)


def _digest() -> str:
    """Return a digest of the migrations and of the modules and packages they use."""
    found = [
        path
        for package in ("supportbot", "kb", "actions")
        for path in settings.BASE_DIR.glob(f"{package}/**/migrations/*.py")
    ]
    modules = {name for path in found for name in _IMPORTED.findall(path.read_text())}
    files = [settings.BASE_DIR / f"{name.replace('.', '/')}.py" for name in modules]
    digest = hashlib.sha256()
    for path in sorted([*found, *(file for file in files if file.exists()), settings.BASE_DIR / "requirements.lock"]):
        digest.update(f"{path.relative_to(settings.BASE_DIR)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def _use(database: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = database
    connection.settings_dict["NAME"] = database


def _admin() -> "psycopg.Connection[Any]":
    return psycopg.connect(_address(MAINTENANCE), autocommit=True)


def _address(database: str) -> str:
    known = connection.settings_dict
    return make_conninfo(
        host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"], dbname=database
    )


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    """Wait for the other workers of this run, of which the first one creates the template, and for other runs: the
    browser journeys start at the same time as the database suite.
    """
    with (cache / "migrating").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
