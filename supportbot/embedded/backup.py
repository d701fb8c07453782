"""Backups: one file with a dump of the database, the secrets, and the state in the data directory.

A backup is useless if its encrypted columns cannot be decrypted, so it includes the secrets unless the operator leaves
them out. The file has mode 0600 and is renamed into place when complete, so a half-written file is never mistaken for a
backup. It lists a digest of each part, so a damaged file is refused before anything is loaded.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from supportbot.embedded.applied_migrations import applied_migrations, ours, refuse_newer
from supportbot.embedded.data_dir import DataDir, remove
from supportbot.embedded.servers import external_servers
from supportbot.embedded.servers.binaries import find_binaries
from supportbot.embedded.servers.database_roles import refuse_two_databases
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.installation.errors import InstallationError
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.private_files import read_json
from supportbot.installation.start_plan import Plan
from supportbot.version import VERSION

FORMAT = 2  # format 1 has no digests; versions that read only format 1 report the backup as newer
MANIFEST = "about.json"
DUMP = "database.dump"
SECRETS = "secrets.json"
SHOP = "shop/shop.sqlite3"
# State that a later start would otherwise recreate with different content.
STATE_FILES = ("audit-heads.jsonl", "seed.json", "demo-api-key.json", "demo-knowledge.json")


@dataclass(frozen=True)
class Manifest:
    """`about.json`: what a backup says about itself."""

    version: str
    made_at: str
    has_secrets: bool
    migrations: list[list[str]]
    format: int = FORMAT
    digests: dict[str, str] = field(default_factory=dict)  # SHA-256 by part; empty in format 1


def back_up(database_url: str, data_dir: Path, file: Path, *, with_secrets: bool) -> Manifest:
    """Write the backup while the installation runs. If this fails, raises InstallationError and leaves no file."""
    if file.exists():
        raise InstallationError(
            gettext("{file} already exists. Choose a new file name: an existing backup is never overwritten.").format(
                file=file
            )
        )
    has_secrets = with_secrets and (data_dir / SECRETS).exists()
    applied = applied_migrations(database_url)
    if not ours(applied):
        raise InstallationError(
            gettext(
                "The database {url} contains no installation of SupportBot, so there is nothing to back up. Correct "
                "the address."
            ).format(url=external_servers.without_secrets(database_url))
        )
    migrations = sorted([app, name] for app, name in applied)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    with _work_folder(file.absolute().parent, name=file.name) as folder:
        # Copy these before the dump, because checkpoints recorded after this point may be missing from the dump.
        parts = _copy_state_files(data_dir, folder, (*STATE_FILES, *([SECRETS] if has_secrets else [])))
        dump_database(database_url, folder / DUMP)
        parts[DUMP] = folder / DUMP
        if (data_dir / SHOP).exists():
            parts[SHOP] = _copy_shop(data_dir / SHOP, folder / "shop.sqlite3")
        digests = {name: _digest(path) for name, path in parts.items()}
        manifest = Manifest(VERSION, made_at, has_secrets, migrations, digests=digests)
        (folder / MANIFEST).write_text(json.dumps(asdict(manifest)))
        _write_archive(folder / "archive", {MANIFEST: folder / MANIFEST, **parts})
        (folder / "archive").rename(file)
    return manifest


def restore(file: Path, plan: Plan) -> Manifest:
    """Restore a backup into a new data directory, or into the empty database in DATABASE_URL.

    Starts nothing. If the restore is refused or fails, raises InstallationError and leaves everything unchanged.
    """
    data = DataDir(plan.data_dir)
    # Not next to the file, because backups may be on a read-only medium.
    with _work_folder(next(path for path in data.path.absolute().parents if path.is_dir()), name=file.name) as folder:
        manifest = _unpack(file, folder)
        refuse_newer({(app, name) for app, name in manifest.migrations}, gettext("The backup"))
        data.check()
        if plan.database_url:
            _load_into_given(plan, data, folder, manifest)
        else:
            _load_into_new(data, folder, manifest)
    return manifest


@contextmanager
def _work_folder(parent: Path, *, name: str) -> Iterator[Path]:
    """Yield a private folder on the target's disk, so that files can be renamed into place and a database fits."""
    try:
        made = tempfile.TemporaryDirectory(prefix=f".{name}.", dir=parent)
    except FileNotFoundError as error:
        raise InstallationError(
            gettext("The folder {parent} does not exist. Create it first.").format(parent=parent)
        ) from error
    except OSError as error:
        raise InstallationError(
            gettext("{parent} is not writable ({strerror}). Choose another folder.").format(
                parent=parent, strerror=error.strerror
            )
        ) from error
    try:
        with made as folder:
            yield Path(folder)
    except (OSError, sqlite3.Error) as error:
        cause = getattr(error, "strerror", None) or error
        raise InstallationError(
            gettext("Writing to {parent} failed ({cause}). Nothing was changed.").format(parent=parent, cause=cause)
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_state_files(data_dir: Path, folder: Path, names: Iterable[str]) -> dict[str, Path]:
    there = [name for name in names if (data_dir / name).exists()]
    return {name: Path(shutil.copy(data_dir / name, folder / name)) for name in there}


def _copy_shop(database: Path, copy: Path) -> Path:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _write_archive(file: Path, members: dict[str, Path]) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        with tarfile.open(fileobj=output, mode="w") as archive:
            for name, path in members.items():
                archive.add(path, arcname=name, recursive=False)
        output.flush()
        os.fsync(output.fileno())


def _unpack(file: Path, folder: Path) -> Manifest:
    """Unpack the files that a backup may contain into the folder, and return the manifest."""
    try:
        with tarfile.open(file) as archive:
            known = [archive.getmember(name) for name in archive.getnames() if name in _KNOWN]
            archive.extractall(folder, members=known, filter="data")
        content = json.loads((folder / MANIFEST).read_text())
        _check_format(file, content)
        manifest = Manifest(**content)
        _check_digests(file, folder, manifest.digests)
        return manifest
    except FileNotFoundError as error:
        problem = (
            gettext("{file} is not a SupportBot backup. Choose a file written by `manage.py backup`.")
            if file.exists()
            else gettext("{file} does not exist. Choose a file written by `manage.py backup`.")
        )
        raise InstallationError(problem.format(file=file)) from error
    except (IsADirectoryError, PermissionError) as error:
        raise InstallationError(
            gettext("{file} cannot be read ({strerror}). Choose a file written by `manage.py backup`.").format(
                file=file, strerror=error.strerror
            )
        ) from error
    except (tarfile.TarError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InstallationError(
            gettext("{file} is not a complete SupportBot backup. Choose another one.").format(file=file)
        ) from error


_KNOWN = {MANIFEST, DUMP, SECRETS, SHOP, *STATE_FILES}


def _check_format(file: Path, content: dict[str, Any]) -> None:
    if content["format"] > FORMAT:
        raise InstallationError(
            gettext(
                "{file} was written by a newer version of SupportBot ({content}). Restore it with that version."
            ).format(file=file, content=content["version"])
        )


def _check_digests(file: Path, folder: Path, digests: dict[str, str]) -> None:
    for name, digest in digests.items():
        if name not in _KNOWN or not (folder / name).is_file() or _digest(folder / name) != digest:
            raise InstallationError(
                gettext("{file} is damaged ({name} does not match its checksum). Restore another backup.").format(
                    file=file, name=name
                )
            )


def _load_into_given(plan: Plan, data: DataDir, folder: Path, manifest: Manifest) -> None:
    if plan.database_url and plan.database_owner_url:
        refuse_two_databases(plan.database_owner_url, plan.database_url)
    external_servers.probe_database(plan.owner_url)
    if applied_migrations(plan.owner_url):
        raise InstallationError(
            gettext(
                "The database in DATABASE_URL already contains an installation. Use an empty database, or empty this "
                "one first."
            )
        )
    has_keys = bool(os.environ.get("FIELD_KEYS"))
    if data.is_ours or (data.path / SECRETS).exists():
        if not has_keys:
            _check_same_key(data, folder)
        _load_dump(plan.owner_url, folder, variable=plan.owner_variable)
        return
    if not (manifest.has_secrets or has_keys):
        raise InstallationError(
            gettext(
                "This backup was made without secrets. Put the secrets.json you kept separately into {path} first, or "
                "set SECRET_KEY and FIELD_KEYS."
            ).format(path=data.path)
        )
    with _staged(data) as staged:
        _copy_files(staged, folder, data.path / SECRETS)
        _load_dump(plan.owner_url, folder, variable=plan.owner_variable)


def _check_same_key(data: DataDir, folder: Path) -> None:
    """Raise InstallationError if the field key in this directory could not decrypt the backup's columns."""
    current, restored = read_json(data.path / SECRETS), read_json(folder / SECRETS)
    if current and restored and current.get("field_key") != restored.get("field_key"):
        raise InstallationError(
            gettext(
                "DATA_DIR {path} has a different field key from this backup, so it could not decrypt its secrets. "
                "Use a new DATA_DIR, or set SECRET_KEY and FIELD_KEYS to the values in the backup's secrets.json."
            ).format(path=data.path)
        )


def _load_dump(database_url: str, folder: Path, *, variable: str = "DATABASE_URL") -> None:
    external_servers.create_extensions(database_url, variable=variable)
    load_database(database_url, folder / DUMP)


def _load_into_new(data: DataDir, folder: Path, manifest: Manifest) -> None:
    if data.is_ours:
        raise InstallationError(
            gettext(
                "DATA_DIR {path} already contains an installation. Use a new one, or delete this one permanently "
                "with `manage.py down --purge`."
            ).format(path=data.path)
        )
    if not manifest.has_secrets and not (data.path / SECRETS).exists():
        raise InstallationError(
            gettext(
                "This backup was made without secrets. Put the secrets.json you kept separately into {path} first."
            ).format(path=data.path)
        )
    with _staged(data) as staged:
        _copy_files(staged, folder, data.path / SECRETS)
        _restore_database(staged, folder)


@contextmanager
def _staged(data: DataDir) -> Iterator[DataDir]:
    """Build the new directory next to its final location, and move it there once it is complete."""
    staged = DataDir(data.path.with_name(f".{data.path.name}.restoring"))
    if staged.is_ours:  # an earlier restore was killed
        remove(staged)
    staged.prepare()
    try:
        with staged.locked():
            yield staged
    except BaseException:  # also on Ctrl-C: never leave half an installation behind
        remove(staged)
        raise
    try:
        _move_in(staged.path, data.path)
    except OSError as error:
        raise InstallationError(
            gettext(
                "Everything was restored but could not be moved to {path} ({strerror}). Move what is left in {path2} "
                "there yourself, and move instance.json last."
            ).format(path=data.path, strerror=error.strerror, path2=staged.path)
        ) from error


def _copy_files(data: DataDir, folder: Path, kept_secrets: Path) -> None:
    for secrets in (folder / SECRETS, kept_secrets):
        if secrets.exists():
            _copy(secrets, data.path / SECRETS)
            break
    for name in (*STATE_FILES, SHOP):
        if (folder / name).exists():
            _copy(folder / name, data.path / name)


def _restore_database(data: DataDir, folder: Path) -> None:
    password = ensure_secrets(data.path).database_password
    server = PostgresServer(data.postgres_home(), password=password, port=None, log=data.logs / "postgres.log")
    try:
        server.start()
        _load_dump(server.url(), folder)
        data.save_servers(postgres_home=server.home, postgres_port=server.port, valkey_port=None)
    finally:
        server.stop()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.touch(mode=0o600)
    target.write_bytes(source.read_bytes())


def _move_in(staged: Path, place: Path) -> None:
    """Move everything. instance.json, which marks the directory as ours, comes last."""
    place.mkdir(mode=0o711, parents=True, exist_ok=True)
    for entry in sorted(staged.iterdir(), key=lambda entry: entry.name == "instance.json"):
        if entry.name in ("lock", "logs"):
            continue
        entry.replace(place / entry.name)
    shutil.rmtree(staged)


def dump_database(database_url: str, file: Path) -> None:
    """Write a consistent dump while the database is in use. Raises InstallationError."""
    _run_tool("pg_dump", database_url, "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")


def load_database(database_url: str, file: Path) -> None:
    """Load a dump into an empty database, completely or not at all. Raises InstallationError."""
    # Only the owner of an extension may comment on it.
    _run_tool(
        "pg_restore", database_url, "--no-owner", "--no-privileges", "--no-comments", "--single-transaction", str(file)
    )


def _run_tool(program: str, database_url: str, *options: str) -> None:
    # Pass the password in the environment, because every user of a machine can read command lines.
    address = conninfo_to_dict(database_url)
    password = address.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": str(password)} if password else {})
    command: Sequence[str | Path] = [
        find_binaries().program(program), f"--dbname={make_conninfo('', **address)}", "--no-password", *options,
    ]  # fmt: skip
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise InstallationError(
            gettext("{program} failed: {stderr}.").format(program=program, stderr=_tool_error(answer.stderr))
        )


def _tool_error(errors: str) -> str:
    """Return the first line that reports an error, including its detail."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    named = [line for line in lines if "error:" in line]
    if not lines:
        return gettext("no error message")
    return (named or lines)[0].partition("error:")[2].strip().rstrip(".") or lines[0]
