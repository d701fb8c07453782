"""Layouts of real PDF and Word files: planted sentences and cells are found complete, on their page."""

import io
import re
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import (
    DictionaryObject,
    NameObject,
)
from pypdf.generic._font import Font

from kb.importing.confined.pdf import page as pdf_page
from kb.importing.confined.pdf import reader as reading
from kb.importing.confined.pdf.canvas import Canvas, PageText, Run
from kb.importing.confined.pdf.layout import Layout
from kb.importing.confined.pdf.lines import Line
from kb.importing.confined.pdf.margin_notes import MAX_PIECES, margin_notes
from kb.importing.confined.pdf.right_to_left import logical
from kb.indexing.models import Chunk
from supportbot.accounts.models import Workspace
from supportbot.language.plain_text import plain
from tests.kb.import_command import body_of, run
from tests.kb.made_files import HELVETICA, Text, docx, p, paragraph, pdf

pytestmark = pytest.mark.django_db

LEFT = [
    "Cleaning agents that contain chlorine dam-",
    "age the coating over time. The seal of the",
    "Umber pump becomes brittle below 10 degrees.",
    "The surface should be level, dry and free of",
    "dust before the pump is set up and connect-",
    "ed. A collected Umber pump is",
]
RIGHT = [
    "repaired within 26 working days in Leith.",
    "Open the valve slowly so that the pressure",
    "can settle. Noise from the bearing shows that",
    "it should be greased by a professional. Tight-",
    "en its bolts to 39 newton metres after a week.",
    "Water in the hose may freeze in winter.",
]
GROUPED = [
    [(240, "Europe"), (400, "America")],
    [(60, "Weight"), (200, "Standard"), (280, "Express"), (360, "Standard"), (440, "Express")],
    [(60, "up to 1 kg"), (200, "4.11 EUR"), (280, "14.22 EUR"), (360, "9.33 EUR"), (440, "29.44 EUR")],
    [(60, "up to 5 kg"), (200, "7.55 EUR"), (280, "19.66 EUR"), (360, "15.77 EUR"), (440, "44.88 EUR")],
]
PRICES = [
    ["Article", "Colour", "Price"],
    ["Peg 7", "red", "1.20"],
    ["Peg 8", "blue", "1.30"],
    ["Peg 9", "grey", "4.10"],
]


def grid(rows: list[list[str]], top: float) -> list[Text]:
    return [Text(60 + 140 * x, top - 18 * y, cell) for y, row in enumerate(rows) for x, cell in enumerate(row)]


def test_columns_need_not_share_baselines(workspace: Workspace, tmp_path: Path) -> None:
    body = body_of(pdf([*paragraph(50, 700, LEFT, 10), *paragraph(320, 706, RIGHT, 10)]), tmp_path)
    assert "chlorine damage the coating over time. The seal of the Umber pump becomes brittle below 10 degrees." in body
    assert "A collected Umber pump is repaired within 26 working days in Leith." in body
    assert "Tighten its bolts to 39 newton metres after a week." in body


def test_passages_belong_to_one_page(workspace: Workspace, tmp_path: Path) -> None:
    facts = ["Parts are kept for 19 years.", "Error E71 means a blocked inlet.", "Repairs take 24 days."]
    body_of(pdf(*[[Text(60, 500, fact, 18)] for fact in facts]), tmp_path)
    assert list(Chunk.objects.order_by("position").values_list("page", flat=True)) == [1, 2, 3]


def test_changing_parts_of_a_running_title_are_left_out_too(workspace: Workspace, tmp_path: Path) -> None:
    pages = [
        [
            Text(60, 815, "Service handbook", 8),
            Text(450, 815, chapter, 8),
            *paragraph(60, 740, start),
            *paragraph(60, 80, [f"1 See {chapter.lower()}."], 7),
            Text(290, 20, f"Page {number} of 3", 8),
        ]
        for number, (chapter, start) in enumerate(zip(("Safety", "Care", "Storage"), STARTS, strict=True), start=1)
    ]
    body = body_of(pdf(*pages), tmp_path)
    assert "handbook" not in body and "Page" not in body and "Care\n" not in body
    assert "The warranty covers sixty months from the date on the receipt." in body


