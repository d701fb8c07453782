"""An answer's Markdown on the team's pages; `tests/browser/test_widget.py` draws the same cases in the chat."""

import json
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from supportbot.chat.answer_html import answer_html

CASES = json.loads(Path(__file__).with_name("answer_markdown.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("markdown", "html"), CASES)
def test_an_answer_is_the_html_that_the_chat_draws(markdown: str, html: str) -> None:
    # A browser does not escape quotation marks outside attributes.
    assert answer_html(markdown).replace("&quot;", '"').replace("&#x27;", "'") == html


@pytest.mark.parametrize(
    "markdown", ["", "\n\n", "```", "```\n", "[", "**", "- ", "  x", "# ", "[a](http://[::1)", "`"]
)
def test_unfinished_markdown_is_text(markdown: str) -> None:
    shown = LexborHTMLParser(f"<body>{answer_html(markdown)}</body>")
    assert shown.css("a, script, img, strong") == []
    assert (shown.body.text() if shown.body else "").strip() in markdown


def test_anything_but_markdown_is_escaped() -> None:
    hostile = "**<img src=x>** `<i>` [<u>](https://a.example/'><b>) <script> https://a.example/\"onclick=x"
    shown = LexborHTMLParser(f"<body>{answer_html(hostile)}</body>")
    assert shown.css("img, i, u, b, script, [onclick]") == []
    assert [one.attributes for one in shown.css("a")] == [
        {"href": "https://a.example/'><b>", "target": "_blank", "rel": "noopener noreferrer"},
        {"href": "https://a.example/", "target": "_blank", "rel": "noopener noreferrer"},
    ]
