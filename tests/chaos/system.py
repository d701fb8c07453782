"""Everything that a storm may kill and restart: the servers, the product's processes and the demo shop."""

import asyncio
import sqlite3
import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError

import psycopg
from kombu import Connection
from psycopg.rows import dict_row

from supportbot.celery import app
from supportbot.embedded.product_processes import ChildProcess, wait_for_page
from tests.flows.people import call
from tests.flows.stack import STOREFRONT, Stack
from tests.patience import PATIENCE_SECONDS

Row = dict[str, Any]
LOG_CHARACTERS = 6_000


@dataclass
class System:
    """Processes are started by the main thread only, since the parent-death signal depends on the thread that started
    them.
    """

    stack: Stack
    web: ChildProcess
    worker: ChildProcess
    beat: ChildProcess
    shop: ChildProcess

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.web.environment['PORT']}"

    @property
    def children(self) -> tuple[ChildProcess, ...]:
        return self.shop, self.web, self.worker, self.beat

    def start(self) -> None:
        """Start everything; the shop's orders are large, so that small refunds never use them up."""
        (self.stack.folder / "data" / "beat").mkdir()
        self.keep_up()
        wait_for_page(f"{STOREFRONT}/api/customers", self.shop)
        wait_for_page(f"{self.address}/livez", self.web)
        with sqlite3.connect(
            self.stack.folder / "data" / "shop" / "shop.sqlite3", timeout=PATIENCE_SECONDS
        ) as snapshot:
            snapshot.execute("UPDATE shop_order SET total_cents = 100000 WHERE status = 'delivered'")
        limits = ("approval_above=", "max_per_customer_year=", "max_per_workspace_day=")
        self.stack.manage("action_policy", "refund_order", *(part for rule in limits for part in ("--set", rule)))

    def keep_up(self) -> None:
        """Restart ended processes, as the supervisor does: those that start while the database is down end again."""
        for child in self.children:
            if not child.is_alive:
                child.start()

    def stop(self) -> None:
        for child in reversed(self.children):
            child.stop()

    def kill(self, process: "subprocess.Popen[bytes] | None") -> None:
        assert process is not None
        process.kill()
        process.wait()

    async def orders(self, count: int) -> list[tuple[str, str]]:
        """Return this many customers, each with a freshly delivered order."""
        _, listed = await call(STOREFRONT, "GET", "/api/customers")
        found = [(known["id"], await self._delivered(known["id"])) for known in listed["customers"]]
        return [(customer, order) for customer, order in found if order][:count]

    async def _delivered(self, customer: str) -> str:
        _, listed = await call(STOREFRONT, "GET", f"/api/orders?customer={customer}")
        fresh = [order for order in listed["orders"] if order["status"] == "delivered"]
        return str(max(fresh, key=lambda order: order["placed_at"])["id"]) if fresh else ""

    def last_line(self) -> str:
        """Return the last lines of all logs, for the report of a failure."""
        logs = [self.stack.postgres.log, self.stack.valkey.log, *(child.log for child in self.children)]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-LOG_CHARACTERS:]}" for log in logs)

    async def shop_does(self, **faults: float) -> None:
        """Order a fault from the shop; a shop that is down cannot take the order."""
        try:
            await call(STOREFRONT, "POST", "/api/faults", faults)
        except (URLError, OSError):
            return

    async def refunds(self) -> list[Row]:
        """Return the shop's refunds; it may still be starting after the last fault."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    _, snapshot = await call(STOREFRONT, "GET", "/api/ledger")
                except (URLError, OSError):
                    await asyncio.sleep(0.2)
                    continue
                refunds: list[Row] = snapshot["refunds"]
                return refunds

    def rows(self, query: str) -> list[Row]:
        with psycopg.connect(self.stack.postgres.conninfo(), row_factory=dict_row) as connection:
            return connection.execute(query.encode()).fetchall()

    def cut_connections(self) -> None:
        """End every connection to PostgreSQL except our own, as a failing network would."""
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def deliver_again(self) -> None:
        """Send every message to the workers two more times, and every announcement of the last half minute."""
        requests = self.rows("SELECT id, workspace_id FROM actions_actionrequest WHERE confirmed_by <> ''")
        # The test process itself has a broker in memory.
        with Connection(f"{self.stack.valkey.url()}/0", connect_timeout=1) as line:
            for row in requests * 2:
                arguments = (str(row["workspace_id"]), str(row["id"]))
                app.send_task("actions.tasks.run_request", arguments, connection=line, retry=False, expires=60)
        self.rows(
            "UPDATE outbox_announcement SET delivered_at = NULL"
            " WHERE delivered_at > now() - interval '30 seconds' RETURNING id"
        )
