"""Editor and admin in a real browser: writing, previewing, publishing and finding articles; an import with a broken
file; a channel and its key.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_for_everybody, check_with_large_text
from tests.browser.waiting import follow, measure

pytestmark = pytest.mark.browser
# Returns the page's text before the server answers, and whether each of two impatient clicks sends the form.
PRESS_TWICE = """
button => {
  const sent = [];
  window.addEventListener("submit", event => sent.push(!event.defaultPrevented));
  button.click();
  const told = document.getElementById("saved").textContent;
  button.click();
  return [told, sent];
}
"""

# Returns whether each of two clicks sends the form.
CLICK_TWICE = """
button => {
  const sent = [];
  window.addEventListener("submit", event => sent.push(!event.defaultPrevented));
  button.click();
  button.click();
  return sent;
}
"""


# Returns whether each of two clicks sends a form in which a field is called "method", as a browser's own property.
SEND_TWICE_WITH_A_METHOD = """
() => {
  const form = document.createElement("form");
  form.setAttribute("method", "POST");
  form.innerHTML = '<input name="method"><button>Send</button>';
  document.body.append(form);
  const sent = [];
  const note = event => {
    sent.push(!event.defaultPrevented);
    event.preventDefault();
  };
  window.addEventListener("submit", note);
  form.querySelector("button").click();
  form.querySelector("button").click();
  window.removeEventListener("submit", note);
  form.remove();
  return sent;
}
"""


RAIL_BEYOND = """
Math.max(...[...document.querySelectorAll(".rail, .rail .links")].map((box) => box.scrollHeight - box.clientHeight))
"""
HERE_BEYOND = """
document.querySelector(".rail a[aria-current]").getBoundingClientRect().bottom -
  document.querySelector(".rail .foot").getBoundingClientRect().top
