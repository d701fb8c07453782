"""Which files are read, by which loader, and under which external id."""

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kb.documents import Document, Failure
from kb.errors import InvalidDocument
from kb.importing.loaders.html import read_html
from kb.importing.loaders.jsonl import read_lines
from kb.importing.loaders.markdown import read_markdown, read_text

# A body may have two million characters, which are at most eight million bytes.
MOST_FILE_BYTES = 8_000_000

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
    """Yield every item of the files and folders. A folder's other files (pictures, say) are passed over in silence,
    a file that was named must be readable."""
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
            if not file.resolve().is_relative_to(root):  # a link may show anything this account can read
                yield Failure(
                    _printable(file), "The link leads out of the folder. Import what it leads to by its path."
                )
                continue
            yield from _load_file(file, file.relative_to(place).as_posix())
    elif not place.is_file():
        yield Failure(path, "There is no such file or folder. Check the path.")
    elif not path.lower().endswith(KNOWN_ENDINGS):
        yield Failure(path, f"Files of this kind cannot be read. Use one of {', '.join(KNOWN_ENDINGS)}.")
    else:
        yield from _load_file(place, place.name)


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the readable files below `folder` in a stable order; hidden ones and links to folders are left alone."""
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
    """Return the path with question marks for what is no UTF-8."""
    return str(file).encode("utf-8", "replace").decode()


def _text_of(file: Path) -> str:
    """Return the text of a UTF-8 file of bearable size. Raises InvalidDocument."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidDocument(f"The file cannot be opened ({error.strerror}). Check its rights.") from error
    if len(raw) > MOST_FILE_BYTES:
        most = MOST_FILE_BYTES // 1_000_000
        raise InvalidDocument(f"The file is larger than {most} MB. Split it into several articles.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in raw and not raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise InvalidDocument(
                "The file holds no text: it is a picture, an archive or another program's own. Export it as Markdown."
            ) from error
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidDocument(
            f"The file is not UTF-8 text (line {line}). Save it again with the encoding UTF-8."
        ) from error
