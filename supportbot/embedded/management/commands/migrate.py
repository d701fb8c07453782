"""`manage.py migrate`: Django's command, with a check of the settings.

Only one can run at a time. It never runs on a database that a newer version has migrated, because it would grant too
many privileges on tables that it does not know.

A change to a table waits for the transactions that use the table, such as a backup. In the meantime, every chat's
statements on that table queue behind the change. A migration therefore waits for at most two seconds, and tries again
after a pause.
"""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext, gettext_noop
from environ import Env
from psycopg import Error, errors

from supportbot.commands import errors_by_one_name
from supportbot.embedded.applied_migrations import newer_migration
from supportbot.embedded.servers.database_roles import divide, refuse_two_databases
from supportbot.embedded.servers.external_servers import (
    connect,
    create_extensions_in,
    refuse_read_only,
    refuse_transaction_pooling,
)
from supportbot.embedded.setting_checks import require_settings
from supportbot.installation.errors import StartRefused
from supportbot.observing.database_errors import is_of_rights, own_words
from supportbot.postgresql.blocking_transactions import Transaction, blocking_transactions

LOCK = 0x6D696772  # the letters "migr"
POLL_SECONDS = 1.0
# Used alternately. The first is so short that the migration gives way before PostgreSQL finds a deadlock between it and
# a chat: after `deadlock_timeout`, one second, it would end the chat's transaction. The second is longer, because
# autovacuum gives way only after that time.
LOCK_TIMEOUTS = ("500ms", "2s")
LOCK_PAUSE_SECONDS = 8.0  # so that statements that have queued up can run
LOCK_PATIENCE_SECONDS = 1_800.0  # as long as a backup of a large database may take
LOOK_SECONDS: Final = 0.2  # short, so that it looks several times within one wait
CONNECT_SECONDS: Final = 5  # for the watch's own connection
JOIN_SECONDS: Final = 2.0


def _lacks_rights(variable: str, error: BaseException) -> StartRefused:
    return StartRefused(
        gettext(
            "The role in {variable} is not allowed to create or change tables ({error}). Make it the owner of the "
            "database and its tables, or set DATABASE_OWNER_URL to the role that owns them."
        ).format(variable=variable, error=own_words(error))
    )


def wait_for_lock(connection: "psycopg.Connection[Any]") -> None:
    """Return when this connection has the lock.

    It polls. A statement that waits for the lock would hold a snapshot. If the other machine is building an index
    concurrently, it waits for all snapshots, which would be a deadlock.
    """
    while connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() != (True,):
        time.sleep(POLL_SECONDS)