STARTS = (
    ["Keep this. The warranty covers sixty months from"],
    ["the date on the receipt. Step 1 is described below."],
    ["Store it in a dry place where nothing freezes."],
)


def test_names_across_several_columns_belong_to_each(workspace: Workspace, tmp_path: Path) -> None:
    cells = [Text(x, 700 - 18 * y, text) for y, row in enumerate(GROUPED) for x, text in row]
    body = body_of(pdf(cells), tmp_path)
    assert "| Weight | Europe Standard | Europe Express | America Standard | America Express |" in body
    assert "| up to 5 kg | 7.55 EUR | 19.66 EUR | 15.77 EUR | 44.88 EUR |" in body


def test_a_continued_table_repeats_the_names_of_its_columns(workspace: Workspace, tmp_path: Path) -> None:
    body = body_of(pdf(grid(PRICES[:2], 300), grid(PRICES[2:], 700)), tmp_path)
    assert "| Article | Colour | Price |\n|---|---|---|\n| Peg 8 | blue | 1.30 |\n| Peg 9 | grey | 4.10 |" in body


SPANS = """<main><h1>Rates</h1><table>
<tr><th colspan=3>Rates of parcels</th></tr>
<tr><th rowspan=2>Country</th><th colspan=2>Weight</th></tr><tr><th>1 kg</th><th>5 kg</th></tr>
<tr><td rowspan=2>Finland</td><td>4.10</td><td>9.80</td></tr><tr><td>5.20</td><td>11.30</td></tr></table>
<table><tr><td>Menu</td><td><table><tr><th>Size</th><th>Price</th></tr><tr><td>L</td><td>19.90</td></tr></table>
</td></tr></table></main>"""


def test_cells_that_span_others_are_repeated_in_each_of_them(workspace: Workspace, tmp_path: Path) -> None:
    body = body_of(SPANS.encode(), tmp_path, "rates.html")
    assert (
        "Rates of parcels\n\n| Country | Weight 1 kg | Weight 5 kg |\n|---|---|---|\n| Finland | 4.10 | 9.80 |\n"
        "| Finland | 5.20 | 11.30 |\n"
    ) in body
    assert "Menu\n\n| Size | Price |\n|---|---|\n| L | 19.90 |\n" in body


def test_merged_cells_of_a_word_file_are_headings(workspace: Workspace, tmp_path: Path) -> None:
    title = '<w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>' + p("Sizes") + "</w:tc></w:tr>"
    rows = "".join(
        f"<w:tr>{''.join(f'<w:tc>{p(cell)}</w:tc>' for cell in row)}</w:tr>" for row in (("Size", "Price"), ("L", "9"))
    )
    bold = "<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>{}</w:t></w:r></w:p>"
    lines = [p("Boots."), bold.format("Care"), p("Dry them."), bold.format("Never on a stove!")]
    body = body_of(docx(*lines, f"<w:tbl>{title}{rows}</w:tbl>"), tmp_path, "boots.docx")
    assert plain(body).startswith("Boots.")
    assert "\n### Care\n" in body
    assert "\n**Never on a stove!**\n" in body
    assert "Sizes\n\n| Size | Price |\n|---|---|\n| L | 9 |" in body


PAGE = """<main><h1>Setup</h1><ol start="3"><li>Open it.</li>
<li>Press <img src="https://a.example/k.png" alt="the red key"> once.</li>
<li value="9">Wait.</li><li>Close it. <img src="x.png"></li></ol>
<p>Type &lt;kbd&gt;Enter.</p></main>"""


def test_figures_of_a_right_to_left_line_in_its_own_digits_keep_their_order() -> None:
    said = "الرسم ١٬٢٣٤٫٥٠ دينار في ١٩ يوماً"
    seen = re.sub("[٠-٩٬٫]+", lambda found: found.group()[::-1], said)[::-1]
    assert logical(seen) == said


def test_a_page_keeps_its_numbers_and_the_descriptions_of_its_pictures(workspace: Workspace, tmp_path: Path) -> None:
    body = body_of(PAGE.encode(), tmp_path, "setup.html")
    assert "3. Open it.\n4. Press ![the red key](https://a.example/k.png) once.\n9. Wait.\n10. Close it.\n" in body
    assert "Press the red key once." in plain(body)
    assert "Type <kbd>Enter." in plain(body)


