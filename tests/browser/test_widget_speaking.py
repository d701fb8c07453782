"""A customer who writes in another language than the page: each entry of the log is in one language."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from supportbot.chat.notices import end_notice
from supportbot.translation import text_in
from supportbot.widget.assets import edition
from tests.browser.conftest import check_in_both_themes
from tests.browser.shoppage import (
    PLATFORM,
    SOURCES,
    Platform,
    Shop,
    deliver,
    message_id,
    open_chat,
    visit,
    widget_events,
)
from tests.browser.test_widget_blocks import FORM
from tests.browser.test_widget_languages import card_in, fits
from tests.browser.waiting import wait_for

pytestmark = pytest.mark.browser
LANGUAGES: Final = ("fr", "ar", "pl")
FRENCH_TEXTS: Final = re.compile(f"{PLATFORM}/widget/.*/fr.js")
# Collects the text of every button in the log, frame by frame.
SHOWN: Final = """
window.shown = new Set();
const look = () => {
  const found = document.querySelector("support-bot")?.shadowRoot?.querySelectorAll(".w-log button") || [];
  for (const { textContent } of found) shown.add(textContent);
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# A minute passes in a moment, so that a test sees what is tried again later.
SHORT_MINUTES: Final = "const after = setTimeout; setTimeout = (run, ms) => after(run, ms === 60000 ? 50 : ms)"


def card(page: Page, language: str) -> Locator:
    return page.get_by_role("group", name=card_in(language)["title"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_is_in_the_customers_language(browser: Browser, language: str) -> None:
    with visit(browser) as (page, platform):
        open_chat(page)
        deliver(page, platform, "…")
        request = platform.proposes(**card_in(language), locale=language)
        mine = card(page, language)
        expect(mine.get_by_role("button")).to_have_text([card_in(language)["button"], text_in(language, "Not now")])
        expect(mine).to_have_attribute("lang", language)
        expect(mine).to_have_css("direction", "rtl" if language == "ar" else "ltr")
        until = text_in(language, "Nothing happens until you confirm. Valid until {time}.", time="#").split("#")[0]
        expect(mine.locator(".until")).to_contain_text(until.rstrip("\u2068"))
        expect(page.get_by_role("log")).to_contain_text(until.rstrip("\u2068"))
        fits(page)
        check_in_both_themes(page)
        mine.get_by_role("button").last.click()
        expect(mine).to_contain_text(text_in(language, "Sending"))
        platform.say({"type": "error", "code": "merchant_unavailable", "message": "x", "request": request})
        expect(mine).to_contain_text(text_in(language, "Our system is not responding. Nothing was done."))
        platform.step("awaiting_approval", request, locale=language)
        expect(mine).to_contain_text(text_in(language, "In review"))
        platform.step("succeeded", request, receipt={"reference": "RF-7"}, locale=language)
        expect(mine.locator("dt").last).to_have_text(text_in(language, "Reference"))
        # The rest of the chat stays in the page's language.
        expect(page.get_by_role("button", name="Close chat")).to_be_visible()


def test_the_time_left_is_counted_in_the_cards_language(browser: Browser) -> None:
    with visit(browser, before="const every = setInterval; setInterval = (run, ms) => every(run, ms / 100)") as (
        page,
        platform,
    ):
        open_chat(page)
        soon = (datetime.now(UTC) + timedelta(seconds=62)).isoformat()
        platform.proposes(**card_in("pl"), locale="pl", expires_at=soon)
        line = card(page, "pl").locator(".until")
        expect(line).to_contain_text("2 minuty")
        expect(line).to_contain_text("1 minutę")


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_forms_and_the_rating_follow_the_customer(browser: Browser, language: str) -> None:
    with visit(browser) as (page, platform):
        open_chat(page)
        deliver(page, platform, "…")
        sent = page.locator(".me .meta")
        expect(sent).to_contain_text("Sent")
        platform.ends(message_id(1), "[1]", citations=SOURCES, locale=language)
        answer = page.locator(".bot").first
        expect(answer.locator(".by")).to_contain_text(text_in(language, "Assistant"))
        expect(answer.get_by_role("button", name=text_in(language, "Good answer"))).to_be_visible()
        expect(sent).not_to_contain_text("Sent")
        platform.ends(message_id(2), "?", blocks=[FORM], locale=language)
        expect(page.locator("form button")).to_have_text(text_in(language, "Send"))
        expect(page.locator("form label span")).to_have_text(text_in(language, "(optional)"))
        platform.ends(message_id(3), "…", abstained=True, offers_human=True, locale=language)
        expect(page.locator(".bot").last.get_by_role("button")).to_contain_text([text_in(language, "Ask a person")])
        answer.get_by_role("button", name=text_in(language, "Bad answer")).click()
        expect(answer.locator("legend")).to_have_text(text_in(language, "What was wrong?"))
        fits(page)
        check_in_both_themes(page)
        ended = {"message": message_id(4), "source": "system", "text": end_notice(language), "ends": True}
        platform.event("message", ended)
        expect(page.locator("legend").last).to_have_text(text_in(language, "Did we solve your problem?"))


def test_the_log_is_not_shown_in_the_pages_language_first(browser: Browser) -> None:
    platform = Platform()
    mine = {"message": message_id(1), "source": "customer", "text": "Bonjour", "client_id": message_id(901)}
    platform.event("message", mine)
    platform.proposes(**card_in("fr"), locale="fr")
    platform.ends(message_id(2), "?", blocks=[FORM], locale="fr")
    with visit(browser, platform=platform, before=SHOWN) as (page, _):
        page.locator("support-bot .launch").click()
        expect(page.locator("form button")).to_have_text(text_in("fr", "Send"))
        shown = page.evaluate("[...shown]")
        assert text_in("fr", "Not now") in shown and text_in("fr", "Send") in shown
        assert {"Not now", "Send"}.isdisjoint(shown)


def test_what_is_said_about_a_message_is_in_the_language_of_its_answer(chat: Shop) -> None:
    page, platform = chat
    sent = page.locator(".me .meta")
    deliver(page, platform, "Wo ist mein Paket?")
    platform.ends(message_id(1), "Unterwegs.", locale="de")
    expect(sent).to_contain_text([text_in("de", "Sent {time}", time="")])
    deliver(page, platform, "And where is my other parcel?")
    platform.ends(message_id(2), "On its way.", locale="en")
    both = [text_in("de", "Sent {time}", time=""), "Sent"]
    expect(sent).to_contain_text(both)
    page.reload()
    expect(sent).to_contain_text(both)


def test_each_entry_keeps_its_language_when_the_customer_changes_theirs(chat: Shop) -> None:
    page, platform = chat
    platform.proposes(501, **card_in("fr"), locale="fr")
    expect(card(page, "fr")).to_contain_text("Pas maintenant")
    platform.ends(message_id(2), "Hello.", locale="en")
    expect(page.locator(".bot .by")).to_contain_text("Assistant")
    expect(page.locator(".bot").get_by_role("button", name="Good answer")).to_be_visible()
    expect(card(page, "fr")).to_contain_text("Pas maintenant")
    page.reload()
    expect(card(page, "fr")).to_contain_text("Pas maintenant")
    expect(page.locator(".bot").get_by_role("button", name="Good answer")).to_be_visible()


def test_the_wait_for_a_person_is_in_the_customers_language(chat: Shop) -> None:
    page, platform = chat
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1, "locale": "fr"})
    platform.say({"type": "queue", "ticket": ticket, "place": 1})
    expect(page.locator(".wait b")).to_have_text(text_in("fr", "You are next"))


def test_a_card_can_be_answered_if_the_texts_of_its_language_cannot_be_fetched(browser: Browser) -> None:
    with visit(browser) as (page, platform):
        page.context.route(FRENCH_TEXTS, lambda route: route.abort())
        open_chat(page)
        deliver(page, platform, "…")  # what came before the socket opened is not announced
        request = platform.proposes(**card_in("fr"), locale="fr-CA")
        mine = card(page, "fr")
        expect(mine.get_by_role("button")).to_have_text([card_in("fr")["button"], "Not now"])
        expect(page.get_by_role("log")).to_contain_text("Nothing happens until you confirm.")
        mine.get_by_role("button", name="Not now").click()
        assert platform.wait_for_frames("decline") == [{"type": "decline", "request": request}]
        # Each text is marked with its language, for screen readers.
        expect(mine).to_have_attribute("lang", "en")
        expect(mine.locator("b")).to_have_attribute("lang", "fr-CA")
        expect(mine.locator("dl")).to_have_attribute("lang", "fr-CA")


@pytest.mark.parametrize("facts", [{}, {"locale": "sv"}, {"locale": "en-US"}])
def test_without_texts_in_the_customers_language_a_card_is_in_english(browser: Browser, facts: dict[str, str]) -> None:
    """If a server of an earlier version names no language, the card is in the page's language."""
    platform = Platform()
    platform.proposes(**facts)
    page_language = "fr" if facts else "en"
    with visit(browser, language=page_language, platform=platform) as (page, _):
        page.locator("support-bot .launch").click()
        buttons = page.get_by_role("group", name="Refund €69.00").get_by_role("button")
        expect(buttons).to_have_text(["Refund €69.00", "Not now"])


def from_another_edition(route: Route) -> None:
    """Answer with the texts of an edition that has one more text than this one, so that each text has another place."""
    text = edition().files["fr.js"].body.decode().replace("[", '["Nouveau",', 1).replace('"]', 'X"]')
    route.fulfill(body=text, headers={"Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*"})


def test_texts_of_another_edition_are_refused(browser: Browser) -> None:
    """A chat that was open during an upgrade gets the new texts, whose places its panel does not know."""
    with visit(browser, before=SHORT_MINUTES) as (page, platform):
        page.context.route(FRENCH_TEXTS, from_another_edition)
        open_chat(page)
        with page.expect_response(FRENCH_TEXTS):
            request = platform.proposes(**card_in("fr"), locale="fr")
        buttons = card(page, "fr").get_by_role("button")
        expect(buttons).to_have_text([card_in("fr")["button"], "Not now"])
        # The texts are requested again later, and the page can then get those of its own edition.
        page.context.unroute(FRENCH_TEXTS)
        page.wait_for_timeout(100)
        platform.step("awaiting_approval", request, locale="fr")
        expect(card(page, "fr")).to_contain_text(text_in("fr", "In review"))


def test_a_panel_does_not_start_with_texts_of_another_edition(browser: Browser) -> None:
    with visit(browser, language="fr") as (page, _):
        page.context.route(FRENCH_TEXTS, from_another_edition)
        page.evaluate("SupportBot.open().catch(() => {})")
        assert widget_events(page, "error") == [{"code": "not_loaded"}]
        page.context.unroute(FRENCH_TEXTS)
        page.evaluate("SupportBot.open()")
        expect(page.get_by_role("button", name=text_in("fr", "Send"))).to_be_visible()


def test_an_entry_without_a_language_of_its_own_keeps_the_one_it_was_shown_in(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Bonjour")
    mine = page.locator(".me .meta")
    platform.ends(message_id(1), "Bonjour.", locale="fr")
    expect(mine).to_contain_text(text_in("fr", "Sent {time}", time="").strip())
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 1, "locale": "fr"})
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"})
    joined = text_in("fr", "{name} joined, {time}", name="Ines", time="")
    expect(page.locator(".mark-line")).to_contain_text(joined)
    for _ in range(2):
        platform.ends(message_id(2), "Hello.", locale="en")
        expect(page.locator(".bot").last).to_have_attribute("lang", "en")
        platform.event("read", {"who": "agent", "seq": 1})
        expect(mine).to_contain_text(text_in("fr", "Read {time}", time="").strip())
        expect(page.locator(".mark-line")).to_contain_text(joined)
        page.reload()
    expect(page.locator(".bot").last).to_have_attribute("lang", "en")
    expect(page.locator(".mark-line")).to_contain_text(joined)


