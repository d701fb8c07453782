"""A real browser and one real instance for all journeys.

The tests are plain functions on the sync API; they read and write through pages and the API only, never through the
database.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from supportbot.translation import LANGUAGES
from tests.browser.program import launch_options
from tests.browser.shoppage import Shop, open_chat, visit
from tests.browser.slowness import slow_down, slow_network
from tests.browser.waiting import measure, press_through, until
from tests.embedded.instance import Instance, open_to_postgres
from tests.patience import PATIENCE_MS

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = ("color-contrast",)
# The rows of a long table are alike; the long run checks those of the main pages (`test_pages.py`).
ALIKE = ("tbody tr:nth-child(n+11)",)
# A theme only changes colours; everything else is checked in the light theme.
OF_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "rules": {}}
# Contrast takes four fifths of the time of a check. Texts of the same colours and size have the same contrast, so a few
# texts of each combination are checked, on the first page that shows it. What is behind a text that overlaps other
# elements is not known, so such a text is checked each time.
RUN_ON_NEW_COLOURS = """
async ([context, known, options]) => {
  const seen = new Set(known), texts = [], found = new Map();
  const above = (node) => node.assignedSlot ?? node.parentElement ?? node.getRootNode().host;
  const isOpaque = (colour) => !/rgba|\\//.test(colour);
  const coloursOf = (node) => {
    const own = getComputedStyle(node);
    const facts = [own.color, own.fontSize, own.fontWeight, own.textShadow, node.matches(":disabled")];
    if (node.localName === "a") facts.push(own.textDecorationLine, getComputedStyle(node.parentElement ?? node).color);
    for (let behind = node; behind; behind = above(behind)) {
      const style = getComputedStyle(behind);
      if (style.opacity !== "1" || style.backgroundImage !== "none") facts.push(style.opacity, style.backgroundImage);
      facts.push(style.backgroundColor);
      if (isOpaque(style.backgroundColor)) return facts.join();
      if (!["static", "relative"].includes(style.position)) return null;
    }
    return facts.join();
  };
  const visit = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) visit(node.shadowRoot);
      const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
      if (!(hasText || node.matches("input, textarea, select")) || !node.checkVisibility()) continue;
      const colours = coloursOf(node);
      const before = found.get(colours) ?? 0;
      if (colours === null || (!seen.has(colours) && before < 3)) texts.push(node);
      if (colours !== null) found.set(colours, before + 1);
    }
  };
  visit(document);
  if (!texts.length) return { violations: [], seen: [] };
  const { violations } = await axe.run({ ...context, include: texts }, options);
  return { violations, seen: [...found.keys()] };
}
"""
Theme = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
SIZES = ({"width": 1280, "height": 900}, {"width": 390, "height": 844})
WIDTH_BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BEYOND = """
() => [...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 0.5)
  .map((node) => `${node.tagName}.${node.className}: ${node.textContent.trim().slice(0, 40)}`).slice(-5)
"""
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=:)\d+")  # including ports
_SEEN: set[str] = set()
_COLOURS: set[str] = set()
# The language with the longest words and a right-to-left one are checked in every run, the others in the long one.
IN_EVERY_RUN = ("ar", "de")
EVERY_LANGUAGE = [
    language if language in IN_EVERY_RUN else pytest.param(language, marks=pytest.mark.long) for language in LANGUAGES
]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with slow_network() as network:
        yield {**browser_type_launch_args, **launch_options(), **network}


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory, migrated_schema: Path) -> Iterator[Instance]:
    made = Instance(open_to_postgres(tmp_path_factory.mktemp("instance")) / "data")
    made.prepare(migrated_schema)
    yield made
    made.end()


@pytest.fixture(scope="session")
def demo(instance: Instance) -> dict[str, Any]:
    """The content of the running instance's `demo.json`. The instance may call servers that tests start here."""
    return instance.start(PRIVATE_NETWORKS="127.0.0.0/8")


