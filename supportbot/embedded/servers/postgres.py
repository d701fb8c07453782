"""The embedded PostgreSQL: created once, then started, watched and stopped by the supervisor.

It listens only on 127.0.0.1, requires a SCRAM password and never runs as root. The cluster's folder is renamed into
place once initdb has finished, so an interrupted first start leaves nothing that looks like a database.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from django.utils.translation import gettext
from psycopg.conninfo import make_conninfo

from supportbot.embedded.child_processes import spawn, stop, wait_until, without_a_word
from supportbot.embedded.free_ports import LOOPBACK
from supportbot.embedded.servers.binaries import Binaries, find_binaries
from supportbot.embedded.servers.database_roles import create_application_role
from supportbot.embedded.servers.embedded_server import LocalServer
from supportbot.embedded.servers.os_accounts import Account, server_account
from supportbot.installation.errors import StartRefused

USER = "supportbot"
DATABASE = "supportbot"
APPLICATION = "supportbot_app"  # the role of the product's processes; USER owns the cluster
LEAST_CONNECTIONS = 100  # PostgreSQL's own default
# After a kill -9, children of the old postmaster may hold its shared memory for a few seconds and block a restart.
RETRY_SECONDS = 30.0
RECOVERY_SECONDS = 120.0
_TRANSIENT_ERRORS = ("shared memory block", "already exists", "Address already in use", "could not bind")
# One call for the whole file system, because a thousand individual calls would take seconds at the first start and
# after a crash.
_SYNC_METHOD = "syncfs" if sys.platform == "linux" else "fsync"
_NOT_DURABLE = (
    *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
    *("-c", "jit=off"),  # the same as for the application's role
)


class PostgresServer(LocalServer):
    """A cluster in `home`. The user that runs PostgreSQL must be able to reach this folder."""

    name = "postgres"

    def __init__(
        self,
        home: Path,
        *,
        password: str,
        port: int | None,
        log: Path,
        durable: bool = True,
        connections: int = LEAST_CONNECTIONS,
        application_password: str = "",  # "" means no separate role for the application
    ) -> None:
        super().__init__(home, password=password, port=port, log=log)
        self._application_password = application_password
        self.connections = max(connections, LEAST_CONNECTIONS)
        self.cluster = home / "cluster"
        self.durable = durable
        self._account = server_account()
        self._binaries: Binaries | None = None

    def conninfo(self, database: str = DATABASE) -> str:
        return make_conninfo(
            host=LOOPBACK, port=self.port, user=USER, password=self._password, dbname=database, connect_timeout=3
        )

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def application_url(self, database: str = DATABASE) -> str:
        """Return the URL for the product's processes, which use the role that can only work with rows."""
        return f"postgresql://{APPLICATION}:{self._application_password}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Create the cluster if necessary, start it and wait until it responds. Raises StartRefused."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._chown(self.home)
        self._binaries = find_binaries().reachable_by(self._account, home=self.home)
        check_cluster(self.cluster, self._binaries)
        if not self.cluster.exists():
            self._initialise(self._binaries)
        self._start_with_retries(self._binaries)
        self._create_database()
        if self._application_password:
            with psycopg.connect(self.conninfo(), autocommit=True) as connection:
                create_application_role(connection, APPLICATION, self._application_password)

    def request_stop(self) -> None:
        """Do nothing yet, because the product's processes need the server until they have ended."""

    def stop(self) -> None:
        """Stop the server: first with a fast shutdown, then with an immediate one, then with SIGKILL.

        None of these loses a commit.
        """
        if self._process is not None:
            stop(self._process, (signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))
            self._process = None

    def _chown(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _initialise(self, binaries: Binaries) -> None:
        unfinished = self.home / "cluster.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.home / "password"
        password_file.touch(mode=0o600)
        self._chown(password_file)
        password_file.write_text(self._password)
        command = [binaries.program("initdb"), "-D", unfinished, *_initdb_options(password_file)]
        command.append(f"--sync-method={_SYNC_METHOD}" if self.durable else "--no-sync")
        try:
            _run_initdb(command, self._account)
        finally:
            password_file.unlink()
        unfinished.rename(self.cluster)

    def _start_with_retries(self, binaries: Binaries) -> None:
        # Reap a dead predecessor. While it is a zombie, its lock file counts as valid and blocks every restart.
        if self._process is not None:
            self._process.poll()
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            self._choose_port()
            log_start = self.log.stat().st_size if self.log.exists() else 0
            with self.log.open("ab") as output:
                self._process = spawn(
                    self._server_command(binaries),
                    output=output,
                    environment=_server_environment(),
                    account=self._account,
                    death_signal=signal.SIGINT,
                )
            if self._wait_for_answer(self._process):
                self._has_run = True
                return
            cause = _last_error(self.log, since=log_start)
            if time.monotonic() > deadline or not any(error in cause for error in _TRANSIENT_ERRORS):
                raise StartRefused(
                    gettext("PostgreSQL did not start: {cause} (full log: {log}).").format(cause=cause, log=self.log)
                )
            time.sleep(0.5)

    def _server_command(self, binaries: Binaries) -> list[str | Path]:
        options = ("-c", f"recovery_init_sync_method={_SYNC_METHOD}") if self.durable else _NOT_DURABLE
        network = ("-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories=")
        limit = ("-c", f"max_connections={self.connections}")
        return [binaries.program("postgres"), "-D", self.cluster, "-p", str(self.port), *network, *limit, *options]

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server answers a query. Return False if its process ends first. Recovery may take a while."""

        def answers_or_ended() -> bool:
            return process.poll() is not None or self._answers()

        if not wait_until(answers_or_ended, seconds=RECOVERY_SECONDS, pause=0.1):
            self.stop()
            raise StartRefused(gettext("PostgreSQL was started but does not respond. See {log}.").format(log=self.log))
        return process.poll() is None

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.conninfo("postgres")) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                self.stop()
                raise StartRefused(
                    gettext(
                        "The database in {cluster} does not accept the password in secrets.json. Restore the "
                        "secrets.json it was created with, or choose another DATA_DIR."
                    ).format(cluster=self.cluster)
                ) from error
            return False
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def check_cluster(cluster: Path, binaries: Binaries) -> None:
    """Raise StartRefused if these binaries must not touch what is in the folder."""
    if not cluster.exists():
        return
    try:
        major = int((cluster / "PG_VERSION").read_text().strip())
    except (OSError, ValueError) as error:
        raise StartRefused(
            gettext(
                "{cluster} is not a PostgreSQL cluster (no readable PG_VERSION). Choose another DATA_DIR, or move "
                "the folder."
            ).format(cluster=cluster)
        ) from error
    if major != binaries.major:
        raise StartRefused(
            gettext(
                "The database in {cluster} was created by PostgreSQL {major}, but PostgreSQL {major2} is installed. "
                "Dump it with PostgreSQL {major} (pg_dump -Fc), start with a new DATA_DIR, and load the dump with "
                "pg_restore."
            ).format(cluster=cluster, major=major, major2=binaries.major)
        )


def _initdb_options(password_file: Path) -> list[str | Path]:
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["-U", USER, "-A", "scram-sha-256", "--pwfile", password_file, "-E", "UTF8", *locale]


def _run_initdb(command: Sequence[str | Path], account: Account | None) -> None:
    identity = {} if account is None else account.as_popen()
    answer = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        env=_server_environment(),
        **identity,
    )
    if answer.returncode != 0:
        raise StartRefused(gettext("The database could not be created: {stdout}.").format(stdout=_cause(answer.stdout)))


def _server_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _last_error(log: Path, *, since: int) -> str:
    with log.open("rb") as file:
        file.seek(since)
        output = file.read().decode(errors="replace")
    return _cause(output) if output.strip() else without_a_word(log)


def _cause(output: str) -> str:
    """Return the first error in the output or, if there is none, its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:", "could not"))]
    return (errors or lines[-1:] or [gettext("no error message")])[0].rstrip(".")
