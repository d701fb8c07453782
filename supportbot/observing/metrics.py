"""The metrics that each process counts itself. `health/gauges.py` counts in the database when Prometheus scrapes.

Several web processes on one port write their counts to files in PROMETHEUS_MULTIPROC_DIR, and each of them reports the
sum.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from supportbot.observing.counter_files import use_allocated_files

use_allocated_files()
_FAST: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)

TURNS = Counter("supportbot_turns_total", "Answers that ended, by outcome and author", ["outcome", "by"])
TURN_SECONDS = Histogram("supportbot_turn_seconds", "Duration of an answer by phase", ["phase"], buckets=_SLOW)
LOOP_LAG = Gauge(
    "supportbot_loop_lag_seconds", "Delay with which the event loop runs timers", multiprocess_mode="livemax"
)
LEASES_LOST = Counter("supportbot_turn_leases_lost_total", "Answers taken over because their process went silent")
SOCKETS = Gauge("supportbot_sockets_open", "Open sockets", ["kind"], multiprocess_mode="livesum")
SOCKET_CLOSES = Counter("supportbot_socket_closes_total", "Closed sockets by close code", ["kind", "code"])
HTTP_SECONDS = Histogram(
    "supportbot_http_request_seconds", "Duration of a request by route", ["route", "method", "code"], buckets=_FAST
)
MODEL_CALLS = Counter(
    "supportbot_model_calls_total", "Calls to models by outcome", ["purpose", "provider", "outcome", "reason"]
)
MODEL_SECONDS = Histogram("supportbot_model_call_seconds", "Duration of a call to a model", ["purpose"], buckets=_SLOW)
MODEL_TOKENS = Counter("supportbot_model_tokens_total", "Tokens that models read and wrote", ["direction"])
MODEL_COST = Counter("supportbot_model_cost_total", "Cost of calls to models with a price", ["currency"])
BREAKERS_OPEN = Gauge(
    "supportbot_breakers_open", "Models with an open circuit breaker", ["kind"], multiprocess_mode="livesum"
)
BREAKER_HITS = Counter("supportbot_breaker_hits_total", "Calls that met an open circuit breaker", ["kind"])
DATABASE_WAIT = Histogram(
    "supportbot_db_pool_wait_seconds", "Wait for a database thread, and for a connection", ["wait"], buckets=_FAST
)
WRITES_REFUSED = Gauge(
    "supportbot_writes_refused", "Whether the database is read-only or has no space", multiprocess_mode="livemax"
)
TASKS = Counter("supportbot_tasks_total", "Background tasks that ended, by state", ["task", "state"])
BUILD = Gauge("supportbot_build_info", "The running version", ["version"], multiprocess_mode="livemax")
