"""The files in a zip file, limited in number and size, under names that stay inside their folder."""

import stat
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile, LargeZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

from kb.importing.confined.refusal import Refused

MAX_ENTRIES: Final = 5_000
MAX_ENTRY_BYTES: Final = 50_000_000
MAX_TOTAL_BYTES: Final = 200_000_000
# Text shrinks to a tenth, rarely to a fiftieth; anything that shrinks more was made to fill a disk.
MAX_RATIO: Final = 100
RATIO_COUNTS_FROM: Final = 1_000_000  # bytes; smaller files may shrink more
MAX_NAME_CHARACTERS: Final = 400


def open_archive(source: BinaryIO) -> ZipFile:
    """Return the archive after checking what its directory declares. Raises Refused."""
    try:
        archive = ZipFile(source)
    # zipfile raises NotImplementedError for unknown versions of the format.
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise Refused("zip_damaged") from error
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise Refused("zip_entries", limit=MAX_ENTRIES)
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Refused("zip_encrypted")
    for entry in entries:
        _check_size(entry)
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise Refused("zip_total", limit=MAX_TOTAL_BYTES // 1_000_000)
    return archive


def read_entry(archive: ZipFile, entry: ZipInfo) -> bytes:
    """Return a file's content, which may not exceed the size that the directory declares. Raises Refused."""
    try:
        with archive.open(entry) as stream:
            content = stream.read(entry.file_size + 1)
    # zipfile raises NotImplementedError for an unknown compression, RuntimeError for a password.
    except (BadZipFile, LargeZipFile, ZlibError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise Refused("zip_damaged") from error
    if len(content) > entry.file_size:
        raise Refused("zip_damaged")
    return content


def read_archive(source: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """Return the names and sizes of the files, and their contents in the same order.

    Names that would leave the folder, links and broken files are listed with an error instead of a size.
    """
    archive = open_archive(source)
    rows: list[dict[str, object]] = []
    contents: list[bytes] = []
    for entry in archive.infolist():
        if entry.is_dir():
            continue
        name = entry.filename.replace("\\", "/")
        if not _stays(name) or stat.S_ISLNK(entry.external_attr >> 16):
            rows.append({"name": _shown(name), "error": "zip_name"})
            continue
        try:
            content = read_entry(archive, entry)
        except Refused as refusal:
            rows.append({"name": name, "error": refusal.code})
            continue
        rows.append({"name": name, "size": len(content)})
        contents.append(content)
    return {"entries": rows}, contents


def _check_size(entry: ZipInfo) -> None:
    if entry.file_size > MAX_ENTRY_BYTES:
        raise Refused("zip_entry", name=_shown(entry.filename), limit=MAX_ENTRY_BYTES // 1_000_000)
    if entry.file_size > RATIO_COUNTS_FROM and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
        raise Refused("zip_bomb", name=_shown(entry.filename), limit=MAX_RATIO)


def _stays(name: str) -> bool:
    parts = PurePosixPath(name).parts
    is_relative = not name.startswith("/") and ":" not in name.split("/", 1)[0]
    return is_relative and ".." not in parts and name.isprintable() and 0 < len(name) <= MAX_NAME_CHARACTERS


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in name[:80])