def test_only_texts_whose_language_is_known_have_one(chat: Shop) -> None:
    page, platform = chat
    deliver(page, platform, "Guten Tag")
    platform.ends(message_id(1), "Bonjour.", locale="fr")
    expect(page.locator(".bot .text")).to_have_attribute("lang", "fr")
    expect(page.locator(".bot")).to_have_attribute("lang", "fr")  # our own words in it
    expect(page.locator(".me")).to_have_attribute("lang", "fr")
    expect(page.locator(".me > p")).to_have_attribute("lang", "")
    line = {"message": message_id(2), "source": "agent", "author": "Ines Kowalski", "text": "Dzień dobry"}
    platform.event("message", line)
    expect(page.locator(".human .text")).to_have_attribute("lang", "")
    platform.event("message", {"message": message_id(3), "source": "system", "text": "Hinweis"})
    expect(page.locator(".hint", has_text="Hinweis")).to_have_attribute("lang", "")
    platform.starts(4)
    platform.streams(message_id(4), "Dzień")
    expect(page.locator(".bot .text").last).to_have_attribute("lang", "")
    announced = page.get_by_role("log").locator("p")
    expect(announced.first).to_have_attribute("lang", "fr")


def test_announcements_do_not_wait_long_for_a_language_and_stay_in_order(chat: Shop) -> None:
    page, platform = chat
    held: list[Route] = []
    page.context.route(FRENCH_TEXTS, lambda route: held.append(route))
    request = platform.proposes(**card_in("fr"), locale="fr")
    platform.step("awaiting_approval", request, locale="fr")
    line = {"message": message_id(2), "source": "agent", "author": "Ines", "text": "Bonjour"}
    platform.event("message", line)
    title = card_in("fr")["title"]
    announced = page.get_by_role("log").locator("p")
    said = [re.compile(f"^{re.escape(title)}\\. Nothing happens"), f"{title}. In review", "Ines: Bonjour"]
    expect(announced).to_have_text(said)
    wait_for(page, lambda: held)[0].fallback()
    expect(card(page, "fr")).to_contain_text(text_in("fr", "In review"))
    platform.step("succeeded", request, locale="fr")
    expect(announced).to_have_text([*said, f"{title}. {text_in('fr', 'Done')}"])