def _first_pending(connection: BaseDatabaseWrapper) -> str:
    """Return this version's first migration that has not been applied; "" if there is none."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{plan[0][0].app_label}.{plan[0][0].name}" if plan else ""


def _refuse_missing(missing: str, newer: str) -> None:
    """Raise StartRefused if a newer database lacks a migration that this version needs."""
    if missing:
        raise StartRefused(
            gettext(
                "The database belongs to another version of SupportBot ({unknown} is unknown here) and lacks "
                "{missing}, which this version needs. Start the other version, or restore the backup from before the "
                "upgrade."
            ).format(unknown=newer, missing=missing)
        )


def _locked_for_long(blocking: Sequence[Transaction]) -> StartRefused:
    sentence = gettext(
        "A table has been in use by another transaction for {minutes} minutes. {blocking} End that transaction "
        "(pg_terminate_backend), or wait for it to end. Then run `migrate` again; it continues where it stopped."
    )
    named = " ".join(map(_named, blocking)) or gettext(
        "While `migrate` waits, pg_blocking_pids returns the process of that transaction."
    )
    return StartRefused(sentence.format(minutes=round(LOCK_PATIENCE_SECONDS / 60), blocking=named))


def _named(blocking: Transaction) -> str:
    sentence = (
        gettext("`migrate` is waiting for process {pid} ({program}).")
        if blocking.seconds is None
        else gettext(
            "`migrate` is waiting for process {pid} ({program}), whose transaction has been open for {seconds} s."
        )
    )
    return sentence.format(pid=blocking.pid, program=blocking.program or "-", seconds=blocking.seconds)


class LockWatch:
    """Uses a separate connection to find out which transactions another connection is waiting for.

    PostgreSQL knows this only during the wait.
    """

    def __init__(self, watched: BaseDatabaseWrapper) -> None:
        self._parameters = {**watched.get_connection_params(), "connect_timeout": CONNECT_SECONDS}
        self._pid = watched.connection.info.backend_pid
        self._is_over = threading.Event()
        self._newest: list[Transaction] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look, name="lock watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(JOIN_SECONDS)  # not longer: the server may not answer, and the migration is done

    def taken(self) -> list[Transaction]:
        """Return the transactions of the newest wait, and forget them. Return [] if none could be found."""
        found, self._newest = self._newest, []
        return found

    def _look(self) -> None:
        while not self._is_over.is_set():
            with suppress(Error), psycopg.connect(**self._parameters, autocommit=True) as connection:
                while not self._is_over.wait(LOOK_SECONDS):
                    self._newest = blocking_transactions(connection, self._pid) or self._newest
            self._is_over.wait(LOOK_SECONDS)  # before the next attempt to connect


class Command(migrate.Command):
    help = gettext_noop("Update the tables of the database.")

    _asked_verbosity = 1
    _begun = ""  # the migration that is being applied
    _reported = ""  # the migration whose wait has been reported
    _reported_pids: frozenset[int] = frozenset()  # and the processes that it was waiting for

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--allow-newer",
            action="store_true",
            help=gettext("exit without migrating, and without an error, if the database is newer than this version"),
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Do this before Django's checks, which open the connection.
        if settings.DATABASE_OWNER_URL:
            connection = connections[options["database"]]
            owner = Env.db_url_config(settings.DATABASE_OWNER_URL)
            connection.settings_dict.update({name: owner[name] for name in ("USER", "PASSWORD", "HOST", "PORT")})
        with errors_by_one_name():
            output: str | None = super().execute(*args, **options)
            return output

    def check(self, *args: Any, **options: Any) -> None:
        # These checks come first, because their errors are one sentence each. Django's own checks, and its pool's
        # attempts to connect, come later.
        require_settings()
        if settings.DATABASE_OWNER_URL:
            connect(settings.DATABASE_OWNER_URL, variable="DATABASE_OWNER_URL").close()
            if settings.DATABASE_URL:
                refuse_two_databases(settings.DATABASE_OWNER_URL, settings.DATABASE_URL)
        elif settings.DATABASE_URL:
            connect(settings.DATABASE_URL).close()
        super().check(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        connection.ensure_connection()
        refuse_read_only(connection.connection)
        refuse_transaction_pooling(settings.DATABASE_OWNER_URL or settings.DATABASE_URL)
        variable = "DATABASE_OWNER_URL" if settings.DATABASE_OWNER_URL else "DATABASE_URL"
        if options["check_unapplied"] or options["plan"]:  # these options only print information
            super().handle(*args, **options)
            return
        # Several machines may start a new version at once. The lock ends with its connection at the latest.
        wait_for_lock(connection.connection)
        try:
            newer = newer_migration(set(MigrationRecorder(connection).applied_migrations()))
            if newer:
                _refuse_missing(_first_pending(connection), newer)
                self._leave_as_it_is(newer, is_allowed=options["allow_newer"] or settings.MIGRATE_ALLOW_NEWER)
                return
            create_extensions_in(connection.connection, variable=variable)
            connection.connection.execute("SET statement_timeout = 0")
            # a migration may compute for a while between statements
            connection.connection.execute("SET idle_in_transaction_session_timeout = 0")
            try:
                self._migrate(*args, **options)
            except (MigrationSchemaMissing, ProgrammingError) as error:
                refused = error.__context__ if isinstance(error, MigrationSchemaMissing) else error
                if refused is None or not is_of_rights(refused):
                    raise
                raise _lacks_rights(variable, refused) from error
            if settings.DATABASE_OWNER_URL:
                divide(settings.DATABASE_OWNER_URL, settings.DATABASE_URL)
                refuse_transaction_pooling(settings.DATABASE_URL)
        finally:
            with suppress(Error, AttributeError):  # the connection and the lock are already lost
                connection.connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

    def _migrate(self, *args: Any, **options: Any) -> None:
        """Migrate, and try again while a table is locked.

        Completed migrations are kept; the interrupted one is rolled back.
        """
        until, self._asked_verbosity = time.monotonic() + LOCK_PATIENCE_SECONDS, options["verbosity"]
        connection = connections[options["database"]]
        watch = LockWatch(connection)
        with watch.running():
            for lock_timeout in itertools.cycle(LOCK_TIMEOUTS):
                connection.connection.execute(f"SET lock_timeout = '{lock_timeout}'")
                try:
                    super().handle(*args, **options)
                except OperationalError as error:
                    if not isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
                        raise
                    blocking = watch.taken()
                    if time.monotonic() > until:
                        raise _locked_for_long(blocking) from error
                    self._report_wait(blocking)
                    options["verbosity"] = 0  # the plan has been printed
                    time.sleep(LOCK_PAUSE_SECONDS)
                else:
                    return

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        """When a retried migration is done, print its line again; print no other line twice."""
        self.verbosity = self._asked_verbosity
        step, _, moment = action.partition("_")
        is_repeated = self._reported and str(migration or self._reported) == self._reported
        if moment == "start":
            self._begun = str(migration or "")
        if is_repeated and (moment == "start" or step == "render"):
            return
        if is_repeated:
            super().migration_progress_callback(f"{step}_start", migration, fake)
        super().migration_progress_callback(action, migration, fake)

    def _report_wait(self, blocking: Sequence[Transaction]) -> None:
        """Report which transactions a migration is waiting for. Report them again only if they change."""
        pids = frozenset(one.pid for one in blocking)
        if self._reported == self._begun and pids <= self._reported_pids:
            return
        if self._asked_verbosity and self._reported != self._begun:
            self.stdout.write("")  # Django has not ended its line about this migration yet
        self._reported, self._reported_pids = self._begun, pids
        sentence = gettext("{migration} changes a table that another transaction, such as a backup, is using.")
        self.stderr.write(" ".join([sentence.format(migration=self._begun), *map(_named, blocking)]))

    def _leave_as_it_is(self, newer: str, *, is_allowed: bool) -> None:
        if is_allowed:
            self.stdout.write(
                gettext(
                    "The database is newer than this version of SupportBot ({unknown} is unknown here). Nothing was "
                    "migrated."
                ).format(unknown=newer)
            )
            return
        raise StartRefused(
            gettext(
                "The database is newer than this version of SupportBot ({unknown} is unknown here). Migrate with the "
                "newer version, or set MIGRATE_ALLOW_NEWER=1 to go back to this version."
            ).format(unknown=newer)
        )
