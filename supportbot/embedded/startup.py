"""`make run`: starts everything on one machine in order, reports its progress, and stops it all again.

Invariant: once the lock is held, every exit goes through `_shut_down`, so no process and no address file is left
behind. After a `kill -9`, the parent-death signal cleans up, and so does the process registry at the next start.
"""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from supportbot.embedded import demo as demo_workspace
from supportbot.embedded.applied_migrations import pending_migrations, refuse_newer_schema
from supportbot.embedded.checks import check_ports_free, machine_checks, require_all
from supportbot.embedded.data_dir import DataDir
from supportbot.embedded.demo import Demo, DemoFile
from supportbot.embedded.metrics_files import SharedCounters
from supportbot.embedded.process_registry import ProcessRegistry
from supportbot.embedded.product_processes import (
    ChildProcess,
    CommandRunner,
    counters_of,
    more_web_processes,
    product_children,
    product_environment,
    shop_child,
    wait_for_page,
)
from supportbot.embedded.servers import external_servers
from supportbot.embedded.servers.database_roles import divide
from supportbot.embedded.servers.external_servers import connect
from supportbot.embedded.servers.postgres import PostgresServer
from supportbot.embedded.servers.valkey import ValkeyServer
from supportbot.embedded.supervisor import STOP_SIGNALS, Supervisor, limit_logs, stop_signals
from supportbot.installation.demo_facts import DemoFacts
from supportbot.installation.instance_secrets import Secrets, ensure_secrets
from supportbot.installation.process_identity import identify
from supportbot.installation.running_instance import Addresses, save_runtime
from supportbot.installation.start_plan import Plan
from supportbot.server_urls import database_at

COMMAND_CONNECTIONS = 30

Report = Callable[[str], None]
# The same query as `accounts.first_administrator.has_administrator`, without Django: starting a command would take a
# second.
_HAS_ADMINISTRATOR = """
    SELECT EXISTS (SELECT FROM accounts_user WHERE is_superuser)
        OR EXISTS (SELECT FROM accounts_membership WHERE role = 'admin')
"""


@dataclass(frozen=True)
class Ready:
    """The running instance. `demo` is the content of `demo.json`, or None if there is no demo workspace.

    `setup_link` creates the first administrator. It is "" if there already is one.
    """

    plan: Plan
    demo: dict[str, Any] | None
    setup_link: str = ""


