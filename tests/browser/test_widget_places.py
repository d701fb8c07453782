"""Layout of the chat: cards fully visible, lines to an agent one below the other, nothing shown twice."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.shoppage import SOURCES, Platform, Shop, deliver, message_id, open_chat, visit, write
from tests.browser.waiting import until, wait_for

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


def is_whole(node: Locator) -> bool:
    """Return whether a node is fully visible in the log."""
    seen: bool = node.evaluate(
        """(node) => {
          const [own, view] = [node, node.closest(".w-log")].map((one) => one.getBoundingClientRect());
          return own.top >= view.top && own.bottom <= view.bottom;
        }"""
    )
    return seen


@pytest.mark.long
@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE])
def test_a_card_stays_fully_visible_while_its_answer_grows_above(browser: Browser, size: dict[str, int]) -> None:
    with visit(browser, viewport=size) as (page, platform):
        open_chat(page)
        asked = "The base layer came with an open seam. I would like my money back for it, please, to my card."
        deliver(page, platform, asked)
        answer = platform.starts(1)
        request = platform.proposes()
        card = page.get_by_role("group", name="Refund €69.00")
        expect(card).to_be_visible()
        text = "I am sorry about that.\n\n" + "You need not send it back. " * 6 + "[1]"
        platform.ends(answer, text, citations=SOURCES)
        expect(page.get_by_role("button", name="2 sources")).to_be_attached()
        wait_for(page, lambda: is_whole(card))
        expect(card.get_by_role("button", name="Not now")).to_be_in_viewport(ratio=1)
        platform.step("awaiting_approval", request)
        expect(card).to_contain_text("A colleague is checking your request")
        wait_for(page, lambda: is_whole(card))


@pytest.mark.long
def test_only_a_card_scrolls_into_view_for_a_reader_further_up(chat: Shop) -> None:
    page, platform = chat
    for number in range(1, 8):
        platform.ends(message_id(number), f"Answer {number}. " * 20)
    log = page.locator(".w-log")
    expect(log).to_contain_text("Answer 7.")
    log.evaluate("log => { log.scrollTop = 100 }")
    platform.ends(message_id(8), "Another answer.")
    expect(log).to_contain_text("Another answer.")
    assert log.evaluate("log => log.scrollTop") == 100
    platform.proposes()
    expect(page.get_by_role("button", name="Refund €69.00")).to_be_in_viewport()


@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE])
def test_the_note_on_a_new_answer_covers_nothing_and_leads_to_it(browser: Browser, size: dict[str, int]) -> None:
    with visit(browser, viewport=size) as (page, platform):
        open_chat(page)
        until(page, "SupportBot.state.connection === 'open'")
        for number in range(1, 8):
            platform.ends(message_id(number), f"Answer {number}. " * 20)
        log, note = page.locator(".w-log"), page.get_by_role("button", name="New answer")
        expect(log).to_contain_text("Answer 7.")
        log.evaluate("log => { log.scrollTop = 100 }")
        message = platform.starts(8)
        platform.streams(message, "Another answer, ")
        expect(note).to_be_visible()
        boxes = [node.bounding_box() for node in (log, note, page.locator(".w-foot"))]
        tops = [box["y"] for box in boxes if box]
        ends = [box["y"] + box["height"] for box in boxes if box]
        assert ends[0] <= tops[1] < ends[1] <= tops[2]
        assert log.evaluate("log => log.scrollTop") == 100
        note.click()
        expect(note).to_be_hidden()
        expect(log.get_by_text("Another answer,")).to_be_in_viewport()


@pytest.mark.long
def test_a_reader_at_the_end_stays_there_when_the_log_gets_lower(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    for number in range(1, 8):
        platform.ends(message_id(number), f"Answer {number}. " * 20)
    log = page.locator(".w-log")
    last = log.get_by_text("Answer 7.")
    expect(last).to_be_visible()
    log.evaluate("log => { log.scrollTop = 1e6 }")
    wait_for(page, lambda: is_whole(last))
    page.set_viewport_size({"width": 1280, "height": 500})
    wait_for(page, lambda: is_whole(last))
    platform.step("succeeded", request, receipt={"reference": "RF-1"})
    platform.ends(message_id(8), "It is done.")
    wait_for(page, lambda: is_whole(log.get_by_text("It is done.")))
    log.evaluate("log => { log.scrollTop = 100 }")  # if the customer has scrolled up, the position is kept
    page.set_viewport_size({"width": 1280, "height": 450})
    expect(log).to_be_visible()
    assert log.evaluate("log => log.scrollTop") == 100


@pytest.mark.long
def test_the_surrounding_page_never_scrolls(browser: Browser) -> None:
    inline = '<div id="far"></div><support-bot channel="pk_test"></support-bot><div id="below"></div>'
    with visit(browser, body=inline, viewport={"width": 800, "height": 500}) as (page, platform):
        page.evaluate("[far, below].forEach(({ style }) => (style.blockSize = '1500px')); scrollTo(0, 0)")
        expect(page.get_by_role("textbox", name="Message")).to_be_attached()
        platform.proposes()
        expect(page.get_by_role("group", name="Refund €69.00")).to_be_attached()
        assert page.evaluate("scrollY") == 0


@pytest.mark.long
def test_a_proposal_has_no_rating_buttons(chat: Shop) -> None:
    page, platform = chat
    answer = platform.starts(1)
    platform.proposes()
    platform.ends(answer, "Please check the card.")
    expect(page.get_by_role("dialog")).to_contain_text("Please check the card.")
    expect(page.get_by_role("button", name="Good answer")).to_have_count(0)
    platform.ends(message_id(2), "You have 60 days.")
    expect(page.get_by_role("button", name="Good answer")).to_have_count(1)


@pytest.mark.long
def test_an_older_cards_step_keeps_the_rating_of_a_new_answer(chat: Shop) -> None:
    page, platform = chat
    request = platform.proposes()
    answer = platform.starts(1)
    platform.step("queued", request)
    platform.step("succeeded", request, receipt={"reference": "RF-7"})
    platform.ends(answer, "You have 60 days.")
    expect(page.get_by_role("button", name="Good answer")).to_have_count(1)
    refused = platform.starts(2)
    platform.step("refused", message_id(501), title="Refund €9.00", reason={"code": "x", "text": "Too late."})
    platform.ends(refused, "I am afraid that cannot be done.")
    expect(page.get_by_role("dialog")).to_contain_text("I am afraid")
    expect(page.get_by_role("button", name="Good answer")).to_have_count(1)


@pytest.mark.long
def test_a_refusal_is_shown_once(chat: Shop) -> None:
    page, platform = chat
    reason = {"code": "already_shipped", "text": "Order WF-20431 has left the warehouse."}
    answer = platform.starts(1)
    platform.step("refused", message_id(501), title="Change the address", reason=reason)
    expect(page.get_by_role("group", name="Change the address")).to_contain_text(reason["text"])
    platform.ends(answer, f"{reason['text']} Would a person help?", offers_human=True)
    log = page.locator(".w-log")
    expect(log).to_contain_text("Would a person help?")
    expect(log.get_by_text(reason["text"]).filter(visible=True)).to_have_count(1)
    expect(page.get_by_role("button", name="Ask a person")).to_have_count(1)
    other = platform.starts(2)
    platform.step("refused", message_id(502), title="Refund €9.00", reason={"code": "x", "text": "Too late."})
    platform.ends(other, "I am afraid that cannot be done.")
    expect(page.get_by_role("group", name="Refund €9.00")).to_contain_text("Too late.")


@pytest.mark.long
def test_lines_to_an_agent_follow_each_other_and_show_typing(chat: Shop) -> None:
    page, platform = chat
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1})
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"})
    for number in range(8):
        line = {"message": message_id(800 + number), "source": "agent", "author": "Ines Kowalski"}
        platform.event("message", {**line, "text": f"Line {number}. " * 12})
    deliver(page, platform, "Thank you!")
    thanks = page.locator(".w-log").get_by_text("Thank you!")
    expect(thanks).to_be_in_viewport()
    before = page.locator(".w-log").get_by_text("Line 7.")
    expect(before).to_be_in_viewport()  # its question stays in view
    platform.say({"type": "typing", "who": "Ines Kowalski"})
    dots = page.get_by_role("img", name="Ines is typing")
    expect(dots).to_be_in_viewport(ratio=1)
    expect(page.locator(".m.human", has=dots)).to_contain_text("IK")


@pytest.mark.long
def test_the_chat_says_who_ended_the_conversation(chat: Shop) -> None:
    page, platform = chat
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1})
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"})
    platform.event("handoff.ended", {"ticket": ticket, "outcome": "resolved", "by": "customer"})
    bye = "You have ended this conversation."
    platform.event("message", {"message": message_id(5), "source": "system", "text": bye, "ends": True})
    log = page.locator(".w-log")
    expect(log).to_contain_text(bye)
    expect(log).to_contain_text("Did we solve your problem?")
    expect(log).not_to_contain_text("Ines closed")
    text = log.inner_text()
    assert text.index(bye) < text.index("Did we solve your problem?")
    heard = page.get_by_role("status").text_content() or ""
    assert "joined" not in heard  # nobody joins while somebody leaves
    check_for_everybody(page)


@pytest.mark.long
def test_a_wait_the_customer_ended_names_no_agent(chat: Shop) -> None:
    page, platform = chat
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1})
    platform.event("handoff.ended", {"ticket": ticket, "outcome": "resolved", "by": "customer"})
    expect(page.get_by_role("dialog")).to_contain_text("Did we solve your problem?")
    expect(page.get_by_role("status")).to_have_text("")


@pytest.mark.long
def test_an_agent_who_joins_as_another_leaves_is_announced_by_name(chat: Shop) -> None:
    page, platform = chat
    ticket, moment = message_id(700), datetime.now(UTC)
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"}, at=moment)
    platform.event("handoff.ended", {"ticket": ticket, "outcome": "returned"}, at=moment)
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Noor Aziz"}, at=moment)
    expect(page.get_by_role("status")).to_contain_text("Noor joined")
    expect(page.locator(".mark-line")).to_have_count(3)


@pytest.mark.long
def test_a_message_that_is_too_long_is_kept_with_a_note(chat: Shop) -> None:
    page, platform = chat
    field = page.get_by_role("textbox", name="Message")
    write(page, "x" * 100_000)
    expect(field).to_have_accessible_description("Messages can have up to 4,000 characters.")
    expect(field).to_have_value("x" * 100_000)
    check_for_everybody(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    too_long = "SupportBot.send('y'.repeat(4001)).then(() => '', (error) => error.name)"
    assert page.evaluate(too_long) == "RangeError"
    platform.catch_up()
    assert platform.frames_of("message") == []
    write(page, "\N{SNOWBOARDER}" * 4001)
    expect(field).to_have_accessible_description("Messages can have up to 4,000 characters.")
    platform.catch_up()
    assert platform.frames_of("message") == []
    write(page, "\N{SNOWBOARDER}" * 4000)  # counted by code point, as the server does, not by UTF-16 unit
    expect(page.locator(".w-log")).to_contain_text("Sent")
    assert page.evaluate("SupportBot.send('\N{SNOWBOARDER}'.repeat(4000)).then(() => 'sent', String)") == "sent"
    assert [len(frame["text"]) for frame in platform.wait_for_frames("message", 2)] == [4000, 4000]


def test_messages_before_the_welcome_are_sent_once_and_precede_their_answers(browser: Browser) -> None:
    with visit(browser, platform=Platform(greets=False)) as (page, platform):
        platform.ends(message_id(1), "Earlier.")
        open_chat(page)
        write(page, "First")
        expect(page.get_by_role("dialog")).to_contain_text("Waiting")
        platform.wait_for_frames("hello")
        platform.catch_up()
        assert platform.frames_of("message") == []
        platform.greet()
        expect(page.get_by_role("dialog")).to_contain_text("Sent")
        platform.ends(message_id(2), "An answer.")
        deliver(page, platform, "Second")
        platform.ends(message_id(3), "Another answer.")
        expect(page.get_by_role("dialog")).to_contain_text("Another answer.")
        said = page.locator(".me > p, .bot .text")
        expect(said).to_have_text(["Earlier.", "First", "An answer.", "Second", "Another answer."])
        assert [frame["text"] for frame in platform.frames_of("message")] == ["First", "Second"]
