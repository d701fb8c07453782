"""Actions at the desk: asking a customer to confirm one, and rejecting one with a reason."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deskpage import Customer, check, get, post, resolve, take_over
from tests.browser.shopping import Shopper
from tests.browser.waiting import follow

pytestmark = pytest.mark.browser


@pytest.mark.long
def test_the_customer_reads_why_a_request_was_rejected(
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
    keys.type("The jacket was worn outside, but we repair it for free")  # shortcuts are off while typing
    expect(page.get_by_label("Team only")).to_be_checked()  # without a reason, nothing is shown to the customer
    page.get_by_label("Customer, word for word").check()
    check(page)
    reason.fill("too long " * 60)
    follow(page.get_by_role("button", name="Reject request"))
    expect(page.get_by_role("alert")).to_have_text("At most 500 characters.")
    expect(reason).to_have_value("too long " * 60)
    check(page)
    reason.fill("The jacket was worn outside, but we repair it for free")
    follow(page.get_by_role("button", name="Reject request"))
    expect(page.locator(".decide")).to_have_count(0)
    expect(page.locator(".tl")).to_contain_text("shown to the customer: The jacket was worn outside")
    check(page)
    told = get(requests, lea.credential)["reason"]["text"]
    assert "declined it: The jacket was worn outside, but we repair it for free. Nothing was done." in told


def test_an_agent_requests_a_confirmation_and_the_customer_confirms(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    shopper = Shopper(new_page(viewport={"width": 1280, "height": 900}), demo)
    shopper.be("Anna Hofer")
    shopper.open_chat()
    shopper.ask("I want to talk to a person")
    page = new_page(viewport={"width": 1280, "height": 900})
    log_in(page, "noor")
    take_over(page, "I want to talk to a person")
    follow(page.get_by_role("link", name="Refund an order"))
    delivered = page.get_by_role("option", name=re.compile("delivered")).first.get_attribute("value")
    order = page.get_by_role("combobox", name="Order", exact=True)
    order.select_option(delivered)
    order.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Order Enter a different value")).to_be_visible()
    page.get_by_label("The reason, in the customer's words").fill("The zip broke")
    page.get_by_label("The amount to refund").fill("ten")
    follow(page.get_by_role("button", name="Preview"))
    expect(page.get_by_label("The amount to refund")).to_have_value("ten")
    expect(page.get_by_label("The amount to refund")).to_have_accessible_description(re.compile("^Enter an amount"))
    check(page)
    page.get_by_label("The amount to refund").fill("10.00")
    follow(page.get_by_role("button", name="Preview"))
    expect(page.get_by_role("heading", name="Refund €10.00")).to_be_visible()
    check(page)
    follow(page.get_by_role("button", name="Send for confirmation: Refund €10.00"))
    card = shopper.page.get_by_role("group", name="Refund €10.00", exact=True)  # the chat belongs to the agent now
    expect(card).to_contain_text("The zip broke")
    expect(page.locator("#thread")).to_contain_text("Refund €10.00: proposed")
    card.get_by_role("button", name="Refund €10.00").click()
    expect(card).to_contain_text("RF-")
    expect(page.locator("#thread")).to_contain_text("Refund €10.00: done")
    resolve(page, "I want to talk to a person")
