"""Whose chat the widget shows: visitors and signed-in customers, their tokens, and what is left when they change."""

import json
import time

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.shoppage import (
    CONVERSATION,
    PLATFORM,
    SHOP,
    Platform,
    Shop,
    deliver,
    message_id,
    open_chat,
    token,
    visit,
    widget_events,
    write,
)
from tests.browser.test_widget import choose
from tests.browser.waiting import until, wait_for

pytestmark = pytest.mark.browser

EARLIER = [{"id": message_id(77), "preview": "Your tent is on its way", "last_event_at": "2026-11-22T10:00:00Z"}]

DELETED = "Your earlier conversation has been deleted."
UNAVAILABLE = "Your earlier conversation is no longer available."


@pytest.fixture
def shop(shop: Shop) -> Shop:
    until(shop[0], "window.SupportBot?.state.isReady")
    return shop


def test_identify_binds_a_visitors_chat_and_logout_ends_it(shop: Shop) -> None:
    page, platform = shop
    open_chat(page)
    deliver(page, platform, "As a visitor")
    page.evaluate("token => SupportBot.identify({ token })", token("cus_1"))
    wait_for(page, lambda: len(platform.tickets) == 2)
    expect(page.get_by_role("dialog")).to_contain_text("As a visitor")
    asked = platform.tickets[-1]
    assert {"token", "visitor", "conversation"} <= asked.keys()
    kept = json.loads(page.evaluate("localStorage['supportbot:pk_test']"))
    assert kept["sub"] == "cus_1"
    assert "visitor" not in kept
    platform.log.clear()
    page.evaluate(
        "token => SupportBot.identify({ token })", token("cus_2")
    )  # another customer, so nothing of the first one stays
    expect(page.get_by_role("dialog")).not_to_contain_text("As a visitor")
    wait_for(page, lambda: len(platform.tickets) == 3)
    until(page, "SupportBot.state.connection === 'open'")
    assert platform.tickets[-1].keys() == {"channel", "token", "locale"}
    page.evaluate("SupportBot.close()")
    page.evaluate("SupportBot.logout()")
    assert json.loads(page.evaluate("localStorage['supportbot:pk_test']")) == {}
    assert len(platform.wait_for_frames("logout")) == 1


def leave_a_draft_and_a_menu_page(page: Page) -> Locator:
    """Type into the message field and open the earlier conversations; return the field."""
    field = page.get_by_role("textbox", name="Message")
    field.fill("My account number is 12345")
    choose(page, "Earlier conversations")
    expect(page.get_by_role("dialog")).to_contain_text("Your tent")
    return field


@pytest.mark.parametrize("change", ["SupportBot.logout()", "SupportBot.identify({ token: other })"])
def test_neither_a_draft_nor_a_menu_page_stays_for_the_next_customer(shop: Shop, change: str) -> None:
    page, platform = shop
    platform.conversations = EARLIER
    page.evaluate("token => SupportBot.identify({ token })", token("cus_1"))
    open_chat(page)
    until(page, "SupportBot.state.connection === 'open'")
    field = leave_a_draft_and_a_menu_page(page)
    page.evaluate(f"other => {{ {change} }}", token("cus_2"))
    expect(field).to_have_value("")
    expect(page.get_by_role("dialog")).not_to_contain_text("Your tent")


