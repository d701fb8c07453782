"""What an operator reads: the lines of the log, and the series that a process counts."""

import json
import logging
from typing import Any, Final

import pytest
from prometheus_client import REGISTRY

from supportbot.observing.logs import JsonFormatter


class LogLines:
    """The lines since the beginning of a test, as a program reads them."""

    def __init__(self) -> None:
        self.written: Final = list[str]()

    def of(self, message: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.written) if line["message"] == message]


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> LogLines:
    """Each line is formatted when it is logged, in its own thread, since its ids depend on the context."""
    lines, formatter = LogLines(), JsonFormatter()
    # All tests share one handler.
    monkeypatch.setattr(caplog.handler, "emit", lambda record: lines.written.append(formatter.format(record)))
    caplog.set_level(logging.INFO)
    return lines


def counted(name: str, **labels: str) -> float:
    """Return the value of a series, 0 before its first event."""
    return REGISTRY.get_sample_value(f"supportbot_{name}", labels) or 0.0
