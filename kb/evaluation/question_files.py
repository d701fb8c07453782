"""Files of questions, to measure search and to fit its confidence: one JSON object a line, plain or gzipped."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from kb.errors import InvalidDocument
from kb.ports import Said

_TEXTS = ("question", "text", "scenario")
_CUSTOMERS = frozenset({"user", "customer"})


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


def conversation_of(row: dict[str, Any], where: str) -> list[Said]:
    """Return what was said, the question last. Raises InvalidDocument where there is none, or a message is not one.

    A row holds the question and, under `history`, what was said before it; or `messages`, whose last one is the
    question. A message is {"role" or "speaker": ..., "content" or "text": ...}; `user` and `customer` are customers.
    """
    if row.get("messages") is None:
        return [*_said(row.get("history") or [], where), Said(text_of(row, where), is_customer=True)]
    said = _said(row["messages"], where)
    if not said or not said[-1].is_customer or not said[-1].text.strip():
        raise InvalidDocument(f"{where} does not end with a customer's question. Cut `messages` after one.")
    return said


def _said(messages: object, where: str) -> list[Said]:
    if not isinstance(messages, list):
        raise InvalidDocument(f"{where}: the conversation is not a list of messages.")
    return [_message(message, where) for message in messages]


def _message(message: object, where: str) -> Said:
    found = message if isinstance(message, dict) else {}
    speaker, text = (
        next((found[name] for name in names if isinstance(found.get(name), str)), None)
        for names in (("role", "speaker"), ("content", "text"))
    )
    if speaker is None or text is None:
        raise InvalidDocument(f"{where} has a message without a `role` and a `content`.")
    return Said(text, is_customer=speaker in _CUSTOMERS)


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
