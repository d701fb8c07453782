"""CSV files of questions and answers: an article per row.

The columns may be named (`question`, `answer`, and the keys of front matter). If there are only two columns, they need
no names; whether the first row contains column names in another language is guessed from the number of words in its
cells.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.importing.loaders.markdown import KEYS, check_keys, document_of
from kb.importing.parsed_document import Document, Failure

SEPARATORS: Final = (",", ";", "\t", "|")
QUESTION: Final = ("question", "title")
ANSWER: Final = ("answer", "text", "markdown", "content", "body")
ROWS_JUDGED: Final = 50
MOST_NAME_WORDS: Final = 3  # names of columns are shorter than a question and its answer


def read_rows(text: str, name: str, origin: str, notes: tuple[str, ...]) -> Iterator[Document | Failure]:
    """Yield an item per row. Raises InvalidDocument unless there is a column of questions and one of answers."""
    lines = _parsed(text)
    columns, has_names = _columns([row for _, row in lines])
    width = _width(lines[0][1])
    for number, row in lines[1 if has_names else 0 :]:
        place = f"{origin}:{number}"
        try:
            _check_width(row, width)
            yield replace(_document(row, columns, name), origin=place, notes=notes)
        except InvalidDocument as error:
            yield Failure(place, error.message, _external_id(_cells(row, columns), name))


def _parsed(text: str) -> list[tuple[int, list[str]]]:
    """Return the rows with their line numbers, leaving out empty rows."""
    if "\0" in text:
        raise InvalidDocument(gettext("The file is binary, not text. Save it as CSV with UTF-8 encoding."))
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_separator(text))
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((reader.line_num, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise InvalidDocument(
            gettext("Line {line} cannot be read: a quotation mark is missing, or a cell is too long.").format(
                line=reader.line_num
            )
        ) from error
    if not rows:
        raise InvalidDocument(gettext("The file has no rows. Write one question with its answer per row."))
    return rows


def _separator(text: str) -> str:
    """Return the separator that splits most rows into the same number of cells."""

    def agreement(separator: str) -> tuple[int, int]:
        widths = Counter[int]()
        try:
            for place, row in enumerate(csv.reader(text.splitlines(keepends=True), delimiter=separator)):
                if place >= ROWS_JUDGED:
                    break
                widths[len(row)] += len(row) > 1
        except csv.Error:
            return 0, 0
        width, rows = max(widths.items(), key=lambda entry: entry[1], default=(0, 0))
        return rows, -width

    return max(SEPARATORS, key=agreement)


def _columns(rows: Sequence[Sequence[str]]) -> tuple[dict[str, int], bool]:
    """Return the index of each column by its key, and whether the first row contains their names."""
    names = [name.strip().casefold() for name in rows[0]]
    question = next((names.index(name) for name in QUESTION if name in names), None)
    answer = next((names.index(name) for name in ANSWER if name in names), None)
    if question is not None and answer is not None:
        check_keys(names)
        known = {key: names.index(key) for key in KEYS if key in names}
        return {**known, "question": question, "answer": answer}, True
    if _width(rows[0]) != 2:
        raise InvalidDocument(
            gettext(
                "The question and answer columns were not found. Name them “question” and “answer” in the first row."
            )
        )
    return {"question": 0, "answer": 1}, _holds_names(rows)


def _holds_names(rows: Sequence[Sequence[str]]) -> bool:
    first = [len(cell.split()) for cell in rows[0]]
    if len(rows) < 2 or max(first) > MOST_NAME_WORDS or any(cell.endswith("?") for cell in rows[0]):
        return False
    usual = median(sum(len(cell.split()) for cell in row) for row in rows[1:])
    return usual > 2 * sum(first)


def _width(row: Sequence[str]) -> int:
    """Return the number of cells up to the last one with text."""
    return max((place for place, cell in enumerate(row, start=1) if cell), default=0)


def _check_width(row: Sequence[str], width: int) -> None:
    """Raise InvalidDocument for a row with text beyond the last column, because part of the answer would be lost."""
    if _width(row) > width:
        raise InvalidDocument(
            gettext(
                "The row has {number} cells, but there are {columns} columns. Put texts that contain the separator in "
                "quotation marks."
            ).format(number=_width(row), columns=width)
        )


def _document(row: Sequence[str], columns: dict[str, int], name: str) -> Document:
    cells = _cells(row, columns)
    external_id = _external_id(cells, name)
    question, answer = cells.pop("question", ""), cells.pop("answer", "")
    if not question or not answer:
        raise InvalidDocument(gettext("The row has no question or no answer. Fill both cells."))
    return document_of({**cells, "title": " ".join(question.split())}, answer, external_id)


def _cells(row: Sequence[str], columns: dict[str, int]) -> dict[str, str]:
    return {key: row[place] for key, place in columns.items() if place < len(row) and row[place]}


def _external_id(cells: dict[str, str], name: str) -> str:
    """Return the id of a row's article; "" if the row has neither an id nor a question.

    If there is no column for ids, the id is derived from the question, since rows may be reordered and answers may
    change.
    """
    question = " ".join(cells.get("question", "").split())
    key = hashlib.sha256(question.casefold().encode()).hexdigest()[:12]
    return cells.get("id") or (f"{name}#{key}" if question else "")