def test_names_and_figures_in_a_right_to_left_line_keep_their_order() -> None:
    said = [
        "הדגם Umber 300 עולה 1,249.90 עד 12/03/2026 בלבד.",
        "הנחה של 15% (עד 3 פריטים).",
        "שלחו דואר אל help@example.com או",
    ]
    seen = [
        ".דבלב 12/03/2026 דע 1,249.90 הלוע Umber 300 םגדה",
        ".(םיטירפ 3 דע) 15% לש החנה",
        "וא help@example.com לא ראוד וחלש",
    ]
    assert [logical(line) for line in seen] == said
    assert logical("The Umber pump 300 (שלום)") == "The Umber pump 300 (שלום)"


def test_text_drawn_twice_is_read_once_and_hyphens_of_compounds_stay(workspace: Workspace, tmp_path: Path) -> None:
    lines = ["A self-cleaning filter is quiet. The self-", "cleaning Umber runs 41 minutes with the Code-", "Word."]
    twice = [text for x in (60, 60.3) for text in paragraph(x, 700, lines)]
    body = body_of(pdf(twice), tmp_path)
    assert body.endswith(
        "\n\nA self-cleaning filter is quiet. The self-cleaning Umber runs 41 minutes with the Code-Word.\n"
    )


WRAPPED = [
    (["F11", "The door is open. Please", "Close the door until it clicks."],
     ["", "have the number at hand.", "Changes to these terms are"], ["", "", "announced in writing."]),
    (["F27", "The tank is empty. Changes", "Fill in 818 ml of water. Noise"],
     ["", "to these terms are written.", "from the bearing is normal."], ["", "and signed.", ""]),
    (["F34", "The fan is blocked. Parts", "Remove the dust with a brush."],
     ["", "from other makers are not", "Read this section before you"], ["", "tested.", "begin and keep it."]),
]  # fmt: skip


def test_cells_of_several_lines_are_not_taken_for_columns_of_prose(workspace: Workspace, tmp_path: Path) -> None:
    texts, y = [Text(60, 700, "Code"), Text(110, 700, "Meaning"), Text(300, 700, "What to do")], 676.0
    for row in WRAPPED:
        for line in row:
            texts += [Text(x, y, cell) for x, cell in zip((60, 110, 300), line, strict=True) if cell]
            y -= 14
        y -= 9
    body = body_of(pdf(texts), tmp_path)
    assert "| Code | Meaning | What to do |" in body
    assert "| F34 | The fan is blocked. Parts from other makers are not tested. | Remove the dust with a brush." in body


def test_the_name_of_a_group_of_rows_does_not_split_a_table(workspace: Workspace, tmp_path: Path) -> None:
    rows = [["Country", "Standard", "Express"], ["Inside the European Union"], ["Austria", "6.96", "36.87"]]
    rows += [["Belgium", "5.46", "35.55"], ["Elsewhere on the continent"], ["Norway", "6.39", "32.67"]]
    texts = [Text(60 + 65 * x, 700 - 17 * y, cell) for y, row in enumerate(rows) for x, cell in enumerate(row)]
    body = body_of(pdf(texts), tmp_path)
    assert "| Country | Standard | Express |\n|---|---|---|\n| Inside the European Union |  |  |\n| Austria |" in body
    assert "| Elsewhere on the continent |  |  |\n| Norway | 6.39 | 32.67 |" in body


def test_sideways_text_is_read_and_a_watermark_is_left_out(workspace: Workspace, tmp_path: Path) -> None:
    # A landscape page on a portrait sheet: the text runs upwards, and the page's own rotation is 0.
    parts = paragraph(60, 400, ["Parts are kept for", "19 years."])
    sideways: list[Text | str] = ["q 0 1 -1 0 595 0 cm", *grid(PRICES, 500), *parts, "Q"]
    watermark = "BT /B 90 Tf .8 .6 -.6 .8 100 200 Tm (DRAFT) Tj ET"
    margin = "BT /R 8 Tf 0 1 -1 0 30 300 Tm (Printed in Leith) Tj ET"
    repairs = paragraph(60, 700, ["Repairs of the Umber pump take 24 days, and", "longer in winter."])
    body = body_of(pdf(sideways, [*repairs, watermark, margin]), tmp_path)
    assert "| Article | Colour | Price |\n|---|---|---|\n| Peg 7 | red | 1.20 |" in body
    assert "Parts are kept for 19 years." in body
    assert "Repairs of the Umber pump take 24 days, and longer in winter." in body
    assert "DRAFT" not in body
    assert "Leith" not in body
    [item] = run(tmp_path)["items"]
    assert item["notes"] == ["Rotated text left out: “DRAFT Printed in Leith”"]


