"""Reading files in a confined process (`kb.importing.confined`), and turning its error codes into messages."""

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final, Literal

from django.utils.translation import gettext, gettext_noop

from kb.errors import InvalidDocument
from kb.importing import confined
from kb.importing.confined.html_depth import MAX_LEVELS, OUT_OF_TIME
from supportbot import team_formats as formats

Kind = Literal["page", "pdf", "pdf_text", "word", "zip", "picture", "logo"]

MAX_FILE_BYTES: Final = 50_000_000
MAX_ARCHIVE_BYTES: Final = 200_000_000
# Longer than the process's CPU time limit, to allow for a busy machine.
SECONDS: Final = 300
MAX_FACTS_BYTES: Final = 64 * 1024 * 1024
_CHILD: Final = Path(confined.__file__).with_name("child.py")

REASONS: Final[Mapping[str, str]] = {
    "pdf_encrypted": gettext_noop("This PDF is password-protected. Save a copy without a password and import that."),
    "pdf_without_text": gettext_noop(
        "The PDF contains scanned pages without text. Run text recognition (OCR) on it first."
    ),
    "pdf_empty": gettext_noop("The PDF has no text. Import the file it was made from."),
    "pdf_hidden": gettext_noop("All text in the PDF is hidden: “{text}” Import the file it was made from."),
    "pdf_damaged": gettext_noop("The PDF is damaged or incomplete. Copy or export it again."),
    "not_word": gettext_noop("The file is not a Word document. Save it as .docx or PDF."),
    "word_empty": gettext_noop("The Word document has no text."),
    "word_doctype": gettext_noop(
        "The Word document declares a document type, which no word processor does. It may be an "
        "attack and was not read."
    ),
    "zip_damaged": gettext_noop("The file is damaged or incomplete. Copy or zip it again."),
    "zip_encrypted": gettext_noop("The zip file is password-protected. Zip the files without a password."),
    "zip_entries": gettext_noop("The zip file contains more than {limit} files. Split it."),
    "zip_entry": gettext_noop("“{name}” in the file is larger than {limit} MB after unpacking. Leave it out."),
    "zip_total": gettext_noop("The file is larger than {limit} MB after unpacking. Split it."),
    "zip_bomb": gettext_noop(
        "“{name}” in the file grows to more than {limit} times its size when unpacked. No document does that, so the "
        "file was not read."
    ),
    "zip_name": gettext_noop("The name of this file points outside the folder or cannot be used. Rename it."),
    "picture_format": gettext_noop("The file is not a PNG, JPEG, WebP or GIF picture. Save it as one of these."),
    "picture_svg": gettext_noop("The file is an SVG drawing, which can contain scripts. Save it as PNG."),
    "picture_damaged": gettext_noop("The picture is damaged or incomplete. Export it again."),
    "picture_pixels": gettext_noop("The picture has more than {limit} million pixels. Make it smaller."),
    "page_levels": gettext_noop(
        "The page's elements are nested more than {limit} levels deep. Remove some of the enclosing elements, or "
        "import the text as Markdown."
    ),
    "page_time": gettext_noop(
        "Reading the page takes too long: its elements are nested too deeply (at most {limit} levels are read), or one "
        "of them has thousands of attributes. Simplify the page, or import the text as Markdown."
    ),
    "memory": gettext_noop("Reading the file takes more memory than allowed. Split it."),
    "disk": gettext_noop("The disk is full, so the file was not read. Free some space, then try again."),
    "time": gettext_noop("Reading the file takes too long. Split it."),
    "ended": gettext_noop(
        "The process that read the file was stopped by the system. Try again. If that does not help, split the file."
    ),
    "damaged": gettext_noop("The file is damaged or does not follow its format. Export it again."),
}
NOTES: Final[Mapping[str, str]] = {
    "pictures": gettext_noop("Pictures left out (unsupported format, damaged or too large): {number}."),
    "hidden": gettext_noop("Hidden text left out: “{text}”"),
    "rotated": gettext_noop("Rotated text left out: “{text}”"),
    "comments": gettext_noop("Comments left out: {number}."),
    "pages_cut": gettext_noop("Only the first {read} of {total} pages were read. Split the file."),
    "pages_without_text": gettext_noop("Pages with pictures but no text: {pages}."),
    "pages_broken": gettext_noop("Damaged pages, not read: {pages}."),
}


