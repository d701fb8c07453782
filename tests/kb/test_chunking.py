"""Splitting bodies into passages: the places where they are split, and that nothing is lost. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.indexing.chunking import (
    EMBEDDING_CHARACTERS,
    MAX_CHARACTERS,
    MAX_WORDS,
    ChunkText,
    chunk,
    content_hash,
    embedding_text,
    weight,
)
from supportbot.language.blocks import blocks_of_passage
from supportbot.language.plain_text import plain
from tests.pace import bounded

SENTENCE = "The parcel goes out on the next working day and takes two days to arrive. "


def words(count: int) -> str:
    return (SENTENCE * (count // 15 + 1)).strip()


def test_a_heading_starts_a_new_passage_and_becomes_its_path() -> None:
    body = f"# Delivery\n\n{words(60)}\n\n## Costs\n\n{words(60)}\n\n## Times\n\n### Abroad\n\n{words(60)}\n"
    assert [piece.heading_path for piece in chunk("Help", body)] == [
        "Delivery",
        "Delivery > Costs",
        "Delivery > Times > Abroad",
    ]


def test_a_heading_that_repeats_the_title_is_not_part_of_the_path() -> None:
    assert [piece.heading_path for piece in chunk("Delivery", f"# Delivery\n\n{words(60)}")] == [""]


def test_underlined_headings_count_too() -> None:
    pieces = chunk("Help", f"Costs\n=====\n\n{words(60)}\n\nTimes\n-----\n\n{words(60)}")
    assert [piece.heading_path for piece in pieces] == ["Costs", "Costs > Times"]


def test_short_sections_share_a_passage_under_their_common_heading() -> None:
    pieces = chunk("Help", "# Sizes\n\n## Boots\n\nThey run small.\n\n## Gloves\n\nThey run large.\n")
    assert [piece.heading_path for piece in pieces] == ["Sizes"]
    assert "run small" in pieces[0].text and "## Gloves" in pieces[0].text


def test_a_table_stays_whole_even_if_it_is_longer_than_prose_may_be() -> None:
    table = "| country | days |\n|---|---|\n" + "".join(f"| country number {n} | {n} days |\n" for n in range(30))
    pieces = chunk("Delivery", f"{words(60)}\n\n{table}\n\n{words(60)}")
    assert any(piece.text == table.strip() for piece in pieces)


def test_the_rest_of_a_long_table_repeats_the_column_names() -> None:
    table = "| country | days |\n|---|---|\n" + "".join(f"| country number {n} | {n} days |\n" for n in range(90))
    pieces = chunk("Delivery", f"# Abroad\n\n{table}\n\n{words(60)}")
    assert [piece.heading_path for piece in pieces] == ["Abroad", "Abroad > country | days", "Abroad"]
    (rows,) = blocks_of_passage(pieces[1].text, "country | days")
    assert rows.header is not None and rows.header.cells == ("country", "days")
    assert len(rows.rows) > 20
    whole = blocks_of_passage("| a | b |\n|---|---|\n| 1 | 2 |", "This | and that")
    assert [len(block.rows) for block in whole] == [1]


def test_code_is_split_at_lines_only() -> None:
    lines = [f"step {number}: turn the screw by a quarter and listen" for number in range(120)]
    pieces = chunk("Repair", "```\n" + "\n".join(lines) + "\n```\n")
    assert len(pieces) > 1
    assert {line for piece in pieces for line in piece.text.split("\n")} == {"```", *lines}


def test_a_hash_in_code_is_not_a_heading() -> None:
    (piece,) = chunk("Shell", f"{words(30)}\n\n```\n# not a heading\nmake run\n```\n")
    assert piece.heading_path == ""
    assert "# not a heading" in piece.text


def test_one_giant_paragraph_is_cut_between_sentences() -> None:
    pieces = chunk("Terms", words(3_000))
    assert len(pieces) > 10
    assert all(piece.text.endswith("arrive.") for piece in pieces)
    assert " ".join(piece.text for piece in pieces) == words(3_000)


def test_long_german_words_count_by_their_letters() -> None:
    text = "Rücksendekostenübernahmeerklärungsformular. " * 400
    assert all(weight(piece.text) <= MAX_WORDS for piece in chunk("Rücksendung", text))
    assert weight(text) > 3 * len(text.split())


@pytest.mark.parametrize("body", ["", " \n\n\t", "\n---\n"])
def test_a_blank_body_has_no_passages(body: str) -> None:
    assert chunk("Empty", body) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "body",
    [
        "x" * 200_000, "word " * 40_000, "```\n" * 20_000, "[" * 100_000, "[x](" * 30_000, "|" * 100_000,
        "# h\n" * 20_000,
        " " * 100_000 + "x", "<a" * 60_000, "<!--" * 40_000, "\\" * 100_000, "*_`" * 40_000, "今天天气很好。" * 4_000,
        "- " * 50_000 + "x", ("x" + " " * 50) * 2_000, "&amp" * 40_000, "# " + "#" * 100_000,
        "a" + "-" * 200_000 + "b", "-" * 200_000 + "b", "=\n" * 50_000,
    ],
)  # fmt: skip
def test_hostile_bodies_are_split_quickly_into_passages_of_limited_length(body: str) -> None:
    with bounded(30):  # a pattern that backtracks takes minutes here, a linear one half a second
        pieces = chunk("Hostile", body)
    for piece in pieces:
        assert body[piece.start : piece.end] == piece.text
        assert len(piece.text) <= MAX_CHARACTERS * 1.1
        assert len(embedding_text("Hostile", piece)) <= EMBEDDING_CHARACTERS


markdown = st.lists(
    st.sampled_from(
        [
            "\n# A\n",  # a heading takes up its whole line, so words on it are not body text
            "\n## B\n",
            "text. ",
            "\n",
            "\n\n",
            "| a | b |\n",
            "```\n",
            "ä ö\u2028",
            "\r",
            "\x0c",
            "\n\n---\n",  # directly below text, it would turn the text into a heading
            " ",
            SENTENCE * 9,
        ]
    )
).map("".join)


@pytest.mark.long
@given(markdown)
def test_offsets_are_exact_and_in_order_and_every_word_is_kept(body: str) -> None:
    pieces = chunk("Title", body)
    assert [piece.position for piece in pieces] == list(range(len(pieces)))
    end = 0
    for piece in pieces:
        assert body[piece.start : piece.end] == piece.text == piece.text.strip()
        assert piece.start >= end
        end = piece.end
    kept = "".join(piece.text for piece in pieces)
    assert kept.count("text") == body.count("text") and kept.count("parcel") == body.count("parcel")


def test_the_embedded_text_is_the_visible_text() -> None:
    piece = ChunkText(0, "Costs > Abroad", "See [the *table*](https://x.example/a) \\- **free** above 50&nbsp;€.", 0, 9)
    assert embedding_text("Delivery", piece) == "Delivery\nCosts > Abroad\nSee the table - free above 50 €."


def test_hashes_differ_by_recipe_and_by_text() -> None:
    assert len({content_hash("a", "x"), content_hash("b", "x"), content_hash("a", "y")}) == 3
    assert content_hash("a", "x") == content_hash("a", "x")


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ('![a picture](x.png) of [a shop](http://a.b/c_(d) "t")', "a picture of a shop"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a b\n1 2"),
        ("> quoted\n- item\n* item", "quoted\nitem\nitem"),
        ("Create\u200bTable, snake_case, _soft_ and <b>bold</b>", "CreateTable, snake_case, soft and bold"),
        ("a\x00b", "a b"),
    ],
)
def test_markdown_becomes_plain_text(markdown: str, expected: str) -> None:
    assert plain(markdown) == expected


def test_a_small_table_keeps_its_own_heading() -> None:
    table = "| Plan | Fee |\n|---|---|\n| Team | 19 EUR |\n"
    body = f"# Prices\n\n{words(60)}\n\n## Plans of Halden Cloud\n\n{table}\n## Returns\n\n{words(60)}"
    assert [piece.heading_path for piece in chunk("Help", body)] == [
        "Prices",
        "Prices > Plans of Halden Cloud",
        "Prices > Returns",
    ]