def test_a_sideways_table_on_an_upright_page_is_read_in_its_place(workspace: Workspace, tmp_path: Path) -> None:
    above = paragraph(60, 760, ["Pegs are sold one by one. The prices are", "those of this year."])
    sideways: list[Text | str] = ["q 0 1 -1 0 400 100 cm", *grid(PRICES, 300), "Q"]
    below = paragraph(60, 80, ["Ask for pegs of other sizes. Many of them can", "be made within a week."])
    body = body_of(pdf([*above, *sideways, *below]), tmp_path)
    assert "| Article | Colour | Price |\n|---|---|---|\n| Peg 7 | red | 1.20 |" in body
    assert body.index("those of this year") < body.index("Peg 7") < body.index("Ask for pegs")
    assert run(tmp_path)["items"][0]["notes"] == []


def test_sideways_names_of_columns_are_read_above_their_cells(workspace: Workspace, tmp_path: Path) -> None:
    names = [(62, ["Article"]), (205, ["Colour"]), (338, ["Price in", "euros"])]
    drawn = [
        f"BT /B 9 Tf 0 1 -1 0 {x + 10 * at} 712 Tm ({words}) Tj ET"
        for x, lines in names
        for at, words in enumerate(lines)
    ]
    body = body_of(pdf([*drawn, *grid(PRICES[1:], 700)]), tmp_path)
    assert "| Article | Colour | Price in euros |\n|---|---|---|\n| Peg 7 | red | 1.20 |" in body


def test_a_page_with_an_unknown_filter_is_named_and_the_others_are_read(workspace: Workspace, tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=io.BytesIO(pdf(paragraph(60, 700, PROSE), paragraph(60, 700, PROSE[::-1]))))
    contents = writer.pages[1]["/Contents"]
    assert isinstance(contents, DictionaryObject)
    contents[NameObject("/Filter")] = NameObject("/Foo")
    target = io.BytesIO()
    writer.write(target)
    body = body_of(target.getvalue(), tmp_path)
    assert "The cover of the Umber pump stays closed while it runs." in body
    [note] = run(tmp_path)["items"][0]["notes"]
    assert "2" in note


SIDEWAYS: list[Text | str] = ["q 0 1 -1 0 400 100 cm", *grid(PRICES, 300), "Q"]


def test_sideways_tables_are_left_out_once_a_file_has_taken_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    above = paragraph(
        60, 760, ["Pegs are sold one by one. The prices are", "those of this year. Ask for other pegs, too."] * 2
    )
    page = PdfReader(io.BytesIO(pdf([*above, *SIDEWAYS]))).pages[0]
    monkeypatch.setattr(pdf_page, "SIDEWAYS_CPU_SECONDS", inf)
    assert len(pdf_page.text_of(page, 1).sideways) == 1
    monkeypatch.setattr(pdf_page, "SIDEWAYS_CPU_SECONDS", 0)
    late = pdf_page.text_of(page, 1)
    assert late.sideways == ()
    assert "Peg 7" in late.rotated


def test_a_page_with_marks_along_its_edges_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = pdf_page._drawn

    def counted(page: PageObject, content: pdf_page._Content, degrees: int) -> Canvas:
        drawn.append(degrees)
        return draw(page, content, degrees)

    monkeypatch.setattr(pdf_page, "_drawn", counted)
    monkeypatch.setattr(pdf_page, "SIDEWAYS_CPU_SECONDS", inf)
    marks = [
        "BT /R 8 Tf 0 1 -1 0 30 300 Tm (Printed in Leith) Tj 90 0 Td (Form 27 of May) Tj ET",
        "BT /R 8 Tf 0 -1 1 0 570 300 Tm (Keep this page dry) Tj ET",
    ]
    text = paragraph(60, 760, ["Pegs are sold one by one. The prices are", "those of this year."])
    page = pdf_page.text_of(PdfReader(io.BytesIO(pdf([*text, *marks]))).pages[0], 1)
    assert drawn == [0]
    assert page.rotated == "Printed in Leith Form 27 of May Keep this page dry"
    drawn.clear()
    pdf_page.text_of(PdfReader(io.BytesIO(pdf([*text, *SIDEWAYS]))).pages[0], 1)
    assert len(drawn) > 1