class ReaderEnded(InvalidDocument):
    """The process ended, or had no memory left, before it had read the file."""


def facts_of(kind: Kind, file: Path) -> dict[str, Any]:
    """Return the facts that the confined process has read from a file. Raises InvalidDocument."""
    with _result(kind, file) as stream:
        return _facts(stream)


def facts_and_contents(kind: Kind, file: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Return the facts that the confined process has read from a file, and the contents; the facts include the
    contents' sizes.

    Raises InvalidDocument.
    """
    with _result(kind, file) as stream:
        facts = _facts(stream)
        return facts, [stream.read(size) for size in facts["sizes"]]


def notes_in_words(notes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(gettext(NOTES[note["code"]]).format(**_shown(note["values"])) for note in notes)


def reason_in_words(code: str, values: Mapping[str, Any]) -> str:
    return gettext(REASONS.get(code, REASONS["damaged"])).format(**_shown(values))


def unpacked(file: Path, folder: Path) -> Generator[tuple[str, Path | None, str], None, None]:
    """Unpack a zip file and yield (name inside, its copy in `folder`, ""), or (name, None, why it is not read).

    The copies have generated names and stay in the folder. Raises InvalidDocument for an archive that cannot be read
    at all.
    """
    with _result("zip", file) as stream:
        entries = _facts(stream)["entries"]
        for place, entry in enumerate(entries):
            if "error" in entry:
                yield entry["name"], None, reason_in_words(entry["error"], {})
                continue
            copy = folder / f"{place}{Path(entry['name']).suffix}"
            _write(copy, stream.read(entry["size"]))
            yield entry["name"], copy, ""


def _write(copy: Path, content: bytes) -> None:
    try:
        copy.write_bytes(content)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InvalidDocument(reason_in_words("disk", {})) from error


@contextmanager
def _result(kind: Kind, file: Path) -> Iterator[IO[bytes]]:
    limit = MAX_ARCHIVE_BYTES if kind == "zip" else MAX_FILE_BYTES
    with TemporaryFile(prefix="supportbot-read-") as output:
        try:
            with file.open("rb") as source:
                if file.stat().st_size > limit:
                    raise InvalidDocument(
                        gettext("The file is larger than {most} MB. Split it into several articles.").format(
                            most=limit // 1_000_000
                        )
                    )
                code = _run(kind, source, output)
        except OSError as error:
            raise InvalidDocument(
                gettext("The file cannot be opened ({strerror}). Check its permissions.").format(
                    strerror=error.strerror
                )
            ) from error
        if code == errno.ENOSPC:
            raise InvalidDocument(reason_in_words("disk", {}))
        if code == -OUT_OF_TIME:
            raise InvalidDocument(reason_in_words("page_time", {"limit": MAX_LEVELS}))
        if code:
            raise ReaderEnded(reason_in_words("time" if code == -signal.SIGXCPU else "ended", {}))
        output.seek(0)
        yield output


def _run(kind: Kind, source: IO[bytes], output: IO[bytes]) -> int:
    """Return the process's exit code, negative if a signal ended it."""
    command = [sys.executable, "-I", str(_CHILD), kind]
    try:
        return subprocess.run(
            command, stdin=source, stdout=output, stderr=subprocess.DEVNULL, env={}, cwd="/", timeout=SECONDS
        ).returncode
    except subprocess.TimeoutExpired as error:
        raise ReaderEnded(reason_in_words("time", {})) from error


def _facts(stream: IO[bytes]) -> dict[str, Any]:
    try:
        facts = json.loads(stream.readline(MAX_FACTS_BYTES))
    except ValueError as error:
        raise InvalidDocument(reason_in_words("damaged", {})) from error
    if not isinstance(facts, dict):
        raise InvalidDocument(reason_in_words("damaged", {}))
    if "error" in facts:
        problem = ReaderEnded if facts["error"] == "memory" else InvalidDocument
        raise problem(reason_in_words(facts["error"], facts.get("values", {})))
    return facts


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: formats.number(value) if isinstance(value, int) else value for name, value in values.items()}
