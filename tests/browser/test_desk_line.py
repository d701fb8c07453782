"""The desk over a line that breaks: nothing that was typed is lost, and the page never goes back to something older."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deskpage import Customer, Line, check, resolve, take_over

pytestmark = pytest.mark.browser


def test_refused_lines_come_back_whole_behind_what_was_typed_since(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    Customer(demo).ask_for_a_person("A parcel in the rain")
    noor, daniel = new_page(), new_page()
    line = Line(noor)
    log_in(noor, "noor")
    log_in(daniel, "daniel")
    take_over(noor, "A parcel in the rain")
    line.cut()
    field = noor.get_by_label("Reply to")
    for words in ("Leave it closed.", "We send a dry one."):
        field.fill(words)
        noor.keyboard.press("Control+Enter")
    expect(noor.locator("#thread .waiting")).to_have_count(2)
    field.fill("And we are sorry")
    resolve(daniel, "A parcel in the rain")
    line.mend()
    expect(noor.locator("#not-sent")).to_contain_text("Not sent. Claim this conversation's ticket before you reply.")
    expect(noor.locator("#thread .waiting")).to_have_count(0)
    expect(field).to_have_value("And we are sorry\nLeave it closed.\nWe send a dry one.")
    field.press_sequentially(".")  # who writes on writes where they were
    expect(field).to_have_value("And we are sorry.\nLeave it closed.\nWe send a dry one.")
    check(noor)


def test_what_is_refused_on_another_page_is_said_there_and_waits_in_its_own_field(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    Customer(demo).ask_for_a_person("A tent without poles")
    noor, daniel = new_page(viewport={"width": 1280, "height": 844}), new_page()
    line = Line(noor)
    log_in(noor, "noor")
    log_in(daniel, "daniel")
    take_over(noor, "A tent without poles")
    address = noor.url
    line.cut()
    for words in ("Poles are on their way.", "Four of them."):
        noor.get_by_label("Reply to").fill(words)
        noor.keyboard.press("Control+Enter")
    noor.goto("/desk/")
    resolve(daniel, "A tent without poles")
    line.mend()
    refused = noor.get_by_role("region", name="Not sent")
    expect(refused).to_contain_text("was not sent. Claim this conversation's ticket before you reply.")
    expect(refused.locator("q")).to_have_text("Poles are on their way.\nFour of them.")
    check(noor)
    noor.goto("/desk/replies/")
    expect(refused).to_be_visible()  # on every page, until it is settled
    check(noor)
    refused.get_by_role("link", name="Open the conversation").click()
    assert noor.url == address
    expect(refused).to_be_visible()  # it has ended: there is no field yet
    check(noor)
    noor.get_by_role("button", name="Take it up again").click()
    expect(noor.get_by_label("Reply to")).to_have_value("Poles are on their way.\nFour of them.")
    expect(noor.locator("#not-sent")).to_contain_text("Not sent.")
    expect(refused).to_be_hidden()
    noor.keyboard.press("m")
    noor.get_by_label("Reply to").fill("")
    noor.get_by_role("button", name="Resolve").click()


def test_refused_words_that_are_put_away_stand_in_their_field_later(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    Customer(demo).ask_for_a_person("A stove that smokes")
    noor, daniel = new_page(), new_page()
    line = Line(noor)
    log_in(noor, "noor")
    log_in(daniel, "daniel")
    take_over(noor, "A stove that smokes")
    line.cut()
    noor.get_by_label("Reply to").fill("Clean the jet.")
    noor.keyboard.press("Control+Enter")
    noor.get_by_label("Reply to").fill("Then try again.")  # typed, not sent
    resolve(daniel, "A stove that smokes")
    noor.reload()
    line.mend()
    refused = noor.get_by_role("region", name="Not sent")
    expect(refused.locator("q")).to_have_text("Clean the jet.")
    refused.get_by_role("button", name="Dismiss").click()
    expect(refused).to_be_hidden()
    noor.get_by_role("button", name="Take it up again").click()
    expect(noor.get_by_label("Reply to")).to_have_value("Then try again.\nClean the jet.")
    noor.get_by_role("button", name="Resolve").click()
