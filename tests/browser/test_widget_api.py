"""The widget's API for the page: calls and events, with a scripted platform."""

import json

import pytest
from playwright.sync_api import Browser, Route, expect

from supportbot.widget.assets import edition
from tests.browser.conftest import check_for_everybody
from tests.browser.shoppage import (
    PLATFORM,
    SHOP,
    Platform,
    Shop,
    deliver,
    message_id,
    open_chat,
    script_tag,
    token,
    visit,
    widget_events,
    write,
)
from tests.browser.test_widget_languages import card_in
from tests.browser.waiting import until, wait_for

pytestmark = pytest.mark.browser

CALLS = (
    "open close toggle show hide identify logout setLocale setTheme send prefill requestHuman newConversation "
    "endConversation rate on destroy push"
)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    until(shop[0], "window.SupportBot?.state.isReady")
    return shop


def test_every_call_exists_and_returns_a_promise(shop: Shop) -> None:
    page, _ = shop
    kinds = page.evaluate("names => names.map((name) => typeof SupportBot[name])", CALLS.split())
    assert kinds == ["function"] * len(CALLS.split())
    assert page.evaluate("typeof SupportBot.version") == "string"
    for call in ("open()", "prefill('x')", "setTheme('dark')", "push(['close'])", "show()", "hide()", "logout()"):
        assert page.evaluate(f"SupportBot.{call} instanceof Promise"), call
    assert page.evaluate("SupportBot.identify({}).then(() => '', (error) => error.message)")
    assert page.evaluate("SupportBot.send('  ').then(() => '', (error) => error.message)")


def test_calls_before_the_script_are_queued(browser: Browser) -> None:
    early = """
      window.SupportBot = [["on", "ready", () => (window.wasReady = true)], ["prefill", "Where is my order?"]];
      SupportBot.push(["identify", { token: "TOKEN" }]);
    """.replace("TOKEN", token("cus_1"))
    with visit(browser, before=early) as (page, platform):
        field = page.get_by_role("textbox", name="Message")
        expect(field).to_have_value("Where is my order?")
        until(page, "window.wasReady && SupportBot.state.connection === 'open'")
        assert platform.tickets[0]["token"].startswith("e30.")
        assert "visitor" not in json.loads(page.evaluate("localStorage['supportbot:pk_test']"))


@pytest.mark.long
def test_an_unknown_call_does_not_break_the_chat(browser: Browser) -> None:
    with visit(browser, before="window.SupportBot = [['opne'], ['prefill', 'Where is my order?']];") as (page, _):
        expect(page.get_by_role("textbox", name="Message")).to_have_value("Where is my order?")
        assert page.evaluate("SupportBot.push(['opne']).then(() => '', (error) => error.name)") == "TypeError"


@pytest.mark.long
def test_open_close_toggle_show_hide(shop: Shop) -> None:
    page, _ = shop
    dialog, launcher = page.get_by_role("dialog"), page.get_by_role("button", name="Open chat")
    page.evaluate("SupportBot.open()")
    expect(dialog).to_be_visible()
    page.evaluate("SupportBot.close()")
    expect(dialog).to_be_hidden()
    page.evaluate("SupportBot.toggle()")
    expect(dialog).to_be_visible()
    page.evaluate("SupportBot.toggle()")
    expect(launcher).to_be_visible()
    page.evaluate("SupportBot.open()")
    page.evaluate("SupportBot.hide()")
    expect(dialog).to_be_hidden()
    expect(launcher).to_be_hidden()
    page.evaluate("SupportBot.show()")
    expect(launcher).to_be_visible()
    expect(dialog).to_be_hidden()
    assert [len(widget_events(page, name)) for name in ("ready", "open", "close")] == [1, 3, 3]
    assert page.evaluate("SupportBot.state.isOpen") is False


def test_send_prefill_request_human_rate_and_end(shop: Shop) -> None:
    page, platform = shop
    client_id = page.evaluate("SupportBot.send('Where is my tent?')")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Sent")
    assert platform.frames_of("message") == [{"type": "message", "client_id": client_id, "text": "Where is my tent?"}]
    page.evaluate("SupportBot.requestHuman('a broken pole')")
    page.evaluate("SupportBot.rate(4, 'fine')")
    page.evaluate("SupportBot.prefill('And')")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("And")
    page.evaluate("SupportBot.endConversation()")
    assert platform.wait_for_frames("request_human") == [{"type": "request_human", "reason": "a broken pole"}]
    assert platform.wait_for_frames("rate") == [{"type": "rate", "score": 4, "comment": "fine"}]
    assert platform.requests[-1][0] == "POST"
    assert platform.requests[-1][1].endswith("/end")
    bye = {"message": message_id(5), "source": "system", "text": "The chat has ended.", "ends": True}
    platform.event("message", bye)
    expect(dialog).to_contain_text("Chat ended")
    assert widget_events(page, "message:sent") == [{"client_id": client_id}]
    assert widget_events(page, "rating") == [{"score": 4}]
    page.evaluate("SupportBot.send('One more thing')")
    expect(dialog).not_to_contain_text("The chat has ended.")
    expect(dialog).to_contain_text("One more thing")
    wait_for(page, lambda: len(platform.tickets) == 2)
    assert "conversation" not in platform.tickets[-1]  # an ended conversation is not continued


