"""The format of a log line: text for people, or one JSON object (LOG_FORMAT=json)."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from supportbot.observing.context import about


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
