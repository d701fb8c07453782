"""The pages that a first visitor opens, in both sizes and themes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SIZES, THEMES, check_for_everybody, run_axe
from tests.browser.test_team_languages import CONSOLE
from tests.browser.waiting import follow

pytestmark = pytest.mark.browser


def user(demo: dict[str, Any], role: str) -> dict[str, str]:
    return next(user for user in demo["users"] if user["role"] == role)


def test_the_admin_logs_in_to_the_console(page: Page, demo: dict[str, Any]) -> None:
    admin = user(demo, "admin")
    page.goto(demo["urls"]["console"])
    page.get_by_label("User name").fill(admin["username"])
    page.get_by_label("Password").fill(admin["password"])
    follow(page.get_by_role("button", name="Log in"))
    expect(page).to_have_url(demo["urls"]["console"])
    expect(page).to_have_title("Overview | SupportBot")
    follow(page.get_by_role("link", name=re.compile("^Desk")))
    expect(page.get_by_role("heading", level=1)).to_have_text("Desk")


def test_a_wrong_password_opens_nothing(page: Page, demo: dict[str, Any]) -> None:
    page.goto(demo["urls"]["console"])
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("not the password")
    follow(page.get_by_role("button", name="Log in"))
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(demo["urls"]["console"])
    expect(page.get_by_label("Password")).to_be_visible()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("path", ["/", "/api/v1/docs/", "/nothing/", "/desk/log-in/", "/help/wrenfell/nothing/"])
def test_a_page_is_accessible(page: Page, path: str) -> None:
    page.goto(path)
    check_for_everybody(page)


@pytest.mark.long
def test_the_colours_of_both_themes_are_readable_on_a_phone(
    new_page: Callable[..., Page], demo: dict[str, Any], log_in: Callable[[Page, str], None]
) -> None:
    """This includes every row of their tables. On a large screen, every run checks the colours
    (`check_for_everybody`).
    """
    reader, agent, admin = (new_page(viewport=SIZES[1]) for _ in range(3))
    log_in(agent, "daniel")
    log_in(admin, user(demo, "admin")["username"])
    for page, paths in (
        (
            reader,
            ("/", "/nothing/", "/help/wrenfell/", "/help/wrenfell/?q=boots", "/help/wrenfell/returns-and-refunds/"),
        ),
        (agent, ("/desk/", "/desk/approvals/", "/desk/replies/")),
        (admin, [f"/admin/{path}" for path in CONSOLE]),
    ):
        for path in paths:
            page.goto(path)
            for theme in THEMES:
                found = run_axe(page, theme)
                assert found.violations_count == 0, f"{path} {theme}: {found.generate_report()}"


def test_a_reader_finds_an_article_in_their_language(new_page: Callable[..., Page]) -> None:
    page = new_page(locale="de-DE")
    page.goto("/help/wrenfell/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Wie können wir helfen?")
    expect(page.get_by_role("link", name="Returns and refunds")).to_have_count(0)
    check_for_everybody(page)
    follow(page.get_by_role("link", name="English"))
    expect(page.get_by_role("heading", level=1)).to_have_text("How can we help?")
    page.get_by_role("searchbox").fill("send boots back")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("lang=en"))
    expect(page.locator(".hit").first).to_be_visible()
    check_for_everybody(page)


def test_a_quoted_passage_is_marked_in_view(page: Page) -> None:
    page.goto("/help/wrenfell/?q=when+do+I+get+my+money+back")
    title = page.locator(".hit b").first.inner_text()
    follow(page.locator(".hit").first)
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("#passage")).to_be_in_viewport()
    expect(page.get_by_role("note")).to_contain_text("quoted")
    check_for_everybody(page)


@pytest.mark.long
def test_the_table_of_contents_is_folded_on_a_phone(new_page: Callable[..., Page]) -> None:
    page = new_page(viewport={"width": 390, "height": 844})
    page.goto("/help/wrenfell/returns-and-refunds/")
    contents = page.get_by_role("navigation", name="On this page")
    expect(contents).to_have_count(1)
    expect(contents.get_by_role("link").first).to_be_hidden()
    contents.get_by_text("On this page").click()
    expect(contents.get_by_role("link").first).to_be_visible()
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(contents.get_by_role("link").first).to_be_visible()  # next to the text, on a wide screen


def test_a_page_can_be_used_by_keyboard_with_visible_focus(page: Page) -> None:
    page.goto("/help/wrenfell/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_css("outline-style", "solid")
