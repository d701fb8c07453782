"""The lines and events of the log.

A line is either text for people or one JSON object (LOG_FORMAT=json). It names the request, task or answer that it
belongs to; database threads inherit these ids with the rest of the context. Events have names from a closed list, and
fields that cannot contain text written by people.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from supportbot.observing.tracing import trace_id

Value = str | int | float | bool | UUID | None
LONGEST: Final = 80  # the maximum length of a field, which is an id, a code, or the name of a model or route
_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039  # replaced, never changed
_logger: Final = logging.getLogger("supportbot.events")
_silencing: Final[list[None]] = []  # one for each running command
_counting: Final = threading.Lock()


def about() -> dict[str, str]:
    """Return the ids of the current work by name, such as `request`, `task`, `turn` and, if one is recorded,
    `trace`.
    """
    trace = trace_id()
    return _about.get() if trace is None else {**_about.get(), "trace": trace}


@contextmanager
def concerning(**ids: object) -> Iterator[None]:
    """Add these ids to every line that is logged within this block."""
    token = _about.set({**_about.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _about.reset(token)


def concern(**ids: object) -> None:
    """Add these ids, and no others, to all later lines of this thread or coroutine."""
    _about.set({name: str(value) for name, value in ids.items()})


class PlainFormatter(logging.Formatter):
    """Formats a line as time, level, logger and message, followed by `name=value` for each id and field."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        known = {**about(), **getattr(record, "fields", {})}
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in known.items())])


class JsonFormatter(logging.Formatter):
    """Formats a line as one JSON object, which includes an error's traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **about(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class RefusalsInOneLine(logging.Filter):
    """Logs a refused request without a traceback, because only a failure (500) needs one."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
        return True


class Event(StrEnum):
    MESSAGE = "message"  # a customer's message was stored, and its turn is waiting
    ANSWER = "answer"  # an answer has ended, whatever the outcome
    MODEL_CALL = "model_call"  # a call to a model has ended
    RETENTION = "retention"  # a run of retention has ended in a workspace


def log_event(event: Event, **fields: Value) -> None:
    """Write one line. Seconds are rounded to milliseconds. Strings are truncated, and their spaces are replaced."""
    shown = {name: _shown(value) for name, value in fields.items() if value is not None}
    _logger.info(event.value, extra={"event": event.value, "fields": shown})


@contextmanager
def events_suppressed() -> Iterator[None]:
    """Suppress events, for commands whose output people read.

    Blocks may be nested; suppression ends with the outermost one.
    """
    with _counting:
        _silencing.append(None)
        _logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        with _counting:
            _silencing.pop()
            if not _silencing:
                _logger.setLevel(logging.NOTSET)


def _shown(value: Value) -> str | int | float | bool:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3)
    return "_".join(str(value).split())[:LONGEST]
