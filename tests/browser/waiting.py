"""Functions that wait for a page: a test must read nothing before the page shows the result of an action.

Playwright's actions return before a navigation that they start, and `evaluate`, `count`, `inner_text` etc. answer
at once, from the page that is being left or from one that is not complete yet.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from playwright.sync_api import Locator, Page

from tests.patience import PATIENCE_MS, PATIENCE_SECONDS

Found = TypeVar("Found")


def follow(link: Locator) -> None:
    """Click a link or a button, and return once the page it leads to is loaded."""
    with link.page.expect_navigation(timeout=PATIENCE_MS):
        link.click()


def press_through(page: Page, *keys: str) -> None:
    """Press keys, the last of which opens another page, and return once that page is loaded."""
    with page.expect_navigation(timeout=PATIENCE_MS):
        for key in keys:
            page.keyboard.press(key)


def measure(page: Page, script: str, arg: Any = None) -> Any:
    """Evaluate a script about sizes and positions once the page is loaded, its fonts included."""
    page.wait_for_load_state(timeout=PATIENCE_MS)
    page.evaluate("document.fonts.ready.then(() => true)")
    return page.evaluate(script, arg)


def until(page: Page, expression: str, arg: Any = None) -> None:
    """Return once an expression is true; Playwright's own waiting uses `eval`, which the policies forbid."""
    wait_for(page, lambda: page.evaluate(expression, arg), expression)


def wait_for(page: Page, condition: Callable[[], Found], name: str = "", *, every_ms: int = 20) -> Found:
    """Return the condition's value once it is true. The page's requests are served meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"{name or condition} is still not true."
        page.wait_for_timeout(every_ms)
    return found