def test_a_growing_answer_is_announced_in_the_customers_language(chat: Shop) -> None:
    page, platform = chat
    platform.ends(message_id(1), "Dzień dobry.", locale="pl")
    expect(page.locator(".bot")).to_have_attribute("lang", "pl")
    platform.streams(platform.starts(2), "Tak. ", "Nie")
    expect(page.get_by_role("log").locator("p").last).to_have_text(f"{text_in('pl', 'Assistant')}: Tak.")


def test_the_menus_pages_open_in_english_while_their_texts_cannot_be_fetched(browser: Browser) -> None:
    texts = re.compile(f"{PLATFORM}/widget/.*/pages-fr.js")
    asked: list[str] = []
    with visit(browser, language="fr") as (page, _):
        page.on("request", lambda request: asked.append(request.url) if texts.match(request.url) else None)
        page.context.route(texts, lambda route: route.abort())
        page.locator("support-bot .launch").click()

        def open_privacy() -> Locator:
            page.get_by_role("button", name=text_in("fr", "Menu"), exact=True).click()
            page.get_by_role("button", name=text_in("fr", "Privacy and AI")).click()
            return page.locator(".w-log > p")

        expect(open_privacy()).to_have_text(re.compile("^An AI assistant answers first"))
        expect(page.locator(".w-log > p")).to_have_attribute("lang", "en")
        page.get_by_role("button", name="Back to chat").click()
        page.context.unroute(texts)
        expect(open_privacy()).to_have_text(re.compile("^Un assistant IA répond d’abord"))
        page.get_by_role("button", name=text_in("fr", "Back to chat")).click()
        # Browsers may remember that an address failed.
        assert len(set(asked)) == len(asked) == 2


def test_the_menus_pages_do_not_wait_long_for_their_texts(browser: Browser) -> None:
    with visit(browser, language="fr") as (page, _):
        page.context.route(re.compile(f"{PLATFORM}/widget/.*/pages-fr.js"), lambda _: None)
        page.locator("support-bot .launch").click()
        page.get_by_role("button", name=text_in("fr", "Menu"), exact=True).click()
        page.get_by_role("button", name=text_in("fr", "Delete my chats")).click()
        expect(page.locator(".w-log > p")).to_have_text(re.compile("^This permanently deletes"))
