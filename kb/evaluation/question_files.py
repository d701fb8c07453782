"""Files of questions, for measuring search and fitting its confidence: one JSON object per line, plain or gzipped."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.ports import EarlierMessage

_TEXTS = ("question", "text", "scenario")
_CUSTOMERS = frozenset({"user", "customer"})


def rows_of(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return every object in a file with its location, such as "asked.jsonl:3".

    Raises InvalidDocument with the location and the cause, even for an empty file.
    """
    reader = gzip.open if path.suffix == ".gz" else open
    try:
        with reader(path, "rt", encoding="utf-8-sig") as lines:
            rows = [_row(line, f"{path.name}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    except UnicodeDecodeError as error:
        raise InvalidDocument(gettext("{file} is not UTF-8 text. Save it as UTF-8.").format(file=path.name)) from error
    except (EOFError, zlib.error) as error:
        raise InvalidDocument(
            gettext("{file} is damaged or truncated. Copy it again.").format(file=path.name)
        ) from error
    except OSError as error:
        problem = gettext("{name} cannot be read: {error}.").format(name=path, error=error.strerror or error)
        raise InvalidDocument(problem) from error
    if not rows:
        raise InvalidDocument(
            gettext("{file} has no questions. Write one JSON object per line.").format(file=path.name)
        )
    return rows


def text_of(row: dict[str, Any], where: str) -> str:
    """Return a row's question, which may be under any of the usual keys; raises InvalidDocument if there is none."""
    for name in _TEXTS:
        if isinstance(row.get(name), str) and row[name].strip():
            return str(row[name])
    raise InvalidDocument(gettext("{place} has no question. Add one under `question`.").format(place=where))


def conversation_of(row: dict[str, Any], where: str) -> list[EarlierMessage]:
    """Return the conversation, ending with the question. Raises InvalidDocument if there is no question or if a message
    is invalid.

    A row has the question and, under `history`, the messages before it; or it has `messages`, and the last one is the
    question. A message is {"role" or "speaker": ..., "content" or "text": ...}; the roles `user` and `customer` stand
    for a customer.
    """
    if row.get("messages") is None:
        return [*_messages(row.get("history") or [], where), EarlierMessage(text_of(row, where), is_customer=True)]
    messages = _messages(row["messages"], where)
    if not messages or not messages[-1].is_customer or not messages[-1].text.strip():
        raise InvalidDocument(
            gettext("{place} does not end with a customer's question. End `messages` with one.").format(place=where)
        )
    return messages


def _messages(messages: object, where: str) -> list[EarlierMessage]:
    if not isinstance(messages, list):
        raise InvalidDocument(gettext("{place}: the conversation is not a list of messages.").format(place=where))
    return [_message(message, where) for message in messages]


def _message(message: object, where: str) -> EarlierMessage:
    found = message if isinstance(message, dict) else {}
    speaker, text = (
        next((found[name] for name in names if isinstance(found.get(name), str)), None)
        for names in (("role", "speaker"), ("content", "text"))
    )
    if speaker is None or text is None:
        raise InvalidDocument(gettext("{place} has a message without `role` or `content`.").format(place=where))
    return EarlierMessage(text, is_customer=speaker in _CUSTOMERS)


def locale_of(row: dict[str, Any]) -> str | None:
    locale = row.get("locale")
    return locale if isinstance(locale, str) else None


def _row(line: str, where: str) -> tuple[str, dict[str, Any]]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        problem = gettext("{place} is not valid JSON ({reason}). Write one JSON object per line.")
        raise InvalidDocument(problem.format(place=where, reason=reason)) from error
    if not isinstance(row, dict):
        raise InvalidDocument(gettext("{place} is not a JSON object.").format(place=where))
    return where, row
