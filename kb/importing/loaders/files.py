"""Finding files, and choosing the loader and the external id of each."""

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kb.documents import Document, Failure
from kb.errors import InvalidDocument
from kb.importing.loaders.html import read_html
from kb.importing.loaders.jsonl import read_lines
from kb.importing.loaders.markdown import read_markdown, read_text

# A body may have two million characters, at most eight million bytes.
MAX_FILE_BYTES = 8_000_000

Reader = Callable[[str, str], Document]
_READERS: dict[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".txt": read_text,
}
_LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
KNOWN_ENDINGS = (*_READERS, *_LINES)


def load(paths: Sequence[str]) -> Iterator[Document | Failure]:
    """Yield every item of the files and folders. Other files in a folder (images, say) are skipped silently, but a file
    named explicitly must be readable."""
    for path in paths:
        yield from _load_path(path)


def _load_path(path: str) -> Iterator[Document | Failure]:
    if path.startswith(("http://", "https://")):
        yield Failure(path, "Web addresses cannot be imported. Save the page as a file and import that.")
        return
    place = Path(path)
    if place.is_dir():
        root = place.resolve()
        for file in _files_in(place):
            if not file.resolve().is_relative_to(root):  # a link may lead to anything this account can read
                yield Failure(_printable(file), "This link leads out of the folder. Import its target by its own path.")
                continue
            yield from _load_file(file, file.relative_to(place).as_posix())
    elif not place.is_file():
        yield Failure(path, "This file or folder does not exist. Check the path.")
    elif not path.lower().endswith(KNOWN_ENDINGS):
        yield Failure(path, f"Files of this kind cannot be read. Use one of {', '.join(KNOWN_ENDINGS)}.")
    else:
        yield from _load_file(place, place.name)


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the readable files below `folder` in a stable order; hidden files and links to folders are skipped."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(here, name)
            if not name.startswith(".") and name.lower().endswith(KNOWN_ENDINGS) and file.is_file():
                yield file


def _load_file(file: Path, external_id: str) -> Iterator[Document | Failure]:
    origin = _printable(file)
    if file.name.lower().endswith(_LINES):
        yield from read_lines(file, origin)
        return
    try:
        yield _READERS[file.suffix.lower()](_text_of(file), external_id).at(origin)
    except InvalidDocument as error:
        yield Failure(origin, error.message)


def _printable(file: Path) -> str:
    """Return the path with question marks for what is not UTF-8."""
    return str(file).encode("utf-8", "replace").decode()


def _text_of(file: Path) -> str:
    """Return the text of a UTF-8 file of limited size. Raises InvalidDocument."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidDocument(f"The file cannot be opened ({error.strerror}). Check its permissions.") from error
    if len(raw) > MAX_FILE_BYTES:
        most = MAX_FILE_BYTES // 1_000_000
        raise InvalidDocument(f"The file is larger than {most} MB. Split it into several articles.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in raw and not raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise InvalidDocument(
                "The file is not text, but an image, an archive or another binary format. Export it as Markdown."
            ) from error
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidDocument(f"The file is not UTF-8 text (line {line}). Save it with UTF-8 encoding.") from error
