"""The desk on an unstable connection: no typed text is lost, and the page never shows an older state again."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import APIResponse, Page, Route, WebSocketRoute, expect

from tests.browser.deskpage import Customer, Line, check, resolve, take_over
from tests.browser.waiting import follow, wait_for

pytestmark = pytest.mark.browser


class Scene(NamedTuple):
    """Noor has a customer's conversation, on a connection that can be cut, and Daniel is at the desk too."""

    noor: Page
    line: Line
    daniel: Page
    visitor: Customer


Begin = Callable[[str], Scene]


@pytest.fixture
def begin(demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]) -> Begin:
    def begin(summary: str) -> Scene:
        visitor = Customer(demo)
        visitor.ask_for_a_person(summary)
        noor, daniel = new_page(), new_page()
        line = Line(noor)
        log_in(noor, "noor")
        log_in(daniel, "daniel")
        take_over(noor, summary)
        return Scene(noor, line, daniel, visitor)

    return begin


@pytest.mark.long
def test_refused_lines_return_complete_after_the_text_typed_since(begin: Begin) -> None:
    noor, line, daniel, _ = begin("A parcel in the rain")
    line.cut()
    field = noor.get_by_label("Reply to")
    for words in ("Leave it closed.", "We send a dry one."):
        field.fill(words)
        noor.keyboard.press("Control+Enter")
    expect(noor.locator("#thread .waiting")).to_have_count(2)
    field.fill("And we are sorry")
    resolve(daniel, "A parcel in the rain")
    line.restore()
    expect(noor.locator("#not-sent")).to_contain_text("Not sent. Claim this conversation's ticket before you reply.")
    expect(noor.locator("#thread .waiting")).to_have_count(0)
    expect(field).to_have_value("And we are sorry\nLeave it closed.\nWe send a dry one.")
    field.press_sequentially(".")  # the cursor stays where it was
    expect(field).to_have_value("And we are sorry.\nLeave it closed.\nWe send a dry one.")
    check(noor)


@pytest.mark.long
def test_a_refusal_on_another_page_is_shown_there_and_the_text_waits_in_its_field(begin: Begin) -> None:
    noor, line, daniel, _ = begin("A tent without poles")
    noor.set_viewport_size({"width": 1280, "height": 844})
    address = noor.url
    line.cut()
    for words in ("Poles are on their way.", "Four of them."):
        noor.get_by_label("Reply to").fill(words)
        noor.keyboard.press("Control+Enter")
    noor.goto("/desk/")
    resolve(daniel, "A tent without poles")
    line.restore()
    refused = noor.get_by_role("region", name="Not sent")
    expect(refused).to_contain_text("was not sent. Claim this conversation's ticket before you reply.")
    expect(refused.locator("q")).to_have_text("Poles are on their way.\nFour of them.")
    check(noor)
    noor.goto("/desk/replies/")
    expect(refused).to_be_visible()  # on every page, until it is dismissed or sent
    check(noor)
    follow(refused.get_by_role("link", name="Open the conversation"))
    expect(noor).to_have_url(address)
    expect(refused).to_be_visible()  # the conversation has ended, so there is no field
    check(noor)
    follow(noor.get_by_role("button", name="Reopen"))
    expect(noor.get_by_label("Reply to")).to_have_value("Poles are on their way.\nFour of them.")
    expect(noor.locator("#not-sent")).to_contain_text("Not sent.")
    expect(refused).to_be_hidden()
    noor.keyboard.press("m")
    noor.get_by_label("Reply to").fill("")
    follow(noor.get_by_role("button", name="Resolve"))


@pytest.mark.long
def test_refused_text_that_is_dismissed_returns_to_its_field_later(begin: Begin) -> None:
    noor, line, daniel, _ = begin("A stove that smokes")
    line.cut()
    noor.get_by_label("Reply to").fill("Clean the jet.")
    noor.keyboard.press("Control+Enter")
    noor.get_by_label("Reply to").fill("Then try again.")  # typed, not sent
    resolve(daniel, "A stove that smokes")
    noor.reload()
    line.restore()
    refused = noor.get_by_role("region", name="Not sent")
    expect(refused.locator("q")).to_have_text("Clean the jet.")
    refused.get_by_role("button", name="Dismiss").click()
    expect(refused).to_be_hidden()
    follow(noor.get_by_role("button", name="Reopen"))
    expect(noor.get_by_label("Reply to")).to_have_value("Then try again.\nClean the jet.")
    follow(noor.get_by_role("button", name="Resolve"))


