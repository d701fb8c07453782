"""The chat on a shop's page, state by state, with a scripted platform."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.shoppage import (
    SOURCES,
    Platform,
    Shop,
    deliver,
    message_id,
    open_chat,
    script_tag,
    visit,
)
from tests.browser.waiting import measure, until, wait_for

pytestmark = pytest.mark.browser
MARKDOWN = Path(__file__).parents[1] / "chat" / "answer_markdown.json"


def test_a_page_loads_only_the_launcher_until_somebody_opens_the_chat(shop: Shop) -> None:
    page, platform = shop
    launcher = page.get_by_role("button", name="Open chat")
    expect(launcher).to_be_visible()
    assert platform.fetched == ["v1.js"]
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    launcher.hover()
    until(page, "Boolean(SupportBot.element.panel)")
    page.evaluate("SupportBot.element.panel.then(() => 1)")
    # Only the panel and its texts.
    assert sorted(name.rpartition("/")[2] for name in platform.fetched) == ["en.js", "panel.js", "v1.js"]
    assert platform.requests == []  # no ticket, so no socket, before the chat is opened
    assert platform.frames == []


def test_the_keyboard_opens_and_closes_the_chat_and_focus_returns(shop: Shop) -> None:
    page, _ = shop
    page.get_by_role("link", name="Cart").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Message")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Open chat")).to_be_focused()


def test_the_greeting_and_the_ai_notice_come_first(browser: Browser) -> None:
    asks = ["Where is my order?", "Return or exchange", "Wash a rain jacket", "A fourth"]
    with visit(browser, platform=Platform(config={"suggestions": asks, "greeting": "Hello Mara"})) as (page, platform):
        open_chat(page)
        dialog = page.get_by_role("dialog", name="Wrenfell")
        expect(dialog).to_contain_text("Hello Mara")
        expect(dialog).to_contain_text("You are talking to an AI assistant.")
        expect(page.get_by_role("button", name="A fourth")).to_have_count(0)
        check_for_everybody(page)
        page.get_by_role("button", name="Return or exchange").click()
        expect(dialog).to_contain_text("Sent")
        assert platform.wait_for_frames("message")[0]["text"] == "Return or exchange"
        expect(dialog).to_contain_text("You are talking to an AI assistant.")


def test_an_answer_streams_and_shows_its_sources(chat: Shop) -> None:
    page, platform = chat
    dialog = page.get_by_role("dialog")
    deliver(page, platform, "Can I return boots I wore once outside?")
    answer = platform.starts(1)
    platform.say({"type": "status", "message": answer, "text": "Reading “Returns and refunds”"})
    expect(dialog).to_contain_text("Reading “Returns and refunds”")
    platform.streams(answer, "You have sixty days", " to return them. If the")
    expect(dialog).to_contain_text("You have sixty days to return them. If the")
    page.get_by_role("button", name="Stop answering").click()
    assert len(platform.wait_for_frames("stop")) == 1
    platform.starts(1, attempt=2)
    platform.streams(answer, "You have 60 days", attempt=2)
    expect(dialog.locator(".text")).to_have_text("You have 60 days")
    text = "You have 60 days to return them. [1]\n\nIf the soles are marked, we take them as a **size exchange**. [2]"
    platform.ends(answer, text, citations=SOURCES)
    expect(dialog.locator("strong")).to_have_text("size exchange")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    quote = page.get_by_text("Trying boots on indoors is fine.")
    expect(quote).to_be_hidden()
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Source 1").click()
    expect(quote).to_be_visible()
    link = page.get_by_role("link", name="Returns and refunds")
    expect(link).to_have_attribute("href", str(SOURCES[0]["url"]))
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    check_for_everybody(page)
    page.get_by_role("button", name="2 sources").click()
    expect(quote).to_be_hidden()


def test_an_answer_is_rated_with_a_reason(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Can I return boots I wore once outside?")
    answer = platform.starts(1)
    platform.ends(answer, "You have 60 days to return them. [1]", citations=SOURCES[:1])
    page.get_by_role("button", name="Good answer").click()
    expect(page.get_by_role("button", name="Good answer")).to_have_attribute("aria-pressed", "true")
    assert platform.wait_for_frames("rate") == [{"type": "rate", "score": 5, "comment": "", "message": answer}]
    page.get_by_role("button", name="Bad answer").click()
    why = page.get_by_role("group", name="What was wrong?")
    why.get_by_text("Something is missing").click()
    why.get_by_role("textbox", name="Anything to add").fill("The price")
    check_for_everybody(page)
    why.get_by_role("button", name="Send").click()
    expect(page.get_by_role("dialog")).to_contain_text("Thank you for your feedback.")
    given = {"comment": "The price", "message": answer, "reason": "incomplete"}
    assert platform.wait_for_frames("rate", 3)[1:] == [
        {"type": "rate", "score": 1, "comment": "", "message": answer},
        {"type": "rate", "score": 1, **given},
    ]


@pytest.mark.long
def test_an_answer_is_copied_as_shown(chat: Shop) -> None:
    page, platform = chat
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    deliver(page, platform, "How long?")
    platform.ends(platform.starts(1), "You have **60 days**. [1]", citations=SOURCES[:1])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_have_text("Done")
    assert page.evaluate("navigator.clipboard.readText()") == "You have 60 days."


@pytest.mark.long
def test_a_failed_copy_is_reported(chat: Shop) -> None:
    page, platform = chat
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
    deliver(page, platform, "How long?")
    platform.ends(platform.starts(1), "You have 60 days.")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status")).to_contain_text("That did not work.")


def test_a_screen_reader_hears_finished_sentences_once(chat: Shop) -> None:
    page, platform = chat
    log = page.get_by_role("log")
    deliver(page, platform, "How long?")
    answer = platform.starts(1)
    platform.streams(answer, "You have 60 days. The ti")
    expect(log).to_have_text("Assistant: You have 60 days.")
    platform.streams(answer, "cket is enough. And", index=1)
    expect(log).to_contain_text("The ticket is enough.")
    platform.ends(answer, "You have 60 days. The ticket is enough. And **that** is all. [1]", citations=SOURCES[:1])
    expect(log).to_contain_text("And that is all.")
    heard_words = log.inner_text()
    assert heard_words.count("60 days") == heard_words.count("ticket") == 1
    assert page.locator(".w-log").get_attribute("aria-live") is None
    expect(page.get_by_role("status")).to_have_count(1)


def test_untrusted_text_is_inert(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "<img src=x onerror=alert(1)>")
    evil = (
        "<script>alert(1)</script> **<b onclick=alert(1)>bold</b>** [go](javascript:alert(1)) "
        "[data](data:text/html,x) ![pixel](https://evil.test/p.png) [fine](https://shop.test/help) `<i>`\n"
        "- <svg/onload=alert(1)>\n- two\n\n```\n<iframe>\n```\n1. one\n2. two"
    )
    answer = platform.starts(1)
    platform.ends(answer, evil)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("<script>alert(1)</script>")
    expect(dialog).to_contain_text("<img src=x onerror=alert(1)>")
    expect(dialog.locator("pre")).to_have_text("<iframe>")
    expect(dialog.locator("ol > li")).to_have_text(["one", "two"])
    assert dialog.locator("img, script, iframe, b[onclick]").count() == 0
    hrefs = dialog.locator("a").evaluate_all("links => links.map((link) => link.protocol)")
    assert set(hrefs) == {"https:"}
    expect(dialog.get_by_role("link", name="fine")).to_have_attribute("target", "_blank")


def test_an_interrupted_answer_keeps_its_text_and_offers_a_retry(chat: Shop) -> None:
    page, platform = chat
    dialog = page.get_by_role("dialog")
    deliver(page, platform, "Tell me everything")
    answer = platform.starts(1)
    platform.ends(answer, "Air the sleeping bag.", stopped=True)
    expect(dialog).to_contain_text("You stopped this answer.")
    page.get_by_role("button", name="Continue").click()
    broken = platform.starts(2)
    platform.streams(broken, "Parcels are delivered. For the")
    platform.event("assistant.failed", {"message": broken, "code": "model_unavailable", "retry": True})
    expect(dialog).to_contain_text("The answer was interrupted. The text above is incomplete.")
    expect(dialog).to_contain_text("Parcels are delivered. For the")
    check_for_everybody(page)
    page.get_by_role("button", name="Answer again").click()
    unsure = platform.starts(3)
    platform.ends(unsure, "I could not find airline rules.", abstained=True, offers_human=True, by="builtin")
    page.get_by_role("button", name="Ask a person").click()
    expect(page.get_by_role("textbox")).to_be_visible()
    assert [frame["message"] for frame in platform.wait_for_frames("retry", 2)] == [answer, broken]
    assert len(platform.wait_for_frames("request_human")) == 1


def test_the_menu_offers_everything_about_the_customers_own_data(chat: Shop) -> None:
    page, platform = chat
    platform.config = {"privacy_url": "https://shop.test/privacy"}
    earlier = {"id": message_id(77), "preview": "Your tent is on its way", "last_event_at": "2026-11-22T10:00:00Z"}
    platform.conversations = [earlier, {**earlier, "id": message_id(78), "preview": ""}]
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Menu").click()
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Menu")).to_be_focused()
    with page.expect_download() as download:
        choose(page, "Download this chat")
    assert download.value.suggested_filename == "chat.txt"
    choose(page, "Privacy and AI")
    expect(dialog).to_contain_text("Nothing is paid or changed until you confirm.")
    choose(page, "Earlier conversations")
    expect(dialog).to_contain_text("22 Nov")
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Your tent is on its way").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    until(page, "id => SupportBot.state.conversation === id", message_id(77))
    choose(page, "New conversation")
    until(page, "id => SupportBot.state.conversation && SupportBot.state.conversation !== id", message_id(77))
    choose(page, "Delete my chats")
    expect(dialog).to_contain_text("This permanently deletes all your chats here, for you and our team.")
    assert not any(method == "DELETE" for method, _, _ in platform.requests)
    page.get_by_role("button", name="Delete my chats").click()
    expect(dialog).to_contain_text("Your chats have been deleted.")
    assert ("DELETE", "conversations", "Bearer vs_1") in platform.requests
    assert "conversation" not in json.loads(page.evaluate("localStorage['supportbot:pk_test']"))
    choose(page, "Language")
    expect(page.get_by_role("button", name="English")).to_have_attribute("aria-current", "true")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("button", name="Menü")).to_be_visible()


def choose(page: Page, name: str) -> None:
    """Choose an entry of the chat's menu."""
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name=name).click()


