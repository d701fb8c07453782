"""Lets other commands find a running instance: addresses in `runtime.json`, secrets in `secrets.json`.

The settings import this module, so it must not need settings. Both files have mode 0600. `runtime.json` is valid only
while the supervisor that wrote it is alive: after a kill -9, a stale file must not lead to another program's port.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets as random
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supportbot.installation.errors import StartRefused
from supportbot.installation.process_identity import ProcessIdentity, is_running

_LIBPQ_VARIABLE = re.compile(r"PG[A-Z]+")

NOT_RUNNING = "No database: SupportBot is not running on this DATA_DIR. Start it with `make run`, or set DATABASE_URL."


@dataclass(frozen=True)
class Secrets:
    """Secrets that are generated once per data directory; anyone who has them controls the instance."""

    secret_key: str
    field_key: str  # 32 bytes in URL-safe base64, for secrets at rest
    database_password: str
    valkey_password: str
    demo_key: str
    identity_secret: str  # signs the demo shop's identity tokens (HS256)
    webhook_secret: str  # in the format of Standard Webhooks: "whsec_" and base64

    @property
    def application_password(self) -> str:
        """Return the database password of the application's role, derived from the owner's."""
        return hmac.digest(self.database_password.encode(), b"application", hashlib.sha256).hex()[:48]

    def demo_password(self, username: str) -> str:
        """Return the first password of a demo user: always the same for a user, different between users."""
        digest = hmac.digest(self.demo_key.encode(), username.encode(), hashlib.sha256)
        return base64.b32encode(digest)[:16].decode().lower()


@dataclass(frozen=True)
class Runtime:
    """The addresses of the running instance's parts. A URL set by the operator is kept unchanged."""

    database_url: str
    redis_url: str  # the first of three consecutive databases
    broker_url: str
    base_url: str
    shop_url: str
    secrets: Secrets
    database_owner_url: str = ""

    @property
    def secret_key(self) -> str:
        return self.secrets.secret_key

    @property
    def field_key(self) -> str:
        return self.secrets.field_key


@dataclass(frozen=True)
class Addresses:
    """The content of `runtime.json`."""

    supervisor_pid: int
    supervisor_started: str
    database_url: str
    redis_url: str
    broker_url: str
    base_url: str
    shop_url: str
    database_owner_url: str = ""  # missing in files of 0.1


def load_runtime(data_dir: Path) -> Runtime | None:
    """Return the instance that runs on this directory; None if there is none."""
    content = read_json(data_dir / "runtime.json")
    if content is None:
        return None
    try:
        addresses = Addresses(**content)
    except TypeError:  # written by another version, whose own commands can read it
        return None
    if type(addresses.supervisor_pid) is not int or not _are_strings(list(asdict(addresses).values())[1:]):
        raise StartRefused(f"{data_dir / 'runtime.json'} is damaged. Delete it and start again with `make run`.")
    if not is_running(ProcessIdentity(addresses.supervisor_pid, addresses.supervisor_started)):
        return None
    return Runtime(
        database_url=addresses.database_url,
        redis_url=addresses.redis_url,
        broker_url=addresses.broker_url,
        base_url=addresses.base_url,
        shop_url=addresses.shop_url,
        database_owner_url=addresses.database_owner_url,
        secrets=ensure_secrets(data_dir),
    )


def save_runtime(data_dir: Path, addresses: Addresses) -> None:
    write_private(data_dir / "runtime.json", json.dumps(asdict(addresses), indent=2))


def ensure_secrets(data_dir: Path) -> Secrets:
    """Return the directory's secrets, generated on the first call; concurrent callers get the same ones."""
    path = data_dir / "secrets.json"
    content = read_json(path)
    if content is None:
        data_dir.mkdir(parents=True, exist_ok=True)
        _create_once(path, json.dumps(asdict(_new_secrets()), indent=2))
        content = read_json(path)
    try:
        return _secrets_from(content or {})
    except TypeError as error:
        raise StartRefused(
            f"{path} lacks a secret or has one that this version does not know. Restore the file that belongs to this "
            "DATA_DIR, or choose another DATA_DIR."
        ) from error


def _secrets_from(content: dict[str, Any]) -> Secrets:
    if not _are_strings(content.values()) or not all(content.values()):
        raise TypeError("a secret must be a non-empty string")
    return Secrets(**content)


def _are_strings(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; only its owner can read it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    _write_new(unfinished, text)
    unfinished.replace(path)


def _new_secrets() -> Secrets:
    return Secrets(
        secret_key=random.token_urlsafe(50),
        field_key=base64.urlsafe_b64encode(random.token_bytes(32)).decode(),
        # Hexadecimal, because they are used in URLs, in which other characters would need quoting.
        database_password=random.token_hex(24),
        valkey_password=random.token_hex(24),
        demo_key=random.token_hex(32),
        identity_secret=random.token_urlsafe(32),
        webhook_secret="whsec_" + base64.b64encode(random.token_bytes(32)).decode(),
    )


def _create_once(path: Path, text: str) -> None:
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
    """Return the JSON object in a file; None if there is no file. Raises StartRefused for a damaged one."""
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


def clear_libpq_environment() -> None:
    """Remove libpq's PG* variables from this process and its children, since PGHOSTADDR would override a URL's host."""
    for name in [name for name in os.environ if _LIBPQ_VARIABLE.fullmatch(name)]:
        del os.environ[name]