def test_sideways_text_counts_toward_the_length_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    above = paragraph(
        60, 760, ["Pegs are sold one by one. The prices are", "those of this year. Ask for other pegs, too."] * 2
    )
    content = pdf(above, [*above, *SIDEWAYS])
    monkeypatch.setattr(pdf_page, "SIDEWAYS_CPU_SECONDS", inf)
    monkeypatch.setattr(reading, "MAX_CHARACTERS", 2 * sum(len(text.words) for text in above) + 10)
    facts, _ = reading.read_pdf(io.BytesIO(content))
    assert "Peg 7" not in facts["html"]
    assert "pages_cut" in str(facts["notes"])


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("خصم ٥٠٪ فقط", "طقف ٪٥٠ مصخ"),
        ("من ٠٣-١٢ فقط", "طقف ١٢-٠٣ نم"),
        ("حتى ٢٠٢٦/٠٣/١٢ فقط", "طقف ٢٠٢٦/٠٣/١٢ ىتح"),
        ("مضخة Umber ٣٠٠ جديد", "ديدج ٣٠٠ Umber ةخضم"),
        ("پمپ Umber ۳۰۰ جدید", "دیدج Umber ۳۰۰ پمپ"),
        ("تخفیف ۵۰٪ فقط", "طقف ۵۰٪ فیفخت"),
    ],
)
def test_arabic_digits_stay_apart_from_signs_and_foreign_words_and_persian_ones_do_not(said: str, seen: str) -> None:
    assert logical(seen) == said


def test_columns_of_justified_words_are_read_one_after_the_other() -> None:
    columns = [f"{name} " + " ".join(PROSE).replace("-", "") for name in ("Alder", "Birch", "Cedar")]
    runs = [run for at, words in enumerate(columns) for run in justified(words.split(), 60 + 160 * at, 140)]
    page = PageText(1, 0, 842, runs, [], "", 0, [], 595 * 842, [], [])
    text = Layout([page], {}).html()
    for words in columns:
        assert words in text


def justified(words: list[str], left: float, width: float) -> Iterator[Run]:
    """Yield each word separately, six points per letter; all lines but the last are as wide as the column."""
    y, at = 700.0, 0
    while at < len(words):
        end = at + 1
        while end < len(words) and sum(6 * len(word) + 7 for word in words[at : end + 1]) - 7 <= width:
            end += 1
        free = width - sum(6 * len(word) for word in words[at:end])
        space = 7.0 if end == len(words) else free / max(end - at - 1, 1)
        x = left
        for word in words[at:end]:
            yield Run(word, x, x + 6 * len(word), y, 10, is_bold=False)
            x += 6 * len(word) + space
        y, at = y - 13, end


def test_a_small_sentence_in_the_margin_stays_whole(workspace: Workspace, tmp_path: Path) -> None:
    prose = paragraph(150, 700, PROSE)
    note = paragraph(60, 700, ["The cover may", "become hot, so", "wear gloves here."], size=8)
    body = body_of(pdf([*prose, *note]), tmp_path)
    assert "The cover may become hot, so wear gloves here." in body
    assert "The cover of the Umber pump stays closed while it runs." in body


PROSE = [
    "The cover of the Umber pump stays closed",
    "while it runs. Never put a hand into the",
    "inlet, and keep long hair away from it.",
    "Children may not use it without an adult.",
    "Its cable is checked once a year by a",
    "person who was trained to do so, and who",
    "writes down the date and the result.",
    "Keep this handbook close to the pump.",
]