"""
# Drops a folder with two articles and a hidden file, as browsers hand it over.
DROP_FOLDER = """
box => {
  const file = (name, text) => ({ isFile: true, name, file: ok => ok(new File([text], name)) });
  const folder = (name, inside) => ({
    name,
    createReader: () => ({ readEntries: ok => ok(inside.splice(0)) }),
  });
  const deep = folder("care", [file("wool.md", "# Wool\\n\\nBy hand.\\n")]);
  const entry = folder("guide", [file("felt.md", "# Felt\\n\\nDry.\\n"), file(".DS_Store", "x"), deep]);
  const said = new Event("drop", { cancelable: true, bubbles: true });
  said.dataTransfer = { items: [{ webkitGetAsEntry: () => entry }], files: [] };
  box.dispatchEvent(said);
}
"""


@pytest.fixture
def enter(new_page: Callable[..., Page], open_as: Callable[[Page, str, str], None]) -> Callable[[str], Page]:
    """Open the console as a demo person."""

    def entered(name: str) -> Page:
        page = new_page()
        open_as(page, name, "/admin/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        return page

    return entered


def check(page: Page) -> None:
    """Check the page in every size and theme, then restore its width."""
    check_for_everybody(page)
    check_with_large_text(page)
    page.set_viewport_size({"width": 1280, "height": 900})


def publish_past_the_gates(page: Page) -> None:
    """Publish the text in the editor, which first says what it waits for and then which cases ran."""
    with page.expect_navigation():
        told, sent = page.get_by_role("button", name="Publish").evaluate(PRESS_TWICE)
    assert told == "The gates are checking the text. This takes a few seconds, or up to a minute on a busy server."
    assert sent == [True, False]
    expect(page.get_by_text("gate cases were run first, and all of them passed")).to_be_visible()


def test_an_editor_writes_previews_publishes_and_asks(enter: Callable[[str], Page]) -> None:
    page = enter("hanna")
    check(page)
    follow(page.get_by_role("link", name="Articles", exact=True))
    check(page)
    follow(page.get_by_role("link", name="New article").first)
    page.get_by_label("Title", exact=True).fill("Repairing a zip of the Zephyr")
    body = page.get_by_label("Text, Markdown")
    body.fill("The zip of the Zephyr is repaired **for free** within 400 days.\n\n## How\n\n- Send it to us.\n")
    preview = page.get_by_role("tabpanel", name="Preview")
    expect(preview.locator("strong")).to_have_text("for free")
    expect(preview.get_by_role("heading", name="How")).to_be_visible()

    page.get_by_role("tab", name="Ask as customer").click()
    page.get_by_label("A customer's question").fill("Is the zip of the Zephyr repaired for free?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".ba .draft .said")).to_contain_text("400 days")
    expect(page.locator(".ba section").first).not_to_contain_text("400 days")
    check(page)

    publish_past_the_gates(page)
    expect(page.locator("#saved")).to_contain_text("Searchable")
    check(page)
    body.fill("The zip of the Zephyr is repaired **for free** within 500 days.\n")
    follow(page.get_by_role("button", name="Save draft"))
    expect(page.get_by_text("Draft, revision 2")).to_be_visible()
    follow(page.get_by_role("link", name="History"))
    expect(page.locator(".diff ins")).to_contain_text(["500"])
    check(page)


@pytest.mark.long
def test_a_dark_console_has_a_dark_desk(enter: Callable[[str], Page]) -> None:
    page = enter("daniel")
    page.get_by_role("button", name="Dark").click()
    follow(page.get_by_role("link", name=re.compile("^Desk")))
    expect(page.get_by_role("heading", level=1)).to_have_text("Desk")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/admin/")
    page.get_by_role("button", name="Auto").click()
    page.goto("/desk/")
    expect(page.locator("html")).to_have_attribute("data-theme", "auto")


def test_unsaved_text_survives_a_closed_page(enter: Callable[[str], Page]) -> None:
    page = enter("tariq")
    page.goto("/admin/kb/article/add/")
    page.get_by_label("Title", exact=True).fill("Half a thought")
    expect(page.locator("#saved")).to_contain_text("Not saved yet, kept")
    page.on("dialog", lambda dialog: dialog.accept())  # the browser asks whether to leave the page
    page.reload()
    expect(page.get_by_label("Title", exact=True)).to_have_value("")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_label("Title", exact=True)).to_have_value("Half a thought")


@pytest.mark.long
def test_saved_text_is_not_offered_again(enter: Callable[[str], Page]) -> None:
    page = enter("tariq")
    page.goto("/admin/kb/article/add/")
    page.get_by_label("Title", exact=True).fill("A whole thought")
    page.get_by_label("Text, Markdown").fill("It is written down.  \n\n\n")
    expect(page.locator("#saved")).to_contain_text("Not saved yet, kept")
    follow(page.get_by_role("button", name="Save draft"))
    expect(page.get_by_text("Saved as a draft.")).to_be_visible()
    expect(page.locator("#kept")).to_be_hidden()
    page.goto("/admin/kb/article/add/")
    expect(page.get_by_role("tabpanel", name="Preview")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('article-draft'))") == []
    expect(page.locator("#kept")).to_be_hidden()


@pytest.mark.long
def test_restored_text_replaces_a_colleagues_only_after_a_warning(enter: Callable[[str], Page]) -> None:
    hanna, tariq = enter("hanna"), enter("tariq")
    hanna.goto("/admin/kb/article/add/")
    hanna.get_by_label("Title", exact=True).fill("Written by two")
    hanna.get_by_label("Text, Markdown").fill("One.")
    follow(hanna.get_by_role("button", name="Save draft"))
    expect(hanna.get_by_text("Saved as a draft.")).to_be_visible()
    tariq.on("dialog", lambda dialog: dialog.accept())
    tariq.goto(hanna.url)
    tariq.get_by_label("Text, Markdown").fill("Two.")
    expect(tariq.locator("#saved")).to_contain_text("Not saved yet, kept")
    hanna.get_by_label("Text, Markdown").fill("Three.")
    follow(hanna.get_by_role("button", name="Save draft"))
    expect(hanna.get_by_text("Draft, revision 2")).to_be_visible()

    tariq.reload()
    tariq.get_by_role("button", name="Restore").click()
    follow(tariq.get_by_role("button", name="Save draft"))
    expect(tariq.get_by_role("alert")).to_contain_text("Revision 2 has been saved in the meantime")
    expect(tariq.get_by_label("Text, Markdown")).to_have_value("Two.")
    follow(tariq.get_by_role("button", name="Save draft"))
    expect(tariq.get_by_text("Draft, revision 3")).to_be_visible()


def test_the_preview_of_a_table_shows_the_titles_of_its_articles(enter: Callable[[str], Page]) -> None:
    page = enter("hanna")
    page.goto("/admin/import/")
    rows = "".join(f"Kettle {number},It holds {number} litres.\n" for number in range(1, 5))
    tables = {"kettles.csv": f"title,text\n{rows}", "no-header.csv": "a,b\n1,2\n"}
    page.locator("#files").set_input_files(
        [{"name": name, "mimeType": "text/csv", "buffer": text.encode()} for name, text in tables.items()]
    )
    expect(page.get_by_role("button", name="Import 6 items")).to_be_visible()
    cells = page.locator("#items tbody td:nth-child(2)")
    assert [cell.split("\n") for cell in cells.all_inner_texts()] == [
        ["4 articles", "Kettle 1", "Kettle 2", "Kettle 3", "1 more"],
        ["2 articles", "a", "1"],
    ]
    check(page)
    page.get_by_label("Keep as drafts").check()
    page.get_by_role("button", name="Import 6 items").click()
    expect(page.locator("#h-report")).to_have_text("Imported items: 6 of 6")


@pytest.mark.long
def test_four_of_five_files_are_imported_without_the_broken_one(enter: Callable[[str], Page], tmp_path: Path) -> None:
    for number in range(4):
        text = (
            f"---\nid: pebble-{number}\ntitle: Pebble {number}\n---\nThe Pebble stove boils in {number + 3} minutes.\n"
        )
        (tmp_path / f"pebble-{number}.md").write_text(text)
    (tmp_path / "broken.md").write_bytes(b"\xff\xfe no text")
    page = enter("hanna")
    follow(page.get_by_role("link", name="Import", exact=True))
    check(page)
    page.get_by_label("Drop files here").set_input_files(sorted(tmp_path.iterdir()))
    expect(page.locator("#told")).to_have_text("New: 4, updates: 0, unchanged: 0, unreadable: 1.")
    page.get_by_role("button", name="Import 4 items").click()
    expect(page.get_by_role("button", name="Import 4 items")).to_be_hidden()  # the button is disabled
    expect(page.locator("#h-report")).to_have_text("Imported items: 4 of 4, all searchable")
    expect(page.locator("#items .tag.ok")).to_have_text(["Searchable"] * 4)
    expect(page.locator("#items td a")).to_have_count(4)
    expect(page.get_by_role("link", name="Try a question")).to_be_visible()
    broken = page.locator("#items tr.wrong")
    expect(broken).to_have_count(1)
    expect(page.locator("#items tbody tr").first).to_have_class("wrong")  # shown before the valid ones
    expect(broken).to_contain_text("not UTF-8 text (line 1). Save it with UTF-8 encoding.")
    check(page)
    page.goto("/admin/kb/article/?q=Pebble+2")
    page.get_by_role("row", name="Pebble 2").get_by_role("cell", name="Everyone").click(
        force=True
    )  # the whole row is a link
    expect(page.get_by_label("Title", exact=True)).to_have_value("Pebble 2")


@pytest.mark.long
def test_a_folder_dropped_on_a_source_keeps_its_paths_and_too_many_files_are_refused(
    enter: Callable[[str], Page],
) -> None:
    page = enter("hanna")
    page.goto("/admin/kb/source/add/")
    box, files = page.locator("[data-drop]"), page.locator("#files")
    preview = box.locator("xpath=ancestor::form").get_by_role("button", name="Preview the articles")
    many = [{"name": f"{number}.md", "mimeType": "text/plain", "buffer": b"# A"} for number in range(101)]
    files.set_input_files(many)
    expect(page.get_by_role("alert")).to_contain_text("At most 100 files can be sent at once.")
    preview.click()
    expect(page).to_have_url(re.compile("/source/add/$"))

    box.evaluate(DROP_FOLDER)
    expect(page.get_by_role("alert")).to_be_hidden()
    assert files.evaluate("input => input.files.length") == 2
    check(page)
    follow(preview)
    for path in ("guide/felt.md", "guide/care/wool.md"):
        expect(page.get_by_role("link", name=path)).to_be_visible()

    page.locator("#more").set_input_files(many)
    expect(page.get_by_role("alert")).to_contain_text("At most 100 files")


def test_an_admin_adds_a_channel_and_sees_its_key_once(enter: Callable[[str], Page]) -> None:
    page = enter("admin")
    follow(page.get_by_role("link", name="Channels"))
    follow(page.get_by_role("link", name="New channel"))
    page.get_by_label("Name required").fill("Blog")
    page.get_by_label("Allowed pages").fill("https://blog.example")
    check(page)
    follow(page.get_by_role("button", name="Save", exact=True))
    secret = page.get_by_label("Secret").input_value()
    assert len(secret) >= 32
    check(page)
    follow(page.get_by_role("link", name="Done"))
    expect(page.get_by_label("Paste before")).to_contain_text("data-channel")
    assert secret not in page.content()
    check(page)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "address", ["actions/actionpolicy", "llm/llmcall", "accounts/membership", "accounts/apikey/add"]
)
def test_an_admins_page_is_accessible(enter: Callable[[str], Page], address: str) -> None:
    page = enter("admin")
    page.goto(f"/admin/{address}/")
    check(page)


@pytest.mark.long
def test_an_admin_connects_an_api_and_sees_the_result_of_a_test(
    enter: Callable[[str], Page], demo: dict[str, Any]
) -> None:
    page = enter("admin")
    follow(page.get_by_role("link", name="Connections"))
    check(page)
    follow(page.get_by_role("link", name="New connection").first)
    check(page)
    follow(page.get_by_role("link", name="Choose Standard Webhooks signature"))
    page.get_by_label("Name required").fill("shop")
    page.get_by_label("Address required").fill("http://10.0.0.8/merchant/v1")
    page.get_by_label("Secret required").fill("whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhlIHNob3A=")
    follow(page.get_by_role("button", name="Save and stay"))
    expect(page.locator(".err")).to_contain_text("is neither on the public internet")
    check(page)
    page.get_by_label("Address required").fill(f"{demo['urls']['shop']}/merchant/v1")
    page.get_by_label("Secret required").fill("whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhlIHNob3A=")
    page.get_by_label("Test path required").fill("/operations/none")
    follow(page.get_by_role("button", name="Save and stay"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("shop")
    check(page)
    follow(page.get_by_role("button", name="Test the connection"))
    expect(page.get_by_role("listitem").filter(has_text="Connected to 127.0.0.1.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="does not accept these credentials")).to_be_visible()
    check(page)


@pytest.mark.long
def test_an_admin_chooses_how_answers_are_checked(enter: Callable[[str], Page]) -> None:
    page = enter("admin")
    follow(page.get_by_role("link", name="Workspace", exact=True))
    follow(page.locator("#result_list tbody a").first)
    check(page)
    page.get_by_label("Hide personal data from the model").uncheck()
    follow(page.get_by_role("button", name="Save and stay"))
    expect(page.get_by_text("Saved:")).to_be_visible()
    expect(page.get_by_label("Hide personal data from the model")).not_to_be_checked()

    follow(page.get_by_role("link", name="Releases", exact=True))
    follow(page.get_by_role("button", name="New draft"))
    expect(page.get_by_role("radio", name="Balanced")).to_be_checked()
    check(page)
    page.get_by_role("radio", name="Strict").check()
    follow(page.get_by_role("button", name="Save draft"))
    follow(page.get_by_role("link", name="Edit", exact=True))
    expect(page.get_by_role("radio", name="Strict")).to_be_checked()


def test_a_form_is_sent_once_and_the_audit_trail_records_it(enter: Callable[[str], Page]) -> None:
    page = enter("admin")
    page.goto("/admin/accounts/apikey/add/")
    assert page.evaluate(SEND_TWICE_WITH_A_METHOD) == [True, False]
    page.get_by_role("textbox", name="Name").fill("Impatient")
    page.get_by_label("kb:read").check()
    with page.expect_navigation():
        sent = page.get_by_role("button", name="Save", exact=True).evaluate(CLICK_TWICE)
    assert sent == [True, False]
    expect(page.get_by_label("Secret")).to_have_value(re.compile("^sk_"))
    page.goto("/admin/actions/auditentry/?q=Impatient")
    expect(page.get_by_role("row")).to_have_count(2)  # with the heading
    expect(page.get_by_role("cell", name="API key created api_key.issued")).to_be_visible()
    check(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert measure(page, RAIL_BEYOND) <= 0  # an admin sees all entries without scrolling
    page.set_viewport_size({"width": 1280, "height": 720})
    page.reload()
    expect(page.get_by_role("button", name="Log out")).to_be_in_viewport()
    assert measure(page, HERE_BEYOND) <= 0  # the current entry is above the person's own links
    assert measure(page, RAIL_BEYOND) > 0
