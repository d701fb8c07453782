"""A complete instance for tests: `manage.py up` with its own folder and ports, as `make run` starts it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from django.conf import settings

from supportbot.embedded.child_processes import wait_until
from supportbot.embedded.data_dir import DataDir
from supportbot.embedded.servers.os_accounts import server_account
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.installation.instance_secrets import ensure_secrets
from supportbot.installation.process_identity import ProcessIdentity, is_running
from tests.migrated import load_schema
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

MANAGE = str(settings.BASE_DIR / "manage.py")
# Variables of the test run, which an instance must not get, since it uses its own servers.
TEST_VARIABLES = {
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "SECRET_KEY",
    "FIELD_KEYS",
    "DATABASE_POOL_SIZE",
}


@dataclass
class Instance:
    data_dir: Path
    port: int = field(default_factory=reserved_port)
    shop_port: int = field(default_factory=reserved_port)
    process: "subprocess.Popen[str] | None" = None

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in TEST_VARIABLES}
        own = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "SHOP_PORT": str(self.shop_port)}
        return {**kept, **own, **more}

    def command(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command on the instance, for at most a minute."""
        command = [sys.executable, MANAGE, *arguments]
        return subprocess.run(
            command, env=self.environment(**more), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )

    def prepare(self, schema: Path) -> None:
        """Create the database with this dump of its schema, as if an earlier start had migrated it."""
        data = DataDir(self.data_dir)
        data.prepare()
        secrets = ensure_secrets(self.data_dir)
        server = PostgresServer(
            data.postgres_home(),
            password=secrets.database_password,
            port=reserved_port(),
            log=data.logs / "postgres.log",
            durable=False,
            application_password=secrets.application_password,
        )
        server.start()
        try:
            load_schema(server.conninfo(), schema)
        finally:
            server.stop()
        data.save_servers(postgres_home=server.home, postgres_port=server.port, valkey_port=reserved_port())

    def start(self, *options: str, **more: str) -> dict[str, Any]:
        """Start the instance with these options; return what `up --json` prints once everything is running."""
        log = self.data_dir.with_name(f"{self.data_dir.name}.stderr")
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, MANAGE, "up", "--json", *options],
                env=self.environment(**more),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, log.read_text()
        ready: dict[str, Any] = json.loads(line)
        return ready

    def start_servers(self) -> None:
        """Start `up --servers-only` and wait until it has saved the addresses."""
        with self.data_dir.with_name(f"{self.data_dir.name}.stderr").open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, MANAGE, "up", "--servers-only"], env=self.environment(), stderr=errors, text=True
            )
        assert wait_until((self.data_dir / "runtime.json").exists, seconds=PATIENCE_SECONDS)

    def processes(self) -> dict[str, ProcessIdentity]:
        """Return the processes in the registry of the instance, including the supervisor."""
        noted = json.loads((self.data_dir / "processes.json").read_text())["processes"]
        return {name: ProcessIdentity(**known) for name, known in noted.items()}

    def status(self, path: str) -> int:
        """Return the HTTP status of a page, 0 if nothing responds."""
        try:
            with build_opener(ProxyHandler({})).open(
                f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_SECONDS
            ) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def end(self) -> None:
        """Stop the instance if it is running."""
        if self.process is not None and self.process.poll() is None:
            self.stop()


def open_to_postgres(folder: Path) -> Path:
    """Return the folder, made accessible to the user that runs PostgreSQL: pytest's temporary folders are private."""
    if server_account() is not None:
        for path in (folder, *folder.parents):
            known = path.stat()
            # Check the mode: asking as that user would copy this large process twice for each folder.
            if known.st_uid == os.geteuid() and known.st_mode & 0o055 != 0o055:
                path.chmod(known.st_mode | 0o055)
    return folder


def still_running(marks: dict[str, ProcessIdentity]) -> list[str]:
    return sorted(name for name, known in marks.items() if is_running(known))
