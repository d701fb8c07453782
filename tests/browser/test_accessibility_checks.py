"""What the accessibility check of a page finds: each bad combination of colours, on the first page that shows it."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import conftest
from tests.browser.conftest import run_axe

pytestmark = pytest.mark.browser
TEXT = '<p style="color: {}; background: {}">{}</p>'


@pytest.fixture
def blank(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(conftest, "_COLOURS", set())
    page = browser.new_page()
    yield page
    page.close()


def found_on(page: Page, *texts: str) -> list[str]:
    page.set_content(f'<html lang="en"><title>A</title><main><h1>A</h1>{"".join(texts)}</main></html>')
    return [violation["id"] for violation in run_axe(page, "light").response["violations"]]


def test_each_bad_contrast_is_found_on_the_first_page_that_shows_it(blank: Page) -> None:
    good, bad = TEXT.format("#000", "#fff", "Good"), TEXT.format("#bbb", "#fff", "Bad")
    assert found_on(blank, good) == []
    assert found_on(blank, good, bad) == ["color-contrast"]
    assert found_on(blank, bad) == []  # reported before
    assert found_on(blank, TEXT.format("#bbb", "#ddd", "Worse")) == ["color-contrast"]
    assert found_on(blank, f'<div style="background: #ccc">{TEXT.format("#bbb", "transparent", "Bad")}</div>') != []
    over = '<p style="color: #bbb; position: absolute; top: 40px">Over another</p>'
    assert found_on(blank, over) == found_on(blank, over) == ["color-contrast"]


def test_a_bad_contrast_is_found_in_a_shadow_root_and_other_rules_on_the_whole_page(blank: Page) -> None:
    shadow = f'<div><template shadowrootmode="open">{TEXT.format("#bbb", "#fff", "Bad")}</template></div>'
    blank.goto("data:text/html,<p>A page that reads shadow roots</p>")
    blank.set_content(f'<html lang="en"><title>A</title><main><h1>A</h1>{shadow}<img src="data:,"></main></html>')
    blank.evaluate(
        """() => document.querySelectorAll("template").forEach((one) => {
          one.parentElement.attachShadow({ mode: "open" }).append(one.content);
        })"""
    )
    assert sorted(violation["id"] for violation in run_axe(blank, "light").response["violations"]) == [
        "color-contrast",
        "image-alt",
    ]
