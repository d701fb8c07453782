"""`make run`: starts everything one machine needs in order, reports progress, and stops it all again.

Invariant: once the lock is held, every exit goes through `_shut_down`, so no process and no address file outlives this
one. After a `kill -9`, the parent-death signal and, at the next start, the process registry clean up.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from supportbot.addresses import database_at
from supportbot.embedded import demo as demo_workspace
from supportbot.embedded import external
from supportbot.embedded.checks import check_ports_free, machine_checks, require_all
from supportbot.embedded.children import (
    ChildProcess,
    CommandRunner,
    product_children,
    product_environment,
    shop_child,
    wait_for_page,
)
from supportbot.embedded.datadir import DataDir
from supportbot.embedded.demo import Demo, DemoFile
from supportbot.embedded.postgres import PostgresServer
from supportbot.embedded.process_registry import ProcessRegistry
from supportbot.embedded.schema import pending_migrations, refuse_newer_schema
from supportbot.embedded.supervisor import STOP_SIGNALS, Supervisor, limit_logs, stop_signals
from supportbot.embedded.valkey import ValkeyServer
from supportbot.installation.demo_facts import DemoFacts
from supportbot.installation.plan import Plan
from supportbot.installation.process_identity import identify
from supportbot.installation.runtime import Addresses, Secrets, ensure_secrets, save_runtime

Report = Callable[[str], None]


@dataclass(frozen=True)
class Ready:
    """What is running; `demo` is the content of `demo.json`, None without the demo workspace."""

    plan: Plan
    demo: dict[str, Any] | None


@dataclass(frozen=True)
class Servers:
    """The database and the broker; a server is None if the environment gives a URL instead."""

    plan: Plan
    data: DataDir
    postgres: PostgresServer | None
    valkey: ValkeyServer | None

    @classmethod
    def for_plan(cls, plan: Plan, data: DataDir, secrets: Secrets) -> "Servers":
        instance = data.instance()
        postgres = valkey = None
        if not plan.database_url:
            postgres = PostgresServer(
                data.postgres_home(),
                password=secrets.database_password,
                port=instance.postgres_port,
                log=data.logs / "postgres.log",
            )
        if not plan.redis_url:
            valkey = ValkeyServer(
                data.path / "valkey",
                password=secrets.valkey_password,
                port=instance.valkey_port,
                log=data.logs / "valkey.log",
            )
        return cls(plan, data, postgres, valkey)

    def start(self, supervisor: Supervisor) -> None:
        supervisor.start([server for server in (self.postgres, self.valkey) if server is not None])
        instance = self.data.instance()
        self.data.save_servers(
            postgres_home=self.postgres.home if self.postgres else None,
            postgres_port=self.postgres.port if self.postgres else instance.postgres_port,
            valkey_port=self.valkey.port if self.valkey else instance.valkey_port,
        )

    @property
    def database_url(self) -> str:
        return self.postgres.url() if self.postgres else self.plan.database_url or ""

    @property
    def redis_url(self) -> str:
        return self.valkey.url() if self.valkey else self.plan.redis_url or ""

    @property
    def broker_url(self) -> str:
        return self.plan.broker_url or database_at(self.redis_url, 0)


class Composition:
    def __init__(self, plan: Plan, *, report: Report, on_ready: Callable[[Ready], None]) -> None:
        self.plan = plan
        self._report = report
        self._on_ready = on_ready
        self._data = DataDir(plan.data_dir)
        self._registry = ProcessRegistry(self._data.processes_file)
        self._demo_file: DemoFile | None = None
        self._supervisor = Supervisor(on_change=self._save_pids, on_poll=lambda: limit_logs(self._data.logs))

    def run(self) -> None:
        """Start everything; return after a stop signal, once everything has stopped. Raises InstallationError."""
        self._run_until_stopped(self._start)

    def run_servers(self) -> None:
        """Run only the embedded servers and leave the database untouched, for a restore."""
        self._run_until_stopped(self._start_servers_only)

    def _run_until_stopped(self, start: Callable[[], Ready]) -> None:
        require_all(self.plan, machine_checks(self.plan))
        self._data.prepare()
        with self._data.locked(), stop_signals():
            try:
                self._on_ready(start())
                self._supervisor.keep_alive()
            except KeyboardInterrupt:
                self._report("Stopping ...")
            finally:
                self._shut_down()
        self._report("Stopped. Your data is kept; `make run` starts SupportBot again.")

    def _start_servers_only(self) -> Ready:
        self._start_servers(self._prepare())
        return Ready(self.plan, None)

    def _prepare(self) -> Secrets:
        os.umask(0o077)  # from here on, files (logs, mail, the shop's data) are readable by this user only
        for name in self._registry.end_orphans():
            self._report(f"Stopped {name}, left running by an earlier start.")
        self._save_pids({})
        limit_logs(self._data.logs)
        return ensure_secrets(self._data.path)

    def _start(self) -> Ready:
        secrets = self._prepare()
        check_ports_free(self.plan)
        servers = self._start_servers(secrets)
        runner = CommandRunner(self._data.logs, product_environment(self.plan))
        is_migrated = self._prepare_database(servers.database_url, runner)
        demo = Demo(self.plan, servers.database_url, secrets) if self.plan.with_demo else None
        facts = self._prepare_demo(demo, runner, is_migrated=is_migrated) if demo else None
        self._start_children(secrets, facts)
        return Ready(self.plan, self._write_demo_file(demo, facts) if demo and facts else None)

    def _start_servers(self, secrets: Secrets) -> Servers:
        servers = Servers.for_plan(self.plan, self._data, secrets)
        self._report("Starting PostgreSQL and Valkey ..." if servers.postgres else "Using the configured servers ...")
        servers.start(self._supervisor)
        me = identify(os.getpid())
        assert me is not None
        addresses = Addresses(
            supervisor_pid=me.pid,
            supervisor_started=me.started,
            database_url=servers.database_url,
            redis_url=servers.redis_url,
            broker_url=servers.broker_url,
            base_url=self.plan.base_url,
            shop_url=self.plan.shop_url,
        )
        save_runtime(self._data.path, addresses)
        return servers

    def _prepare_database(self, database_url: str, runner: CommandRunner) -> bool:
        """Migrate the schema; True if there was something to migrate."""
        refuse_newer_schema(database_url)
        external.create_extensions(database_url)
        if not pending_migrations(database_url):
            return False
        self._report("Preparing the database ...")
        runner.run("migrate", "--noinput")
        return True

    def _prepare_demo(self, demo: Demo, runner: CommandRunner, *, is_migrated: bool) -> DemoFacts | None:
        if not demo_workspace.is_installed():
            return None
        facts = demo.saved_facts()
        if facts is None or is_migrated:
            if facts is None and not self.plan.is_local:
                demo.refuse_if_exposed()
            self._report("Creating the demo workspace (takes about a minute the first time) ...")
            facts = demo.seed(runner)
        demo_workspace.refuse_exposed_passwords(self.plan, demo.users_with_first_password(facts))
        return facts

    def _start_children(self, secrets: Secrets, facts: DemoFacts | None) -> None:
        self._report(f"Starting web server, worker{', beat and demo shop' if facts else ' and beat'} ...")
        for folder in ("beat", "static"):
            (self._data.path / folder).mkdir(exist_ok=True)
        children = product_children(self.plan, self._data.logs)
        shop = self._shop(secrets, facts) if facts else None
        everyone = [*children, shop] if shop else children
        self._supervisor.start(everyone)
        wait_for_page(f"{self.plan.local_url}/livez", children[0], others=everyone)
        if shop:
            wait_for_page(f"{self.plan.shop_url}/api/customers", shop)

    def _shop(self, secrets: Secrets, facts: DemoFacts) -> ChildProcess:
        return shop_child(
            self.plan,
            self._data.logs,
            channel=facts["channel"],
            identity_secret=facts.get("identity_secret", secrets.identity_secret),
            webhook_secret=facts.get("webhook_secret", secrets.webhook_secret),
        )

    def _write_demo_file(self, demo: Demo, facts: DemoFacts) -> dict[str, Any]:
        names = demo.users_with_first_password(facts)
        self._demo_file = DemoFile(self.plan, facts, first_password_names=names)
        return self._demo_file.write(_with_supervisor(self._supervisor.pids))

    def _save_pids(self, pids: dict[str, int]) -> None:
        self._registry.save(_with_supervisor(pids))
        if self._demo_file is not None:
            self._demo_file.write(_with_supervisor(pids))

    def _shut_down(self) -> None:
        for number in STOP_SIGNALS:  # a second Ctrl-C must not leave anything running
            signal.signal(number, signal.SIG_IGN)
        self._supervisor.stop()
        (self._data.path / "runtime.json").unlink(missing_ok=True)
        self._registry.path.unlink(missing_ok=True)


def _with_supervisor(pids: dict[str, int]) -> dict[str, int]:
    return {"supervisor": os.getpid(), **pids}
