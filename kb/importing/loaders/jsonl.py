"""Files with one JSON object per line, plain or gzipped."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.importing.loaders.html import markdown_of_html
from kb.importing.loaders.markdown import KEYS, LISTS, check_keys, document_of
from kb.importing.parsed_document import Document, Failure
from kb.validation import SWITCHES
from supportbot import team_formats as formats

# The limit after decompression: a gzip file of a few megabytes can expand a thousandfold.
MAX_FILE_BYTES = 512 * 1024 * 1024
# Enough for two million characters, escaped in JSON, and the other keys.
MAX_LINE_BYTES = 16 * 1024 * 1024

# A line has its text under exactly one of these keys.
_TEXTS: dict[str, Callable[[str], tuple[str, str]]] = {
    "text": lambda text: ("", text),
    "markdown": lambda text: ("", text),
    "content": lambda text: ("", text),
    "html": markdown_of_html,
}


def read_lines(file: Path, name: str) -> Iterator[Document | Failure]:
    """Yield one item per non-blank line; stops with a failure if the file cannot be read any further."""
    try:
        with _opened(file) as stream:
            yield from _items(stream, name)
    except gzip.BadGzipFile:
        yield Failure(
            name,
            gettext("The file is not a gzip file, although its name ends with .gz. Rename it or compress it again."),
        )
    except (EOFError, zlib.error):
        yield Failure(
            name, gettext("The gzip file is damaged or truncated. Only the beginning was read. Copy the file again.")
        )
    except OSError as error:
        yield Failure(
            name,
            gettext("The file cannot be read ({strerror}). Check its permissions and the disk.").format(
                strerror=error.strerror
            ),
        )


def _opened(file: Path) -> IO[bytes]:
    # gzip.open in binary mode returns a GzipFile, which reads like any other stream.
    return cast(IO[bytes], gzip.open(file, "rb")) if file.suffix.lower() == ".gz" else file.open("rb")


def _items(stream: IO[bytes], name: str) -> Iterator[Document | Failure]:
    number = read = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        read += len(line)
        if read > MAX_FILE_BYTES:
            yield Failure(
                name,
                gettext("The file has more than {limit} bytes. Split it; the rest was not read.").format(
                    limit=formats.number(MAX_FILE_BYTES)
                ),
            )
            return
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            # The rest of this line may be gigabytes, which are not worth reading to find the next line.
            yield Failure(
                f"{name}:{number}", gettext("The line is too long for an article. Split it; the rest was not read.")
            )
            return
        if line.strip():
            yield _item(line, f"{name}:{number}")


def _item(line: bytes, origin: str) -> Document | Failure:
    row: dict[str, object] = {}
    try:
        row = _object(line)
        return _document(row).at(origin)
    except InvalidDocument as error:
        return Failure(origin, error.message, _id_of(row))


def _id_of(row: dict[str, object]) -> str:
    try:
        return _single(row, "id")
    except InvalidDocument:
        return ""


def _document(row: dict[str, object]) -> Document:
    check_keys(row)
    facts = {key: value for key in KEYS if (value := _single(row, key))}
    if "id" not in facts:
        raise InvalidDocument(gettext("The line has no id. Add one, so that later imports update the same article."))
    given = [key for key in _TEXTS if row.get(key) is not None]
    if len(given) != 1:
        names = ", ".join(_TEXTS)
        raise InvalidDocument(
            gettext("Each line needs exactly one of {names}. This one has {given}.").format(
                names=names, given=" and ".join(given) or gettext("none of them")
            )
        )
    text = row[given[0]]
    if not isinstance(text, str):
        raise InvalidDocument(gettext("The {given} is not text. Write it as a JSON string.").format(given=given[0]))
    title, body = _TEXTS[given[0]](text)
    return document_of({"title": title, **facts} if title else facts, body, facts["id"])


def _object(line: bytes) -> dict[str, object]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidDocument(gettext("The line is not UTF-8 text. Save the file with UTF-8 encoding.")) from error
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        reason = f" ({error.msg}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidDocument(
            gettext("The line is not valid JSON{reason}. Write one JSON object per line.").format(reason=reason)
        ) from error
    if not isinstance(row, dict):
        raise InvalidDocument(gettext("The line is not a JSON object. Write one object with id and text per line."))
    return row


def _single(row: dict[str, object], key: str) -> str:
    """Return the value of a key as text; empty if it is missing. An id may be a number."""
    value = row.get(key)
    if value is None:
        return ""
    if key in LISTS and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(" ".join(one.split()) for one in value)
    if isinstance(value, bool) and key in SWITCHES:
        return "yes" if value else "no"
    if isinstance(value, str) or (key == "id" and isinstance(value, int) and not isinstance(value, bool)):
        return str(value).strip()
    raise InvalidDocument(gettext("The {key} is not text. Write it as a JSON string.").format(key=key))
