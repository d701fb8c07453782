"""One file that holds an installation: a dump of the database, the secrets, and what the data directory remembers.

A back-up that does not open what it brings back is none, so the secrets are part of it unless they are left out by
name. The file is 0600 and appears by one rename: a half-written one is never taken for a whole one.
"""

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import supportbot
from supportbot.embedded import external, pgtools
from supportbot.embedded.datadir import DataDir
from supportbot.embedded.errors import EmbeddedError
from supportbot.embedded.plan import Plan
from supportbot.embedded.postgres import PostgresServer
from supportbot.embedded.removal import remove
from supportbot.embedded.runtime import ensure_secrets
from supportbot.embedded.steps import applied_migrations, refuse_newer

FORMAT = 1
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


def back_up(database_url: str, data_dir: Path, file: Path, *, with_secrets: bool) -> About:
    """Write the back-up while the installation runs. Raises EmbeddedError, and then leaves no file."""
    if file.exists():
        raise EmbeddedError(f"{file} exists: name a new file, an older back-up is not written over.")
    has_secrets = with_secrets and (data_dir / SECRETS).exists()
    migrations = sorted([app, name] for app, name in applied_migrations(database_url))
    about = About(supportbot.__version__, datetime.now(UTC).isoformat(timespec="seconds"), has_secrets, migrations)
    with _folder_beside(file) as folder:
        pgtools.dump(database_url, folder / DUMP)
        (folder / ABOUT).write_text(json.dumps(asdict(about)))
        members = {ABOUT: folder / ABOUT, DUMP: folder / DUMP}
        members |= {name: data_dir / name for name in (*REMEMBERED, *([SECRETS] if has_secrets else []))}
        if (data_dir / SHOP).exists():
            members[SHOP] = _copied_shop(data_dir / SHOP, folder / "shop.sqlite3")
        _write_archive(folder / "archive", members)
        (folder / "archive").rename(file)
    return about


def restore(file: Path, plan: Plan) -> About:
    """Bring a back-up into a new data directory, or into the empty database of DATABASE_URL. Raises EmbeddedError.

    Nothing runs afterwards; what was refused or failed has changed nothing.
    """
    with _folder_beside(file) as folder:
        about = _unpack(file, folder)
        refuse_newer({(app, name) for app, name in about.migrations}, "The back-up")
        if plan.database_url:
            _load_into_given(plan.database_url, folder / DUMP)
        else:
            _load_into_new(DataDir(plan.data_dir), folder, about)
    return about


@contextmanager
def _folder_beside(file: Path) -> Iterator[Path]:
    """A private folder on the file's own disk: renaming works, and there is room for a database."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.absolute().parent) as folder:
            yield Path(folder)
    except FileNotFoundError as error:
        raise EmbeddedError(f"The folder {file.absolute().parent} does not exist: make it first.") from error
    except PermissionError as error:
        raise EmbeddedError(f"{error.filename} cannot be written: choose another folder.") from error


def _copied_shop(database: Path, copy: Path) -> Path:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def _write_archive(file: Path, members: dict[str, Path]) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        with tarfile.open(fileobj=output, mode="w") as archive:
            for name, path in members.items():
                if path.exists():
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
        return About(**about)
    except FileNotFoundError as error:
        missing = f"{file} does not exist" if not file.exists() else f"{file} is no back-up of SupportBot"
        raise EmbeddedError(f"{missing}: name a file that `manage.py backup` wrote.") from error
    except (tarfile.TarError, ValueError, TypeError, KeyError) as error:
        raise EmbeddedError(f"{file} is no whole back-up of SupportBot: name another one.") from error


_KNOWN = {ABOUT, DUMP, SECRETS, SHOP, *REMEMBERED}


def _check_format(file: Path, about: dict[str, Any]) -> None:
    if about["format"] > FORMAT:
        raise EmbeddedError(
            f"{file} was written by a newer version of SupportBot ({about['version']}): restore it with that one."
        )


def _load_into_given(database_url: str, dump: Path) -> None:
    external.probe_database(database_url)
    if applied_migrations(database_url):
        raise EmbeddedError(
            "The database of DATABASE_URL holds an installation already: name an empty one, or empty it first."
        )
    external.create_extensions(database_url)
    pgtools.load(database_url, dump)


def _load_into_new(data: DataDir, folder: Path, about: About) -> None:
    """Make the new directory beside its place and move it there when it is whole."""
    data.check()
    if data.is_ours:
        raise EmbeddedError(
            f"DATA_DIR {data.path} holds an installation already: name a new one, or remove this one for good with "
            "`manage.py down --purge`."
        )
    if not about.has_secrets and not (data.path / SECRETS).exists():
        raise EmbeddedError(
            f"This back-up was made without secrets: put the secrets.json that was kept apart into {data.path} first."
        )
    beside = DataDir(data.path.with_name(f".{data.path.name}.restoring"))
    if beside.is_ours:  # an earlier restore was killed
        remove(beside)
    beside.prepare()
    try:
        with beside.held():
            _fill(beside, folder, data.path / SECRETS)
    except BaseException:  # Ctrl-C too: half an installation never stays, and whatever it was goes on up
        remove(beside)
        raise
    _move_in(beside.path, data.path)


def _fill(data: DataDir, folder: Path, kept_secrets: Path) -> None:
    secrets = folder / SECRETS if (folder / SECRETS).exists() else kept_secrets
    _copy(secrets, data.path / SECRETS)
    for name in (*REMEMBERED, SHOP):
        if (folder / name).exists():
            _copy(folder / name, data.path / name)
    password = ensure_secrets(data.path).database_password
    server = PostgresServer(data.postgres_home(), password=password, port=None, log=data.logs / "postgres.log")
    try:
        server.start()
        external.create_extensions(server.url())
        pgtools.load(server.url(), folder / DUMP)
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
