"""Series about waiting work. They are counted in the database when Prometheus scrapes, but no more often than every few
seconds.

A scrape must not wait for a database that is unavailable or slow, because the counters and `up` would then be lost too.
A thread therefore reads the series, and a scrape waits a few seconds for it; the server ends each statement before
that. A series that takes too long is left out and counted in `supportbot_gauges_late`. If all of them are missing,
`supportbot_gauges_up` is 0.
"""

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import redis
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection, transaction
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from supportbot.observing.database_errors import outage, trouble

logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 5.0
# By default, Prometheus gives up after ten seconds, and reading the queues' lengths may take two.
PATIENCE_SECONDS: Final = 3.0
STATEMENT_SECONDS: Final = 0.8  # short, so slow statements leave time for the others
QUEUE_PATIENCE_SECONDS: Final = 1.0

# One row for each workspace with limits; its columns are null until the first run.
_NEWEST_RUNS: Final = (
    "SELECT r.* FROM accounts_workspace w LEFT JOIN LATERAL (SELECT * FROM chat_retentionrun"
    " WHERE workspace_id = w.id ORDER BY ended_at DESC LIMIT 1) r ON true"
    " WHERE w.keep_conversations_days IS NOT NULL OR w.keep_bodies_days IS NOT NULL"
)
# Name, help, label, and a query of rows (label, value) across all workspaces. Tables that grow have an index for their
# query.
QUERIES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("turns_pending", "Answers waiting for a process", "",
     "SELECT '', count(*) FROM chat_turn WHERE state = 'pending'"),
    ("turn_oldest_seconds", "Age of the answer that has waited longest", "",
     "SELECT '', extract(epoch FROM now() - min(created_at)) FROM chat_turn WHERE state = 'pending'"),
    ("tickets_waiting", "Conversations waiting for a person", "",
     "SELECT '', count(*) FROM handoff_ticket WHERE state = 'waiting'"),
    ("ticket_oldest_seconds", "Age of the ticket that has waited longest", "",
     "SELECT '', extract(epoch FROM now() - min(waiting_since)) FROM handoff_ticket WHERE state = 'waiting'"),
    ("outbox_due_seconds", "Age of the oldest undelivered announcement", "",
     "SELECT '', extract(epoch FROM now() - min(created_at)) FROM outbox_announcement"
     " WHERE delivered_at IS NULL AND parked_at IS NULL"),
    ("outbox_parked", "Announcements that failed too often", "",
     "SELECT '', count(*) FROM outbox_announcement WHERE parked_at IS NOT NULL AND delivered_at IS NULL"),
    ("index_behind", "Live articles whose passages are not all embedded", "",
     "SELECT '', count(*) FROM kb_article a JOIN kb_revision r ON r.id = a.live_revision_id"
     " WHERE a.state = 'live' AND a.indexed_revision IS DISTINCT FROM r.number"),
    ("mail_due", "E-mails that should have been sent", "",
     "SELECT '', count(*) FROM handoff_outgoingmail WHERE sent_at IS NULL AND due_at <= now()"),
    # Open requests count until they are settled, because an old unknown outcome may have moved money, too.
    ("actions", "Action requests by state: open ones, and those of the last day", "state",
     "SELECT state, count(*) FROM ("
     "SELECT state FROM actions_actionrequest WHERE state IN ('queued', 'executing', 'unknown')"
     " UNION ALL SELECT state FROM actions_actionrequest WHERE state IN ('awaiting_confirmation', 'awaiting_approval')"
     " UNION ALL SELECT state FROM actions_actionrequest WHERE created_at > now() - interval '1 day' AND state NOT IN"
     " ('queued', 'executing', 'unknown', 'awaiting_confirmation', 'awaiting_approval')) AS r GROUP BY state"),
    ("budget_ratio", "Largest share of a workspace's daily budget that is spent or reserved", "",
     "SELECT '', max((spent + reserved) / nullif(amount, 0)) FROM llm_budget"
     " WHERE day = (now() AT TIME ZONE 'UTC')::date AND purpose = ''"),
    ("purpose_budget_ratio", "Largest share of a workspace's daily budget for one purpose", "purpose",
     "SELECT purpose, max((spent + reserved) / nullif(amount, 0)) FROM llm_budget"
     " WHERE day = (now() AT TIME ZONE 'UTC')::date AND purpose <> '' GROUP BY purpose"),
    ("cost_today", "Cost of models since midnight UTC", "currency",
     "SELECT currency, sum(cost) FROM llm_llmcall WHERE currency <> ''"
     " AND started_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' GROUP BY currency"),
    ("retention_left", "Conversations, bodies and visitors for which the newest run of retention had no time", "",
     f"SELECT '', sum(remaining) FROM ({_NEWEST_RUNS}) AS r"),
    ("retention_failed", "Workspaces whose newest run of retention failed", "",
     f"SELECT '', count(*) FROM ({_NEWEST_RUNS}) AS r WHERE has_failed"),
    ("retention_missing", "Workspaces that have limits, but no run of retention yet", "",
     f"SELECT '', count(*) FROM ({_NEWEST_RUNS}) AS r WHERE ended_at IS NULL"),
    ("retention_oldest_seconds", "Longest time since retention ran in a workspace that has limits", "",
     f"SELECT '', extract(epoch FROM now() - min(ended_at)) FROM ({_NEWEST_RUNS}) AS r"),
)  # fmt: skip
# A missing row means that nothing is waiting; the maximum of no rows is None.
ZERO_WHEN_EMPTY: Final = 0.0


