"""The console's scripts for slow work, on a page whose clock the test moves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route

from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.browser
SCRIPTS = Path(__file__).parents[2] / "supportbot/console/static/console"
ADDRESS = "http://console.test/"
WORDS = "The gates are checking the text."
PAGE = f"""<!doctype html><meta charset="utf-8"><title>Check</title>
<script type="module" src="/waiting.js"></script><script type="module" src="/reload.js"></script>
<form method="post"><span role="status" data-waiting-here></span><button data-waiting="{WORDS}">Publish</button></form>
"""
# `pass(ms)` runs the timers that are due and returns how many; `press()` returns whether the form would be sent.
# Nothing leaves the page, as if the server never answered.
CLOCK = """
  let now = 0;
  const timers = [];
  const add = (run, ms) => timers.push({run, at: now + ms});
  const clear = number => { if (number) timers[number - 1].run = null; };
  Object.assign(window, {setTimeout: add, setInterval: add, clearTimeout: clear, clearInterval: clear});
  window.pass = ms => {
    now += ms;
    const due = timers.filter(one => one.run && one.at <= now);
    for (const one of due) one.run();
    return due.length;
  };
  let isSent;
  window.addEventListener("submit", event => {
    isSent = !event.defaultPrevented;
    event.preventDefault();
  });
  window.press = () => {
    document.querySelector("button").click();
    return isSent;
  };
  window.told = () => document.querySelector("[role=status]").textContent;
"""


def serve(route: Route, request: Request) -> None:
    name = request.url.removeprefix(ADDRESS)
    if name.endswith(".js"):
        route.fulfill(body=(SCRIPTS / name).read_text(), content_type="text/javascript")
    else:
        route.fulfill(body=PAGE, content_type="text/html")


@pytest.fixture
def slow(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(CLOCK)
    page.route(f"{ADDRESS}**", serve)
    page.goto(ADDRESS)
    yield page
    page.close()


def test_a_page_reloads_until_its_form_is_sent(slow: Page) -> None:
    with slow.expect_navigation():
        assert slow.evaluate("pass(5000)") == 1
    sent: Any = slow.evaluate("[press(), pass(20000)]")
    assert sent == [True, 0]


@pytest.mark.long
def test_a_form_that_was_stopped_while_sending_can_be_sent_again_later(slow: Page) -> None:
    assert slow.evaluate("[press(), told(), press()]") == [True, WORDS, False]
    assert slow.evaluate("[pass(80000), press(), told()]") == [0, False, WORDS]
    assert slow.evaluate("[pass(11000), told(), press()]") == [1, "", True]
