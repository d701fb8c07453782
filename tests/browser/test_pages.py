"""The pages a first visitor opens."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def user(demo: dict[str, Any], role: str) -> dict[str, str]:
    return next(user for user in demo["users"] if user["role"] == role)


def test_the_admin_logs_in_to_the_console(page: Page, demo: dict[str, Any]) -> None:
    admin = user(demo, "admin")
    page.goto(demo["urls"]["console"])
    page.get_by_label("Username").fill(admin["username"])
    page.get_by_label("Password").fill(admin["password"])
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(demo["urls"]["console"])


def test_a_wrong_password_opens_nothing(page: Page, demo: dict[str, Any]) -> None:
    page.goto(demo["urls"]["console"])
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(demo["urls"]["console"])
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_help_page_opens_from_the_list(page: Page, demo: dict[str, Any]) -> None:
    page.goto(f"{demo['urls']['base']}/help/{demo['workspace']}/")
    link = page.locator("main a").first
    title = link.inner_text()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)


@pytest.mark.parametrize("path", ["/", "/help/wrenfell/"])
def test_a_page_has_no_accessibility_errors(page: Page, demo: dict[str, Any], path: str) -> None:
    page.goto(f"{demo['urls']['base']}{path}")
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert results.violations_count == 0, results.generate_report()
