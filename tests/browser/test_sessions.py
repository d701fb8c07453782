"""A form is sent from a tab that was left for a while: nothing that was typed is lost or ends up elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.waiting import follow

pytestmark = pytest.mark.browser
OpenAs = Callable[[Page, str, str], None]
# Tests cannot leave a tab, because all pages of the test browser have the focus.
COME_BACK = "dispatchEvent(new Event('focus'))"


def log_out_in_another_tab(page: Page) -> None:
    tab = page.context.new_page()
    tab.goto("/admin/")
    follow(tab.get_by_role("button", name="Log out"))
    tab.close()
    page.evaluate(COME_BACK)


@pytest.fixture
def log_in_there(demo: dict[str, Any]) -> Callable[[Page, str], None]:
    passwords = {user["username"]: user["password"] for user in demo["users"]}

    def logged_in(page: Page, name: str) -> None:
        """Follow the notice's link, which opens a tab."""
        with page.context.expect_page() as opened:
            page.get_by_role("alert").get_by_role("link", name="Log in").click()
        tab = opened.value
        tab.locator("[name=username]").fill(name)
        tab.locator("[name=password]").fill(passwords[name])
        follow(tab.get_by_role("button", name="Log in"))
        tab.close()
        page.evaluate(COME_BACK)

    return logged_in


def test_a_form_outlives_a_logout_in_another_tab(
    page: Page, open_as: OpenAs, log_in_there: Callable[[Page, str], None]
) -> None:
    open_as(page, "hanna", "/admin/kb/article/add/")
    title, body, save = page.get_by_label("Title", exact=True), page.locator("#body"), "Save draft"
    title.fill("Gaiters")
    body.fill("Gaiters keep out stones.")
    log_out_in_another_tab(page)
    page.get_by_role("button", name=save).click()
    notice = page.get_by_role("alert").filter(has_text="You have been logged out, so nothing was sent.")
    expect(notice).to_be_visible()
    expect(body).to_have_value("Gaiters keep out stones.")
    check_for_everybody(page)
    page.get_by_role("button", name=save).click()
    expect(notice).to_have_count(1)
    log_in_there(page, "hanna")
    follow(page.get_by_role("button", name=save))
    expect(page.get_by_role("status")).to_contain_text(["Saved as a draft."])
    expect(body).to_have_value("Gaiters keep out stones.")
    expect(notice).to_have_count(0)


def test_a_form_is_not_sent_to_another_workspace_or_into_the_void(page: Page, open_as: OpenAs) -> None:
    open_as(page, "hanna", "/admin/kb/synonyms/add/")
    words, save = page.get_by_label("Words"), page.get_by_role("button", name="Save", exact=True)
    words.fill("gaiter, gamash")
    user = page.locator("#session").get_attribute("data-user")
    elsewhere = {"user": user, "workspace": "another", "token": "x"}
    page.route("**/admin/session/", lambda route: route.fulfill(json=elsewhere))
    page.evaluate(COME_BACK)
    save.click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("You have switched to another workspace in another tab, so nothing was sent.")
    page.unroute("**/admin/session/")
    page.route("**/admin/session/", lambda route: route.abort())
    save.click()
    expect(notice).to_contain_text("The server cannot be reached, so nothing was sent.")
    expect(words).to_have_value("gaiter, gamash")
    page.unroute("**/admin/session/")
    follow(save)
    expect(page.get_by_role("link", name="gaiter, gamash")).to_be_visible()


def test_a_canned_reply_outlives_a_logout_in_another_tab(
    page: Page, open_as: OpenAs, log_in_there: Callable[[Page, str], None]
) -> None:
    open_as(page, "noor", "/desk/replies/")
    page.get_by_label("Title").fill("Gaiters")
    page.locator("#reply-text").fill("Gaiters keep out stones.")
    log_out_in_another_tab(page)
    page.get_by_role("button", name="Save reply").click()
    expect(page.get_by_role("alert")).to_contain_text("You have been logged out, so nothing was sent.")
    check_for_everybody(page)
    log_in_there(page, "noor")
    follow(page.get_by_role("button", name="Save reply"))
    expect(page.get_by_role("heading", name="Gaiters")).to_be_visible()


def test_a_form_is_not_sent_as_another_person(
    page: Page, open_as: OpenAs, log_in_there: Callable[[Page, str], None]
) -> None:
    open_as(page, "hanna", "/admin/kb/synonyms/add/")
    words, save = page.get_by_label("Words"), page.get_by_role("button", name="Save", exact=True)
    words.fill("crampon, grappin")
    log_out_in_another_tab(page)
    save.click()
    log_in_there(page, "tariq")
    save.click()
    expect(page.get_by_role("alert")).to_contain_text(
        "Someone else has logged in, in another tab, so nothing was sent."
    )
    expect(words).to_have_value("crampon, grappin")
    check_for_everybody(page)
    log_out_in_another_tab(page)
    save.click()
    log_in_there(page, "hanna")
    follow(save)
    expect(page.get_by_role("link", name="crampon, grappin")).to_be_visible()