@pytest.mark.long
def test_a_silent_message_does_not_open_the_panel(shop: Shop) -> None:
    page, platform = shop
    page.evaluate("SupportBot.send('Where is my tent?', { silent: true })")
    until(page, "SupportBot.state.connection === 'open'")
    until(page, "window.heard.some(([name]) => name === 'message:sent')")
    assert [frame["text"] for frame in platform.wait_for_frames("message")] == ["Where is my tent?"]
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert widget_events(page, "open") == []


@pytest.mark.long
def test_new_conversation_set_locale_set_theme(shop: Shop) -> None:
    page, platform = shop
    open_chat(page)
    write(page, "Old")
    expect(page.get_by_role("dialog")).to_contain_text("Sent")
    platform.log.clear()
    page.evaluate("SupportBot.newConversation()")
    expect(page.get_by_role("dialog")).not_to_contain_text("Old")
    wait_for(page, lambda: len(platform.tickets) == 2)
    assert platform.tickets[-1] == {"channel": "pk_test", "locale": "en", "visitor": "vs_1"}
    page.evaluate("SupportBot.setLocale('de')")
    expect(page.get_by_role("button", name="Chat schließen")).to_be_visible()
    page.evaluate("SupportBot.setTheme('dark')")
    expect(page.get_by_role("dialog")).to_have_css("color-scheme", "dark")


