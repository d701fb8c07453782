"""Each kind of reader in the process that production starts: it can load no module once it is confined."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from kb.importing import confinement
from kb.importing.confined import child
from tests.kb.made_files import Text, docx, p, paragraph, pdf, table, zipped
from tests.kb.made_pictures import painted, photo, two_halves
from tests.kb.test_pdf_pictures import ABOVE, flat, jpeg, put, with_pictures
from tests.reader import ForkedReaders

DRAWN: Final = [*paragraph(60, 780, ABOVE), put("Lid", 60, 500, 300, 200), put("Knob", 60, 200, 300, 200)]


def _pdf() -> bytes:
    plain = pdf(DRAWN, [Text(60, 780, "Turn the knob.")], title="The lid ☂", outline=[("Opening", 0)])
    return with_pictures(plain, {"Lid": jpeg(photo(600, 400)), "Knob": flat(two_halves(120, 80))})


# By kind: a file, and some of the facts that are read from it.
FILES: Final[dict[str, tuple[Callable[[], bytes], Callable[[dict[str, Any], list[bytes]], bool]]]] = {
    "page": (lambda: b"<h1>Opening</h1><p>Open the lid.</p>", lambda facts, _: facts == {}),
    "pdf": (_pdf, lambda facts, pictures: facts["title"] == "The lid ☂" and len(pictures) == 2),
    "pdf_text": (_pdf, lambda facts, pictures: facts["title"] == "The lid ☂" and not pictures),
    "word": (
        lambda: docx(p("Opening", "Heading1"), p(ABOVE[0]), table(("Size", "Price"), ("M", "25 euros"))),
        lambda facts, _: ABOVE[0] in facts["html"] and "25 euros" in facts["html"],
    ),
    "zip": (
        lambda: zipped({"sizes.md": b"# Sizes"}),  # an ASCII name is decoded from code page 437
        lambda facts, contents: facts["entries"][0]["name"] == "sizes.md" and contents == [b"# Sizes"],
    ),
    "picture": (lambda: painted("JPEG"), lambda facts, contents: facts["width"] == 80 and len(contents) == 1),
    "logo": (lambda: painted("WEBP"), lambda facts, contents: facts["width"] == 80 and len(contents) == 1),
}


@pytest.mark.one_in(3)
@pytest.mark.usefixtures("new_reader")
@pytest.mark.parametrize("kind", child.READERS)
def test_each_kind_of_file_is_read(kind: confinement.Kind, tmp_path: Path) -> None:
    made, is_right = FILES[kind]
    (tmp_path / "file").write_bytes(made())
    with confinement._result(kind, tmp_path / "file") as stream:
        facts = confinement._facts(stream)
        sizes = facts.get("sizes") or [entry["size"] for entry in facts.get("entries", ())]
        assert is_right(facts, [stream.read(size) for size in sizes]), facts


def test_the_wait_for_the_reader_server_is_as_limited_as_for_a_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    readers = ForkedReaders()
    (tmp_path / "file").write_bytes(FILES["page"][0]())

    def read() -> int:
        with (tmp_path / "file").open("rb") as source, (tmp_path / "result").open("w+b") as output:
            return readers.run("page", source, output)

    with monkeypatch.context() as patch:
        patch.setattr(confinement, "SECONDS", 0.01)
        with pytest.raises(confinement.ReaderEnded, match="too long"):
            read()
    assert read() == 0  # read by a new server, since the first one may still answer
    assert readers._process is not None
    readers._process.kill()
    readers._process.wait()
    with pytest.raises(RuntimeError, match="reader server has stopped"):
        read()