@pytest.mark.long
def test_text_that_a_tab_stored_before_an_upgrade_is_restored_without_gaps(begin: Begin) -> None:
    noor, line, daniel, visitor = begin("A lamp that flickers")
    line.cut()
    noor.goto("/desk/")
    noor.evaluate(
        """([conversation, text]) => sessionStorage.setItem(`desk:${document.body.dataset.user}:outbox`, JSON.stringify(
             [["old-1", {message: {type: "reply", conversation, client_id: "old-1", text}, memory: "x"}]]))""",
        [visitor.conversation, "Change the batteries."],
    )
    resolve(daniel, "A lamp that flickers")
    noor.reload()
    line.restore()
    refused = noor.get_by_role("region", name="Not sent")
    expect(refused).to_contain_text("Your reply to the customer was not sent.")
    expect(refused.locator("q")).to_have_text("Change the batteries.")
    expect(refused).not_to_contain_text("undefined")
    expect(refused.get_by_role("link")).to_have_count(0)
    refused.get_by_role("button", name="Dismiss").click()


@pytest.mark.long
def test_the_panels_around_a_conversation_are_reloaded_in_order_and_not_for_a_receipt(begin: Begin) -> None:
    noor, line, daniel, visitor = begin("A backpack strap")
    head = noor.locator("#head-now")

    # Snoozed while the connection was cut, so no event reports it.
    line.cut()
    follow(daniel.get_by_role("link", name="A backpack strap"))
    daniel.locator("summary", has_text="Snooze").click()
    follow(daniel.get_by_role("button", name="Until tomorrow 9:00"))
    expect(daniel.locator(".c-h .sub")).to_contain_text("Assigned to Noor Aziz")
    line.restore()
    expect(head).to_contain_text("snoozed until")

    # A late response does not overwrite a newer one.
    held = hold_first_response(noor)
    visitor.say("Hello?")  # a customer who writes is no longer snoozed
    wait_for(noor, lambda: held)
    daniel.reload()
    follow(daniel.get_by_role("button", name="Resolve"))
    expect(head).to_contain_text("Resolved")
    route, stale = held[0]
    route.fulfill(response=stale)
    noor.wait_for_timeout(300)
    expect(head).to_contain_text("Resolved")

    # A read receipt changes nothing else.
    asked: list[str] = []
    noor.on("request", lambda request: asked.append(request.url) if request.resource_type == "fetch" else None)
    until_quiet(noor, asked)
    seq = int(noor.evaluate("document.querySelector('.desk').dataset.seq")) + 1000
    about = {
        "conversation": visitor.conversation,
        "seq": seq,
        "prev_seq": seq - 1,
        "created_at": "2026-11-24T12:00:00Z",
    }
    line.say({"type": "event", "event": "read", "payload": {"who": "customer", "seq": 1}, **about})
    noor.wait_for_timeout(800)
    assert asked == []


def hold_first_response(page: Page) -> list[tuple[Route, APIResponse]]:
    """Hold back the first response to a script that reloads a ticket; the returned list will contain it."""
    held: list[tuple[Route, APIResponse]] = []

    def answer(route: Route) -> None:
        if route.request.resource_type != "fetch" or held:
            route.continue_()
        else:
            held.append((route, route.fetch()))

    page.route("**/desk/tickets/*/", answer)
    return held


def until_quiet(page: Page, asked: list[str]) -> None:
    """Return once the page has requested nothing for twice the delay of its reloads."""
    while True:
        asked.clear()
        page.wait_for_timeout(800)
        if not asked:
            return


@pytest.mark.long
def test_a_connection_that_stays_silent_after_opening_is_abandoned(
    new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page()
    log_in(page, "noor")
    page.clock.install()
    heard: list[str | bytes] = []

    def silent(socket: WebSocketRoute) -> None:
        socket.on_message(lambda said: heard.append(said))  # Playwright wraps its arguments

    page.route_web_socket("**/ws/v1/desk/", silent)
    page.reload()
    wait_for(page, lambda: heard, "the hello")
    page.clock.fast_forward(120_000)
    expect(page.locator("#offline")).to_contain_text("Connection lost at")


@pytest.mark.long
def test_text_that_is_too_long_stays_in_its_field_with_the_reason(begin: Begin) -> None:
    noor, *_ = begin("A long story")
    field = noor.get_by_label("Reply to")
    field.fill("🏔" * 4_001)
    noor.keyboard.press("Control+Enter")
    expect(noor.locator("#not-sent")).to_have_text(
        "Not sent. The limit is 4000 characters, and this text has 4001. Split it into several messages."
    )
    expect(field).to_have_value("🏔" * 4_001)
    field.fill("🏔" * 4_000)
    noor.keyboard.press("Control+Enter")
    expect(field).to_have_value("")
    expect(noor.locator("#thread .waiting")).to_have_count(0)
    expect(noor.locator("#thread")).to_contain_text("🏔" * 4_000)
    resolve(noor, "A long story")
