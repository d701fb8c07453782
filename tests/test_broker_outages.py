"""An outage of Redis or Valkey is one line of the log, whoever keeps trying."""

import logging

import pytest
import redis
from celery.beat import SchedulingError

from supportbot.observing import broker_outages
from supportbot.observing.broker_outages import BrokerOutage, BrokerOutagesInOneLine

REFUSED = redis.ConnectionError("Error 111 connecting to 10.0.0.5:6379. Connection refused.")


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> BrokerOutage:
    made = BrokerOutage()
    monkeypatch.setattr(broker_outages, "broker_outage", made)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(broker_outages.time, "monotonic", lambda: at[0])
    return at


def passes(logger: str, error: BaseException) -> bool:
    record = logging.LogRecord(logger, logging.ERROR, __file__, 1, "failed", None, (type(error), error, None))
    return BrokerOutagesInOneLine().filter(record)


def of_beat() -> SchedulingError:
    """What beat logs at each tick: Celery raises it while it handles the broker's error."""
    try:
        try:
            raise REFUSED
        except redis.ConnectionError:
            raise SchedulingError("Couldn't apply scheduled task send-mail")  # noqa: B904  # as Celery does
    except SchedulingError as error:
        return error


def test_an_outage_is_logged_once_and_again_after_ten_minutes(
    outage: BrokerOutage, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    assert [passes("channels_redis.pubsub", REFUSED), passes("celery.beat", of_beat())] == [False, False]
    said = "Redis or Valkey: it is not responding (Error 111 connecting to 10.0.0.5:6379. Connection refused); retrying"
    assert caplog.messages == [said]
    clock[0] += 601
    assert not passes("celery.beat", of_beat())
    assert caplog.messages == [said, said]


def test_the_end_of_an_outage_is_logged_once_it_has_settled(
    outage: BrokerOutage, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    outage.has_responded()
    assert not passes("channels_redis.pubsub", REFUSED)
    outage.has_responded()  # another attempt may have failed a moment ago
    clock[0] += 6
    outage.has_responded()
    outage.has_responded()
    assert caplog.messages[1:] == ["Redis or Valkey responds again"]
    assert not passes("channels_redis.pubsub", REFUSED)
    assert len(caplog.messages) == 3


def test_other_errors_keep_their_traceback(outage: BrokerOutage, caplog: pytest.LogCaptureFixture) -> None:
    assert passes("channels_redis.pubsub", KeyError("channel"))
    assert passes("celery.beat", redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'"))
    assert passes("supportbot.outbox", REFUSED)  # only those that repeat themselves
    assert caplog.messages == []