def test_a_table_in_a_column_stays_separate_from_the_text_next_to_it(workspace: Workspace, tmp_path: Path) -> None:
    wide = [*paragraph(50, 700, PROSE, 10), *paragraph(320, 700, PROSE[::-1], 10)]
    table = [Text(50 + 80 * x, 700 - 16 * y, cell, 10) for y, row in enumerate(PRICES) for x, cell in enumerate(row)]
    body = body_of(pdf(wide, wide, [*table, *paragraph(320, 700, PROSE, 10)]), tmp_path)
    page = body.partition("#page=3")[2]
    assert "| Article | Colour | Price |\n|---|---|---|\n| Peg 7 | red | 1.20 |" in page
    assert "Never put a hand into the inlet, and keep long hair away from it. Children may not use it" in page


def test_columns_whose_paragraphs_begin_together_by_chance_are_prose(workspace: Workspace, tmp_path: Path) -> None:
    texts = [Text(x, 740, name, 14, is_bold=True) for x, name in ((50, "Safety"), (320, "Upkeep"))]
    for y in (715, 590):
        texts += [*paragraph(50, y, PROSE, 10), *paragraph(320, y, [*PROSE[4:], *PROSE[:4]], 10)]
    body = body_of(pdf(texts), tmp_path)
    assert "Never put a hand into the inlet, and keep long hair away from it. Children may not use it" in body
    assert "who was trained to do so, and who writes down the date and the result." in body
    assert "|" not in body


def test_spaced_letters_are_words(workspace: Workspace, tmp_path: Path) -> None:
    texts = [*_spaced("Safety and care", 60, 740, 16), *paragraph(60, 700, ["Parts are kept for 19 years."])]
    texts += [Text(60, 660, "Never", 11), *_spaced("touch the red seal.", 95, 660, 11)]
    body = body_of(pdf(texts), tmp_path)
    assert "# Safety and care\n" in body
    assert "Never touch the red seal." in body


def _spaced(words: str, x: float, y: float, size: float) -> list[Text]:
    """Return the letters one by one, with a third of their size between them."""
    face = Font.from_font_resource(HELVETICA)
    found = []
    for sign in words:
        found += [Text(x, y, sign, size)] if sign != " " else []
        x += (face.get_text_width(sign) / 1000 + 1 / 3) * size
    return found


def test_a_large_sentence_is_text_and_a_large_question_is_a_heading(workspace: Workspace, tmp_path: Path) -> None:
    warning = "Never open the Umber pump while it is still running."
    texts = [Text(60, 760, "How do I clean it?", 18), Text(60, 720, warning, 18)]
    body = body_of(pdf([*texts, *paragraph(60, 680, PROSE)]), tmp_path)
    assert "# How do I clean it?\n" in body
    assert f"\n{warning}\n" in body


def test_a_framed_note_next_to_a_paragraph_does_not_split_it(workspace: Workspace, tmp_path: Path) -> None:
    frame = "310 600 220 60 re S"
    note = paragraph(320, 640, ["A collected pump is repaired", "within 26 working days."], 9)
    text = [
        *paragraph(50, 650, PROSE[:4], 10),
        *paragraph(50, 580, ["It stands on a level and dry surface all day."], 10),
    ]
    body = body_of(pdf([Text(50, 740, "Rules", 16), *text, *note, frame]), tmp_path)
    assert "\n\nA collected pump is repaired within 26 working days.\n\n" in body
    assert "Never put a hand into the inlet, and keep long hair away from it. Children may not use it" in body


STOVE = [
    "The stove is lit with the small lever below the",
    "burner, which opens the valve of the tank by a",
    "quarter turn and lets the vapour into the bell. A",
    "yellow flame leaves soot on the pot and wastes a",
    "third of the fuel. Close the valve by turning the",
    "lever to the right until it stops, and let the",
    "burner cool before you fold its legs.",
]


@pytest.mark.parametrize(("text_at", "notes_at"), [(180, 40), (40, 420)])
@pytest.mark.parametrize("height", [728.6, 722.5])  # one on the third line's baseline, and one between two lines
def test_notes_in_the_margin_do_not_cut_the_text(
    workspace: Workspace, tmp_path: Path, text_at: int, notes_at: int, height: float
) -> None:
    notes = [
        *paragraph(notes_at, height, ["Never refill", "a burning stove."], 8),
        Text(notes_at, height - 40, "See page 12.", 8),
    ]
    page = [Text(text_at, 790, "Cooking", 16), *paragraph(text_at, 757.2, STOVE), *notes]
    body = body_of(pdf(page), tmp_path)
    whole = plain(body)
    assert " ".join(STOVE) in whole
    assert whole.index("Cooking") < whole.index("Never refill a burning stove.") < whole.index("See page 12.")


