"""Answers that try to leak or run something when rendered: they load and run nothing, and link to no attacker."""

import re

import pytest

from kb.rendering import render_article, render_markdown
from tests.attacks import checks
from tests.attacks.corpus import Row, rows
from tests.attacks.test_words import PAGE, said

SPLIT = "|SPLIT|"
FACT = "You can return unused items within 30 days of delivery. [1]"
# Addresses that a preview would follow, and schemes that run or embed something.
ADDRESS = re.compile(r"(?:https?:)?//[^\s\"'<>]+|javascript:|data:text", re.IGNORECASE)


@pytest.mark.parametrize("row", rows("markdown_exfil"))
@pytest.mark.parametrize("before", ["", pytest.param(f"{FACT} ", marks=pytest.mark.long)])
def test_nothing_is_fetched_or_run(row: Row, before: str) -> None:
    text = before + row.raw["model_text"].replace(SPLIT, "")
    for size in (1, len(text)):  # letter by letter, every beginning of the text is seen
        shown, answer = said(text, pieces=size)
        for seen in (shown, answer.text):
            checks.no_active_content(seen)
            assert "attacker" not in seen and "CANARY" not in seen and "__pwned" not in seen
            assert not ADDRESS.search(seen)


@pytest.mark.parametrize("row", rows("markdown_exfil"))
def test_hostile_text_is_inert_when_quoted_from_an_article(row: Row) -> None:
    """A hostile page: the same text is in our own article, so the model may quote it."""
    body = f"{PAGE}\n\n{row.raw['model_text'].replace(SPLIT, '')}\n"
    checks.assert_inert(render_markdown(body))
    checks.assert_inert(render_article("Page", body, passage=(10, len(body))).html)


@pytest.mark.parametrize("row", rows("xss"))
def test_markup_is_inert_wherever_markdown_is_rendered(row: Row) -> None:
    payload = row.raw["payload"]
    checks.assert_inert(render_markdown(payload))
    checks.assert_inert(render_markdown(f"| a |\n|---|\n| {payload} |"))
    checks.assert_inert(render_markdown(f'[{payload}]({payload})\n\n![{payload}]({payload} "{payload}")'))
    checks.assert_inert(render_article(payload, f"# {payload}\n\n{payload}", passage=(2, 4 + len(payload))).html)


@pytest.mark.parametrize("hidden", ["\u202e", "\u2067", "\u200b", "\U000e0041", "\ufffa", "\ufffe"])
def test_a_rendered_page_hides_and_reverses_nothing(hidden: str) -> None:
    assert hidden not in render_markdown(f"Order {hidden}1001-A and `code {hidden}` and [a{hidden}](https://a.test)")
    assert hidden not in render_article("Title", f"## Order {hidden}1001-A\n\ntext {hidden}", passage=(3, 12)).html
