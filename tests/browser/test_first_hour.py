"""The first hour of a newcomer: from the setup link of an empty installation to a cited answer on their own page."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.waiting import follow
from tests.console.test_firststeps import png
from tests.embedded.instance import Instance, open_to_postgres
from tests.patience import PATIENCE_MS

pytestmark = pytest.mark.browser
ARTICLE = "# Sending books back\n\nYou can send a book back within 30 days. The label is in your parcel.\n"
QUESTION = "How long can I send a book back?"


class OwnPage(BaseHTTPRequestHandler):
    """A page of the newcomer's shop, with the pasted snippet."""

    tag = ""

    def do_GET(self) -> None:
        body = f"<!doctype html><html lang=en><title>Books</title><h1>Books</h1>{self.tag}</html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), OwnPage) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory, migrated_schema: Path) -> Iterator[Instance]:
    """An empty installation with the tables. (`tests/embedded/test_up.py` starts one that has to create them.)"""
    made = Instance(open_to_postgres(tmp_path_factory.mktemp("empty")) / "data")
    made.prepare(migrated_schema)
    yield made
    made.end()


@pytest.mark.long
def test_a_newcomer_gets_a_cited_answer_on_their_own_page(browser: Browser, empty: Instance, site: str) -> None:
    ready = empty.start("--no-demo")
    page = browser.new_page(locale="en-GB", timezone_id="Europe/Lisbon", base_url=ready["urls"]["base"])
    page.set_default_timeout(PATIENCE_MS)
    page.goto(ready["setup"])
    check_for_everybody(page)
    page.get_by_label("Name").fill("Ada Byron")
    page.get_by_label("E-mail").fill("ada@books.example")
    page.get_by_label("Password").fill("correct horse battery")
    follow(page.get_by_role("button", name="Create account"))
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Lisbon")
    page.get_by_label("Name").fill("Harbour Books")
    page.get_by_label("Your site").fill(site)
    page.get_by_role("textbox", name="Colour", exact=True).fill("#1f5b45")
    page.get_by_label("Logo").set_input_files({"name": "logo.png", "mimeType": "image/png", "buffer": png()})
    check_for_everybody(page)
    follow(page.get_by_role("button", name="Create workspace"))
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    check_for_everybody(page)
    page.goto("/admin/import/")
    page.locator("#files").set_input_files({"name": "back.md", "mimeType": "text/markdown", "buffer": ARTICLE.encode()})
    page.get_by_role("button", name="Import 1 item").click()
    expect(page.get_by_text("Searchable").first).to_be_visible()
    page.goto("/admin/")
    follow(page.get_by_role("link", name="Design the chat"))
    expect(page.locator("#id_allowed_origins")).to_have_value(site)
    page.get_by_label("Position").select_option("start")
    expect(page.locator(".mock.at-start")).to_be_visible()
    check_for_everybody(page)
    follow(page.get_by_role("button", name="Save", exact=True))
    OwnPage.tag = page.get_by_label("Paste before").input_value()
    page.goto(f"{site}/")
    launcher = page.get_by_role("button", name="Open chat")
    expect(launcher).to_have_css("background-color", "rgb(31, 91, 69)")
    launcher.click()
    expect(page.locator(".w-head img")).to_be_visible()
    page.get_by_role("textbox").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator(".w-log").get_by_text("within 30 days").first).to_be_visible()
    expect(page.get_by_text("Sending books back").first).to_be_attached()
    page.goto(f"{ready['urls']['base']}/admin/")
    expect(page.get_by_text(f"Installed: seen on {site}.")).to_be_visible()
