"""Log events: names from a closed list, with fields that cannot contain text written by people."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final
from uuid import UUID

Value = str | int | float | bool | UUID | None
LONGEST: Final = 80  # characters of a field: ids, names of models and routes, codes


class Event(StrEnum):
    ANSWER = "answer"  # an answer has ended, whatever the outcome
    MODEL_CALL = "model_call"  # a call to a model has ended


_logger: Final = logging.getLogger("supportbot.events")
_silencing: Final[list[None]] = []  # one for each command that runs
_counting: Final = threading.Lock()


def tell(event: Event, **fields: Value) -> None:
    """Write one line. Seconds are rounded to milliseconds; texts are truncated and have no spaces."""
    shown = {name: _shown(value) for name, value in fields.items() if value is not None}
    _logger.info(event.value, extra={"event": event.value, "fields": shown})


@contextmanager
def untold() -> Iterator[None]:
    """Suppress events, for commands whose output a person reads. May be nested; the outermost one ends it."""
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
