"""Markdown as blocks: each has its offsets and its visible text."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.language.blocks import Block, Item, Kind, Row, blocks
from tests.pace import bounded

PAGE = """\
# Delivery *costs*

We ship from
Freiburg.

- By post
  - to **Austria**
  - abroad

  It takes longer.
- By courier

3. Open *Orders*
3. Choose
   ```sh
   track
   ```

| To | Costs |
|---|---|
| Germany | 4.90 \\| free |
| Austria |

## Times

> Orders before noon
> 1. leave today

<!-- not yet -->

***

Returns
=======

    indented
"""


def everything(found: Iterable[Block]) -> Iterator[Block | Item | Row]:
    for block in found:
        yield block
        yield from everything(block.blocks)
        yield from ([block.header] if block.header else [])
        yield from block.rows
        for item in block.items:
            yield item
            yield from everything(item.blocks)


def source(part: Block | Item | Row, body: str = PAGE) -> str:
    return body[part.start : part.end]


def test_a_page_is_split_into_its_blocks() -> None:
    assert [(block.kind.value, block.heading_path) for block in blocks(PAGE)] == [
        ("heading", ("Delivery costs",)),
        ("paragraph", ("Delivery costs",)),
        ("list", ("Delivery costs",)),
        ("list", ("Delivery costs",)),
        ("table", ("Delivery costs",)),
        ("heading", ("Delivery costs", "Times")),
        ("quote", ("Delivery costs", "Times")),
        ("html", ("Delivery costs", "Times")),
        ("rule", ("Delivery costs", "Times")),
        ("heading", ("Returns",)),
        ("code", ("Returns",)),
    ]


def test_headings_have_a_level_and_paragraphs_have_text() -> None:
    first, paragraph, *_ = blocks(PAGE)
    assert (first.level, first.text, source(first)) == (1, "Delivery *costs*", "# Delivery *costs*")
    assert paragraph.text == source(paragraph) == "We ship from\nFreiburg."
    assert [block.level for block in blocks(PAGE) if block.kind is Kind.HEADING] == [1, 2, 1]


def test_a_list_has_items_that_contain_blocks() -> None:
    bullets, steps = (block for block in blocks(PAGE) if block.kind is Kind.LIST)
    post, courier = bullets.items
    assert (post.mark, post.number, source(courier)) == ("-", None, "- By courier")
    text, nested, more = post.blocks
    assert (text.text, more.text) == ("By post", "It takes longer.")
    assert [source(item) for item in nested.items] == ["- to **Austria**", "- abroad"]
    assert [(item.mark, item.number) for item in steps.items] == [("3.", 3), ("3.", 4)]
    choose, listing = steps.items[1].blocks
    assert (source(choose), listing.text, listing.is_fenced) == ("Choose", "track\n", True)


def test_a_table_has_rows_of_cells() -> None:
    (table,) = (block for block in blocks(PAGE) if block.kind is Kind.TABLE)
    assert table.header is not None and table.header.cells == ("To", "Costs")
    assert [row.cells for row in table.rows] == [("Germany", "4.90 | free"), ("Austria", "")]
    assert source(table.rows[1]) == "| Austria |"


def test_a_block_in_a_quotation_begins_after_the_quotation_mark() -> None:
    (quote,) = (block for block in blocks(PAGE) if block.kind is Kind.QUOTE)
    said, steps = quote.blocks
    assert (source(quote), said.text, source(said)) == (
        "> Orders before noon\n> 1. leave today",
        *["Orders before noon"] * 2,
    )
    assert (source(steps), source(steps.items[0].blocks[0])) == ("1. leave today", "leave today")


def test_an_indented_listing_is_not_fenced() -> None:
    last = blocks(PAGE)[-1]
    assert (last.text, last.is_fenced) == ("indented\n", False)


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ("", []),
        (" \n\t\n", []),
        ("[a]: https://example.com", ["paragraph"]),
        ("<div>\n\n# Still a heading\n\n</div>", ["html", "heading", "html"]),
        (f"# {'long ' * 100}\n\nText", ["heading", "paragraph"]),
        ("> # Quoted\n\nText", ["quote", "paragraph"]),
        ("#", ["heading"]),
        ("a\r\n\r\nb\rc", ["paragraph", "paragraph"]),
        ("\x00", ["paragraph"]),
        ("| only | bars |", ["paragraph"]),
        ("```\nopen", ["code"]),
    ],
)
def test_unusual_texts_have_the_right_blocks(body: str, kinds: list[str]) -> None:
    found = blocks(body)
    assert [block.kind.value for block in found] == kinds
    assert all(block.heading_path == () for block in found if block.kind is Kind.PARAGRAPH)


PIECES = st.sampled_from([
    "\n", "\n\n", "\r\n", "\r", "# a", "> ", "- ", "1. ", "  ", "    ", "```", "| a | b |\n|--|--|\n", "word", "=\n",
    "---\n", "\x0c", "é", "<b>", "\t",
])  # fmt: skip


@given(st.lists(PIECES, max_size=30).map("".join))
def test_offsets_are_inside_and_in_order(body: str) -> None:
    def inside(found: Iterable[Block], start: int, end: int) -> None:
        at = start
        for block in found:
            assert at <= block.start < block.end <= end
            assert source(block, body).strip() == source(block, body).rstrip()
            at = block.end
            inside(block.blocks, block.start, block.end)
            for part in [*block.items, *block.rows]:
                assert block.start <= part.start <= part.end <= block.end
            for item in block.items:
                inside(item.blocks, item.start, item.end)

    inside(blocks(body), 0, len(body))


@given(st.lists(PIECES, max_size=20).map("".join))
def test_text_is_found_in_its_source(body: str) -> None:
    for part in everything(blocks(body)):
        if isinstance(part, Block) and part.kind is Kind.PARAGRAPH:
            assert set(part.text.split()) <= set(source(part, body).split())


@pytest.mark.one_in(8)
@pytest.mark.parametrize(
    "body",
    [
        ">" * 50_000, "> " * 20_000, "- " * 20_000, "1. " * 20_000, "[" * 50_000, "`" * 50_000, "|" * 50_000,
        "| a " * 10_000 + "|\n" + "|-" * 10_000 + "|\n", "# a\n" * 10_000, "- a\n" * 10_000, "<a " * 20_000,
        "\n".join(" " * n + "- a" for n in range(300)), "a\n" * 30_000, "*a " * 20_000, "> a\n" * 10_000,
    ],
)  # fmt: skip
def test_hostile_bodies_are_read_quickly(body: str) -> None:
    with bounded(20):
        blocks(body)
