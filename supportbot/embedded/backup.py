"""One file that holds an installation: a dump of the database, the secrets, and what the data directory remembers.

A back-up that does not open what it brings back is none, so the secrets are part of it unless they are left out by
name. The file is 0600 and appears by one rename: a half-written one is never taken for a whole one. It names the digest
of each of its parts: one that a disk has damaged since is refused before anything is loaded.
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

from psycopg.conninfo import conninfo_to_dict, make_conninfo

import supportbot
from supportbot.embedded import external
from supportbot.embedded.binaries import find_binaries
from supportbot.embedded.datadir import DataDir, remove
from supportbot.embedded.postgres import PostgresServer
from supportbot.embedded.schema import applied_migrations, refuse_newer
from supportbot.installation.errors import EmbeddedError
from supportbot.installation.plan import Plan
from supportbot.installation.runtime import ensure_secrets, read_json

FORMAT = 2  # 1 names no digests; a version that knows no 2 says that the back-up is newer
ABOUT = "about.json"
DUMP = "database.dump"
SECRETS = "secrets.json"
SHOP = "shop/shop.sqlite3"
# What a later start would otherwise make anew, and differently.
REMEMBERED = ("audit-heads.jsonl", "seed.json", "demo-api-key.json", "demo-knowledge.json")


@dataclass(frozen=True)
class About:
    """What a back-up says of itself."""

    version: str
    made_at: str
    has_secrets: bool
    migrations: list[list[str]]
    format: int = FORMAT
    digests: dict[str, str] = field(default_factory=dict)  # SHA-256 by part; the first back-ups named none


def back_up(database_url: str, data_dir: Path, file: Path, *, with_secrets: bool) -> About:
    """Write the back-up while the installation runs. Raises EmbeddedError, and then leaves no file."""
    if file.exists():
        raise EmbeddedError(f"{file} exists: name a new file, an older back-up is not written over.")
    has_secrets = with_secrets and (data_dir / SECRETS).exists()
    migrations = sorted([app, name] for app, name in applied_migrations(database_url))
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    with _folder_in(file.absolute().parent, name=file.name) as folder:
        # Copied first: an end of the audit that is written down from here on is none that the dump has for sure.
        parts = _copied_memory(data_dir, folder, (*REMEMBERED, *([SECRETS] if has_secrets else [])))
        dump_database(database_url, folder / DUMP)
        parts[DUMP] = folder / DUMP
        if (data_dir / SHOP).exists():
            parts[SHOP] = _copied_shop(data_dir / SHOP, folder / "shop.sqlite3")
        digests = {name: _digest(path) for name, path in parts.items()}
        about = About(supportbot.__version__, made_at, has_secrets, migrations, digests=digests)
        (folder / ABOUT).write_text(json.dumps(asdict(about)))
        _write_archive(folder / "archive", {ABOUT: folder / ABOUT, **parts})
        (folder / "archive").rename(file)
    return about


def restore(file: Path, plan: Plan) -> About:
    """Bring a back-up into a new data directory, or into the empty database of DATABASE_URL. Raises EmbeddedError.

    Nothing runs afterwards; what was refused or failed has changed nothing.
    """
    data = DataDir(plan.data_dir)
    # Not beside the file: back-ups may lie on a medium that is only read.
    with _folder_in(next(path for path in data.path.absolute().parents if path.is_dir()), name=file.name) as folder:
        about = _unpack(file, folder)
        refuse_newer({(app, name) for app, name in about.migrations}, "The back-up")
        data.check()
        if plan.database_url:
            _load_into_given(plan.database_url, data, folder, about)
        else:
            _load_into_new(data, folder, about)
    return about


@contextmanager
def _folder_in(parent: Path, *, name: str) -> Iterator[Path]:
    """A private folder on the disk of what is to be written: renaming works, and there is room for a database."""
    try:
        made = tempfile.TemporaryDirectory(prefix=f".{name}.", dir=parent)
    except FileNotFoundError as error:
        raise EmbeddedError(f"The folder {parent} does not exist: make it first.") from error
    except OSError as error:
        raise EmbeddedError(f"{parent} cannot be written ({error.strerror}): choose another folder.") from error
    try:
        with made as folder:
            yield Path(folder)
    except (OSError, sqlite3.Error) as error:
        cause = getattr(error, "strerror", None) or error
        raise EmbeddedError(f"The work in {parent} broke off ({cause}): nothing was changed.") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copied_memory(data_dir: Path, folder: Path, names: Iterable[str]) -> dict[str, Path]:
    there = [name for name in names if (data_dir / name).exists()]
    return {name: Path(shutil.copy(data_dir / name, folder / name)) for name in there}


def _copied_shop(database: Path, copy: Path) -> Path:
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


def _unpack(file: Path, folder: Path) -> About:
    """Unpack the members that we know into the folder and return what the back-up says of itself."""
    try:
        with tarfile.open(file) as archive:
            known = [archive.getmember(name) for name in archive.getnames() if name in _KNOWN]
            archive.extractall(folder, members=known, filter="data")
        about = json.loads((folder / ABOUT).read_text())
        _check_format(file, about)
        told = About(**about)
        _check_digests(file, folder, told.digests)
        return told
    except FileNotFoundError as error:
        missing = f"{file} does not exist" if not file.exists() else f"{file} is no back-up of SupportBot"
        raise EmbeddedError(f"{missing}: name a file that `manage.py backup` wrote.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise EmbeddedError(
            f"{file} cannot be read ({error.strerror}): name a file that `manage.py backup` wrote."
        ) from error
    except (tarfile.TarError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EmbeddedError(f"{file} is no whole back-up of SupportBot: name another one.") from error


_KNOWN = {ABOUT, DUMP, SECRETS, SHOP, *REMEMBERED}


def _check_format(file: Path, about: dict[str, Any]) -> None:
    if about["format"] > FORMAT:
        raise EmbeddedError(
            f"{file} was written by a newer version of SupportBot ({about['version']}): restore it with that one."
        )


def _check_digests(file: Path, folder: Path, digests: dict[str, str]) -> None:
    for name, digest in digests.items():
        if name not in _KNOWN or not (folder / name).is_file() or _digest(folder / name) != digest:
            raise EmbeddedError(f"{file} is damaged ({name} is not what was written): restore another back-up.")


def _load_into_given(database_url: str, data: DataDir, folder: Path, about: About) -> None:
    external.probe_database(database_url)
    if applied_migrations(database_url):
        raise EmbeddedError(
            "The database of DATABASE_URL holds an installation already: name an empty one, or empty it first."
        )
    has_keys = bool(os.environ.get("FIELD_KEYS"))
    if data.is_ours or (data.path / SECRETS).exists():
        if not has_keys:
            _check_same_key(data, folder)
        _load_dump(database_url, folder)
        return
    if not (about.has_secrets or has_keys):
        raise _secrets_missing(data, "first, or set SECRET_KEY and FIELD_KEYS")
    with _made_beside(data) as beside:
        _fill(beside, folder, data.path / SECRETS)
        _load_dump(database_url, folder)


def _check_same_key(data: DataDir, folder: Path) -> None:
    """Raise EmbeddedError where a start on this directory could not open what the back-up brings back."""
    kept, brought = read_json(data.path / SECRETS), read_json(folder / SECRETS)
    if kept and brought and kept.get("field_key") != brought.get("field_key"):
        raise EmbeddedError(
            f"DATA_DIR {data.path} has another field key than this back-up, and would not open its secrets: name a new "
            "DATA_DIR, or set SECRET_KEY and FIELD_KEYS to those of the secrets.json in the back-up."
        )


def _load_dump(database_url: str, folder: Path) -> None:
    external.create_extensions(database_url)
    load_database(database_url, folder / DUMP)


def _load_into_new(data: DataDir, folder: Path, about: About) -> None:
    if data.is_ours:
        raise EmbeddedError(
            f"DATA_DIR {data.path} holds an installation already: name a new one, or remove this one for good with "
            "`manage.py down --purge`."
        )
    if not about.has_secrets and not (data.path / SECRETS).exists():
        raise _secrets_missing(data, "first")
    with _made_beside(data) as beside:
        _fill(beside, folder, data.path / SECRETS)
        _fill_database(beside, folder)


def _secrets_missing(data: DataDir, when: str) -> EmbeddedError:
    return EmbeddedError(
        f"This back-up was made without secrets: put the secrets.json that was kept apart into {data.path} {when}."
    )


@contextmanager
def _made_beside(data: DataDir) -> Iterator[DataDir]:
    """Make the new directory beside its place and move it there when it is whole."""
    beside = DataDir(data.path.with_name(f".{data.path.name}.restoring"))
    if beside.is_ours:  # an earlier restore was killed
        remove(beside)
    beside.prepare()
    try:
        with beside.held():
            yield beside
    except BaseException:  # Ctrl-C too: half an installation never stays, and whatever it was goes on up
        remove(beside)
        raise
    try:
        _move_in(beside.path, data.path)
    except OSError as error:
        raise EmbeddedError(
            f"All is restored, but could not be moved to {data.path} ({error.strerror}): move what is still in "
            f"{beside.path} there yourself, instance.json last."
        ) from error


def _fill(data: DataDir, folder: Path, kept_secrets: Path) -> None:
    for secrets in (folder / SECRETS, kept_secrets):
        if secrets.exists():
            _copy(secrets, data.path / SECRETS)
            break
    for name in (*REMEMBERED, SHOP):
        if (folder / name).exists():
            _copy(folder / name, data.path / name)


def _fill_database(data: DataDir, folder: Path) -> None:
    password = ensure_secrets(data.path).database_password
    server = PostgresServer(data.postgres_home(), password=password, port=None, log=data.logs / "postgres.log")
    try:
        server.start()
        _load_dump(server.url(), folder)
        data.remember_servers(postgres_home=server.home, postgres_port=server.port, valkey_port=None)
    finally:
        server.stop()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.touch(mode=0o600)
    target.write_bytes(source.read_bytes())


def _move_in(beside: Path, place: Path) -> None:
    """Move everything; the mark that makes the directory ours comes last."""
    place.mkdir(mode=0o711, parents=True, exist_ok=True)
    for entry in sorted(beside.iterdir(), key=lambda entry: entry.name == "instance.json"):
        if entry.name in ("lock", "logs"):
            continue
        entry.replace(place / entry.name)
    shutil.rmtree(beside)


def dump_database(database_url: str, file: Path) -> None:
    """Write a consistent dump while others go on writing to the database. Raises EmbeddedError."""
    _run_tool("pg_dump", database_url, "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")


def load_database(database_url: str, file: Path) -> None:
    """Load a dump into an empty database, whole or not at all. Raises EmbeddedError."""
    # Comments on extensions belong to whoever made those.
    _run_tool(
        "pg_restore", database_url, "--no-owner", "--no-privileges", "--no-comments", "--single-transaction", str(file)
    )


def _run_tool(program: str, database_url: str, *options: str) -> None:
    # The password travels in the environment: everybody on a machine can read command lines.
    address = conninfo_to_dict(database_url)
    password = address.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"} | ({"PGPASSWORD": str(password)} if password else {})
    command: Sequence[str | Path] = [
        find_binaries().program(program), f"--dbname={make_conninfo('', **address)}", "--no-password", *options,
    ]  # fmt: skip
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise EmbeddedError(f"{program} failed: {_tool_error(answer.stderr)}.")


def _tool_error(errors: str) -> str:
    """Return the first line that names an error, on one line with its detail."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line]
    return (telling or lines or ["it ended without a word"])[0].partition("error:")[2].strip().rstrip(".") or lines[0]