class Gauges(Collector):
    """The series, at most a few seconds old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_at = 0.0
        self._metrics: list[Metric] = []
        self._reading: _GaugeReader | None = None

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if not self._counted_at or time.monotonic() - self._counted_at > KEPT_SECONDS:
                self._metrics = [*self._from_database(), *_queue_lengths()]
                self._counted_at = time.monotonic()
            return self._metrics

    def _from_database(self) -> list[Metric]:
        # Do not start another reading while one is waiting for the database, because each occupies a thread and a
        # connection.
        if self._reading is None or not self._reading.is_alive():
            self._reading = _GaugeReader()
            self._reading.start()
        self._reading.join(PATIENCE_SECONDS)
        late, found = (len(QUERIES), []) if self._reading.is_alive() else (self._reading.late, self._reading.found)
        if self._reading.is_alive():
            trouble.found("it does not respond in time, so the series about waiting work are missing")
        up = GaugeMetricFamily("supportbot_gauges_up", "1 if the database returned series about waiting work")
        up.add_metric([], float(bool(found)))
        missing = GaugeMetricFamily("supportbot_gauges_late", "Series that the database did not return in time")
        missing.add_metric([], float(late))
        return [up, missing, *found]


class _GaugeReader(threading.Thread):
    """Reads all series once, over its own connection."""

    def __init__(self) -> None:
        super().__init__(name="gauges", daemon=True)
        self.found: list[Metric] = []
        self.late = 0

    def run(self) -> None:
        try:
            self.found = _counted(until=time.monotonic() + PATIENCE_SECONDS)
        except AnyDatabaseError as error:
            if not trouble.explains(error):
                logger.warning("the series about waiting work could not be read: %s", type(error).__name__)
        finally:
            self.late = len(QUERIES) - len(self.found)
            with suppress(AnyDatabaseError):
                connection.close()  # this thread is about to end


def _counted(*, until: float) -> list[Metric]:
    """Return the series that the database returns in time. Raises the database's error if it is unavailable."""
    found = []
    with transaction.atomic():
        for name, words, label, query in QUERIES:
            seconds = min(STATEMENT_SECONDS, until - time.monotonic())
            if seconds <= 0:
                break
            try:
                found.append(_metric(name, words, label, _rows(query, seconds)))
            except AnyDatabaseError as error:
                if outage(error) or not connection.is_usable():
                    raise
                logger.warning("the series %s is missing: %s", name, type(error).__name__)
    return found


def _rows(query: str, seconds: float) -> list[tuple[str, float]]:
    """Return a query's rows.

    If it fails, only a savepoint is rolled back, not the transaction that it shares with the other queries.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, int(seconds * 1000)))])
        cursor.execute(query)
        return [(str(key), float(value or ZERO_WHEN_EMPTY)) for key, value in cursor]


def _metric(name: str, words: str, label: str, rows: list[tuple[str, float]]) -> Metric:
    metric = GaugeMetricFamily(f"supportbot_{name}", words, labels=[label] if label else [])
    for key, value in rows:
        metric.add_metric([key] if label else [], value)
    return metric


def _queue_lengths() -> list[Metric]:
    """Return the number of waiting tasks in each queue, or [] if the broker is down or is not Redis."""
    if not settings.CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
        return []
    metric = GaugeMetricFamily("supportbot_celery_queue_length", "Tasks waiting for a worker", labels=["queue"])
    queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} | {settings.CELERY_TASK_DEFAULT_QUEUE}
    patience = QUEUE_PATIENCE_SECONDS
    try:
        with redis.Redis.from_url(
            settings.CELERY_BROKER_URL, socket_timeout=patience, socket_connect_timeout=patience
        ) as broker:
            for queue in sorted(queues):
                metric.add_metric([queue], float(str(broker.llen(queue))))
    except (redis.RedisError, OSError, ValueError) as error:
        logger.warning("the queue lengths are missing: %s", type(error).__name__)
        return []
    return [metric]


gauges: Final = Gauges()
