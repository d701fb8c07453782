"""The checks, by name. Each returns "ok" or the problem. An exception from a server is reported by its type."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import cache as kept
from typing import Final

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import BaseChannelLayer, get_channel_layer
from django.core.cache import cache
from django.db import Error as AnyDatabaseError
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from kombu.exceptions import OperationalError as BrokerError

from kb.errors import EmbeddingUnavailable
from kb.indexing.models import Recipe
from kb.indexing.recipes import has_embedder
from supportbot.chat.channel_layer import LAYER_ERRORS, PATIENCE_SECONDS
from supportbot.health import main_loop
from supportbot.observing.database_errors import LACKS_MIGRATIONS, trouble
from supportbot.outbox.services import parked
from supportbot.outbox.tasks import HEARTBEAT_KEY

logger = logging.getLogger(__name__)

HEARTBEAT_MAX_AGE_SECONDS = 45
SCHEMA_PAUSE_SECONDS: Final = 2.0

AWAY: Final = (AnyDatabaseError, BrokerError, EmbeddingUnavailable, *LAYER_ERRORS)  # the cache raises these, too


def outcomes(names: Iterable[str]) -> dict[str, str]:
    """Return the result of each of these checks: "ok" or the problem.

    Trying to reach an unavailable database takes up to 15 seconds, so only one check tries.
    """
    found, away = {}, ""
    for name in names:
        if away and name in OF_DATABASE:
            found[name] = away
            continue
        try:
            found[name] = CHECKS[name]()
        except AWAY as error:
            found[name] = type(error).__name__
            away = found[name] if isinstance(error, (InterfaceError, OperationalError)) else away
    return found


def parked_announcements() -> int | None:
    """Return how many announcements are waiting for an operator, or None if the database is unavailable."""
    try:
        return parked().count()
    except AnyDatabaseError:
        return None


def _outcome(check: Callable[[], str]) -> str:
    try:
        return check()
    except AWAY as error:
        return type(error).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('transaction_read_only'),"
            " coalesce(has_table_privilege(to_regclass('chat_message'), 'INSERT'), true)"  # there is no table at first
        )
        read_only, may_write = cursor.fetchone()
    return "read-only" if read_only == "on" else "ok" if may_write else "lacks privileges"


def _writes() -> str:
    """Check whether this process's last writes were stored.

    A web process stays ready even if the database's disk is full, because stored conversations and help pages can still
    be read.
    """
    return "refused" if trouble.refuses_writes else "ok"


def _vector_extension() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")
        return "ok" if cursor.fetchone() else "missing"


def _migrations() -> str:
    """Check that all migrations have been applied. A newer schema is fine, because processes of the previous version
    continue during an upgrade.
    """
    applied = MigrationRecorder(connection).applied_migrations().keys()
    return "ok" if _migrations_of_this_version() <= applied else "behind"


def wait_for_migrations() -> None:
    """Return once all migrations have been applied, because tasks would fail on an older schema.

    Until then, log every minute what is missing: migrations, the privileges on the tables (which are granted after
    them), or the database.
    """
    while (found := _migrations_or_trouble()) != "ok":
        if found == "behind":
            trouble.found(LACKS_MIGRATIONS)
        connection.close()  # each attempt needs the current privileges and server
        main_loop.tick()
        time.sleep(SCHEMA_PAUSE_SECONDS)
    trouble.has_read()
    connection.close()


def report_missing_migrations() -> None:
    """Log once that migrations are missing.

    A web process starts anyway, and nothing else would say why it is not ready.
    """
    try:
        if _migrations() == "behind":
            logger.error("the database: %s", LACKS_MIGRATIONS)
    except AnyDatabaseError as error:
        trouble.happened(error)


def _migrations_or_trouble() -> str:
    try:
        return _migrations()
    except AnyDatabaseError as error:
        trouble.happened(error)
        return type(error).__name__


@kept
def _migrations_of_this_version() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _layer() -> str:
    layer = get_channel_layer()
    assert layer is not None  # the settings always configure one
    async_to_sync(_knock)(layer)
    return "ok"


async def _knock(layer: BaseChannelLayer) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await layer.send("readyz", {"type": "probe"})


def _broker() -> str:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return "ok"


def _worker() -> str:
    seen = cache.get(HEARTBEAT_KEY)
    # A heartbeat from the future dates from before the clock was set back, and proves nothing.
    return "ok" if seen and abs(time.time() - seen) < HEARTBEAT_MAX_AGE_SECONDS else "no heartbeat"


def _recipe() -> str:
    """Check that an embedder makes vectors that fit the stored ones. Without a recipe, no vectors are stored yet."""
    active = Recipe.objects.filter(is_active=True).first()
    return "ok" if active is None or has_embedder(active) else "kb_reindex is due"


def _runner() -> str:
    from supportbot.assistant.runner import runner  # only web processes have one, and it is slow to load

    return "stopped" if runner.has_died else "ok"


def _loop() -> str:
    """Check the main loop.

    A loop that has stopped is either waiting for the broker or stuck for good; a restart fixes only the latter.
    """
    if not main_loop.stands_still():
        return "ok"
    return "stuck" if _outcome(_broker) == "ok" else "ok"


OF_DATABASE: Final = frozenset({"database", "vector", "migrations", "recipe"})
CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "writes": _writes,
    "vector": _vector_extension,
    "migrations": _migrations,
    "layer": _layer,
    "broker": _broker,
    "worker": _worker,
    "recipe": _recipe,
    "runner": _runner,
    "loop": _loop,
}