def test_the_labels_of_a_drawing_are_not_compared_with_each_other() -> None:
    beside = [(200, 760 - 14 * number, line) for number, line in enumerate(STOVE)]
    note = (40, 760 - 14 * 3, "Never refill a burning stove.")
    text = [[Line(words, x, x + 6 * len(words), y, 11, False, 0)] for x, y, words in beside]
    text.append([Line(note[2], note[0], note[0] + 100, note[1], 8, False, 0)])
    labels = [[Line("7", 600 + number / 8, 605 + number / 8, 900, 8, False, 0)] for number in range(MAX_PIECES)]
    assert [box.rows for box in margin_notes(text)[1]] == [[text[-1]]]
    assert margin_notes([*labels, *text]) == ([*labels, *text], [])


def test_names_next_to_paragraphs_are_not_notes(workspace: Workspace, tmp_path: Path) -> None:
    described = {
        "Lighting": ["The small lever below the burner opens the", "valve of the tank by a quarter turn."],
        "Flame": ["A yellow flame leaves soot on the pot and wastes", "a third of the fuel in the tank."],
        "Folding": ["Let the burner cool for at least five minutes", "before its legs are folded."],
    }
    page: list[Text] = []
    for number, (name, lines) in enumerate(described.items()):
        page += [Text(60, 760 - 40 * number, name), *paragraph(180, 760 - 40 * number, lines)]
    body = body_of(pdf(page), tmp_path)
    for name, lines in described.items():
        assert f"{name} | {' '.join(lines)}" in body


def test_framed_cells_stay_in_their_row(workspace: Workspace, tmp_path: Path) -> None:
    rules = " ".join(f"55 {y} 400 .5 re f" for y in (712, 694, 676, 658, 640, 602))
    shade = ".9 g 195 604 120 34 re f 0 g"
    dark = [Text(200, 625, "a very dark"), Text(200, 612, "shade of green")]
    texts = [*grid(PRICES, 700), Text(60, 619, "Peg 10"), *dark, Text(340, 619, "5.30")]
    body = body_of(pdf([shade, rules, *texts], [shade, *texts]), tmp_path)
    assert "| Peg 9 | grey | 4.10 |\n| Peg 10 | a very dark shade of green | 5.30 |" in body
    assert body.count("| Peg 10 | a very dark shade of green | 5.30 |") == 2


def test_rows_below_a_line_under_the_column_names_stay_apart(workspace: Workspace, tmp_path: Path) -> None:
    rules = " ".join(f"55 {y} 400 .5 re f" for y in (714, 694, 640))
    pairs = [[row[0], row[2]] for row in PRICES]
    body = body_of(pdf([rules, *grid(PRICES, 700)], [rules, *grid(pairs, 700)]), tmp_path)
    assert "| Peg 7 | red | 1.20 |\n| Peg 8 | blue | 1.30 |\n| Peg 9 | grey | 4.10 |" in body
    assert "| Peg 7 | 1.20 |\n| Peg 8 | 1.30 |\n| Peg 9 | 4.10 |" in body


def test_cells_of_several_lines_between_lines_are_one_row(workspace: Workspace, tmp_path: Path) -> None:
    rules = " ".join(f"55 {y} 400 .5 re f" for y in (714, 694, 658, 622))
    cells = [["Article", "Colour", "Price"], ["Peg 7", "red, also", "1.20"], ["with a hook", "", "each"]]
    cells += [["Peg 8", "blue", "1.30"]]
    rest = [Text(60, 632, "with an eye"), Text(60, 608, "Pegs are sent within 3 days.")]
    body = body_of(pdf([rules, *[text for text in grid(cells, 700) if text.words], *rest]), tmp_path)
    assert "| Peg 7 with a hook | red, also | 1.20 each |\n| Peg 8 with an eye | blue | 1.30 |\n\nPegs are" in body
