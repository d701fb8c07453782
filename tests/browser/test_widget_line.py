"""The chat on a bad connection, across pages, and while it is closed."""

import pytest
from playwright.sync_api import Browser, Route, expect

from supportbot.chat.errors import EmptyMessage, UnreadableText
from supportbot.chat.services import clean_text
from tests.browser.conftest import check_for_everybody
from tests.browser.shoppage import (
    SHOP,
    Shop,
    deliver,
    message_id,
    open_chat,
    script_tag,
    visit,
    widget_events,
    write,
)
from tests.browser.waiting import until

pytestmark = pytest.mark.browser


def test_a_broken_connection_loses_and_duplicates_nothing(chat: Shop) -> None:
    page, platform = chat
    dialog = page.get_by_role("dialog")
    write(page, "First")
    expect(dialog).to_contain_text("Sent")
    platform.cut_off()
    platform.ends(message_id(1), "While you were away.")
    write(page, "Second")
    expect(dialog).to_contain_text("Waiting")
    expect(dialog).to_contain_text("Reconnecting. Your messages are kept.")  # after two seconds
    check_for_everybody(page)
    platform.is_reachable = True
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(dialog).to_contain_text("While you were away.")
    expect(dialog).not_to_contain_text("Reconnecting")
    expect(dialog).not_to_contain_text("Waiting")
    platform.wait_for_frames("message", 2)
    assert platform.frames_of("hello")[-1]["last_seq"] == 1
    assert [entry["payload"].get("text") for entry in platform.log] == ["First", "While you were away.", "Second"]
    for text in ("First", "Second", "While you were away."):
        expect(dialog.locator(".w-log").get_by_text(text, exact=True)).to_have_count(1)


