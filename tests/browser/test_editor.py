"""The editor's notes about files that cannot be inserted, and the choice of a translation's source."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.waiting import follow, press_through
from tests.console.test_firststeps import png

pytestmark = pytest.mark.browser
DROP = """(node, [name, type, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const said = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
  return { stays: !node.dispatchEvent(said) };
}"""


@pytest.fixture
def editor(page: Page, open_as: Callable[[Page, str, str], None]) -> Page:
    """The page of a new article."""
    open_as(page, "hanna", "/admin/kb/article/add/")
    return page


def drop(on: Locator, name: str, kind: str, size: int = 9) -> None:
    assert on.evaluate(DROP, [name, kind, size]) == {"stays": True}, "the browser would leave the page"


@pytest.mark.long
def test_the_note_about_an_unsuitable_file_stays_until_it_is_dismissed(editor: Page) -> None:
    body, saved = editor.get_by_label("Text, Markdown"), editor.locator("#saved")
    notice = editor.locator("#not-taken")
    for name, kind, size, said in (
        ("manual.pdf", "application/pdf", 9, "manual.pdf is not a picture."),
        ("logo.svg", "image/svg+xml", 9, "logo.svg is an SVG drawing"),
        ("wall.png", "image/png", 21 * 1024 * 1024, "wall.png is larger than 20 MB."),
        ("torn.png", "image/png", 9, "torn.png: The file is not a PNG, JPEG, WebP or GIF picture."),
    ):
        drop(body, name, kind, size)
        expect(notice).to_contain_text(said)
        expect(editor.get_by_role("link", name="Import files")).to_be_visible(
            visible=not said.startswith(("wall", "torn"))
        )
    body.fill("Some words.")
    expect(saved).to_contain_text("kept on the server")
    expect(notice).to_contain_text("torn.png: The file is not")
    check_for_everybody(editor)
    editor.get_by_role("button", name="Dismiss").click()
    expect(notice).to_be_hidden()

    drop(editor.locator("#title"), "manual.pdf", "application/pdf")
    expect(notice).to_be_visible()
    editor.locator("#picture-file").set_input_files([{"name": "Red.png", "mimeType": "image/png", "buffer": png()}])
    expect(editor.locator("#pane-preview img")).to_have_attribute("alt", "Red")
    expect(notice).to_be_hidden()


@pytest.mark.long
def test_pictures_and_pasted_blocks_get_paragraphs_of_their_own(editor: Page) -> None:
    """Right after the last cell of a table, they would become part of it and vanish."""
    body = editor.get_by_label("Text, Markdown")
    body.fill("| a | b |\n| --- | --- |\n| c | d |\nLast words.")
    body.evaluate("(field) => field.setSelectionRange(33, 33)")
    editor.locator("#picture-file").set_input_files([{"name": "Red.png", "mimeType": "image/png", "buffer": png()}])
    expect(editor.locator("#pane-preview img")).to_have_attribute("alt", "Red")
    assert body.input_value().startswith("| a | b |\n| --- | --- |\n| c | d |\n\n![Red](/help/")
    assert body.input_value().endswith(".png)\n\nLast words.")

    body.fill("| a |\n| --- |\n| c |")
    body.press("End")
    body.evaluate(
        """(field) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/html", "<ul><li>Wool</li><li>Felt</li></ul>");
          field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }"""
    )
    expect(body).to_have_value("| a |\n| --- |\n| c |\n\n- Wool\n- Felt")


@pytest.mark.long
def test_the_servers_refusal_is_shown_in_its_own_words(editor: Page) -> None:
    refusal = {"status": 400, "json": {"message": "There are 5000 pictures already, which is the limit."}}
    editor.route("**/article/picture/", lambda route: route.fulfill(**refusal))
    editor.get_by_label("Text, Markdown").fill("Some words.")
    editor.locator("#picture-file").set_input_files([{"name": "Red.png", "mimeType": "image/png", "buffer": png()}])
    expect(editor.locator("#not-taken")).to_contain_text("There are 5000 pictures already")
    editor.get_by_label("Text, Markdown").fill("Some more words.")
    expect(editor.locator("#saved")).to_contain_text("kept on the server")
    expect(editor.locator("#not-taken")).to_contain_text("There are 5000 pictures already")


@pytest.mark.long
def test_the_source_of_a_translation_is_chosen_by_its_title(editor: Page) -> None:
    editor.get_by_label("Title", exact=True).fill("Umtausch")
    editor.get_by_label("Text, Markdown").fill("Ein Text.")
    editor.get_by_role("textbox", name="Language", exact=True).fill("de")
    editor.get_by_role("button", name="Translation of").click()
    dialog = editor.get_by_role("dialog", name="Translation of")
    dialog.get_by_label("Words in the title").fill("nothing like this")
    expect(dialog).to_contain_text("No article in another language")
    dialog.get_by_label("Words in the title").fill("RETURNS")
    choice = dialog.locator(".found button").first
    title = choice.evaluate("node => node.firstChild.textContent")
    check_for_everybody(editor)
    choice.click()
    chosen = editor.locator("#choose-source")
    expect(chosen).to_have_text(title)
    follow(editor.get_by_role("button", name="Save draft"))
    expect(editor.get_by_text("Saved as a draft.")).to_be_visible()
    expect(chosen).to_have_text(title)
    editor.get_by_role("button", name="Unlink").click()
    expect(chosen).to_have_text("Choose an article")
    follow(editor.get_by_role("button", name="Save draft"))
    expect(chosen).to_have_text("Choose an article")


OF_WORDS = {
    "Heading": "## wool",
    "Bold": "**wool**",
    "Italic": "_wool_",
    "List": "- wool",
    "Numbered list": "1. wool",
    "Quotation": "> wool",
    "Code": "`wool`",
    "Link": "[wool](https://)",
}
OF_KEYS = {"b": "**wool**", "i": "_wool_", "k": "[wool](https://)"}


def test_the_toolbar_writes_markdown_that_the_preview_shows_and_the_browser_can_undo(editor: Page) -> None:
    body, toolbar = editor.get_by_label("Text, Markdown"), editor.get_by_role("toolbar", name="Formatting")
    preview = editor.locator("#pane-preview")
    for name, markdown in OF_WORDS.items():
        body.fill("wool")
        body.select_text()
        toolbar.get_by_role("button", name=name, exact=True).click()
        expect(body).to_have_value(markdown)
        expect(body).to_be_focused()
        editor.keyboard.press("Control+z")
        expect(body).to_have_value("wool")
    for key, markdown in OF_KEYS.items():
        body.fill("wool")
        body.select_text()
        editor.keyboard.press(f"Control+{key}")
        expect(body).to_have_value(markdown)
    body.fill("wool\nfelt")
    body.select_text()
    toolbar.get_by_role("button", name="List", exact=True).click()
    expect(body).to_have_value("- wool\n- felt")
    expect(preview.locator("li")).to_have_text(["wool", "felt"])
    body.fill("Sizes")
    body.press("End")
    toolbar.get_by_role("button", name="Table", exact=True).click()
    expect(body).to_have_value("Sizes\n| | |\n| --- | --- |\n| | |\n")


@pytest.mark.long
def test_ctrl_s_saves_the_draft_wherever_the_cursor_is(editor: Page) -> None:
    body = editor.get_by_label("Text, Markdown")
    editor.get_by_label("Title", exact=True).fill("Felt")
    body.fill("Wash felt by hand.")
    body.press("End")
    press_through(editor, "Control+s")
    expect(editor.get_by_text("Saved as a draft.")).to_be_visible()
    expect(body).to_have_value("Wash felt by hand.")

    title = editor.get_by_label("Title", exact=True)
    title.fill("Felt and wool")
    title.press("End")
    press_through(editor, "Control+s")
    expect(title).to_have_value("Felt and wool")
    editor.reload()
    expect(title).to_have_value("Felt and wool")
    expect(editor.locator("#kept")).to_be_hidden()