def test_a_file_is_refused_with_a_note_next_to_the_field(chat: Shop) -> None:
    page, _ = chat
    field = page.get_by_role("textbox", name="Message")
    field.evaluate(
        """(field) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["x"], "seam.jpg", { type: "image/jpeg" }));
          field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, cancelable: true }));
        }"""
    )
    expect(field).to_have_accessible_description("Files are not supported yet. Please describe what they show.")
    field.fill("A seam")
    expect(field).to_have_accessible_description("")


def test_german_dark_and_right_to_left(browser: Browser) -> None:
    with visit(browser, script_tag(locale="de", theme="dark"), language="en") as (page, platform):
        page.get_by_role("button", name="Chat öffnen").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("KI-Assistent")
        expect(dialog).to_contain_text("Mit einem Menschen sprechen")
        platform.proposes(button="69,00 € erstatten", title="69,00 € erstatten", rows=[])
        expect(dialog).to_contain_text("Ohne Ihre Bestätigung passiert nichts.")
        assert platform.tickets[0]["locale"] == "de"
        expect(dialog).to_have_css("background-color", "rgb(28, 27, 25)")
        check_for_everybody(page)
        page.evaluate("SupportBot.setLocale('ar')")
        page.set_viewport_size({"width": 1280, "height": 900})
        expect(page.get_by_role("button", name="إغلاق المحادثة")).to_be_visible()
        expect(dialog).to_have_css("direction", "rtl")
        wait_for(page, lambda: dialog.evaluate("node => node.getBoundingClientRect().left < 40"))
        check_for_everybody(page)


def test_on_a_phone_the_chat_fills_the_screen_and_is_modal(browser: Browser) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "reduced_motion": "reduce"}
    with visit(browser, **phone) as (page, platform):
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        open_chat(page)
        platform.proposes()
        whole = {"x": 0, "y": 0, "width": 390, "height": 844}
        wait_for(page, lambda: page.get_by_role("dialog").bounding_box() == whole)
        for _ in range(25):
            page.keyboard.press("Tab")
            inside = page.evaluate("document.activeElement.localName")
            assert inside in ("support-bot", "body")  # never a link in the page
        assert measure(page, "document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Close chat").click()
        page.get_by_role("link", name="Cart").focus()
        assert page.evaluate("document.activeElement.localName") == "a"


@pytest.mark.long
def test_an_answers_markdown_looks_as_on_the_teams_pages(chat: Shop) -> None:
    page, platform = chat
    cases = json.loads(MARKDOWN.read_text(encoding="utf-8"))
    for number, (markdown, html) in enumerate(cases, start=600):
        platform.ends(message_id(number), markdown)
        drawn = page.locator(".bot .text").nth(number - 600)
        expect(drawn).to_be_visible()
        assert drawn.inner_html().replace(' class=""', "") == html
