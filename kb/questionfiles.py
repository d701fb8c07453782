"""Files of questions, to measure search and to fit its confidence: one JSON object a line, plain or gzipped."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from kb.errors import InvalidDocument

_TEXTS = ("question", "text", "scenario")


def rows_of(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return every object of a file behind its place, such as "asked.jsonl, line 3".

    Raises InvalidDocument, with the place and the cause, also of a file without a line.
    """
    reader = gzip.open if path.suffix == ".gz" else open
    try:
        with reader(path, "rt", encoding="utf-8-sig") as lines:
            rows = [_row(line, f"{path.name}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"{path.name} is not UTF-8 text. Save it as UTF-8.") from error
    except (EOFError, zlib.error) as error:
        raise InvalidDocument(f"{path.name} is damaged or cut off. Copy it again.") from error
    except OSError as error:
        raise InvalidDocument(f"{path} cannot be read: {error.strerror or error}.") from error
    if not rows:
        raise InvalidDocument(f"{path.name} holds no questions: one JSON object a line is expected.")
    return rows


def text_of(row: dict[str, Any], where: str) -> str:
    """Return what is asked, whatever the file calls it; raises InvalidDocument for nothing."""
    for name in _TEXTS:
        if isinstance(row.get(name), str) and row[name].strip():
            return str(row[name])
    raise InvalidDocument(f"{where} has no question. Give it a text under `question`.")


def locale_of(row: dict[str, Any]) -> str | None:
    locale = row.get("locale")
    return locale if isinstance(locale, str) else None


def _row(line: str, where: str) -> tuple[str, dict[str, Any]]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # the second: thousands of brackets
        reason = f" ({error.msg}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidDocument(f"{where} is not JSON{reason}. Write one JSON object a line.") from error
    if not isinstance(row, dict):
        raise InvalidDocument(f"{where} is not a JSON object.")
    return where, row