def test_a_click_on_a_broken_connection_is_resent_and_reported_once(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    card = page.get_by_role("group", name="Refund €69.00")
    card.get_by_role("button", name="Refund €69.00").click()
    expect(card).to_contain_text("Sending")
    platform.wait_for_frames("confirm")
    platform.hang_up()
    platform.wait_for_frames("hello", 2)
    until(page, "SupportBot.state.connection === 'open'")
    assert platform.wait_for_frames("confirm", 2) == [{"type": "confirm", "request": request, "digest": "d" * 64}] * 2
    refused = {"type": "error", "code": "not_waiting", "message": "x", "request": request}
    platform.say(refused)  # an error for the second click, before the event of the first
    platform.catch_up()
    expect(card).to_contain_text("Sending")
    platform.step("queued", request)
    platform.say({**refused, "code": "expired"})
    expect(card).to_contain_text("Contacting our system")
    platform.catch_up()
    expect(card).not_to_contain_text("The time is over.")


@pytest.mark.long
def test_a_response_that_breaks_off_is_requested_again(browser: Browser) -> None:
    cut = """
      const whole = window.fetch;
      window.fetch = async (...asked) => {
        window.fetch = whole;
        const { ok, headers } = await whole(...asked);
        return { ok, headers, text: () => Promise.reject(new TypeError("network error")) };
      };
    """
    with visit(browser, before=cut) as (page, platform):
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        assert len(platform.tickets) == 2


@pytest.mark.long
def test_a_request_that_hangs_times_out_and_is_retried(browser: Browser) -> None:
    sooner = """
      const whole = AbortSignal.timeout;
      AbortSignal.timeout = () => {
        AbortSignal.timeout = whole;  // the second request has its usual time
        return AbortSignal.timeout(200);
      };
    """
    with visit(browser, before=sooner) as (page, platform):
        held: list[Route] = []
        page.context.route("**/widget/tickets", lambda route: route.fallback() if held else held.append(route))
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        assert (len(held), len(platform.tickets)) == (1, 1)


@pytest.mark.long
def test_a_refused_connection_that_recovers_leaves_no_message(chat: Shop) -> None:
    page, platform = chat
    platform.greets = False
    platform.hang_up()
    until(page, "SupportBot.state.connection === 'connecting'")
    platform.wait_for_frames("hello", 2)
    platform.say({"type": "error", "code": "unavailable", "message": "x"})
    platform.hang_up(1013)
    platform.greets = True
    until(page, "SupportBot.state.connection === 'open'")
    expect(page.get_by_role("textbox", name="Message")).to_have_accessible_description("")


def test_a_refused_message_keeps_its_text_and_its_id(chat: Shop) -> None:
    page, platform = chat
    platform.acknowledges = False
    write(page, "Can the neighbour take it?")
    [first] = platform.wait_for_frames("message")
    platform.say({"type": "error", "code": "too_fast", "message": "x", "client_id": first["client_id"]})
    expect(page.get_by_role("dialog")).to_contain_text(
        "Not sent. You are sending messages too fast. Please wait a moment."
    )
    expect(page.get_by_role("status")).to_contain_text("Not sent.")
    check_for_everybody(page)
    platform.acknowledges = True
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog")).to_contain_text("Sent")
    assert platform.wait_for_frames("message", 2)[1] == first
    assert len(platform.log) == 1


def test_a_text_that_the_server_would_refuse_is_not_sent(chat: Shop) -> None:
    """Pasted text may contain control characters or nothing visible. Sending it again would never help."""
    page, platform = chat
    field, send = page.get_by_role("textbox", name="Message"), page.get_by_role("button", name="Send")
    for invisible in ("\u200b\u200b", "\u2060 \u3164", "\u202e"):
        write(page, invisible)
        with pytest.raises(EmptyMessage):
            clean_text(invisible)
        expect(send).to_be_disabled()
    pasted = "Where\x07 is\tmy\x0bparcel\x85\nto the \N{ADULT}\u200d\N{MICROSCOPE}?"
    with pytest.raises(UnreadableText):
        clean_text(pasted)
    field.fill(pasted)
    send.click()
    [sent] = platform.wait_for_frames("message")
    assert sent["text"] == "Where  is my parcel \nto the \N{ADULT}\u200d\N{MICROSCOPE}?"
    assert clean_text(sent["text"]) == sent["text"]


def test_gaps_and_resets_are_filled_from_the_log(chat: Shop) -> None:
    page, platform = chat
    dialog = page.get_by_role("dialog")
    write(page, "One")
    expect(dialog).to_contain_text("Sent")
    socket, platform.socket = platform.socket, None
    platform.ends(message_id(1), "Nobody was sent this.")  # stored in the log, but not sent
    platform.socket = socket
    platform.ends(message_id(2), "This shows the gap.")
    expect(dialog).to_contain_text("Nobody was sent this.")
    expect(dialog).to_contain_text("This shows the gap.")
    platform.say({"type": "reset"})
    platform.catch_up()
    expect(dialog).to_contain_text("This shows the gap.")
    expect(dialog.locator(".w-log").get_by_text("Nobody was sent this.")).to_have_count(1)
    assert any(path.endswith("/events") for _, path, _ in platform.requests)


@pytest.mark.long
def test_unsent_messages_survive_a_reset(chat: Shop) -> None:
    page, platform = chat
    platform.ends(message_id(1), "Earlier.")
    platform.acknowledges = False
    write(page, "One")
    platform.wait_for_frames("message")
    platform.say({"type": "reset"})
    platform.hang_up()
    platform.acknowledges = True
    platform.wait_for_frames("hello", 2)
    log = page.locator(".w-log")
    expect(log).to_contain_text("Sent")
    assert [entry["payload"].get("text") for entry in platform.log] == ["Earlier.", "One"]
    expect(page.locator(".me > p, .bot .text")).to_have_text(["Earlier.", "One"])


def test_the_next_page_resumes_the_chat(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Where is my tent?")
    platform.ends(message_id(1), "It arrives on Thursday.")
    expect(page.get_by_role("dialog")).to_contain_text("Thursday")
    page.get_by_role("textbox", name="Message").fill("And can the neigh")
    page.goto(f"{SHOP}/cart")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It arrives on Thursday.")  # still open, without a click
    expect(page.get_by_role("textbox", name="Message")).to_have_value("And can the neigh")
    assert platform.tickets[-1]["visitor"] == "vs_1"
    assert "conversation" in platform.tickets[-1]
    assert widget_events(page, "message") == []  # no events for old messages
    page.evaluate("document.body.replaceChildren(document.createElement('main'))")
    expect(dialog).to_contain_text("Thursday")
    expect(page.locator("support-bot")).to_have_count(1)
    platform.catch_up()
    assert len(platform.frames_of("hello")) == 2


@pytest.mark.long
def test_the_next_page_resumes_the_chat_with_session_storage(browser: Browser) -> None:
    with visit(browser, script_tag(storage="session")) as (page, platform):
        open_chat(page)
        deliver(page, platform, "Where is my tent?")
        expect(page.get_by_role("dialog")).to_contain_text("Sent")
        page.get_by_role("textbox", name="Message").fill("And can the neigh")
        page.goto(f"{SHOP}/cart")
        expect(page.get_by_role("textbox", name="Message")).to_have_value("And can the neigh")
        expect(page.get_by_role("dialog")).to_contain_text("Where is my tent?")
        assert {"visitor", "conversation"} <= platform.tickets[-1].keys()
        page.evaluate("SupportBot.close()")
        page.evaluate("sessionStorage['supportbot:pk_test'] = '{}'")  # long ago, so the next page resumes nothing
        page.goto(f"{SHOP}/")
        page.evaluate("SupportBot.logout()")
        until(page, "sessionStorage.length + localStorage.length === 0")  # without the panel; the draft is gone too


@pytest.mark.parametrize(("place", "tags"), [("start", 1), ("start", 2), ("head", 2)])
def test_a_tag_at_the_beginning_puts_the_chat_at_the_end_of_the_page(browser: Browser, place: str, tags: int) -> None:
    skip = '<a href="#boots">Skip to content</a>'
    tag = script_tag().replace(" async", "") * tags  # so that it runs before the rest of the page is parsed
    parts = {"head": tag, "start": skip} if place == "head" else {"start": tag + skip}
    with visit(browser, "", **parts, body='<h2 id="boots">Boots</h2>') as (page, _):
        expect(page.get_by_role("button", name="Open chat")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        assert page.evaluate("document.body.lastElementChild.localName") == "support-bot"


@pytest.mark.long
def test_running_the_script_twice_makes_one_chat(browser: Browser) -> None:
    with visit(browser, script_tag() * 2) as (page, platform):
        page.wait_for_load_state("load")
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        expect(page.locator("support-bot")).to_have_count(1)
        assert len(platform.tickets) == 1


@pytest.mark.long
def test_messages_to_a_closed_chat_are_counted_at_the_launcher(chat: Shop) -> None:
    page, platform = chat
    write(page, "Hello?")
    expect(page.get_by_role("dialog")).to_contain_text("Sent")
    page.get_by_role("button", name="Close chat").click()
    hello = {
        "message": message_id(800),
        "source": "agent",
        "author": "Ines Kowalski",
        "text": "I found a pair in **42**",
    }
    platform.event("message", hello)
    launcher = page.get_by_role("button", name="Open chat, 1 unread")
    expect(launcher).to_be_visible()
    expect(page.get_by_text("I found a pair in 42").filter(visible=True)).to_be_visible()
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Dismiss preview").click()
    launcher.click()
    page.get_by_role("button", name="Close chat").click()
    expect(page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()
    assert [told["count"] for told in widget_events(page, "unread")] == [1, 0]


@pytest.mark.long
def test_an_answer_stopped_before_its_first_word_counts_as_one(chat: Shop) -> None:
    page, platform = chat
    write(page, "Hello?")
    expect(page.get_by_role("dialog")).to_contain_text("Sent")
    page.get_by_role("button", name="Close chat").click()
    platform.ends(platform.starts(1), "", stopped=True)
    expect(page.get_by_role("button", name="Open chat, 1 unread")).to_be_visible()
