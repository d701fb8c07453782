"""The demo shop's storefront in a real browser, on the whole product: from a question to a receipt.

Every test uses its own customer's orders, so that the tests can share one shop in any order.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shopping import Shopper
from tests.browser.waiting import follow

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def shopper(new_page: Callable[..., Page], demo: dict[str, Any]) -> Shopper:
    return Shopper(new_page(viewport={"width": 1280, "height": 900}), demo)


def test_from_a_question_to_a_receipt(shopper: Shopper) -> None:
    shopper.be("Mara Lindner")
    shopper.check()
    shopper.open_chat()
    shopper.check()

    answer = shopper.ask("How long do I have to return something?")
    expect(answer).to_contain_text("60 days")
    answer.get_by_role("button", name=re.compile(r"^\d sources?$")).click()
    expect(answer.get_by_role("blockquote").first).to_contain_text("60 days")
    shopper.check()
    with shopper.page.context.expect_page() as opened:
        answer.get_by_role("link").first.click()
    expect(opened.value.locator("#passage")).to_contain_text("60 days")
    opened.value.close()

    shopper.say("I would like a refund for order WF-20404, it arrived damaged")
    card = shopper.card("Refund €54.00")
    expect(card).to_contain_text("Nothing happens until you confirm")
    shopper.check()
    assert shopper.paid_back("WF-20404") == []
    card.get_by_role("button", name="Refund €54.00").click()
    expect(card).to_contain_text("RF-")
    expect(card).to_contain_text("Visa •••• 4417")
    shopper.check()
    [refund] = shopper.paid_back("WF-20404")
    # The shop's page around the chat has been updated.
    expect(shopper.page.get_by_role("article", name="WF-20404")).to_contain_text("Everything has been refunded")

    shopper.page.reload()
    expect(shopper.card("Refund €54.00")).to_contain_text(refund["reference"])
    follow(shopper.page.get_by_role("link", name="Ledger", exact=True))
    entry = shopper.page.get_by_role("listitem").filter(has_text="WF-20404")
    expect(entry).to_have_count(1)
    expect(entry).to_contain_text(refund["key"])


def test_other_customers_orders_and_expired_ones_are_refused(shopper: Shopper) -> None:
    shopper.be("Priya Raman")
    shopper.open_chat()
    answer = shopper.ask("Please refund order WF-20404, it arrived damaged")
    expect(answer).to_contain_text("There is no order WF-20404 in your account.")
    shopper.check()
    shopper.be("Mara Lindner")
    shopper.open_chat()
    expect(shopper.chat).not_to_contain_text("in your account")
    answer = shopper.ask("Please refund order WF-20262, it does not fit")
    expect(answer).to_contain_text("more than 60 days ago")
    shopper.check()
    assert shopper.paid_back("WF-20262") == []


def test_an_amount_above_the_limit_needs_approval(shopper: Shopper) -> None:
    shopper.be("Léa Martin")
    shopper.open_chat()
    shopper.say("I would like a refund for order WF-20425, it does not fit")
    card = shopper.card("Refund €219.00")
    card.get_by_role("button", name="Refund €219.00").click()
    expect(card).to_contain_text("A colleague is checking your request")
    shopper.check()
    assert shopper.paid_back("WF-20425") == []

    shopper.approve_as_the_lead("WF-20425")
    expect(card).to_contain_text("RF-")
    [refund] = shopper.paid_back("WF-20425")
    assert refund["amount"] == "219.00"
    shopper.check()


def test_a_lost_reply_pays_once(shopper: Shopper) -> None:
    shopper.be("Tom Okafor")
    shopper.open_chat()
    shopper.say("I would like a refund for order WF-20410, a pole is broken")
    card = shopper.card("Refund €79.00")
    expect(card).to_be_visible()
    shopper.misbehave(drop_reply=1)
    card.get_by_role("button", name="Refund €79.00").click()
    expect(card).to_contain_text("RF-")
    assert len(shopper.paid_back("WF-20410")) == 1


def test_an_address_change_in_german_on_a_phone(new_page: Callable[..., Page], demo: dict[str, Any]) -> None:
    shopper = Shopper(new_page(viewport=PHONE, locale="de-DE"), demo)
    shopper.be("Jonas Weber")
    shopper.open_chat()
    shopper.say("Bitte schicken Sie die Bestellung WF-20444 an eine andere Adresse: Lindenweg 14, 79100 Freiburg")
    card = shopper.chat.get_by_role("group").filter(has_text="Lindenweg 14").last
    expect(card).to_be_visible()
    shopper.check()
    card.get_by_role("button").first.click()
    expect(card).to_contain_text("Erledigt")
    shopper.check()
    [change] = shopper.changed("WF-20444")
    assert (change["after"]["line1"], change["after"]["city"]) == ("Lindenweg 14", "Freiburg")


def test_signing_out_removes_the_chat(shopper: Shopper) -> None:
    shopper.be("Samir Haddad")
    shopper.open_chat()
    shopper.ask("How long do I have to return something?")
    follow(shopper.page.get_by_role("button", name="Sign out"))
    expect(shopper.page.get_by_text("You are a visitor.")).to_be_visible()
    shopper.open_chat()
    expect(shopper.chat).not_to_contain_text("How long do I have")
    shopper.be("Samir Haddad")
    shopper.open_chat()
    expect(shopper.chat).not_to_contain_text("How long do I have")


@pytest.mark.long
def test_a_button_asks_about_an_order(shopper: Shopper) -> None:
    shopper.be("Élodie Garnier")
    order = shopper.page.get_by_role("article", name="WF-20414")
    order.get_by_role("button").click()
    expect(shopper.composer).to_have_value(re.compile("WF-20414"))


@pytest.mark.long
def test_the_ledger_updates_itself(shopper: Shopper) -> None:
    page = shopper.page
    page.goto(f"{shopper.demo['urls']['storefront']}ledger")
    expect(page.get_by_text("updates automatically")).to_be_visible()
    typed = page.get_by_label("Seconds to wait before each call")
    typed.fill("7")
    shopper.misbehave(fail_next=3)
    try:
        expect(page.get_by_text("3 calls to fail")).to_be_visible()
        expect(typed).to_have_value("7")
        expect(typed).to_be_focused()
        typed.fill("a while")
        page.get_by_role("button", name="Set faults").click()
        expect(typed).to_have_accessible_description(re.compile("number"))
        shopper.check()
    finally:
        shopper.misbehave()


@pytest.mark.long
def test_the_customer_is_told_that_the_platform_is_unavailable(shopper: Shopper) -> None:
    shopper.page.route("**/widget/v1.js", lambda route: route.abort())
    shopper.be("Felix Brenner")
    expect(shopper.page.get_by_role("status").get_by_text("chat")).to_be_visible()
    expect(shopper.page.get_by_role("article").first.get_by_role("button")).to_have_count(0)
    shopper.check()


@pytest.mark.long
def test_the_shop_works_without_scripts(new_page: Callable[..., Page], demo: dict[str, Any]) -> None:
    shopper = Shopper(new_page(java_script_enabled=False), demo)
    shopper.be("Élodie Garnier")
    page = shopper.page
    expect(page.get_by_text("The chat needs JavaScript.")).to_be_visible()
    expect(page.get_by_role("article", name="WF-20361")).to_contain_text("€468.00")
    follow(page.get_by_role("link", name="Ledger", exact=True))
    page.get_by_label("Calls to fail").fill("0")
    follow(page.get_by_role("button", name="Set faults"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    follow(page.get_by_role("button", name="Sign out"))
    expect(page.get_by_text("You are a visitor.")).to_be_visible()


@pytest.mark.one_in(2)
@pytest.mark.parametrize("path", ["", "sign-in", "ledger", "nothing"])
def test_every_page_is_accessible(shopper: Shopper, path: str) -> None:
    shopper.page.goto(f"{shopper.demo['urls']['storefront']}{path}")
    expect(shopper.page.get_by_role("button", name="Open chat")).to_be_visible()
    shopper.check()


@pytest.mark.long
def test_the_storefront_can_be_used_by_keyboard(shopper: Shopper) -> None:
    page = shopper.page
    page.goto(shopper.demo["urls"]["storefront"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Sign in as a customer", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who would you like to be?")
    page.get_by_role("button", name="Sign in as Mara Lindner").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your orders")


@pytest.mark.long
def test_missing_details_are_chosen_and_filled_in(shopper: Shopper) -> None:
    shopper.be("Mara Lindner")
    shopper.open_chat()
    answer = shopper.ask("I want a refund please, something is broken")
    order = answer.get_by_role("group").get_by_role("button", name="WF-20418")
    expect(order).to_be_visible()
    shopper.check()
    order.click()
    expect(order).to_be_disabled()
    expect(shopper.chat.get_by_role("group", name=re.compile("^Refund")).last).to_contain_text("WF-20418")

    shopper.be("Jonas Weber")
    shopper.open_chat()
    answer = shopper.ask("I need another delivery address for WF-20444")
    form = answer.get_by_role("form")
    form.get_by_label("Street and house number").fill("Am Alten Hafen 3")
    form.get_by_label("Postal code").fill("20457")
    form.get_by_label("City").fill("Hamburg")
    shopper.check()
    form.get_by_role("button", name="Send").click()
    card = shopper.chat.get_by_role("group").filter(has_text="Nothing happens until you confirm").last
    expect(card).to_contain_text("Am Alten Hafen 3")
    expect(card).to_contain_text("20457 Hamburg")
