"""Every state of the chat is accessible: axe finds nothing at 1280 and 390 pixels, in light and dark."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.shoppage import SOURCES, Shop, deliver, message_id, widget_events, write
from tests.browser.waiting import until, wait_for

pytestmark = pytest.mark.browser


def check(page: Page) -> None:
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_answers_from_the_first_status_to_the_end(chat: Shop) -> None:
    page, platform = chat
    log = page.locator(".w-log")
    deliver(page, platform, "How do I care for it?")
    platform.ends(platform.starts(1), "Air it.", stopped=True)
    platform.ends(platform.starts(2), "Wash it at 30 °C. [1]", by="builtin", citations=SOURCES[:1])
    platform.ends(platform.starts(3), "I could not find airline rules.", abstained=True, offers_human=True)
    broken = platform.starts(4)
    platform.streams(broken, "Parcels are")
    platform.event("assistant.failed", {"message": broken, "code": "model_unavailable", "retry": True})
    platform.starts(5)
    expect(log).to_contain_text("Looking it up")
    check(page)
    platform.streams(
        message_id(5), "1. **First**\n2. Then [1] and `code`\n\n```\nsb --help\n```\nhttps://shop.test/help is"
    )
    expect(log).to_contain_text("sb --help")
    expect(page.get_by_role("button", name="Stop answering")).to_be_visible()
    check(page)


def test_cards_from_the_click_to_the_outcome(chat: Shop) -> None:
    page, platform = chat
    reason = {"code": "x", "text": "Our system did not respond in time. It cannot be carried out twice."}
    sent, given_back = (platform.proposes(number, title=f"Refund €{number}.00") for number in (501, 502))
    for number, states in enumerate((["queued"], ["unknown"], ["cancelled"], ["rejected"]), start=503):
        request = platform.proposes(number, title=f"Refund €{number}.00")
        for state in states:
            platform.step(state, request, reason=reason)
    for request in (sent, given_back):
        card = page.get_by_role("group", name=f"Refund €{request[-3:]}.00")
        card.get_by_role("button", name="Refund €69.00").click()
        expect(card).to_contain_text("Sending")
    platform.say({"type": "error", "code": "digest_mismatch", "message": "x", "request": given_back})
    expect(page.get_by_role("group", name="Refund €502.00")).to_contain_text("The details have changed.")
    expect(page.get_by_role("group", name="Refund €503.00")).to_contain_text("Contacting our system")
    check(page)


@pytest.mark.long
def test_an_agent_is_typing_and_the_chat_ends(chat: Shop) -> None:
    page, platform = chat
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1})
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"})
    platform.say({"type": "typing", "who": "Ines Kowalski"})
    expect(page.get_by_role("img", name="Ines is typing")).to_be_visible()
    check(page)
    page.get_by_role("button", name="End chat").click()
    expect(page.get_by_role("dialog")).to_contain_text("This ends the chat for you and our team.")
    check(page)


@pytest.mark.long
def test_the_menus_pages_are_accessible(chat: Shop) -> None:
    page, platform = chat
    platform.config = {"privacy_url": "https://shop.test/privacy"}
    for entry, words in (
        ("Earlier conversations", "No earlier conversations."),
        ("Privacy and AI", "Nothing is paid or changed"),
        ("Delete my chats", "for you and our team."),
    ):
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("button", name=entry).click()
        expect(page.get_by_role("dialog")).to_contain_text(words)
        check(page)
    page.get_by_role("button", name="Delete my chats").click()
    expect(page.get_by_role("dialog")).to_contain_text("Your chats have been deleted.")
    check(page)


def test_an_offline_chat_says_at_once_what_still_works(chat: Shop) -> None:
    page, platform = chat
    platform.is_reachable = False
    page.context.set_offline(True)
    write(page, "Can the neighbour take it?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You are offline. Messages you write now will be sent when you are back online.")
    expect(dialog).to_contain_text("Waiting")
    check(page)
    platform.is_reachable = True
    page.context.set_offline(False)
    expect(dialog).to_contain_text("Sent")
    expect(dialog).not_to_contain_text("No connection")
    assert [frame["text"] for frame in platform.frames_of("message")] == ["Can the neighbour take it?"]
    assert {"state": "offline"} in widget_events(page, "connection")


def test_a_customer_can_stop_waiting_even_on_a_broken_connection(chat: Shop) -> None:
    page, platform = chat
    dialog, ticket = page.get_by_role("dialog"), message_id(700)
    stop = page.get_by_role("button", name="Stop waiting")
    page.get_by_role("button", name="Talk to a person").click()
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1})
    expect(dialog).to_contain_text("You are next")
    platform.cut_off()
    stop.click()
    platform.catch_up()
    assert platform.frames_of("cancel_human") == []
    platform.is_reachable = True
    page.evaluate("dispatchEvent(new Event('online'))")
    until(page, "SupportBot.state.connection === 'open'")
    # Queued while disconnected, and sent once.
    assert platform.wait_for_frames("cancel_human") == [{"type": "cancel_human"}]
    platform.event("handoff.ended", {"ticket": ticket, "outcome": "returned", "by": "customer"})
    expect(dialog).to_contain_text("You are talking to the AI assistant again.")
    expect(page.get_by_text("You are next")).to_be_hidden()
    expect(stop).to_have_count(0)
    expect(page.get_by_role("button", name="Talk to a person")).to_be_visible()
    check(page)


@pytest.mark.long
def test_a_log_that_arrives_late_is_not_shown_in_another_chat(chat: Shop) -> None:
    page, platform = chat
    platform.ends(message_id(1), "Of the old chat.")
    expect(page.locator(".w-log")).to_contain_text("Of the old chat.")
    held: list[Route] = []
    page.context.route("**/events?*", lambda route: held.append(route))
    platform.say({"type": "reset"})
    wait_for(page, lambda: held)
    platform.log.clear()
    page.evaluate("SupportBot.newConversation()")
    until(page, "SupportBot.state.connection === 'open'")
    held[0].fallback()
    wait_for(page, lambda: any(path.endswith("/events") for _, path, _ in platform.requests))
    platform.catch_up()
    platform.ends(message_id(2), "Of the new chat.")
    expect(page.locator(".w-log")).to_contain_text("Of the new chat.")
    expect(page.locator(".w-log")).not_to_contain_text("Of the old chat.")


def test_queued_messages_are_not_sent_in_another_chat(chat: Shop) -> None:
    page, platform = chat
    platform.cut_off()
    page.get_by_role("button", name="Talk to a person").click()
    page.evaluate("SupportBot.newConversation()")
    platform.is_reachable = True
    page.evaluate("dispatchEvent(new Event('online'))")
    until(page, "SupportBot.state.connection === 'open'")
    platform.catch_up()
    assert platform.frames_of("request_human") == []
