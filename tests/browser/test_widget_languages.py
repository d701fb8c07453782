"""The chat in every language: which one it uses, plurals and numerals, and that everything fits on a small phone."""

import os
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from actions.registry import action_named
from actions.spec import WriteAction
from supportbot.chat.notices import ai_notice
from supportbot.formats import format_time_of_day
from tests.browser.conftest import EVERY_LANGUAGE, check_in_both_themes
from tests.browser.shoppage import SOURCES, Platform, message_id, script_tag, visit
from tests.browser.waiting import measure, wait_for

pytestmark = pytest.mark.browser
# The folder for screenshots of every language.
PICTURES: Final = os.environ.get("WIDGET_PICTURES")
# Nodes that cut off their content or whose text is wider than they are, except where that is allowed.
CUT: Final = """
(frame) => [...frame.querySelectorAll("*")]
  .filter((node) => node.checkVisibility() && node.clientWidth)
  .filter((node) => node.scrollWidth > node.clientWidth + 1 ||
    (node.matches(".w-who > *") && node.scrollHeight > node.clientHeight + 1))
  .filter((node) => !node.closest(".vh, pre, .sugg b, .cite"))
  .filter((node) => getComputedStyle(node).overflowX !== "visible" || [...node.childNodes].some(({ data }) => data))
  .map((node) => `${node.tagName}.${node.className}: ${node.textContent}`)
"""
OUTSIDE: Final = """
(frame) => [...frame.querySelectorAll("button, p, b, span, time, dt, dd, legend, label")]
  .filter((node) => node.checkVisibility() && !node.closest(".vh"))
  .map((node) => [node, node.getBoundingClientRect()])
  .filter(([, { left, right }]) => left < 0 || right > innerWidth + 0.5)
  .map(([node]) => `${node.tagName}.${node.className}: ${node.textContent}`)
"""


def launcher(page: Page) -> Locator:
    return page.locator("support-bot .launch")


def frame(page: Page) -> Locator:
    return page.locator("support-bot .sb")


def fits(page: Page) -> None:
    """Fail if anything of the widget is wider than its container, or makes the page scroll horizontally."""
    assert frame(page).evaluate(CUT) == []
    assert frame(page).evaluate(OUTSIDE) == []
    assert measure(page, "document.documentElement.scrollWidth <= innerWidth")


def picture(page: Page, language: str, name: str) -> None:
    if PICTURES:
        size = page.viewport_size
        page.screenshot(path=Path(PICTURES) / f"{language}-{name}-{size['width'] if size else 0}.png")


@pytest.mark.parametrize("width", [320, pytest.param(390, marks=pytest.mark.long)])
@pytest.mark.parametrize("language", EVERY_LANGUAGE)
def test_nothing_is_cut_off_on_a_small_phone(browser: Browser, language: str, width: int) -> None:
    platform = Platform(config={"notice": ai_notice(language)})
    size = {"width": width, "height": 844}
    options = {"viewport": size, "has_touch": True, "reduced_motion": "reduce", "locale": language}
    with visit(browser, script_tag(locale=language), platform=platform, **options) as (page, platform):
        fits(page)
        launcher(page).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(ai_notice(language))
        expect(frame(page)).to_have_attribute("lang", language)
        expect(frame(page)).to_have_css("direction", "rtl" if language == "ar" else "ltr")
        fits(page)
        picture(page, language, "begin")
        menu(page, language)
        conversation(page, platform, language)
        fits(page)
        picture(page, language, "cards")
        people(page, platform)
        fits(page)
        picture(page, language, "people")
        check_in_both_themes(page)


def menu(page: Page, language: str) -> None:
    """Open the menu and each of its pages."""
    button = page.locator(".w-head [aria-expanded]")
    button.click()
    fits(page)
    picture(page, language, "menu")
    for number in (1, 3, 4, 5):
        if number > 1:
            button.click()
        page.locator(".menu button").nth(number).click()
        expect(page.locator(".menu")).to_have_count(0)
        fits(page)
    picture(page, language, "languages")
    page.locator(".w-log .act-b button").last.click()
    expect(page.locator(".w-input")).to_be_visible()


def conversation(page: Page, platform: Platform, language: str) -> None:
    """Show an answer with sources, one that failed, and cards in all their states."""
    card = card_in(language)
    page.locator(".w-input").fill("Alder, M?")
    page.keyboard.press("Enter")
    platform.wait_for_frames("message")
    platform.ends(message_id(1), "OK. [1]", citations=SOURCES, by="builtin")
    platform.ends(message_id(2), "OK.", offers_human=True, stopped=True)
    failed = platform.starts(3)
    platform.event("assistant.failed", {"message": failed, "retry": True})
    for number, state in enumerate(["awaiting_approval", "queued", "failed", "expired", "rejected", "unknown"], 510):
        platform.step(state, platform.proposes(number, **card))
    done = platform.proposes(530, **card)
    receipt = {"order": "WF-20418", "amount": "69.00", "currency": "EUR", "to": "Visa 4417", "reference": "RF-7"}
    platform.step("succeeded", done, receipt=receipt)
    platform.proposes(531, **card)
    soon = (datetime.now(UTC) + timedelta(seconds=170)).isoformat()
    platform.proposes(532, **card, expires_at=soon)
    expect(page.locator(".until")).to_have_count(2)


def card_in(language: str) -> dict[str, Any]:
    """Return the server's card for a refund in a language."""
    arguments = {"order_id": "WF-20418", "amount": "69.00", "currency": "EUR", "reason": "Arrived damaged"}
    shown = {"items": "Alder merino base layer, M", "payment": "Visa 4417"}
    refund = action_named("refund_order")
    assert isinstance(refund, WriteAction)
    return asdict(refund.card(arguments, shown, language))


