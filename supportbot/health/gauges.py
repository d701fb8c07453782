"""Series about waiting work, counted in the database when Prometheus scrapes, at most every few seconds. The server
ends a statement after two seconds, so scrapes never slow down a loaded database. While the database is unavailable, the
series are missing and `supportbot_gauges_up` is 0.
"""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Final

import redis
from django.conf import settings
from django.db import Error as AnyDatabaseError
from django.db import connection, transaction
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from supportbot.observing.database_errors import trouble

logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 5.0
PATIENCE_MS: Final = 2_000
QUEUE_PATIENCE_SECONDS: Final = 1.0

# Name, help, label, and a query of rows (label, value) across all workspaces. Each has its own index.
QUERIES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("turns_pending", "Answers that wait for a process", "",
     "SELECT '', count(*) FROM chat_turn WHERE state = 'pending'"),
    ("turn_oldest_seconds", "Age of the answer that waits longest", "",
     "SELECT '', extract(epoch FROM now() - min(created_at)) FROM chat_turn WHERE state = 'pending'"),
    ("tickets_waiting", "Conversations that wait for a person", "",
     "SELECT '', count(*) FROM handoff_ticket WHERE state = 'waiting'"),
    ("ticket_oldest_seconds", "Age of the ticket that waits longest", "",
     "SELECT '', extract(epoch FROM now() - min(waiting_since)) FROM handoff_ticket WHERE state = 'waiting'"),
    ("outbox_due_seconds", "Age of the oldest announcement that is not delivered", "",
     "SELECT '', extract(epoch FROM now() - min(created_at)) FROM outbox_announcement"
     " WHERE delivered_at IS NULL AND parked_at IS NULL"),
    ("outbox_parked", "Announcements that failed too often", "",
     "SELECT '', count(*) FROM outbox_announcement WHERE parked_at IS NOT NULL AND delivered_at IS NULL"),
    ("index_behind", "Live articles whose passages are not all embedded", "",
     "SELECT '', count(*) FROM kb_article a JOIN kb_revision r ON r.id = a.live_revision_id"
     " WHERE a.state = 'live' AND a.indexed_revision IS DISTINCT FROM r.number"),
    ("mail_due", "Mails that should have been sent", "",
     "SELECT '', count(*) FROM handoff_outgoingmail WHERE sent_at IS NULL AND due_at <= now()"),
    ("actions", "Requests for actions by state, of the last day", "state",
     "SELECT state, count(*) FROM actions_actionrequest WHERE created_at > now() - interval '1 day' GROUP BY state"),
    ("budget_ratio", "Largest share of a workspace's daily budget that is spent or reserved", "",
     "SELECT '', max((spent + reserved) / nullif(amount, 0)) FROM llm_budget"
     " WHERE day = (now() AT TIME ZONE 'UTC')::date AND purpose = ''"),
    ("cost_today", "Cost of models since midnight UTC", "currency",
     "SELECT currency, sum(cost) FROM llm_llmcall WHERE currency <> ''"
     " AND started_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' GROUP BY currency"),
)  # fmt: skip
# A missing row means that nothing waits; the maximum of no rows is None.
ZERO_WHEN_EMPTY: Final = 0.0


class Gauges(Collector):
    """The series, at most a few seconds old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_at = 0.0
        self._metrics: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if not self._counted_at or time.monotonic() - self._counted_at > KEPT_SECONDS:
                self._metrics = [*_from_database(), *_queue_lengths()]
                self._counted_at = time.monotonic()
            return self._metrics


def _from_database() -> list[Metric]:
    up = GaugeMetricFamily("supportbot_gauges_up", "1 if the database could be asked what waits")
    try:
        metrics = [_metric(*query) for query in _counted()]
    except AnyDatabaseError as error:
        if not trouble.explains(error):
            logger.warning("the series about what waits are missing: %s", type(error).__name__)
        metrics = []
    up.add_metric([], float(bool(metrics)))
    return [up, *metrics]


def _counted() -> list[tuple[str, str, str, list[tuple[str, float]]]]:
    """Return the name, help, label and rows of each query, read in one transaction with a time limit."""
    found = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE_MS)])
        for name, words, label, query in QUERIES:
            cursor.execute(query)
            found.append((name, words, label, [(str(key), float(value or ZERO_WHEN_EMPTY)) for key, value in cursor]))
    return found


def _metric(name: str, words: str, label: str, rows: list[tuple[str, float]]) -> Metric:
    metric = GaugeMetricFamily(f"supportbot_{name}", words, labels=[label] if label else [])
    for key, value in rows:
        metric.add_metric([key] if label else [], value)
    return metric


def _queue_lengths() -> list[Metric]:
    """Return the number of waiting tasks in each queue; [] if the broker is not a Redis or is down."""
    if not settings.CELERY_BROKER_URL.startswith(("redis://", "rediss://")):
        return []
    metric = GaugeMetricFamily("supportbot_celery_queue_length", "Tasks that wait for a worker", labels=["queue"])
    queues = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()} | {settings.CELERY_TASK_DEFAULT_QUEUE}
    patience = QUEUE_PATIENCE_SECONDS
    try:
        with redis.Redis.from_url(
            settings.CELERY_BROKER_URL, socket_timeout=patience, socket_connect_timeout=patience
        ) as broker:
            for queue in sorted(queues):
                metric.add_metric([queue], float(str(broker.llen(queue))))
    except (redis.RedisError, OSError, ValueError) as error:
        logger.warning("the lengths of queues are missing: %s", type(error).__name__)
        return []
    return [metric]


gauges: Final = Gauges()
