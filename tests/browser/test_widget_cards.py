"""Cards in the chat for requests that are proposed, carried out or refused; and agents who answer."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.shoppage import (
    PLATFORM,
    Platform,
    Shop,
    deliver,
    message_id,
    open_chat,
    visit,
    widget_events,
)

pytestmark = pytest.mark.browser


def test_text_alone_does_not_create_a_card(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "I would like my money back.")
    answer = platform.starts(1)
    platform.ends(answer, "**Refund €999.00** [Refund €999.00](https://shop.test/) is done")
    expect(page.get_by_role("dialog")).to_contain_text("is done")
    expect(page.get_by_role("group", name="Refund")).to_have_count(0)


def test_a_card_shows_each_step_of_its_request(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    card = page.get_by_role("group", name="Refund €69.00")
    expect(card).to_contain_text("Visa ending 4417")
    expect(card).to_contain_text("Nothing happens until you confirm. Valid until")
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    card.get_by_role("button", name="Refund €69.00").click()
    expect(card).to_contain_text("Sending")
    expect(card).to_be_focused()
    expect(card.get_by_role("button")).to_have_count(0)
    assert platform.wait_for_frames("confirm") == [{"type": "confirm", "request": request, "digest": "d" * 64}]
    platform.say({"type": "error", "code": "merchant_unavailable", "message": "x", "request": request})
    expect(card).to_contain_text("Our system is not responding. Nothing was done.")
    card.get_by_role("button", name="Refund €69.00").click()
    platform.step("awaiting_approval", request)
    expect(card).to_contain_text("In review")
    expect(card).to_contain_text("You confirmed")
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    card.get_by_role("button", name="Withdraw request").click()
    platform.step("queued", request)
    expect(card).to_contain_text("Contacting our system")
    expect(card).not_to_contain_text("Done")
    platform.step("unknown", request, reason={"code": "outcome_unknown", "text": "It cannot be carried out twice."})
    expect(card).to_contain_text("It cannot be carried out twice.")
    receipt = {"order": "WF-20418", "amount": "69.00", "currency": "EUR", "to": "Visa ending 4417", "reference": "RF-7"}
    platform.step("succeeded", request, receipt=receipt)
    expect(card).to_contain_text("Done")
    expect(card).to_contain_text("€69.00")
    expect(card).to_contain_text("RF-7")
    expect(card).not_to_contain_text("twice")
    check_for_everybody(page)
    assert platform.wait_for_frames("decline") == [{"type": "decline", "request": request}]
    assert widget_events(page, "action:proposed") == [
        {"request": request, "action": "refund_order", "state": "proposed"}
    ]
    assert len(widget_events(page, "action:confirmed")) == 1
    assert [told["state"] for told in widget_events(page, "action:result")] == ["unknown", "succeeded"]
    expect(page.get_by_role("log")).to_contain_text("Refund €69.00. Done")


@pytest.mark.long
def test_a_defined_action_labels_its_receipt(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    rows = [{"label": "Refund slip", "value": "<b>R-7</b>"}, {"label": "Paid back", "value": "€20.10"}]
    receipt = {"order": "#W1", "number": "R-7", "currency": "EUR"}
    platform.step("succeeded", request, receipt=receipt, receipt_rows=rows)
    card = page.get_by_role("group", name="Refund €69.00")
    expect(card.locator("dl")).to_have_text("Refund slip<b>R-7</b>Paid back€20.10")
    check_for_everybody(page)


def test_a_defined_actions_warning_is_on_its_card_before_confirmation(chat: Shop) -> None:
    page, platform = chat
    platform.proposes(501, title="New access code", note="The old code <b>stops working</b> at once.")
    card = page.get_by_role("group", name="New access code")
    expect(card).to_contain_text("The old code <b>stops working</b> at once.")
    check_for_everybody(page)


@pytest.mark.long
def test_a_receipt_with_labels_of_its_own_is_shown(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    rows = [{"label": "Amount", "value": "3 days"}, {"label": "Currency", "value": "euros"}]
    platform.step("succeeded", request, receipt={"amount": "3 days"}, receipt_rows=rows)
    expect(page.get_by_role("group", name="Refund €69.00").locator("dl")).to_have_text("Amount3 daysCurrencyeuros")


@pytest.mark.long
def test_an_event_that_cannot_be_drawn_does_not_hide_the_next(chat: Shop) -> None:
    page, platform = chat
    page.evaluate("window.reportError = (error) => { window.reported = String(error) }")
    platform.step("succeeded", platform.proposes(), receipt={"amount": "3", "currency": "euros"})
    platform.event("message", {"message": message_id(502), "source": "system", "text": "Our team has your request."})
    expect(page.locator(".w-log").get_by_text("Our team has your request.")).to_be_visible()
    assert "euros" in page.evaluate("window.reported")


def test_a_held_request_says_until_when_and_can_be_withdrawn(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    card = page.get_by_role("group", name="Refund €69.00")
    card.get_by_role("button", name="Refund €69.00").click()
    until = datetime.now(UTC) + timedelta(minutes=10)
    platform.step("queued", request, held_until=until.isoformat())
    expect(card).to_contain_text("Waiting to send")
    expect(card.locator("li.now time")).to_contain_text(until.astimezone().strftime("%M"))
    check_for_everybody(page)
    card.get_by_role("button", name="Withdraw request").click()
    expect(card).to_contain_text("Sending")
    platform.step("cancelled", request, reason={"code": "withdrawn", "text": "It was withdrawn. Nothing was done."})
    expect(card).to_contain_text("Nothing was done.")
    assert platform.wait_for_frames("decline") == [{"type": "decline", "request": request}]


@pytest.mark.long
def test_a_card_that_had_no_effect_gives_the_reason_and_a_next_step(chat: Shop) -> None:
    page, platform = chat
    reason = {"code": "x", "text": "The card was closed. Nothing was done."}
    failed, expired = platform.proposes(501, title="Refund €1.00"), platform.proposes(502, title="Refund €2.00")
    platform.step("failed", failed, reason=reason)
    platform.step("expired", expired, reason={"code": "not_confirmed", "text": "You did not confirm in time."})
    platform.step("refused", message_id(503), title="Refund €3.00", reason={"code": "y", "text": "Too late."})
    soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    platform.proposes(504, title="Refund €4.00", expires_at=soon)
    expect(page.get_by_role("group", name="Refund €1.00")).to_contain_text(reason["text"])
    expect(page.get_by_role("group", name="Refund €1.00")).to_contain_text("Not done")
    expect(page.get_by_role("group", name="Refund €3.00")).to_contain_text("Too late.")
    expect(page.get_by_role("group", name="Refund €4.00")).to_contain_text("Valid for 2 more minutes.")
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("group", name="Refund €1.00").get_by_role("button", name="Ask a person").click()
    page.get_by_role("group", name="Refund €2.00").get_by_role("button", name="Check again").click()
    expect(page.get_by_role("dialog")).to_contain_text("Refund €69.00 for order WF-20418.")
    assert platform.wait_for_frames("message")[-1]["text"] == "Refund €69.00 for order WF-20418."
    assert platform.wait_for_frames("request_human")[-1]["reason"] == "Refund €1.00"


@pytest.mark.long
def test_a_channel_can_require_confirmations_on_the_hosted_page(browser: Browser) -> None:
    with visit(browser, platform=Platform(config={"confirm_on_hosted_page": True})) as (page, platform):
        open_chat(page)
        platform.proposes()
        page.context.route(f"{PLATFORM}/chat/**", lambda route: route.fulfill(body="Chat", content_type="text/html"))
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Refund €69.00 on our page").click()
        opened.value.wait_for_url(f"{PLATFORM}/chat/pk_test/#code=c_1")
        assert opened.value.evaluate("window.opener") is None
        assert platform.frames_of("confirm") == []


@pytest.mark.long
def test_a_waiting_customer_sees_their_place_in_the_queue(chat: Shop) -> None:
    page, platform = chat
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Talk to a person").click()
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 2})
    platform.say({"type": "queue", "ticket": ticket, "place": 2, "wait": {"min": 3, "max": 6}})
    expect(dialog).to_contain_text("You are number 2 in the queue")
    expect(dialog).to_contain_text("Usual wait: 3–6 min")
    platform.say({"type": "queue", "ticket": ticket, "place": 1, "away": True})
    expect(dialog).not_to_contain_text("in the queue")
    # A notice in the chat says the rest.
    expect(page.locator(".wait")).to_have_text(re.compile("^We will pass this chat on"))
    expect(page.locator(".wait b")).to_have_count(0)
    platform.say({"type": "queue", "ticket": ticket, "place": 1})
    expect(dialog).to_contain_text("You are next")
    expect(dialog).to_contain_text("Finding someone to help you")
    check_for_everybody(page)


def test_an_agent_takes_over_and_hands_back(chat: Shop) -> None:
    page, platform = chat
    dialog, ticket = page.get_by_role("dialog"), message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1})
    platform.say({"type": "queue", "ticket": ticket, "place": 1})
    expect(dialog).to_contain_text("You are next")
    half = platform.starts(1)
    platform.streams(half, "Half a sent")
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"})
    expect(page.get_by_role("dialog", name="Ines Kowalski")).to_contain_text("Ines joined")
    expect(dialog).not_to_contain_text("in the queue")
    platform.streams(half, "ence more", index=1)
    platform.say({"type": "typing", "who": "Ines Kowalski"})
    expect(page.get_by_role("img", name="Ines is typing")).to_be_visible()
    hello = {"message": message_id(800), "source": "agent", "author": "Ines Kowalski", "text": "Hi Mara"}
    platform.event("message", hello)
    expect(dialog).to_contain_text("Hi Mara")
    expect(page.get_by_role("img", name="Ines is typing")).to_be_hidden()
    expect(dialog).not_to_contain_text("ence more")
    expect(page.get_by_role("textbox", name="Message")).to_have_attribute("placeholder", "Message Ines")
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="End chat").click()
    expect(dialog).to_contain_text("This ends the chat for you and our team.")
    page.keyboard.press("Escape")
    platform.event("handoff.ended", {"ticket": ticket, "outcome": "resolved"})
    expect(dialog).to_contain_text("Ines closed the chat")
    expect(page.get_by_role("dialog", name="Wrenfell")).to_contain_text("AI assistant")
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_text("Partly").click()
    page.get_by_role("textbox", name="Anything to add").fill("Quick")
    page.get_by_role("button", name="Send").first.click()
    expect(dialog).to_contain_text("Thank you for your feedback.")
    assert platform.wait_for_frames("rate") == [{"type": "rate", "score": 3, "comment": "Quick"}]
    names = [name for name, _ in page.evaluate("window.heard") if name.startswith("handoff")]
    assert names == ["handoff:requested", "handoff:joined", "handoff:ended"]
