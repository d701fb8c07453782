"""Deciding about an action at the desk: saying no, with a reason."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deskpage import Customer, check, get, post

pytestmark = pytest.mark.browser


def test_who_rejects_says_why_and_the_customer_reads_it(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page(viewport={"width": 1280, "height": 844})
    keys = page.keyboard
    lea = Customer(demo, "cus_1007")
    lea.say("I want a refund for WF-20425, it does not fit")
    card = lea.card(page)
    requests = f"{lea.api}/action-requests/{card['request']}"
    post(f"{requests}/confirm", {"digest": card["digest"]}, lea.credential)
    log_in(page, "daniel")
    page.goto(f"/desk/approvals/{card['request']}/")
    page.get_by_text("Reject", exact=True).focus()
    keys.press("Enter")
    reason = page.get_by_label("Reason (optional)")
    reason.focus()
    keys.type("The jacket was worn outside, but we repair it for free")  # letters are letters here
    expect(page.get_by_label("Only our team")).to_be_checked()  # who says nothing publishes nothing
    page.get_by_label("The customer, word for word").check()
    check(page)
    reason.fill("too long " * 60)
    page.get_by_role("button", name="Reject it").click()
    expect(page.get_by_role("alert")).to_have_text("At most 500 characters.")
    expect(reason).to_have_value("too long " * 60)
    check(page)
    reason.fill("The jacket was worn outside, but we repair it for free")
    page.get_by_role("button", name="Reject it").click()
    expect(page.locator(".decide")).to_have_count(0)
    expect(page.locator(".tl")).to_contain_text("the customer was told: The jacket was worn outside")
    check(page)
    told = get(requests, lea.credential)["reason"]["text"]
    assert "decided against it: The jacket was worn outside, but we repair it for free. Nothing was done." in told
