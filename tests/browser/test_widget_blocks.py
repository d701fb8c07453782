"""Choices and forms in an answer are answered once, and shown as answered even after a reload."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_in_both_themes
from tests.browser.shoppage import PLATFORM, Platform, Shop, deliver, message_id
from tests.browser.waiting import until

pytestmark = pytest.mark.browser
ORDERS = ["WF-20444: Skarn rain jacket, L · paid · €189.00", "WF-20418: Cairn boots, 41 · delivered · €139.00"]
PROMPT = "Which of these orders do you mean?"
CHOICES = {
    "type": "choices",
    "prompt": PROMPT,
    "options": [{"id": label[:8], "label": label} for label in ORDERS],
}
ADDRESS = "What is the new address?"
FORM = {
    "type": "form",
    "prompt": ADDRESS,
    "fields": [
        {"name": "line1", "title": "Street and house number", "type": "string", "required": True, "maxLength": 100},
        {
            "name": "postal_code", "title": "Postal code", "type": "string", "required": True, "maxLength": 12,
            "pattern": "^[A-Za-z0-9][A-Za-z0-9 -]{1,11}$",
        },
        {"name": "line2", "title": "Second line", "type": "string", "required": False, "maxLength": 100},
    ],
}  # fmt: skip


def asks_which_order(platform: Platform, number: int = 1) -> str:
    text = "\n".join([PROMPT, *(f"- {label}" for label in ORDERS)])
    message = platform.starts(number)
    platform.ends(message, text, by="builtin", blocks=[CHOICES])
    return message


def test_a_button_sends_its_label_and_stays_pressed(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "I want my money back.")
    message = asks_which_order(platform)
    group = page.get_by_role("group", name=PROMPT)
    expect(group.get_by_role("button")).to_have_text(ORDERS)
    expect(page.locator(".bot")).to_contain_text(PROMPT)
    expect(page.locator(".bot li:visible")).to_have_count(0)  # the buttons replace the list
    check_in_both_themes(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    group.get_by_role("button", name=ORDERS[1]).press("Enter")
    expect(page.locator(".me").last).to_contain_text(ORDERS[1])
    expect(group.get_by_role("button", name=ORDERS[1], pressed=True)).to_be_disabled()
    expect(group.get_by_role("button", name=ORDERS[0], pressed=False)).to_be_disabled()
    [frame] = platform.wait_for_frames("choose")
    assert (frame["block"], frame["option"]) == (f"{message}:0", "WF-20418")
    assert platform.frames_of("message")[1:] == []
    page.reload()
    expect(group.get_by_role("button", name=ORDERS[1], pressed=True)).to_be_disabled()
    check_in_both_themes(page)


@pytest.mark.long
def test_writing_instead_closes_the_choices(chat: Shop) -> None:
    page, platform = chat
    asks_which_order(platform, 2)
    buttons = page.get_by_role("group", name=PROMPT).get_by_role("button")
    expect(buttons.first).to_be_enabled()
    deliver(page, platform, "Never mind.")
    expect(buttons.first).to_be_disabled()
    expect(page.get_by_role("button", pressed=True)).to_have_count(0)
    asks_which_order(platform, 3)
    expect(page.get_by_role("group", name=PROMPT).last.get_by_role("button").first).to_be_enabled()


@pytest.mark.long
def test_a_choice_the_server_refuses_can_be_made_again(chat: Shop) -> None:
    page, platform = chat
    platform.acknowledges = False
    asks_which_order(platform, 4)
    button = page.get_by_role("group", name=PROMPT).get_by_role("button").first
    button.click()
    expect(button).to_be_disabled()
    [frame] = platform.wait_for_frames("choose")
    platform.say({"type": "error", "code": "too_fast", "message": "x", "client_id": frame["client_id"]})
    expect(button).to_be_enabled()
    expect(page.locator(".me").last).to_contain_text("You are sending messages too fast.")


def test_a_form_is_validated_sent_once_and_stays_filled_in(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Send it elsewhere.")
    message = platform.starts(5)
    platform.ends(message, ADDRESS, by="builtin", blocks=[FORM])
    form = page.get_by_role("form", name=ADDRESS)
    street, code = form.get_by_label("Street and house number"), form.get_by_label("Postal code")
    expect(form.get_by_label("Second line (optional)")).to_be_editable()
    check_in_both_themes(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    send = form.get_by_role("button", name="Send")
    send.click()
    expect(street).to_be_focused()
    street.fill("  Talstraße   8 ")
    code.fill("?")
    send.click()
    expect(code).to_be_focused()
    assert platform.frames_of("submit") == []
    code.fill("79102")
    code.press("Enter")
    expect(page.locator(".me").last).to_contain_text("Street and house number: Talstraße 8")
    expect(send).to_have_count(0)
    [frame] = platform.wait_for_frames("submit")
    assert (frame["block"], frame["values"]) == (f"{message}:0", {"line1": "Talstraße 8", "postal_code": "79102"})
    check_answered(page)
    page.reload()
    check_answered(page)
    check_in_both_themes(page)


def check_answered(page: Page) -> None:
    form = page.get_by_role("form", name=ADDRESS)
    expect(form.get_by_label("Street and house number")).to_have_value("Talstraße 8")
    expect(form.get_by_label("Street and house number")).to_be_disabled()
    expect(form.get_by_role("button")).to_have_count(0)


@pytest.mark.long
def test_a_form_takes_a_number_in_the_only_case_that_fits(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Where is it?")
    message = platform.starts(9)
    text = {"type": "string", "required": True, "maxLength": 20}
    fields = [
        {**text, "name": "order", "title": "Order", "pattern": "^CS-[0-9]{4}$"},
        {**text, "name": "code", "title": "Code", "pattern": "^Ab-[0-9]$"},
    ]
    platform.ends(
        message, "Which order?", by="builtin", blocks=[{"type": "form", "prompt": "Which order?", "fields": fields}]
    )
    form = page.get_by_role("form", name="Which order?")
    form.get_by_label("Order").fill("cs-1001")
    code = form.get_by_label("Code")
    code.fill("aB-1")
    code.press("Enter")
    expect(code).to_be_focused()
    expect(code).to_have_js_property("validity.valid", False)
    assert platform.frames_of("submit") == []
    code.fill("Ab-1")
    code.press("Enter")
    [frame] = platform.wait_for_frames("submit")
    assert frame["values"] == {"order": "cs-1001", "code": "Ab-1"}


STAY = "Which days, and what else?"
DAYS_AND_EXTRAS = {
    "type": "form",
    "prompt": STAY,
    "fields": [
        {"name": "arrival", "title": "Arrival", "type": "string", "format": "date", "required": True, "maxLength": 200},
        {
            "name": "extras", "title": "Extras", "type": "array", "required": True, "minItems": 1, "maxItems": 3,
            "items": {"type": "string", "enum": ["Breakfast", "Late breakfast", "Parking"]},
        },
    ],
}  # fmt: skip


@pytest.mark.long
def test_a_date_and_checkboxes_are_sent_once_and_stay_filled_in(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Move my stay.")
    message = platform.starts(8)
    platform.ends(message, STAY, by="builtin", blocks=[DAYS_AND_EXTRAS])
    form = page.get_by_role("form", name=STAY)
    day, boxes = form.get_by_label("Arrival"), form.get_by_role("group", name="Extras")
    expect(day).to_have_attribute("type", "date")
    check_in_both_themes(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    day.fill("2027-03-05")
    send = form.get_by_role("button", name="Send")
    send.click()  # nothing is ticked
    expect(boxes.get_by_role("checkbox").first).to_be_focused()
    assert platform.frames_of("submit") == []
    boxes.get_by_label("Late breakfast").check()
    boxes.get_by_label("Parking").check()
    send.click()
    expect(page.locator(".me").last).to_contain_text("Extras: Late breakfast, Parking")
    [frame] = platform.wait_for_frames("submit")
    assert frame["values"] == {"arrival": "2027-03-05", "extras": ["Late breakfast", "Parking"]}
    for _ in range(2):
        expect(boxes.get_by_role("checkbox", checked=True)).to_have_count(2)
        expect(boxes.get_by_label("Breakfast", exact=True)).not_to_be_checked()
        expect(day).to_have_value("2027-03-05")
        page.reload()
    check_in_both_themes(page)


STORY = "What happened?"
STORY_FORM = {
    "type": "form",
    "prompt": STORY,
    "fields": [{"name": "story", "title": "Story", "type": "string", "required": True, "maxLength": 1000}],
}  # fmt: skip


@pytest.mark.long
def test_a_long_text_is_written_on_several_lines_and_sent_as_one(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "I need to report damage.")
    platform.ends(platform.starts(8), STORY, by="builtin", blocks=[STORY_FORM])
    form = page.get_by_role("form", name=STORY)
    box = form.get_by_label("Story")
    assert box.evaluate("node => [node.tagName, node.maxLength]") == ["TEXTAREA", 1000]
    check_in_both_themes(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    box.fill("A dent in the door.\nAnd a scratch.")
    form.get_by_role("button", name="Send").click()
    expect(page.locator(".me").last).to_contain_text("Story: A dent in the door. And a scratch.")
    [frame] = platform.wait_for_frames("submit")
    assert frame["values"] == {"story": "A dent in the door. And a scratch."}


WHO = "Who is coming?"
GUESTS = {
    "type": "form",
    "prompt": WHO,
    "fields": [
        {"name": "name", "title": "Name", "type": "string", "required": True, "maxLength": 80},
        {"name": "home.city", "title": "Home – City", "type": "string", "required": False, "maxLength": 80,
         "requiredWith": ["home.street"]},
        {"name": "home.street", "title": "Home – Street", "type": "string", "required": False, "maxLength": 80},
    ],
    "entries": {"minItems": 1, "maxItems": 3, "title": "Guest", "add": "Add another", "remove": "Remove"},
}  # fmt: skip


@pytest.mark.long
def test_entries_are_added_removed_sent_once_and_stay_filled_in(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Book for us.")
    message = platform.starts(9)
    platform.ends(message, WHO, by="builtin", blocks=[GUESTS])
    form = page.get_by_role("form", name=WHO)
    entry = [form.get_by_role("group", name=f"Guest {place}") for place in (1, 2, 3)]
    add = form.get_by_role("button", name="Add another")
    expect(entry[0].get_by_label("Name")).to_be_visible()
    expect(form.get_by_role("button", name="Remove")).to_have_count(0)  # one entry is required
    entry[0].get_by_label("Name").fill("Ann")
    add.click()
    expect(entry[1].get_by_label("Name")).to_be_focused()
    add.click()
    expect(add).to_be_hidden()
    check_in_both_themes(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    entry[1].get_by_label("Name").fill("Mallory")
    entry[2].get_by_label("Name").fill("Ben")
    entry[1].get_by_role("button", name="Remove").click()
    expect(entry[2]).to_have_count(0)
    expect(entry[1].get_by_label("Name")).to_have_value("Ben")
    expect(entry[1].get_by_label("Name")).to_be_focused()
    entry[1].get_by_label("Home – Street").fill("Talstraße 8")
    form.get_by_role("button", name="Send").click()  # a street without its city
    expect(entry[1].get_by_label("Home – City")).to_be_focused()
    assert platform.frames_of("submit") == []
    entry[1].get_by_label("Home – City").fill("Bonn")
    form.get_by_role("button", name="Send").click()
    [frame] = platform.wait_for_frames("submit")
    assert frame["values"] == [{"name": "Ann"}, {"name": "Ben", "home.city": "Bonn", "home.street": "Talstraße 8"}]
    for _ in range(2):
        expect(entry[1].get_by_label("Home – City")).to_have_value("Bonn")
        expect(entry[1].get_by_label("Home – City")).to_be_disabled()
        expect(form.get_by_role("button")).to_have_count(0)
        page.reload()
    check_in_both_themes(page)


@pytest.mark.long
def test_only_the_text_of_an_answer_with_an_unknown_block_is_shown(chat: Shop) -> None:
    page, platform = chat
    platform.ends(platform.starts(6), "What colour?", by="builtin", blocks=[{"type": "palette", "colours": ["red"]}])
    expect(page.locator(".bot")).to_contain_text("What colour?")


def test_the_text_of_a_block_is_never_markup(chat: Shop) -> None:
    page, platform = chat
    label = "<img src=x onerror=alert(1)> **bold**"
    block = {"type": "choices", "prompt": "<b>Which?</b>", "options": [{"id": "a", "label": label}]}
    platform.ends(message_id(7), "Which?", by="builtin", blocks=[block])
    expect(page.get_by_role("group", name="<b>Which?</b>").get_by_role("button")).to_have_text(label)


# A chat made by the panel of an earlier version, which draws an answer and a rating as its bundle did.
FORMER_CHAT = """async (address) => {
  const { asks, rate } = await import(address);
  const host = document.body.appendChild(document.createElement("div"));
  host.attachShadow({ mode: "open" }).append(document.createElement("section"));
  const list = host.shadowRoot.firstChild;
  const [answer, rating] = [1, 2].map(() => list.appendChild(document.createElement("article")));
  for (const part of ["text", "rest"]) answer[part] = answer.appendChild(document.createElement("p"));
  window.sent = [];
  const chat = {
    element: host, log: { items: new Map(), put() {} }, words: { language: "en" }, say: (key) => key,
    view: { list, spacer: list, flush() {} },
    utter: (text, frame) => sent.push([text, frame]),
    rate: async (score) => sent.push(score),
  };
  asks(answer, { key: "m1", seq: 2, blocks: [{ type: "choices", prompt: "Which?", options: [{ id: "a", label: "This one" }] }] }, chat);
  rate(rating, { key: "r1" }, chat);
}"""  # noqa: E501  # a script


@pytest.mark.long
def test_a_chat_open_during_an_upgrade_still_gets_its_buttons(chat: Shop) -> None:
    page, _ = chat
    page.evaluate(FORMER_CHAT, f"{PLATFORM}/widget/0123456789abcdef/asking.js")
    page.get_by_role("button", name="This one").press("Enter")
    page.get_by_label("yes").press("Space")
    page.get_by_role("button", name="send", exact=True).press("Enter")
    until(page, "sent.length === 2")
    assert page.evaluate("sent") == [["This one", {"type": "choose", "option": "a", "block": "m1:0"}], 5]


@pytest.mark.long
def test_records_are_drawn_as_cards_and_buttons_stay_usable(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "What about my jacket?")
    asks_which_order(platform)
    record = {
        "title": "Skarn rain jacket", "rows": [{"label": "In stock", "value": "3"}],
        "link": "https://shop.test/skarn",
    }  # fmt: skip
    receipt = {
        "type": "receipt", "request": message_id(9), "title": "Refund", "rows": [{"label": "Amount", "value": "€9.00"}],
        "link": {"url": "https://support.test/receipts/x/", "label": "See how it stands"},
    }  # fmt: skip
    platform.starts(2)
    said = "There are three.\n\n- In stock: 3"  # for clients that draw no cards
    platform.ends(message_id(2), said, by="builtin", blocks=[{"type": "card", "record": record}, receipt])
    expect(page.locator(".rec").first).to_be_visible()
    expect(page.locator("ul", has_text="In stock: 3")).to_be_hidden()
    card = page.locator(".rec").first
    expect(card.get_by_role("link", name="Skarn rain jacket")).to_have_attribute("href", "https://shop.test/skarn")
    expect(card).to_contain_text("In stock")
    expect(page.get_by_role("link", name="See how it stands")).to_be_visible()
    expect(page.get_by_role("button", name=ORDERS[0])).to_be_enabled()
    check_in_both_themes(page)


@pytest.mark.long
def test_a_receipt_no_longer_offers_what_has_been_undone(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Cancel my order, please")
    done, later = message_id(9), (datetime.now(UTC) + timedelta(days=1)).isoformat()
    receipt: dict[str, Any] = {"type": "receipt", "request": done, "title": "Cancel", "rows": []}
    undo = {"undo": {"label": "Order again", "until": later}}
    platform.starts(2)
    platform.ends(message_id(2), "It is cancelled.", by="builtin", blocks=[receipt | undo])
    button = page.get_by_role("button", name="Order again")
    button.click()
    assert platform.wait_for_frames("undo")[0]["request"] == done
    undoing = platform.proposes(undoes=done)
    expect(button).to_be_visible()  # nothing has happened yet
    platform.step("succeeded", undoing)
    platform.starts(3)
    platform.ends(message_id(3), "It is ordered again.", by="builtin", blocks=[receipt | {"request": undoing}])
    expect(page.locator(".w-log").get_by_text("It is ordered again.")).to_be_visible()
    expect(button).to_have_count(0)
