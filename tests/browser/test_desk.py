"""The desk in real browsers: a shift with only the keyboard, two agents at once, and no scripts."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deskpage import Customer, check, get, is_live, post, take_over
from tests.browser.waiting import follow, measure, press_through, until

pytestmark = pytest.mark.browser


@pytest.fixture
def empty_queue(demo: dict[str, Any]) -> None:
    """Resolve what other tests have left waiting."""
    tickets, key = f"{demo['urls']['base']}/api/v1/tickets", demo["api_key"]
    for ticket in get(f"{tickets}?state=waiting&limit=200", key)["results"]:
        for step in ("claim", "resolve"):
            post(f"{tickets}/{ticket['id']}/{step}", {}, key)


@pytest.mark.usefixtures("empty_queue")
def test_an_agent_works_a_full_shift_by_keyboard_alone(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page(viewport={"width": 1280, "height": 844})
    log_in(page, "daniel")
    is_live(page)
    check(page)
    write_a_canned_reply(page)
    priya = Customer(demo, "cus_1003")
    card = claim_a_waiting_customer(page, priya)
    answer_and_note(page, priya)
    approve(page, card)
    return_this_one(page)
    resolve_the_next(page, Customer(demo))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    check(page)


def write_a_canned_reply(page: Page) -> None:
    keys = page.keyboard
    press_through(page, "g", "r")
    page.get_by_role("textbox", name="Title").focus()
    keys.type("Pole on its way")
    keys.press("Tab")
    keys.type("Hello {name}, a new pole is on its way. {agent}")
    press_through(page, "Tab", "Tab", "Enter")
    expect(page.get_by_role("link", name="Pole on its way")).to_be_visible()
    check(page)


def claim_a_waiting_customer(page: Page, priya: Customer) -> dict[str, Any]:
    """Wait for the customer to appear without a reload, and claim her; return the card of her waiting refund."""
    press_through(page, "g", "d")
    is_live(page)
    priya.say("I want a refund for WF-20380, the backpack does not fit")
    card: dict[str, Any] = priya.card(page)
    confirm = f"{priya.api}/action-requests/{card['request']}/confirm"
    post(confirm, {"digest": card["digest"]}, priya.credential)
    expect(page.locator(".rail").get_by_role("link", name="Approvals")).to_contain_text("1 to decide")
    priya.ask_for_a_person("Backpack does not fit & <b>hurt</b>")
    expect(page.get_by_role("link", name="Backpack does not fit & <b>hurt</b>")).to_be_visible()
    expect(page).to_have_title("(1) Desk | Wrenfell Outdoor")
    expect(page.get_by_role("heading", name="Waiting: 1")).to_be_visible()
    check(page)
    press_through(page, "j", "Enter")
    expect(page.get_by_role("button", name="Take over")).to_be_visible()
    check(page)
    press_through(page, "t")
    expect(page.get_by_role("button", name="Send reply")).to_be_visible()
    expect(page.locator(".sum")).to_contain_text("waiting for a colleague's approval")
    expect(page.locator("#orders")).to_contain_text("WF-20380")
    return card


def answer_and_note(page: Page, priya: Customer) -> None:
    keys = page.keyboard
    is_live(page)
    keys.press("/")
    expect(page.get_by_role("option", name="Pole on its way")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_label("Reply to Priya Raman")).to_have_value("")
    keys.press("/")
    keys.type("way pol")
    expect(page.get_by_role("option", name="Pole on its way")).to_be_visible()
    check(page)
    keys.press("Enter")
    expect(page.get_by_label("Reply to Priya Raman")).to_have_value(
        "Hello Priya, a new pole is on its way. Daniel Brandt"
    )
    keys.press("Control+Enter")
    expect(page.locator("#thread .me .said")).to_have_text(["Hello Priya, a new pole is on its way. Daniel Brandt"])
    expect(page.locator("#thread .waiting")).to_have_count(0)
    keys.press("Escape")
    keys.press("m")
    keys.type("Second one this year.")
    check(page)
    keys.press("Control+Enter")
    expect(page.locator("#thread .note .said")).to_have_text(["Second one this year."])
    priya.say("Thank you!")
    expect(page.locator("#thread .customer .said").last).to_have_text("Thank you!")
    assert priya.agent_texts() == ["Hello Priya, a new pole is on its way. Daniel Brandt"]


def approve(page: Page, card: dict[str, Any]) -> None:
    """Approve with Tab and Enter, after letter keys have had no effect."""
    keys = page.keyboard
    keys.press("Escape")
    press_through(page, "g", "a")
    expect(page.get_by_role("heading", level=1)).to_have_text("Approvals")
    is_live(page)
    press_through(page, "j", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(card["title"])
    approve = page.get_by_role("button", name=f"Approve €{card['arguments']['amount']}")
    for letter in "aeytr":
        keys.press(letter)
    expect(approve).to_be_visible()
    check(page)
    press_through(page, "Tab", "Tab", "Tab", "Enter")  # the conversation, reject, approve
    expect(approve).to_have_count(0)
    expect(page.locator(".tl")).to_contain_text("Daniel Brandt")


def return_this_one(page: Page) -> None:
    keys = page.keyboard
    expect(page.locator("[data-carried-out]")).to_have_count(0)  # until then, the page is loaded again
    page.get_by_role("link", name="Open the conversation").focus()
    press_through(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Priya Raman")
    is_live(page)
    keys.press("b")
    keys.type("The refund is on its way.")
    press_through(page, "Tab", "Enter")
    expect(page.locator(".c-h .sub")).to_contain_text("Returned")


def resolve_the_next(page: Page, tom: Customer) -> None:
    keys = page.keyboard
    tom.ask_for_a_person("A question about poles")
    expect(page.get_by_role("button", name="Take next")).to_be_visible()
    press_through(page, "n")
    expect(page.locator(".sum")).to_contain_text("A question about poles")
    is_live(page)
    keys.press("r")
    keys.type("All is well.")
    press_through(page, "Control+Shift+Enter")
    expect(page.locator(".c-h .sub")).to_contain_text("Resolved")
    assert tom.agent_texts() == ["All is well."]
    check(page)


@pytest.mark.long
def test_an_agent_on_a_phone_reaches_the_console(
    new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page(viewport={"width": 390, "height": 844})
    log_in(page, "daniel")
    page.get_by_role("button", name="Settings").click()
    dialog = page.get_by_role("dialog", name="Settings")
    expect(dialog).to_contain_text("Wrenfell Outdoor")
    check(page)
    page.set_viewport_size({"width": 390, "height": 844})
    follow(dialog.get_by_role("link", name="Console"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


@pytest.mark.long
def test_on_a_phone_the_summary_leaves_room_for_the_messages(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    wants = "The zip of my jacket jams halfway up and the pull tab has come off, so that I can no longer close it"
    visitor = Customer(demo)
    visitor.say(wants)
    visitor.wait_for_event(page := new_page(viewport={"width": 390, "height": 640}), "assistant.final")
    visitor.ask_for_a_person(wants)
    log_in(page, "noor")
    take_over(page, wants)
    summary, messages = page.locator(".sum"), page.locator(".scroll")
    expect(summary.locator(".wants")).to_be_visible()
    expect(summary.locator("dl")).to_be_hidden()
    assert measure(page, "document.querySelector('.sum').offsetHeight") <= 48
    first = page.locator("#thread > li").first
    first.scroll_into_view_if_needed()
    above, shown = messages.bounding_box(), first.bounding_box()
    assert above is not None and shown is not None and shown["y"] >= above["y"]
    summary.locator("summary").click()
    expect(summary.locator("dl")).to_contain_text("Still open")
    assert measure(page, "document.querySelector('.scroll').clientHeight") >= 100
    check(page)
    page.set_viewport_size({"width": 1280, "height": 844})
    page.reload()
    expect(summary.locator("dl")).to_be_visible()  # there is room


def test_two_agents_see_each_other_with_one_customer(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    visitor = Customer(demo)
    visitor.say("My <b>pole</b> is broken")
    visitor.ask_for_a_person("My <b>pole</b> is broken")
    ines, noor = new_page(), new_page()
    for page, name in ((ines, "ines"), (noor, "noor")):
        log_in(page, name)
        follow(page.get_by_role("link", name="My <b>pole</b> is broken"))
        is_live(page)
    expect(ines.locator("#colleague")).to_have_text("Noor Aziz also has this open")
    updates = re.compile(r"/desk/tickets/[0-9a-f-]+/$")
    noor.route(updates, lambda route: route.abort())  # otherwise, the button may be gone before she presses it
    follow(ines.get_by_role("button", name="Take over"))
    expect(noor.locator("#moved")).to_contain_text("Ines Kowalski joined.")
    follow(noor.get_by_role("button", name="Take over"))
    noor.unroute(updates)
    expect(noor.get_by_role("alert")).to_have_text("Ines Kowalski has already claimed this ticket.")
    expect(noor).to_have_url(updates)  # can be reloaded, unlike the form's address
    is_live(ines)
    ines.get_by_label("Reply to").fill("A new one is on its way.")
    ines.get_by_role("button", name="Send reply").dblclick()
    expect(noor.locator("#thread .agent .said")).to_have_text(["A new one is on its way."])
    check(noor)
    ines.locator("summary", has_text="Return").click()
    ines.get_by_label("What the assistant should know").fill("A pole was sent.")
    follow(ines.get_by_role("button", name="Return to the assistant"))
    expect(ines.locator(".c-h .sub")).to_contain_text("Returned")
    assert visitor.agent_texts() == ["A new one is on its way."]
    follow(ines.get_by_role("button", name="Log out"))
    expect(ines.get_by_role("heading", level=1)).to_have_text("Log in to the desk")


@pytest.mark.long
def test_a_pressed_row_opens_whoever_arrives_meanwhile(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    Customer(demo).ask_for_a_person("A zip that jams")
    page = new_page()
    log_in(page, "noor")
    is_live(page)
    rows = page.locator("#queue .q")
    expect(rows.filter(has_text="A zip that jams")).to_have_count(1)
    before = rows.count()
    page.locator("#queue h2").first.hover()
    page.mouse.down()
    Customer(demo).ask_for_a_person("A second zip")
    expect(page.locator("#said")).to_contain_text("A second zip")
    assert rows.count() == before
    page.mouse.move(600, 600)
    page.mouse.up()
    expect(rows).to_have_count(before + 1)
    page.reload()
    is_live(page)
    page.get_by_role("link", name="A zip that jams").hover()
    page.mouse.down()
    Customer(demo).ask_for_a_person("A third zip")
    expect(page.locator("#said")).to_contain_text("A third zip")
    page.mouse.up()
    expect(page.get_by_role("button", name="Take over")).to_be_visible()
    expect(page.locator("#queue .q[aria-current=true]")).to_contain_text("A zip that jams")


def test_typed_text_survives_a_lost_connection_and_is_sent_once(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    visitor = Customer(demo)
    visitor.ask_for_a_person("Is anybody there?")
    page = new_page()
    log_in(page, "noor")
    take_over(page, "Is anybody there?")
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_contain_text("Connection lost at")
    check(page)
    page.get_by_label("Reply to").fill("Here I am.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread .waiting time")).to_have_text("not sent yet")
    visitor.say("Hello?")
    page.context.set_offline(False)
    is_live(page)
    expect(page.locator("#thread .waiting")).to_have_count(0)
    expect(page.locator("#thread .customer .said")).to_have_text(["Hello?"])
    assert visitor.agent_texts() == ["Here I am."]
    follow(page.get_by_role("button", name="Resolve"))


@pytest.mark.long
def test_text_sent_into_a_dead_socket_is_sent_after_a_reload(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    visitor = Customer(demo)
    visitor.ask_for_a_person("Hello from the train")
    page, is_cut = new_page(), True
    log_in(page, "noor")
    take_over(page, "Hello from the train")
    page.route_web_socket("**/ws/v1/desk/", lambda socket: socket.close() if is_cut else socket.connect_to_server())
    page.reload()
    for words, mode in (("Here I am.", "r"), ("Sits in a train.", "m")):
        page.keyboard.press(mode)
        page.keyboard.type(words)
        page.keyboard.press("Control+Enter")
        page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("#thread .waiting .said")).to_have_text(["Here I am.", "Sits in a train."])
    assert visitor.agent_texts() == []
    is_cut = False
    page.reload()
    is_live(page)
    expect(page.locator("#thread .waiting")).to_have_count(0)
    expect(page.locator("#thread .me .said")).to_have_text(["Here I am."])
    expect(page.locator("#thread .note .said")).to_have_text(["Sits in a train."])
    assert visitor.agent_texts() == ["Here I am."]
    follow(page.get_by_role("button", name="Resolve"))


# Records what a page would alert, and lets a test hide it, as if the agent looked at another window.
ALERTS = """
window.called = [], window.tones = 0;
window.Notification = class extends EventTarget {
  constructor(title, { body }) { super(); called.push(body); }
  static permission = "granted";
  static requestPermission = async () => "granted";
};
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { tones++; start.apply(this, when); };
let isHidden = false;
Object.defineProperty(document, "hidden", { get: () => isHidden });
window.hide = (hidden) => { isHidden = hidden; document.dispatchEvent(new Event("visibilitychange")); };
"""

# Browsers play no sound on a page that nobody has clicked or typed in; the tests' browser does.
UNTOUCHED = """
Object.defineProperty(AudioContext.prototype, "state", { get: () => "suspended" });
AudioContext.prototype.resume = () => new Promise(() => {});
"""


@pytest.mark.long
def test_an_agent_who_looks_away_is_notified(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page(permissions=["notifications"])
    page.context.add_init_script(ALERTS)
    log_in(page, "noor")
    is_live(page)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Desktop notifications").check()
    page.keyboard.press("Escape")
    visitor = Customer(demo)
    visitor.ask_for_a_person("Nobody looks")
    expect(page.get_by_role("link", name="Nobody looks")).to_be_visible()
    assert page.evaluate("called") == []  # an agent looking at the desk needs no notification
    take_over(page, "Nobody looks")
    page.evaluate("hide(true)")
    visitor.say("Are you there?")  # into the open conversation
    Customer(demo).ask_for_a_person("Just after")  # somebody else, a moment later
    until(page, "called.length === 2")
    assert "wrote: Are you there?" in page.evaluate("called[0]")
    assert "is waiting: Just after" in page.evaluate("called[1]")
    second = page.context.new_page()
    second.goto(page.url)
    is_live(second)
    until(page, "navigator.locks.query().then(({ held }) => held.length > 0)")
    Customer(demo).ask_for_a_person("Seen elsewhere")
    expect(second.get_by_role("link", name="Seen elsewhere")).to_be_visible()
    expect(page.get_by_role("link", name="Seen elsewhere")).to_be_attached()
    assert [len(one.evaluate("called")) for one in (page, second)] == [2, 0]
    for summary in ("Just after", "Seen elsewhere"):
        take_over(second, summary)
        follow(second.get_by_role("button", name="Resolve"))
    second.close()
    page.evaluate("hide(false)")
    follow(page.get_by_role("button", name="Resolve"))


@pytest.mark.long
def test_several_pages_of_the_desk_play_one_sound_and_none_that_nobody_has_touched(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page()
    page.context.add_init_script(ALERTS)
    log_in(page, "noor")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Play a sound").check()
    page.keyboard.press("Escape")
    until(page, "tones === 1")  # what it sounds like
    pages = [page, *(page.context.new_page() for _ in range(2))]
    pages[2].add_init_script(UNTOUCHED)
    for one in pages[1:]:
        one.goto(page.url)
        is_live(one)
    Customer(demo).ask_for_a_person("Heard once")
    for one in pages:
        expect(one.get_by_role("link", name="Heard once")).to_be_visible()
    until(page, "navigator.locks.query().then(({ held }) => held.some(({ name }) => name === 'desk:sounding'))")
    assert sum(one.evaluate("tones") for one in pages) == 2
    assert pages[2].evaluate("tones") == 0  # and it does not save the sound for the first click
    for one in pages[1:]:
        one.close()
    take_over(page, "Heard once")
    follow(page.get_by_role("button", name="Resolve"))


@pytest.mark.long
def test_notifications_that_the_browser_has_blocked_since_are_shown_as_off(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page()
    page.add_init_script("localStorage.setItem('desk:notify', 'yes'); Notification.requestPermission = async () => {}")
    log_in(page, "noor")
    is_live(page)
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Desktop notifications")).not_to_be_checked()
    expect(page.get_by_text("Your browser blocks notifications from this page.")).to_be_visible()


def test_without_scripts_an_agent_takes_over_answers_and_resolves(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    visitor = Customer(demo)
    visitor.ask_for_a_person("No scripts here")
    page = new_page(java_script_enabled=False)
    log_in(page, "ines")
    follow(page.get_by_role("link", name="No scripts here"))
    follow(page.get_by_role("button", name="Take over"))
    page.get_by_label("Reply to").fill("I can help.")
    follow(page.get_by_role("button", name="Send reply"))
    expect(page.locator("#thread .me .said")).to_have_text(["I can help."])
    follow(page.get_by_role("button", name="Resolve"))
    expect(page.locator(".c-h .sub")).to_contain_text("Resolved")
    assert visitor.agent_texts() == ["I can help."]


def test_a_draft_is_offered_for_a_reply_but_not_for_a_note(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page(viewport={"width": 1280, "height": 844})
    log_in(page, "daniel")
    someone = Customer(demo)
    someone.say("How much is a pole?")
    someone.ask_for_a_person("The price of a pole")
    take_over(page, "The price of a pole")
    draft = page.get_by_role("button", name="Draft", exact=True)
    expect(draft).to_be_visible()
    page.get_by_role("button", name="Note", exact=True).click()
    expect(draft).to_be_hidden()
    page.get_by_role("button", name="Reply", exact=True).click()
    expect(draft).to_be_visible()


@pytest.mark.long
def test_doubtful_sentences_of_a_draft_stay_visible_until_it_is_sent(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    page = new_page(viewport={"width": 1280, "height": 844})
    text = "🙂 We are glad to help. It costs €99 <b>now</b>."
    why = "a figure that does not appear in any article"
    doubt = {"start": text.index("It costs"), "end": len(text), "code": "figure", "why": why}
    draft = {"text": text, "sources": [], "by": "model", "doubts": [doubt]}
    page.route("**/draft.json", lambda route: route.fulfill(json=draft))
    log_in(page, "daniel")
    someone = Customer(demo)
    someone.say("How much is it?")
    someone.ask_for_a_person("The price of it")
    take_over(page, "The price of it")
    page.get_by_role("button", name="Draft", exact=True).click()
    doubts = page.locator("#draft li")
    expect(doubts).to_have_text([f"It costs €99 <b>now</b>.: {why}"])
    check(page)
    page.locator("#text").fill("Hello!")
    page.get_by_role("button", name="Insert").click()
    expect(page.locator("#text")).to_have_value(f"Hello!\n\n{text}")
    expect(doubts).to_be_visible()
    check(page)
    page.locator("#text").press("Control+Enter")
    expect(page.locator("#draft")).to_be_hidden()
