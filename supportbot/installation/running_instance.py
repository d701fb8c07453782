"""Lets other commands find the running instance, whose addresses are in `runtime.json`.

The settings import this module, so it must not need settings. `runtime.json` is valid only while the supervisor that
wrote it is alive. After a kill -9, a stale file must not lead to a port that another program has taken in the meantime.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from supportbot.installation.errors import StartRefused
from supportbot.installation.instance_secrets import Secrets, ensure_secrets
from supportbot.installation.private_files import are_strings, read_json, write_private
from supportbot.installation.process_identity import ProcessIdentity, is_running

NOT_RUNNING = "No database: SupportBot is not running on this DATA_DIR. Start it with `make run`, or set DATABASE_URL."


@dataclass(frozen=True)
class Runtime:
    """The addresses of the running instance's parts. URLs set by the operator are kept unchanged."""

    database_url: str
    redis_url: str  # the first of three consecutive databases
    broker_url: str
    base_url: str
    shop_url: str
    secrets: Secrets
    database_owner_url: str = ""
    local_url: str = ""  # the web server's URL on this machine, whatever its public URL; "" if unknown

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
    local_url: str = ""  # missing in files of 0.1


def load_runtime(data_dir: Path) -> Runtime | None:
    """Return the instance that is running with this data directory, or None."""
    content = read_json(data_dir / "runtime.json")
    if content is None:
        return None
    try:
        addresses = Addresses(**content)
    except TypeError:  # written by a different version, whose own commands can read it
        return None
    if type(addresses.supervisor_pid) is not int or not are_strings(list(asdict(addresses).values())[1:]):
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
        local_url=addresses.local_url,
        secrets=ensure_secrets(data_dir),
    )


def save_runtime(data_dir: Path, addresses: Addresses) -> None:
    write_private(data_dir / "runtime.json", json.dumps(asdict(addresses), indent=2))