@pytest.mark.parametrize(
    ("signed_in", "is_same"),
    [
        ("SupportBot.identify({ token: same })", True),
        ("SupportBot.identify({ getToken: async () => same })", True),
        ("SupportBot.identify({ getToken: async () => { throw Error() } })", True),  # it may still be the same customer
        ("SupportBot.identify({ token: other })", False),
        ("SupportBot.identify({ getToken: async () => other })", False),
        ("", False),
    ],
)
def test_what_a_tab_kept_for_a_customer_is_restored_only_for_them(
    browser: Browser, signed_in: str, is_same: bool
) -> None:
    """A shop that loads a page for each step signs customers out without a call to the chat."""
    frame = {"type": "message", "text": "Am I late?"}
    tab = {"draft": "My account number is 12345", "unsent": [{"key": "k1", "text": "Am I late?", "frame": frame}]}
    keeping = (
        f"""localStorage["supportbot:pk_test"] = '{json.dumps({"conversation": CONVERSATION, "sub": "cus_1"})}';"""
        f"""sessionStorage["supportbot:pk_test.tab"] = '{json.dumps(tab)}';"""
        f"""window.same = {json.dumps(token("cus_1"))}; window.other = {json.dumps(token("cus_2"))};"""
    )
    with visit(browser, before=keeping) as (page, platform):
        page.evaluate(f"{{ {signed_in} }}")
        open_chat(page)
        field = page.get_by_role("textbox", name="Message")
        if is_same:
            expect(field).to_have_value("My account number is 12345")
            expect(page.locator(".me")).to_contain_text("Am I late?")
            return
        until(page, "SupportBot.state.connection === 'open'")
        platform.catch_up()
        assert (field.input_value(), page.locator(".me").count()) == ("", 0)
        assert platform.frames_of("message") == []
        assert "12345" not in page.evaluate("sessionStorage['supportbot:pk_test.tab']")


def test_signing_out_in_one_tab_leaves_nothing_in_the_others(shop: Shop) -> None:
    page, platform = shop
    platform.conversations = EARLIER
    other = page.context.new_page()
    other.goto(f"{SHOP}/")
    for tab in (page, other):
        tab.evaluate("token => SupportBot.identify({ token })", token("cus_1"))
        open_chat(tab)
        until(tab, "SupportBot.state.connection === 'open'")
    field = leave_a_draft_and_a_menu_page(other)
    page.evaluate("SupportBot.logout()")
    expect(other.get_by_role("dialog")).not_to_contain_text("Your tent")
    expect(field).to_have_value("")


@pytest.mark.parametrize("entry", ["Earlier conversations", "Delete my chats"])
def test_an_answer_that_arrives_after_signing_out_changes_nothing(shop: Shop, entry: str) -> None:
    page, platform = shop
    platform.conversations = EARLIER
    held: list[Route] = []
    page.context.route(f"{PLATFORM}/api/v1/conversations", lambda route: held.append(route))
    page.evaluate("token => SupportBot.identify({ token })", token("cus_1"))
    open_chat(page)
    until(page, "SupportBot.state.connection === 'open'")
    choose(page, entry)
    if entry == "Delete my chats":
        page.get_by_role("button", name=entry).click()
    request = wait_for(page, lambda: held)[0]
    page.evaluate("SupportBot.logout()")
    until(page, "SupportBot.state.connection === 'open'")
    with page.expect_response(f"{PLATFORM}/api/v1/conversations"):
        request.fallback()
    platform.catch_up()
    expect(page.get_by_role("dialog")).not_to_contain_text("Your tent")
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    assert json.loads(page.evaluate("localStorage['supportbot:pk_test']"))["conversation"] == CONVERSATION
    assert page.evaluate("SupportBot.state.connection") == "open"


@pytest.mark.long
def test_the_chat_continues_if_the_token_function_fails_for_a_while(browser: Browser) -> None:
    short = json.dumps(token("cus_1", lives_seconds=1))
    fetching = f"window.getToken = async () => {{ if (window.isCut) throw new Error('cut'); return {short}; }};"
    with visit(browser, before=fetching) as (page, platform):
        page.evaluate("SupportBot.identify({ getToken })")
        open_chat(page)
        write(page, "As a customer")
        expect(page.get_by_role("dialog")).to_contain_text("Sent")
        page.evaluate("window.isCut = true")
        platform.cut_off()
        until(page, "window.heard.some(([name]) => name === 'identity:error')")
        page.evaluate("window.isCut = false")
        platform.is_reachable = True
        until(page, "SupportBot.state.connection === 'open'")
        assert {"token", "conversation"} <= platform.tickets[-1].keys()
        expect(page.get_by_role("dialog")).to_contain_text("As a customer")


