"""A temporary instance for a benchmark: PostgreSQL and Valkey in a temporary folder, one workspace, one channel."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from bench.processes import ROOT, serving
from supportbot.embedded.free_ports import LOOPBACK, free_port
from supportbot.embedded.product_processes import ChildProcess, product_children
from supportbot.embedded.servers.os_accounts import server_account
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.embedded.servers.valkey import ValkeyServer
from supportbot.installation.start_plan import Plan

KNOWLEDGE: Final = ROOT / "examples" / "knowledge"
PASSWORD: Final = "bench"
_OUTSIDE_WORLD: Final = ("OPENAI_", "KB_", "LLM_", "EMAIL_", "SUPPORTBOT_", "SHOP_")


@dataclass(frozen=True)
class Web:
    """A running web process of the product."""

    pid: int
    port: int

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


class Instance:
    def __init__(self, folder: Path, model_url: str) -> None:
        self.folder = folder
        self.channel = ""
        self.postgres = PostgresServer(folder / "pg", password=PASSWORD, port=None, log=folder / "postgres.log")
        self.valkey = ValkeyServer(folder / "valkey", password=PASSWORD, port=None, log=folder / "valkey.log")
        self._model_url = model_url

    def prepare(self) -> None:
        """Start the servers, and create the tables, a workspace and a channel."""
        self.postgres.start()
        self.valkey.start()
        os.environ.update(self.environment())
        self.manage("migrate", "--noinput")
        self.manage("workspace_create", "Bench")
        self.channel = json.loads(self.manage("channel_create", "bench", "--json"))["channel"]

    def import_knowledge(self, vectors: Path | None) -> None:
        """Import the demo's articles, with vectors from the file; new vectors are added to it."""
        options = ["--vectors", str(vectors)] if vectors else []
        self.manage("kb_import", *(str(path) for path in KNOWLEDGE.iterdir() if path.is_dir()), *options)

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it printed."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"manage.py {arguments[0]} failed: {done.stderr[-800:]}")
        return done.stdout

    @contextmanager
    def web(self, *, application: str = "", **environment: str) -> Iterator[Web]:
        """Run the web process as `make run` does, or a different application, with extra settings."""
        plan = self._plan(free_port())
        child = product_children(plan, self.folder)[0]
        command = [application or part if part == "supportbot.asgi:application" else part for part in child.command]
        with serving(command, plan.port, child.log, **{**child.environment, **environment}) as server:
            yield Web(server.pid, plan.port)

    def child(self, name: str) -> ChildProcess:
        """Return a process of `make run` (web, worker, beat) without starting it."""
        return next(child for child in product_children(self._plan(free_port()), self.folder) if child.name == name)

    def forget_counts(self) -> None:
        """Empty the cache, since 500 sockets from one address exceed the limit per minute."""
        with redis.Redis.from_url(f"{self.valkey.url()}/2") as cache:
            cache.flushdb()

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def environment(self) -> dict[str, str]:
        """Return the settings of this instance's processes."""
        return {
            "DJANGO_SETTINGS_MODULE": "supportbot.settings",
            "DATA_DIR": str(self.folder / "data"),
            "DATABASE_URL": self.postgres.url(),
            "REDIS_URL": self.valkey.url(),
            "SECRET_KEY": "for-measurements-only",
            "FIELD_KEYS": "YmVuY2gtb25seS1iZW5jaC1vbmx5LWJlbmNoLW9ubHk=",
            "OPENAI_BASE_URL": f"{self._model_url}/v1",
            "OPENAI_API_KEY": "bench",
            "OPENAI_MODEL": "paced",
        }

    def _plan(self, port: int) -> Plan:
        unused: dict[str, Any] = {"database_url": None, "redis_url": None, "broker_url": None, "embedder": "packaged"}
        return Plan(
            data_dir=self.folder / "data",
            host=LOOPBACK,
            port=port,
            shop_port=0,
            public_url="",
            with_demo=False,
            **unused,
        )


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's account can reach, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="supportbot-bench-"))
    account = server_account()
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def throw_away_instance(folder: Path, model_url: str) -> Iterator[Instance]:
    for name in [name for name in os.environ if name.startswith(_OUTSIDE_WORLD)]:
        del os.environ[name]  # the caller's own model and shop must be neither measured nor called
    instance = Instance(folder, model_url)
    with ExitStack() as stack:
        stack.callback(instance.stop)
        instance.prepare()
        yield instance