def people(page: Page, platform: Platform) -> None:
    """Show the queue, an agent who joins, writes and leaves, and the rating."""
    ticket = message_id(700)
    platform.event("handoff.requested", {"ticket": ticket, "reason": "customer_asked", "place": 3})
    platform.say({"type": "queue", "ticket": ticket, "place": 3, "wait": {"min": 3, "max": 5}, "away": False})
    expect(page.locator(".place")).to_be_visible()
    fits(page)
    platform.event("handoff.joined", {"ticket": ticket, "agent": "Ines Kowalski"})
    line = {"message": message_id(800), "source": "agent", "author": "Ines Kowalski"}
    platform.event("message", {**line, "text": "OK."})
    expect(page.locator(".m.human .meta")).to_be_visible()
    fits(page)
    platform.event("handoff.ended", {"ticket": ticket, "outcome": "resolved"})
    expect(page.locator(".five label")).to_have_count(3)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("chosen", "page_language", "reads", "shown", "sent"),
    [
        ({"locale": "fr-CA"}, "en", "en-GB", "fr", "fr-CA"),
        ({"lang": "pl"}, "en", "en-GB", "pl", "pl"),
        ({"locale": "pt_BR"}, "en", "en-GB", "pt", "pt-BR"),
        ({"locale": "auto"}, "tr", "en-GB", "tr", "tr"),
        ({}, "nl-BE", "fr-FR", "nl", "nl-BE"),
        ({}, "", "it-CH", "it", "it-CH"),
        ({}, "sv", "es-MX", "es", "es-MX"),
        ({}, "sv", "sv-SE", "en", "en"),
        ({"locale": "arn"}, "arn", "arn", "en", "en"),
    ],
)
def test_the_language_is_the_first_one_with_texts(
    browser: Browser, chosen: dict[str, str], page_language: str, reads: str, shown: str, sent: str
) -> None:
    with visit(browser, script_tag(**chosen), language=page_language, locale=reads) as (page, platform):
        launcher(page).click()
        expect(page.locator(".w-input")).to_be_visible()
        expect(frame(page)).to_have_attribute("lang", shown)
        wait_for(page, lambda: platform.tickets)  # the socket is opened after the chat is shown
        assert platform.tickets[0]["locale"] == sent
        fetched = {name.rpartition("/")[2] for name in platform.fetched}
        assert fetched == {"v1.js", "panel.js", f"{shown}.js"}


@pytest.mark.parametrize(
    ("tag", "sent", "kept", "shown"),
    [
        ("en", "en", "en", "Read 3 Nov 2024, 14:05"),
        ("en-us", "en-US", "en-US", "Read Nov 3, 2024, 2:05 PM"),
        ("en", "en", "en-US", "Read Nov 3, 2024, 2:05 PM"),
        ("en-US", "en-US", "en", "Read 3 Nov 2024, 14:05"),
        ("de-DE-1996", "de-DE", "en-US", "Gelesen 3. Nov. 2024, 14:05"),
        ("ar", "ar", "ar", "3 نوفمبر 2024، 2:05 م"),
    ],
)
def test_times_are_written_as_the_texts_of_the_conversation(
    browser: Browser, tag: str, sent: str, kept: str, shown: str
) -> None:
    platform = Platform(config={"locale": kept})
    at = datetime(2024, 11, 3, 13, 5, tzinfo=UTC)
    mine = {"message": message_id(1), "source": "customer", "text": "Hello", "client_id": message_id(2)}
    platform.event("message", mine, at=at)
    platform.event("read", {"who": "agent", "seq": 1}, at=at)
    # The browser's region does not count: the platform's texts do not know it.
    with visit(browser, script_tag(locale=tag, open=""), platform=platform, locale="en-AU") as (page, _):
        expect(page.get_by_role("dialog")).to_contain_text(shown)
        assert platform.tickets[0]["locale"] == sent


@pytest.mark.parametrize("locale", ["fr-CA", "es-AR", "es-MX", "en-DK", "en-ZM", "ar-EG", "es"])
def test_times_have_the_clock_of_the_platforms_texts(browser: Browser, locale: str) -> None:
    platform, at = Platform(config={"locale": locale}), datetime(2024, 11, 3, 13, 5, tzinfo=UTC)
    mine = {"message": message_id(1), "source": "customer", "text": "Hello", "client_id": message_id(2)}
    platform.event("message", mine, at=at)
    platform.event("read", {"who": "agent", "seq": 1}, at=at)
    with visit(browser, script_tag(locale=locale, open=""), platform=platform) as (page, _):
        expect(page.get_by_role("dialog")).to_contain_text(format_time_of_day(time(14, 5), locale))


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", {1: "1 source", 2: "2 sources"}),
        ("pl", {1: "1 źródło", 2: "2 źródła", 5: "5 źródeł"}),
        ("ar-EG", {1: "مصدر واحد", 2: "مصدران", 3: "٣ مصادر", 11: "١١ مصدرًا"}),
    ],
)
def test_counts_have_the_plurals_and_numerals_of_the_language(
    browser: Browser, language: str, forms: dict[int, str]
) -> None:
    platform = Platform(config={"locale": language})
    with visit(browser, script_tag(locale=language), platform=platform) as (page, _):
        launcher(page).click()
        expect(page.locator(".w-input")).to_be_visible()
        for count, shown in forms.items():
            platform.ends(message_id(count), "OK. [1]", citations=[SOURCES[0]] * count)
            expect(page.locator(".srcs").last).to_have_text(shown)