@pytest.mark.long
def test_a_token_function_that_always_fails_still_gets_a_chat(browser: Browser) -> None:
    failing = "window.getToken = async () => { throw new Error('signed out'); };"
    kept = json.dumps({"conversation": CONVERSATION, "sub": "cus_1"})
    keeping = f"localStorage['supportbot:pk_test'] ||= '{kept}'; Math.random = () => 0;"
    missing = {"code": "not_found", "message": "x", "fields": {}}
    with visit(browser, before=failing + keeping, platform=Platform(refusals=[(404, missing)])) as (page, platform):
        page.clock.install()  # it waits longer before each attempt
        page.evaluate("SupportBot.identify({ getToken })")
        open_chat(page)
        wait_for(page, lambda: len(widget_events(page, "identity:error")) == 7 or page.clock.fast_forward(10_000))
        until(page, "SupportBot.state.connection === 'open'")
        assert platform.tickets == [{"channel": "pk_test", "locale": "en"}]
        assert [error["code"] for error in widget_events(page, "identity:error")] == ["no_token"] * 7
        assert "sub" not in json.loads(page.evaluate("localStorage['supportbot:pk_test']"))
        expect(page.get_by_role("dialog")).not_to_contain_text(DELETED)  # the customer's chat is still theirs


@pytest.mark.long
def test_a_conversation_that_has_been_deleted_in_the_meantime_is_mentioned_once(browser: Browser) -> None:
    """For example, after the time for which the shop keeps conversations."""
    keeping = (
        f"""localStorage['supportbot:pk_test'] ||= '{json.dumps({"conversation": CONVERSATION, "visitor": "vs_1"})}'"""
    )
    missing = {"code": "not_found", "message": "x", "fields": {}}
    with visit(browser, before=keeping, platform=Platform(refusals=[(404, missing)])) as (page, platform):
        open_chat(page)
        chat = page.get_by_role("dialog")
        expect(chat.get_by_role("group", name="Conversation")).to_contain_text(f"{DELETED}Hello")
        until(page, "SupportBot.state.connection === 'open'")
        assert platform.tickets == [{"channel": "pk_test", "locale": "en", "visitor": "vs_1"}]
        deliver(page, platform, "A new question")
        expect(chat.get_by_role("group", name="Conversation")).not_to_contain_text(DELETED)


@pytest.mark.long
def test_a_conversation_of_an_unknown_visitor_is_not_said_to_be_deleted(browser: Browser) -> None:
    """It may still exist: the server tells an unknown visitor nothing about conversations."""
    kept = json.dumps({"conversation": CONVERSATION, "visitor": "vs_1"})
    keeping = f"localStorage['supportbot:pk_test'] ||= '{kept}'"
    refusals = [(404, {"code": "not_found"}), (401, {"code": "invalid_visitor"})]
    platform = Platform(refusals=[(status, {"message": "x", "fields": {}, **body}) for status, body in refusals])
    with visit(browser, before=keeping, platform=platform) as (page, platform):
        open_chat(page)
        log = page.get_by_role("dialog").get_by_role("group", name="Conversation")
        expect(log).to_contain_text(f"{UNAVAILABLE}Hello")
        expect(log).not_to_contain_text(DELETED)
        until(page, "SupportBot.state.connection === 'open'")
        assert platform.tickets == [{"channel": "pk_test", "locale": "en"}]


@pytest.mark.long
def test_a_conversation_that_is_deleted_while_it_is_open_is_mentioned(shop: Shop) -> None:
    page, platform = shop
    open_chat(page)
    deliver(page, platform, "A question")
    platform.say({"type": "error", "code": "erased", "message": "x"})
    log = page.get_by_role("dialog").get_by_role("group", name="Conversation")
    expect(log).to_contain_text(DELETED)
    expect(log).not_to_contain_text("A question")


