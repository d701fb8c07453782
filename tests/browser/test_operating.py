"""What an operator does in the morning, using only the pages: find out what the assistant cost, what customers
disliked, why the assistant said it, fix it and prove the fix, and find out who was given the wrong figure. Also, a
release is tried on customers' questions.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.waiting import follow, measure

pytestmark = pytest.mark.browser
DISLIKED = "Is a broken tent pole covered?"  # an answer in the demo's history with a bad rating
BEYOND_ITS_FRAME = """
(() => {
  const table = document.querySelector(".grid-table");
  return table.scrollWidth - table.parentElement.clientWidth;
})()
"""
KINDS = [
    "No longer answered",
    "Different action",
    "Handoff",
    "Different figures",
    "Different sources",
    "Answered now",
    "Different wording",
]


@pytest.fixture
def admin(new_page: Callable[..., Page], open_as: Callable[[Page, str, str], None]) -> Page:
    page = new_page(viewport={"width": 1280, "height": 900})
    open_as(page, "admin", "/admin/")
    return page


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("language", "went_live"), [("en", "Went live"), ("de", "Live gegangen")])
def test_results_by_day_fit_the_page(
    new_page: Callable[..., Page], open_as: Callable[[Page, str, str], None], language: str, went_live: str
) -> None:
    page = new_page(viewport={"width": 1280, "height": 900}, locale=language)
    open_as(page, "admin", "/admin/results/?by=day&days=28")
    expect(page.locator(".grid-table thead th").last).to_have_text(went_live)
    assert measure(page, BEYOND_ITS_FRAME) <= 0
    heights = page.locator(".grid-table tbody tr").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    assert len(heights) == 28 and max(heights) < 100, heights


LONG_DETAILS = f"digest: {'a1' * 32}; host: shop.example; address: https://shop.example/{'path/' * 30}"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_audit_trail_fits_the_page_with_long_details(admin: Page, width: int) -> None:
    admin.set_viewport_size({"width": width, "height": 900})
    admin.goto("/admin/actions/auditentry/")
    details = admin.locator("td.field-facts").first
    details.evaluate("(cell, text) => { cell.textContent = text; }", LONG_DETAILS)
    expect(details).to_have_text(LONG_DETAILS)
    assert measure(admin, BEYOND_ITS_FRAME) <= 0


@pytest.mark.long
def test_an_operator_finds_a_bad_answer_fixes_it_and_proves_the_fix(admin: Page) -> None:
    page = admin
    expect(page.get_by_role("main")).to_contain_text("Cost of a conversation")  # what did the assistant cost?
    follow(page.get_by_role("link", name="Spent today"))
    expect(page.get_by_role("main")).to_contain_text("EUR per day over")

    follow(page.get_by_role("link", name="Improve", exact=True))  # what got worse?
    follow(page.get_by_role("link", name="Rated badly"))
    row = page.get_by_role("row").filter(has_text=DISLIKED)
    expect(row).to_contain_text("How do I send it in?")
    follow(row.get_by_role("link", name="Review"))

    follow(page.get_by_role("link", name="Trace").first)  # why did it say that?
    expect(page.get_by_role("main")).to_contain_text("Rated 2 out of 5: How do I send it in?")
    expect(page.get_by_role("row").filter(has_text="Repairing a tent pole")).to_be_visible()
    expect(page.get_by_text("Confirmed by our articles.")).to_be_visible()
    page.go_back()

    text = page.get_by_label("Text", exact=True)  # fix the answer
    mended = text.input_value().replace("three years", "five years")
    text.fill(f"{mended}\n\nTo send a broken pole in, choose *Repair* below *Your orders* and print the label.\n")
    follow(page.get_by_role("button", name="Replay the questions"))  # prove the fix
    replayed = page.get_by_role("region", name=DISLIKED)
    expect(replayed.get_by_role("region", name="Live")).to_contain_text("three years")
    expect(replayed.get_by_role("region", name="With this text")).to_contain_text("choose Repair")
    follow(page.get_by_role("button", name="Publish"))  # publish the fix
    expect(page.get_by_text("gate cases were run first, and all of them passed")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=DISLIKED)).to_have_count(0)

    follow(page.get_by_role("link", name="Outdated answers", exact=True))  # which customers got the wrong answer?
    told = page.get_by_role("main")
    expect(told).to_contain_text("free of charge for three years")
    expect(told).to_contain_text("3 customers were told this")
    follow(told.get_by_role("link", name="Quinn Harper"))
    expect(page.get_by_role("main")).to_contain_text("three years")


@pytest.mark.long
def test_a_release_is_tried_on_customers_questions(admin: Page) -> None:
    page = admin
    follow(page.get_by_role("link", name="Releases"))
    follow(page.get_by_role("button", name="New draft"))
    page.get_by_label("Passages per answer").fill("1")
    follow(page.get_by_role("button", name="Save draft"))
    follow(page.get_by_role("link", name="Replay questions"))
    page.get_by_label("Days back").fill("30")
    page.get_by_label("Maximum number of questions").fill("8")
    follow(page.get_by_role("button", name="Start replay"))
    expect(page.get_by_text(re.compile(r"\d of 8 questions get a different answer from release"))).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Done")
    differences = page.get_by_role("main").locator("ol.log > li")
    expect(differences).not_to_have_count(0)
    worst = [KINDS.index(one) for one in differences.locator(".by .tag:first-child").all_inner_texts()]
    assert worst == sorted(worst)
    differences.first.get_by_text("Answers").click()
    expect(differences.first.get_by_role("heading", level=3)).to_have_text([re.compile("Release")] * 2)
    check_for_everybody(page)
    follow(page.get_by_role("navigation", name="Path").get_by_role("link").last)
    follow(page.get_by_role("button", name="Delete draft"))