@pytest.mark.long
def test_a_file_that_could_not_be_loaded_is_fetched_again(shop: Shop) -> None:
    page, _ = shop
    page.context.route(f"{PLATFORM}/widget/*/en.js", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Open chat").click()
    failed = page.get_by_role("button", name="The chat could not be loaded. Try again.")
    expect(failed).to_be_visible()
    assert widget_events(page, "error") == [{"code": "not_loaded"}]
    failed.click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


@pytest.mark.long
def test_the_chat_stays_as_it_is_if_a_language_cannot_be_loaded(shop: Shop) -> None:
    page, _ = shop
    open_chat(page)
    page.context.route(f"{PLATFORM}/widget/*/de.js*", lambda route: route.abort())
    page.evaluate("SupportBot.setLocale('de')")
    until(page, "heard.some(([name, detail]) => name === 'error' && detail.code === 'not_loaded')")
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def test_events_carry_no_text_unless_the_page_asks_for_it(browser: Browser) -> None:
    for tag, texts in ((script_tag(), [None]), (script_tag(expose_messages=""), ["It arrives on Thursday."])):
        with visit(browser, tag) as (page, platform):
            page.evaluate("void SupportBot.push(['on', 'message', (detail) => (window.told = detail)])")
            open_chat(page)
            write(page, "When?")
            expect(page.get_by_role("dialog")).to_contain_text("Sent")
            answer = platform.starts(1)
            platform.streams(answer, "It arrives")
            platform.ends(answer, "It arrives on Thursday.")
            until(page, "window.told")
            assert [told.get("text") for told in widget_events(page, "message")] == texts
            assert page.evaluate("window.told.source") == "assistant"
            assert widget_events(page, "stream:start") == widget_events(page, "stream:end") == [{"message": answer}]
            assert {"state": "open"} in widget_events(page, "connection")


@pytest.mark.long
def test_on_returns_a_function_that_removes_the_listener(shop: Shop) -> None:
    page, _ = shop
    page.evaluate("window.count = 0; window.off = SupportBot.on('open', () => count++); SupportBot.open()")
    until(page, "window.count === 1")
    page.evaluate("off()")
    page.evaluate("SupportBot.close().then(() => SupportBot.open())")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("window.count") == 1


@pytest.mark.long
def test_destroy_removes_everything(shop: Shop) -> None:
    page, platform = shop
    open_chat(page)
    until(page, "SupportBot.state.connection === 'open'")
    page.evaluate("SupportBot.destroy()")
    expect(page.locator("support-bot")).to_have_count(0)
    platform.catch_up()
    sent = len(platform.frames)
    platform.hang_up()
    page.evaluate("dispatchEvent(new Event('online'))")
    platform.catch_up()
    assert len(platform.frames) == sent
    assert len(platform.tickets) == 1


@pytest.mark.long
def test_running_the_script_again_recreates_a_destroyed_chat(shop: Shop) -> None:
    page, _platform = shop
    page.evaluate("SupportBot.destroy()")
    expect(page.locator("support-bot")).to_have_count(0)
    page.evaluate("void SupportBot.prefill('Waits for the next chat')")
    page.evaluate(edition().loader.body.decode())
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Waits for the next chat")
    expect(page.locator("support-bot")).to_have_count(1)


@pytest.mark.long
def test_an_invalid_score_is_rejected_before_it_is_sent(shop: Shop) -> None:
    page, platform = shop
    for score in ("0", "6", "4.5", "'5'", "undefined"):
        assert "1 to 5" in page.evaluate(f"SupportBot.rate({score}).then(() => '', (error) => error.message)"), score
    assert (platform.frames_of("rate"), widget_events(page, "rating")) == ([], [])


def test_announcements_of_a_conversation_go_with_it(chat: Shop) -> None:
    page, platform = chat
    platform.ends(message_id(1), "Your parcel is on its way.")
    expect(page.get_by_role("log")).to_contain_text("Your parcel")
    page.evaluate("SupportBot.logout()")
    expect(page.get_by_role("log")).to_be_empty()


def test_announcements_that_wait_for_a_language_go_with_their_conversation(browser: Browser) -> None:
    endless_second = "const after = setTimeout; setTimeout = (run, ms) => ms === 1000 || after(run, ms);"
    with visit(browser, before=endless_second) as (page, platform):
        held: list[Route] = []
        page.context.route(f"{PLATFORM}/widget/*/fr.js", lambda route: held.append(route))
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        platform.proposes(**card_in("fr"), locale="fr")
        line = {"source": "agent", "author": "Ines Kowalski"}
        platform.event("message", {**line, "message": message_id(1), "text": "Bonjour"})
        until(page, "heard.some(([name]) => name === 'message')")
        platform.log.clear()
        page.evaluate("SupportBot.logout()")
        until(page, "SupportBot.state.connection === 'open'")
        expect(page.get_by_role("log")).to_be_empty()
        wait_for(page, lambda: held)[0].fallback()
        # The next customer's announcements come after those that waited.
        platform.event("message", {**line, "message": message_id(2), "text": "Hello"})
        announced = page.get_by_role("log").locator("p")
        expect(announced.last).to_have_text("Ines Kowalski: Hello")
        assert announced.all_inner_texts() == ["Ines Kowalski: Hello"]


def test_a_chat_opens_if_its_code_cannot_be_redeemed(browser: Browser) -> None:
    """The code stays in the address, and a reload redeems it."""
    codes = f"{PLATFORM}/widget/*/codes.js"
    with visit(browser, script_tag(layout="fullscreen")) as (page, platform):
        page.context.route(codes, lambda route: route.abort())
        page.evaluate("location.hash = 'code=c_1'")
        page.reload()
        expect(page.locator(".w-note")).to_have_text("That did not work. Try again, or ask a person.")
        deliver(page, platform, "Hello")
        expect(page.locator(".me")).to_contain_text("Sent")
        assert page.url == f"{SHOP}/#code=c_1"
        page.context.unroute(codes)
        page.reload()
        wait_for(page, lambda: ("POST", "widget/codes/redeem", "") in platform.requests)
        until(page, "!location.hash")


def test_a_page_of_another_origin_gets_an_error_and_no_chat(browser: Browser) -> None:
    refused = {"code": "origin_refused", "message": "x", "fields": {}}
    with visit(browser, platform=Platform(refusals=[(403, refused)])) as (page, platform):
        open_chat(page)
        expect(page.get_by_role("dialog")).to_contain_text("This chat is not available on this page.")
        assert {"code": "origin_refused"} in widget_events(page, "error")
        assert platform.frames == []
        assert len(platform.requests) == 1  # retrying would not help
        check_for_everybody(page)


@pytest.mark.long
def test_an_element_in_the_page_shows_an_inline_chat(browser: Browser) -> None:
    inline = '<support-bot channel="pk_test" storage="none" suggestions="One|Two" title="Help"></support-bot>'
    script = script_tag().replace(' data-channel="pk_test"', "")
    with visit(browser, script, body=inline) as (page, platform):
        until(page, "SupportBot.state.connection === 'open'")
        expect(page.get_by_role("dialog", name="Help")).to_be_visible()
        expect(page.get_by_role("button", name="Two")).to_be_visible()
        expect(page.get_by_role("button", name="Open chat")).to_be_hidden()
        write(page, "Kept nowhere")
        expect(page.get_by_role("dialog")).to_contain_text("Sent")
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert platform.tickets[0]["channel"] == "pk_test"