def test_a_page_without_a_signed_in_customer_gets_a_visitors_chat(browser: Browser) -> None:
    kept = json.dumps({"conversation": CONVERSATION, "sub": "cus_1"})
    with visit(browser, before=f"localStorage['supportbot:pk_test'] ||= '{kept}';") as (page, platform):
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        assert platform.tickets == [{"channel": "pk_test", "locale": "en"}]


def test_signing_in_on_one_page_takes_the_chat_from_the_other(shop: Shop) -> None:
    page, platform = shop
    open_chat(page)
    write(page, "As a visitor")
    expect(page.get_by_role("dialog")).to_contain_text("Sent")
    other = page.context.new_page()  # of the same shop, loaded before the customer signed in
    other.goto(f"{SHOP}/")
    until(other, "SupportBot.state.connection === 'open'")
    lines = platform.socket
    page.evaluate("token => SupportBot.identify({ token })", token("cus_1"))
    wait_for(page, lambda: len(platform.tickets) == 3)
    until(page, "SupportBot.state.connection === 'open'")
    assert lines is not None
    lines.close(code=4401)  # the conversation is no longer open to the visitor
    until(other, "SupportBot.state.connection === 'idle'")
    expect(page.get_by_role("dialog")).to_contain_text("As a visitor")
    assert json.loads(page.evaluate("localStorage['supportbot:pk_test']"))["sub"] == "cus_1"
    assert [ticket.get("token", "")[:3] for ticket in platform.tickets] == ["", "", "e30"]


def test_a_fresh_token_is_fetched_before_a_confirmation(browser: Browser) -> None:
    tokens = [token("cus_1", lives_seconds=31), token("cus_1")]
    too_short_at = (time.time() + 1) * 1000  # a confirmation needs a token that is valid for 30 more seconds
    fetching = "window.asked = 0; window.getToken = async () => TOKENS[asked++];".replace("TOKENS", json.dumps(tokens))
    with visit(browser, before=fetching) as (page, platform):
        page.evaluate("SupportBot.identify({ getToken })")
        open_chat(page)
        request = platform.proposes()
        until(page, "(moment) => Date.now() > moment", too_short_at)
        page.get_by_role("button", name="Refund €69.00").click()
        expect(page.get_by_role("group", name="Refund")).to_contain_text("Sending")
        until(page, "window.asked === 2")
        platform.say({"type": "error", "code": "identity_expired", "message": "x", "request": request})
        until(page, "window.asked === 3")
        platform.wait_for_frames("confirm", 2)
        kinds = [frame["type"] for frame in platform.frames]
        assert kinds[:3] == ["hello", "identify", "confirm"]
        assert platform.frames_of("identify")[0]["token"] == tokens[1]
        assert kinds[-1] == "confirm"  # retried once, automatically
        platform.say({"type": "error", "code": "identity_expired", "message": "x", "request": request})
        expect(page.get_by_role("group", name="Refund")).to_contain_text("Please sign in here again, then confirm.")
        assert widget_events(page, "identity:error") == [{"code": "identity_expired", "message": "x"}]


@pytest.mark.long
def test_a_refused_identity_is_always_reported(browser: Browser) -> None:
    refused = {"code": "invalid_token", "message": "The identity token has expired.", "fields": {}}
    with visit(browser, platform=Platform(refusals=[(401, refused)])) as (page, platform):
        page.evaluate("token => SupportBot.identify({ token })", token("cus_1"))
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        # The page gets the technical reason; the customer's text is in the chat.
        assert widget_events(page, "identity:error") == [
            {"code": "invalid_token", "message": "The identity token has expired."}
        ]
        assert "token" not in platform.tickets[-1]
        failing = "SupportBot.identify({ getToken: async () => { throw new Error('no session'); } })"
        page.evaluate(failing)
        assert widget_events(page, "identity:error")[-1] == {"code": "no_token", "message": "Error: no session"}