@dataclass(frozen=True)
class Servers:
    """The database and the broker. A server is None if the environment gives its URL instead."""

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
                connections=_connections(plan),
                application_password=secrets.application_password,
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
        """Return the URL for the product's processes."""
        return self.postgres.application_url() if self.postgres else self.plan.database_url or ""

    @property
    def owner_url(self) -> str:
        """Return the URL for the role that owns the tables."""
        return self.postgres.url() if self.postgres else self.plan.owner_url

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
        self._counters = SharedCounters(counters_of(plan))
        self._supervisor = Supervisor(on_change=self._save_pids, on_poll=lambda: limit_logs(self._data.logs))

    def run(self) -> None:
        """Start everything. Return after a stop signal, once everything has stopped. Raises InstallationError."""
        self._run_until_stopped(self._start)

    def run_servers(self) -> None:
        """Run only the embedded servers, without changing the database, for a restore."""
        self._run_until_stopped(self._start_servers_only)

    def _run_until_stopped(self, start: Callable[[], Ready]) -> None:
        require_all(self.plan, machine_checks(self.plan))
        self._data.prepare()
        with self._data.locked(), stop_signals():
            try:
                self._on_ready(start())
                self._supervisor.keep_alive()
            except KeyboardInterrupt:
                self._report(gettext("Stopping..."))
            finally:
                self._shut_down()
        self._report(gettext("Stopped. Your data is kept; `make run` starts SupportBot again."))

    def _start_servers_only(self) -> Ready:
        self._start_servers(self._prepare())
        return Ready(self.plan, None)

    def _prepare(self) -> Secrets:
        os.umask(0o077)  # from here on, only this user can read new files (logs, mail, the shop's data)
        for name in self._registry.end_orphans():
            self._report(gettext("Stopped {name}, left running by an earlier start.").format(name=name))
        self._save_pids({})
        limit_logs(self._data.logs)
        return ensure_secrets(self._data.path)

    def _start(self) -> Ready:
        secrets = self._prepare()
        check_ports_free(self.plan)
        servers = self._start_servers(secrets)
        runner = CommandRunner(self._data.logs, product_environment(self.plan))
        is_migrated = self._prepare_database(servers, runner)
        demo = Demo(self.plan, servers.database_url, secrets) if self.plan.with_demo else None
        facts = self._prepare_demo(demo, runner, is_migrated=is_migrated) if demo else None
        self._start_children(secrets, facts)
        if demo and facts:
            return Ready(self.plan, self._write_demo_file(demo, facts))
        return Ready(self.plan, None, _setup_link(servers.database_url, runner))

    def _start_servers(self, secrets: Secrets) -> Servers:
        servers = Servers.for_plan(self.plan, self._data, secrets)
        starting = gettext("Starting PostgreSQL and Valkey...")
        self._report(starting if servers.postgres else gettext("Using the configured servers..."))
        servers.start(self._supervisor)
        # `migrate` also does this, but a restored database, or one from an earlier version, may have nothing to
        # migrate.
        divide(servers.owner_url, servers.database_url)
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
            database_owner_url=servers.owner_url,
            local_url=self.plan.local_url,
        )
        save_runtime(self._data.path, addresses)
        return servers

    def _prepare_database(self, servers: Servers, runner: CommandRunner) -> bool:
        """Migrate the schema; return whether there was anything to migrate."""
        refuse_newer_schema(servers.owner_url)
        external_servers.create_extensions(servers.owner_url, variable=servers.plan.owner_variable)
        is_behind = bool(pending_migrations(servers.owner_url))
        if is_behind:
            self._report(gettext("Preparing the database..."))
            runner.run("migrate", "--noinput")
        return is_behind

    def _prepare_demo(self, demo: Demo, runner: CommandRunner, *, is_migrated: bool) -> DemoFacts | None:
        if not demo_workspace.is_installed():
            return None
        facts = demo.saved_facts()
        if facts is None or is_migrated:
            if facts is None and not self.plan.is_local:
                demo.refuse_if_exposed()
            self._report(gettext("Creating the demo workspace (takes about a minute the first time)..."))
            facts = demo.seed(runner)
        demo_workspace.refuse_exposed_passwords(self.plan, demo.users_with_first_password(facts))
        return facts

    def _start_children(self, secrets: Secrets, facts: DemoFacts | None) -> None:
        self._report(
            gettext("Starting web server, worker, beat and demo shop...")
            if facts
            else gettext("Starting web server, worker and beat...")
        )
        self._counters.begin()
        (self._data.path / "beat").mkdir(exist_ok=True)
        children = product_children(self.plan, self._data.logs)
        shop = self._shop(secrets, facts) if facts else None
        everyone = [*children, shop] if shop else children
        self._supervisor.start(everyone)
        wait_for_page(f"{self.plan.local_url}/livez", children[0], others=everyone)
        if shop:
            wait_for_page(f"{self.plan.shop_url}/api/customers", shop)
        # Wait until the first one serves, because several that start at the same time slow each other down.
        self._supervisor.start(more_web_processes(self.plan, self._data.logs))

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
        self._counters.forget_dead(pids)
        self._registry.save(_with_supervisor(pids))  # fails on a full disk
        if self._demo_file is not None:
            self._demo_file.write(_with_supervisor(pids))

    def _shut_down(self) -> None:
        for number in STOP_SIGNALS:  # a second Ctrl-C must not leave processes running
            signal.signal(number, signal.SIG_IGN)
        self._supervisor.stop()
        (self._data.path / "runtime.json").unlink(missing_ok=True)
        self._registry.path.unlink(missing_ok=True)


def _setup_link(database_url: str, runner: CommandRunner) -> str:
    return "" if has_administrator(database_url) else str(json.loads(runner.run("setup_link", "--json"))["setup"])


def _connections(plan: Plan) -> int:
    """Return the maximum number of connections that all processes together use, including some for commands."""
    return (plan.web_processes + len(("worker", "beat"))) * settings.DATABASE_CONNECTIONS + COMMAND_CONNECTIONS


def _with_supervisor(pids: dict[str, int]) -> dict[str, int]:
    return {"supervisor": os.getpid(), **pids}


def has_administrator(database_url: str) -> bool:
    """Return whether this installation or one of its workspaces has an administrator."""
    with connect(database_url) as connection:
        return connection.execute(_HAS_ADMINISTRATOR).fetchone() == (True,)
