"""An outage of Redis, Valkey or the broker is one line of the log, whoever keeps trying."""

import errno
import io
import logging
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from celery import current_app
from celery.beat import PersistentScheduler, SchedulingError
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer import Consumer
from kombu import Connection
from kombu.exceptions import OperationalError

from supportbot.beat_scheduler import TickingScheduler
from supportbot.celery import TICK_SECONDS, Ticks
from supportbot.chat import channel_layer
from supportbot.observing import server_trouble
from supportbot.observing.broker_outages import BrokerOutagesInOneLine, broker_trouble, layer_trouble
from supportbot.observing.server_trouble import NOT_RESPONDING

REFUSED = redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379. Connection refused.")
OF_LAYER = "Valkey or Redis: it is not responding (Error 111 connecting to 10.0.0.5:6379. Connection refused); retrying"
OF_BROKER = OF_LAYER.replace("Valkey or Redis", "the broker")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(server_trouble.time, "monotonic", lambda: at[0])
    return at


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler of the settings prints."""
    printed = io.StringIO()
    [handler] = [one for one in logging.getLogger().handlers if one.name == "console"]
    monkeypatch.setattr(handler, "stream", printed)
    return printed


def passes(logger: str, error: BaseException) -> bool:
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, "failed", None, (type(error), error, None))
    return BrokerOutagesInOneLine().filter(record)


def chained(*errors: BaseException) -> BaseException:
    """Return the last of these errors, each raised while the one before it was handled, as Celery and redis-py do."""
    for first, then in pairwise(errors):
        then.__context__ = first
    return errors[-1]


def of_beat(cause: BaseException = REFUSED) -> BaseException:
    """What beat logs at each tick."""
    return chained(cause, SchedulingError("Couldn't apply scheduled task send-mail"))


def test_an_outage_is_logged_once_and_again_after_ten_minutes(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    assert [passes("channels_redis.pubsub", REFUSED) for _ in range(2)] == [False, False]
    assert caplog.messages == [OF_LAYER]
    clock[0] += 601
    assert not passes("channels_redis.pubsub", REFUSED)
    assert caplog.messages == [OF_LAYER, OF_LAYER]


def test_the_broker_may_be_another_server(caplog: pytest.LogCaptureFixture) -> None:
    assert not passes("channels_redis.pubsub", REFUSED)
    assert not passes("celery.beat", of_beat())
    refused = chained(ConnectionRefusedError(111, "Connection refused"), OperationalError("[Errno 111] refused"))
    assert not passes("celery.beat", of_beat(refused))
    assert caplog.messages == [OF_LAYER, OF_BROKER]


def test_the_end_of_an_outage_is_logged_once_it_has_settled(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    layer_trouble.has_responded()
    assert not passes("channels_redis.pubsub", REFUSED)
    layer_trouble.has_responded()  # another attempt may have failed a moment ago
    clock[0] += 6
    layer_trouble.has_responded()
    layer_trouble.has_responded()
    assert caplog.messages[1:] == ["Valkey or Redis responds again"]
    assert not passes("channels_redis.pubsub", REFUSED)
    assert len(caplog.messages) == 3


def test_other_errors_keep_their_traceback(caplog: pytest.LogCaptureFixture) -> None:
    assert passes("channels_redis.pubsub", KeyError("channel"))
    assert passes("celery.beat", redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'"))
    assert passes("supportbot.outbox", REFUSED)  # only those that repeat themselves
    assert caplog.messages == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        chained(OSError(errno.EMFILE, "Too many open files"), redis.ConnectionError("Error 24. Too many open files.")),
        of_beat(chained(OSError(errno.ENFILE, "Too many open files"), OperationalError("[Errno 23] Too many"))),
    ],
    ids=["plain", "of redis-py", "of kombu"],
)
def test_a_lack_of_file_descriptors_is_not_the_fault_of_the_server(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    assert passes("channels_redis.pubsub", error)
    assert passes("celery.beat", error)
    assert caplog.messages == []


def test_the_handler_of_the_settings_prints_the_one_line(console: io.StringIO) -> None:
    for _ in range(2):
        logging.getLogger("channels_redis.pubsub").error("Unexpected exception", exc_info=REFUSED)
        logging.getLogger("celery.beat").error("Message Error: %s", "failed", exc_info=of_beat())
    lines = console.getvalue().splitlines()
    assert [line.partition("broker_outages ")[2] for line in lines] == [OF_LAYER, OF_BROKER]


@pytest.mark.parametrize("call", [channel_layer.send, channel_layer.join])
def test_the_channel_layer_ends_its_outage(call: Any, clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    layer_trouble.found(NOT_RESPONDING)
    clock[0] += 6
    async_to_sync(call)("a-group", {"type": "any"} if call is channel_layer.send else "a-channel")
    assert caplog.messages[1:] == ["Valkey or Redis responds again"]


def test_a_worker_that_tries_to_connect_again_and_again_logs_one_line(
    console: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="celery")  # as `work` runs it
    connection = Connection("redis://:secret@127.0.0.1:1")

    def ensure_connection(told: Any, *_: Any, **__: Any) -> Any:
        for seconds in (2.0, 4.0):
            told(OperationalError("Error 111 connecting to 10.0.0.5:6379. Connection refused."), seconds)
        return connection

    connection.ensure_connection = ensure_connection
    worker: Any = SimpleNamespace(
        app=current_app, connection=None, conninfo=connection, first_connection_attempt=False,
        broker_connection_retry_attempt=0, initial_prefetch_count=1, max_prefetch_count=1, prefetch_multiplier=1,
        qos_global=False,
    )  # fmt: skip
    with pytest.warns(CPendingDeprecationWarning):  # Celery's own, which a worker does not show
        Consumer.on_connection_error_after_connected(worker, redis.ConnectionError("Connection closed by server."))
    Consumer.ensure_connected(worker, connection)
    Consumer.on_connection_error_before_connected(worker, REFUSED)
    [line] = console.getvalue().splitlines()
    assert line.endswith("the broker: it is not responding (Connection closed by server); retrying")


def test_a_worker_that_a_broker_with_a_full_disk_ends_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    misconf = "MISCONF Errors writing to the AOF file: No space left on device"
    full = redis.ResponseError(f"Command # 1 (BRPOP mail 1) of pipeline caused error: {misconf}")
    assert not passes("celery.worker", chained(redis.exceptions.ExecAbortError("Transaction discarded"), full))
    assert passes("celery.worker", redis.ResponseError("WRONGTYPE Operation against a key"))
    assert [line.partition("(")[2] for line in caplog.messages] == [f"{full}); retrying"]


def test_the_loop_of_a_connected_worker_ends_the_outage(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Any] = []
    timer = SimpleNamespace(call_repeatedly=lambda seconds, call: calls.append((seconds, call)))
    Ticks(None).start(SimpleNamespace(timer=timer))
    [(seconds, tick)] = calls
    assert seconds == TICK_SECONDS
    broker_trouble.found(NOT_RESPONDING)
    tick()  # another attempt may have failed a moment ago
    clock[0] += 6
    tick()
    assert caplog.messages[1:] == ["the broker responds again"]


def test_a_published_task_ends_the_outage_of_the_broker(
    clock: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(PersistentScheduler, "apply_async", lambda self, entry, **_: f"sent {entry}")
    scheduler = TickingScheduler(app=current_app, schedule_filename=str(tmp_path / "schedule"), lazy=True)
    broker_trouble.found(NOT_RESPONDING)
    clock[0] += 6
    assert scheduler.apply_async("mail") == "sent mail"
    assert caplog.messages[1:] == ["the broker responds again"]
