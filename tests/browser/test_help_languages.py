"""The help pages and the hosted chat in every language on a small phone: nothing is cut off or wider than the
screen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from supportbot.formats import text_direction
from supportbot.translation import LANGUAGES, text_in
from tests.browser.conftest import EVERY_LANGUAGE, check_for_everybody
from tests.browser.waiting import follow, measure
from tests.embedded.instance import Instance

pytestmark = pytest.mark.browser
PHONE = {"width": 320, "height": 700}
# Words to search for: those in each language's article, and some that are in no article.
FOUND, MISSING = "Wrenfell", "qqqqqq"
# Two commands in one process, since loading the product takes longer than what they do.
BOTH = """
from django.core.management import call_command
call_command("workspace_create", "Languages")
call_command("kb_import", {folder!r}, "--workspace", "languages")
"""
WIDER = """
() => [...document.querySelectorAll("body *")]
  .filter((node) => node.checkVisibility() && !node.closest(".vh, .skip, svg"))
  .filter((node) => {
    const { left, right } = node.getBoundingClientRect();
    const isCut = node.clientWidth && node.scrollWidth > node.clientWidth + 1;
    return left < -0.5 || right > innerWidth + 0.5 || (isCut && node.matches("button, .btn, a, h1, h2"));
  })
  .map((node) => `${node.tagName}.${node.className}: ${node.textContent.trim().slice(0, 60)}`)
"""


@pytest.fixture(scope="module")
def languages_workspace(instance: Instance, demo: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A workspace with an article in every language."""
    folder = tmp_path_factory.mktemp("articles")
    for language in LANGUAGES:
        head = f"---\nid: about-{language}\ntitle: Wrenfell {language}\nlocale: {language}\naudience: public\n---\n\n"
        sections = "".join(f"## {FOUND} {number}\n\n{'Wrenfell Outdoor. ' * 10}\n\n" for number in range(3))
        (Path(folder) / f"about-{language}.md").write_text(head + sections)
    done = instance.command("shell", "-c", BOTH.format(folder=str(folder)))
    assert done.returncode == 0, done.stderr
    return "languages"


def fits(page: Page, language: str) -> None:
    assert measure(page, WIDER) == [], f"{page.url} in {language}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} in {language}"
    assert page.evaluate("document.documentElement.lang") == language
    assert page.evaluate("getComputedStyle(document.documentElement).direction") == text_direction(language)


@pytest.mark.long
@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_help_pages_fit_a_small_phone(new_page: Callable[..., Page], languages_workspace: str, language: str) -> None:
    page = new_page(viewport=PHONE, locale=language)
    home = f"/help/{languages_workspace}/"
    page.goto(home)
    expect(page.get_by_role("heading", level=1)).to_have_text(text_in(language, "How can we help?"))
    fits(page, language)
    follow(page.get_by_role("link", name=f"Wrenfell {language}"))
    expect(page.get_by_text(text_in(language, "Updated %(day)s").partition("%(day)s")[0].strip()).first).to_be_visible()
    fits(page, language)
    for query in (FOUND, MISSING):
        page.goto(f"{home}?q={query}&lang={language}")
        fits(page, language)
    page.goto(f"{home}nothing/")
    expect(page.get_by_role("heading", level=1)).to_have_text(text_in(language, "Page not found"))
    fits(page, language)
    if language == "ar":  # mirrored, so its accessibility is checked too
        page.goto(home)
        check_for_everybody(page)


@pytest.mark.long
@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_a_missing_chat_is_reported(new_page: Callable[..., Page], language: str) -> None:
    page = new_page(viewport=PHONE, locale=language)
    page.goto("/chat/nothing/")
    expect(page.get_by_role("heading", level=1)).to_have_text(text_in(language, "Chat not found"))
    fits(page, language)
