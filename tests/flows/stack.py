"""The running product: its own PostgreSQL, Valkey and web processes, with the demo workspace.

The children are those of `make run`, without its supervisor: the tests here kill and restart them one by one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from supportbot.embedded import product_processes
from supportbot.embedded.product_processes import ChildProcess, product_children, shop_child, wait_for_page
from supportbot.embedded.servers.database_roles import divide
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.embedded.servers.valkey import ValkeyServer
from supportbot.installation.start_plan import Plan
from tests.embedded.instance import MANAGE
from tests.migrated import load_schema
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

SHOP_PORT = reserved_port()  # the storefront is an allowed origin; only the flows with actions let the shop run
STOREFRONT = f"http://127.0.0.1:{SHOP_PORT}"
# How long a process may take to start, and to end before it is killed.
product_processes.PAGE_SECONDS = product_processes.DRAIN_SECONDS = PATIENCE_SECONDS


@dataclass
class Stack:
    """The servers, and what `demo_seed` reports about the workspace."""

    folder: Path
    postgres: PostgresServer
    valkey: ValkeyServer
    demo: dict[str, Any]

    @property
    def mailbox(self) -> Path:
        return self.folder / "data" / "mail"

    def environment(self, **more: str) -> dict[str, str]:
        own = {
            "DATA_DIR": str(self.folder / "data"),
            # As in `make run`, processes share state only through rows.
            "DATABASE_URL": self.postgres.application_url(),
            "DATABASE_OWNER_URL": self.postgres.url(),
            "DATABASE_POOL_SIZE": "16",
            "REDIS_URL": self.valkey.url(),
            "CELERY_BROKER_URL": f"{self.valkey.url()}/0",
            "SHOP_PORT": str(SHOP_PORT),
            "OMP_NUM_THREADS": "1",
        }
        return {**os.environ, **own, **more}

    def manage(self, *arguments: str) -> str:
        """Return what a management command printed."""
        command = [sys.executable, MANAGE, *arguments]
        answer = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def child(self, name: str, **more: str) -> ChildProcess:
        """Return a child process of `make run` (web, worker, beat) with its own port, not yet started."""
        plan = self._plan()
        made = next(child for child in product_children(plan, self.folder) if child.name == name)
        environment = self.environment(PORT=str(plan.port), **more)
        return replace(made, environment=environment, log=self.folder / f"{name}-{plan.port}.log")

    def shop(self) -> ChildProcess:
        """Return the demo shop, not started."""
        demo = {name: self.demo[name] for name in ("channel", "identity_secret", "webhook_secret")}
        return shop_child(self._plan(), self.folder, **demo)

    def _plan(self) -> Plan:
        return Plan(
            data_dir=self.folder / "data",
            host="127.0.0.1",
            port=reserved_port(),
            shop_port=SHOP_PORT,
            public_url="",
            database_url=self.postgres.url(),
            redis_url=self.valkey.url(),
            broker_url=None,
            embedder="packaged",
            with_demo=True,
        )


class Web:
    """A web process that a test may kill and restart."""

    def __init__(self, child: ChildProcess) -> None:
        self.child = child
        self.address = f"http://127.0.0.1:{child.environment['PORT']}"

    def start(self) -> None:
        self.child.start()
        wait_for_page(f"{self.address}/livez", self.child)

    @property
    def is_running(self) -> bool:
        return self.child.process is not None and self.child.process.poll() is None

    def kill(self) -> None:
        """End it as a crash would, without notice."""
        assert self.child.process is not None
        self.child.process.kill()
        self.child.process.wait()


@contextmanager
def web(stack: Stack, **more: str) -> Iterator[Web]:
    """Run another web process."""
    made = Web(stack.child("web", **more))
    made.start()
    try:
        yield made
    finally:
        made.child.stop()


@contextmanager
def built(folder: Path, schema: Path) -> Iterator[Stack]:
    """Set the servers up with this dump of the schema, and seed the demo workspace."""
    (folder / "data").mkdir()
    # As durable as in `make run`: data that a killed server had acknowledged must survive.
    home, log = folder / "postgres", folder / "postgres.log"
    postgres = PostgresServer(home, password="test", port=reserved_port(), log=log, application_password="another")
    valkey = ValkeyServer(folder / "valkey", password="test", port=reserved_port(), log=folder / "valkey.log")
    stack = Stack(folder, postgres, valkey, {})
    try:
        postgres.start()
        valkey.start()
        load_schema(postgres.conninfo(), schema)
        divide(postgres.url(), postgres.application_url())
        stack.demo = json.loads(stack.manage("demo_seed", "--json"))
        yield stack
    finally:
        valkey.stop()
        postgres.stop()
