"""The files of `bench.documents`: the sentences planted in them are read whole, on the pages it expects."""

import re
from pathlib import Path

import pytest

from bench.document_files import make_files
from bench.documents import bare
from kb.importing.confined.pdf.reader import read_pdf_text
from kb.importing.confined.word.reader import read_word


@pytest.mark.long
def test_planted_sentences_are_read_on_their_pages(tmp_path: Path) -> None:
    for row in make_files(tmp_path):
        reader = read_pdf_text if row["file"].endswith(".pdf") else read_word
        with (tmp_path / row["file"]).open("rb") as source:
            html = reader(source)[0]["html"]
        pages = [bare(re.sub(r"<[^>]+>", " ", page)) for page in html.split("<section data-page=")]
        for fact in row["facts"]:
            sentence = bare(fact["sentence"])
            assert len(fact["pages"]) == (1 if row["file"].endswith(".pdf") else 0), fact["sentence"]
            found = [number for number, page in enumerate(pages) if sentence in page]
            assert found == (fact["pages"] or [0]), fact["sentence"]
        for cell in row["cells"]:
            assert any(bare(cell["value"]) in page for page in pages)
