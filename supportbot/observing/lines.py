"""A log line: its format, text for people or one JSON object (LOG_FORMAT=json), and the request, task or answer that it
belongs to. Database threads inherit that with the rest of the context.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from supportbot.observing.tracing import trace_id

_about: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039  # replaced, never changed


def about() -> dict[str, str]:
    """Return the ids of the current work, by name: `request`, `task`, `turn`, `trace` if one is recorded, ..."""
    trace = trace_id()
    return _about.get() if trace is None else {**_about.get(), "trace": trace}


@contextmanager
def concerning(**ids: object) -> Iterator[None]:
    """Add these ids to every line logged in this block."""
    token = _about.set({**_about.get(), **{name: str(value) for name, value in ids.items()}})
    try:
        yield
    finally:
        _about.reset(token)


def concern(**ids: object) -> None:
    """Set exactly these ids for every later line of this thread or coroutine."""
    _about.set({name: str(value) for name, value in ids.items()})


class PlainFormatter(logging.Formatter):
    """Time, level, logger and message, then `name=value` for the ids and fields."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        known = {**about(), **getattr(record, "fields", {})}
        return " ".join([super().formatMessage(record), *(f"{name}={value}" for name, value in known.items())])


class JsonFormatter(logging.Formatter):
    """One JSON object per line, including an error's traceback."""

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