@pytest.fixture
def new_page(browser: Browser, demo: dict[str, Any]) -> Iterator[Callable[..., Page]]:
    """Open pages in separate browser contexts; a script error or anything blocked by the policy fails the test."""
    problems: list[str] = []
    contexts = []

    def opened(**options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", "base_url": demo["urls"]["base"], **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        slow_down(page)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


@pytest.fixture(scope="session")
def open_as(demo: dict[str, Any]) -> Callable[[Page, str, str], None]:
    """Open a page of the team as a demo person.

    The form is used for a person's first page and after they have logged out; other pages get that session's cookie,
    since checking a password takes half a second by design.
    """
    passwords = {user["username"]: user["password"] for user in demo["users"]}
    sessions: dict[str, list[Any]] = {}

    def opened(page: Page, name: str, path: str) -> None:
        page.context.add_cookies(sessions.get(name, []))
        page.goto(path)
        password = page.locator("[name=password]")
        if not password.count():
            return
        page.locator("[name=username]").fill(name)
        password.fill(passwords[name])
        press_through(page, "Enter")
        sessions[name] = [one for one in page.context.cookies() if one.get("name") == settings.SESSION_COOKIE_NAME]

    return opened


@pytest.fixture
def log_in(open_as: Callable[[Page, str, str], None]) -> Callable[[Page, str], None]:
    """Open the desk as a demo person."""

    def logged_in(page: Page, name: str) -> None:
        open_as(page, name, "/desk/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Desk")

    return logged_in


def is_new(page: Page) -> bool:
    """Return whether this kind of page, whatever its ids and state, is checked for the first time in this run."""
    address = _IDS.sub("", page.url.partition("?")[0])
    before = len(_SEEN)
    _SEEN.add(address)
    return len(_SEEN) > before


def check_for_everybody(page: Page) -> None:
    """Assert that the page has no accessibility finding and no horizontal scroll now, in both sizes. Later states of
    the same page have no finding in the first size and theme, and no horizontal scroll in either size.

    A theme changes only colours, and a size only positions, so colours are checked in the first size; the long run also
    checks those of the main pages on a phone.
    """
    _check(page, THEMES if is_new(page) else THEMES[:1])


def check_in_both_themes(page: Page) -> None:
    """Like `check_for_everybody` on a new page, for a later state that shows other kinds of elements."""
    _check(page, THEMES)


def _check(page: Page, themes: Sequence[Theme]) -> None:
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a ViewportSize by its keys
        is_wide = size == SIZES[0]
        for theme in themes if is_wide else THEMES[:1] if themes == THEMES else ():
            found = run_axe(page, theme, without=() if is_wide else CONTRAST, leaving_out=ALIKE)
            assert found.violations_count == 0, f"{page.url} {size} {theme}: {found.generate_report()}"
        beyond = measure(page, WIDTH_BEYOND)
        assert beyond <= 0, f"{page.url} is {beyond} px wider than {size}: {page.evaluate(BEYOND)}"


def check_with_large_text(page: Page) -> None:
    """Assert that at twice the text size nothing is wider than the screen, in either size."""
    measure(page, "document.documentElement.style.fontSize = '200%'")
    for size in SIZES:
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a ViewportSize by its keys
        beyond = measure(page, WIDTH_BEYOND)
        assert beyond <= 0, f"{page.url} with large text is {beyond} px wider than {size}: {page.evaluate(BEYOND)}"
    page.evaluate("document.documentElement.style.fontSize = ''")


def run_axe(page: Page, theme: Theme, *, without: Sequence[str] = (), leaving_out: Sequence[str] = ()) -> AxeResults:
    """Check the page's current state with axe, except for some rules and some elements (by selector). Its half-megabyte
    script is injected once per document. Transitions are off, so that no colour between two themes is measured.
    """
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    if measure(page, "typeof axe === 'undefined'"):
        page.evaluate(Axe().axe_script)
    options = {
        "runOnly": RULES,
        "rules": {rule: {"enabled": False} for rule in (*without, *CONTRAST)},
        "reporter": "no-passes",  # the default result also lists everything that passed
    }
    context = {"exclude": [[selector] for selector in leaving_out]}
    found: dict[str, Any] = {"violations": []}
    if theme == "light":
        found = page.evaluate("([context, options]) => axe.run(context, options)", [context, options])
    if theme == "dark" or not without:
        colours = page.evaluate(RUN_ON_NEW_COLOURS, [context, sorted(_COLOURS), {**options, **OF_COLOURS}])
        found["violations"] += colours["violations"]
        _COLOURS.update(colours["seen"])
    return AxeResults(found)


@pytest.fixture
def shop(browser: Browser) -> Iterator[Shop]:
    """A shop's page with the widget's tag, and a scripted platform."""
    with visit(browser, viewport={"width": 1280, "height": 800}) as visited:
        yield visited


@pytest.fixture
def chat(shop: Shop) -> Shop:
    """The shop's page with its chat open."""
    page, _ = shop
    open_chat(page)
    until(page, "SupportBot.state.connection === 'open'")
    return shop
