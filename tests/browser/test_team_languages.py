"""The team's pages in other languages: chosen on the page, kept for the person, and nothing is cut off on a small
phone.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deskpage import Customer
from tests.browser.waiting import follow, measure
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.browser
WIDTHS: Final = (320, 390, 1280)
# The folder for screenshots of the pages.
PICTURES: Final = os.environ.get("TEAM_PICTURES")
CONSOLE: Final = (
    "",
    "kb/article/",
    "kb/article/add/",
    "kb/collection/add/",
    "import/",
    "ask/",
    "improve/",
    "results/?by=hour",
    "chat/conversation/",
    "actions/actionpolicy/",
    "actions/actionrequest/",
    "llm/llmcall/",
    "accounts/channel/",
    "accounts/channel/add/",
    "actions/connection/",
    "accounts/apikey/add/",
    "accounts/membership/",
    "accounts/membership/add/",
    "accounts/workspace/",
    "password_change/",
)
# Buttons, links and labels whose text is wider than they are, except those that may scroll or end with an ellipsis.
CUT: Final = """
() => [...document.querySelectorAll("button, .btn, label, h1, h2, th, .tag, nav a, summary, dt")]
  .filter((node) => node.checkVisibility() && node.clientWidth)
  .filter((node) => !node.closest(".vh, .table-wrap, .table, [dir=auto], .scroll"))
  .filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline")
  .map((node) => `${node.tagName}.${node.className}: ${node.textContent.trim()}`)
"""
OUTSIDE: Final = """
() => [...document.querySelectorAll("button, .btn, label, h1, h2, p, dt, dd, .tag")]
  .filter((node) => node.checkVisibility() && !node.closest(".vh, .table-wrap, .table, .seg, .rail, nav, .scroll"))
  .map((node) => [node, node.getBoundingClientRect()])
  .filter(([, { left, right, width }]) => width && (left < -0.5 || right > innerWidth + 0.5))
  .map(([node]) => `${node.tagName}.${node.className}: ${node.textContent.trim()}`)
"""


def too_wide(page: Page) -> list[str]:
    """Return what is currently wider than its container."""
    beyond = measure(page, "document.documentElement.scrollWidth - innerWidth")
    wide = [f"the page, by {beyond} px"] if beyond > 0 else []
    return [*wide, *page.evaluate(CUT), *page.evaluate(OUTSIDE)]


def fits(page: Page, name: str) -> None:
    """Fail if anything is wider than its container at any width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        if PICTURES:
            tall = min(measure(page, "document.documentElement.scrollHeight"), 1800)
            clip = {"x": 0, "y": 0, "width": width, "height": tall}
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True, clip=clip)
        for _ in range(int(PATIENCE_SECONDS * 10)):  # a busy machine may still be laying the page out
            if not (wide := too_wide(page)):
                break
            page.wait_for_timeout(100)
        assert wide == [], (name, width)
    page.set_viewport_size({"width": 1280, "height": 844})


@pytest.fixture
def ask_person(demo: dict[str, Any]) -> Callable[[str, str], Customer]:
    def asked(customer: str, text: str) -> Customer:
        made = Customer(demo, customer)
        made.say(text)
        made.ask_for_a_person(text)
        return made

    return asked


@pytest.mark.long
def test_the_desk_uses_the_language_chosen_there(
    page: Page, log_in: Callable[[Page, str], None], ask_person: Callable[[str, str], Customer]
) -> None:
    ask_person("cus_1001", "Wo ist meine Bestellung?")
    log_in(page, "ines")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Language").select_option("de")
    follow(page.get_by_role("button", name="Change"))
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#waiting")).to_have_text("Wartend")  # rendered by the script
    fits(page, "desk")
    page.get_by_role("button", name="Optionen").click()
    fits(page, "desk-settings")
    page.keyboard.press("Escape")
    follow(page.locator("#queue .q").first)
    fits(page, "desk-waiting")
    follow(page.get_by_role("button", name="Übernehmen"))
    expect(page.locator(".c-h .sub")).to_contain_text("Ihnen zugewiesen")
    expect(page.locator(".thread .sys").last).to_contain_text("Sie haben übernommen")
    page.locator("#text").fill("Ich sehe nach.")
    page.get_by_role("button", name="Antwort senden").click()
    expect(page.locator(".thread .me .who b")).to_have_text("Sie")
    # Sent over the socket.
    expect(page.locator("#queue .q .why").first).to_have_text("Wollte mit einer Person sprechen")
    fits(page, "desk-ticket")
    for language in ("fr", "es", "de"):
        page.locator("[data-opens=alerts]").click()
        page.locator("#language").select_option(language)
        follow(page.locator("form:has(#language) button"))
        expect(page.locator("html")).to_have_attribute("lang", language)
        fits(page, f"desk-{language}")
    for path in ("approvals/", "replies/"):
        page.goto(f"/desk/{path}")
        fits(page, f"desk-{path.strip('/')}")


@pytest.mark.long
def test_the_console_uses_the_language_chosen_there(page: Page, open_as: Callable[[Page, str, str], None]) -> None:
    open_as(page, "admin", "/admin/")
    page.get_by_label("Language").select_option("de")
    expect(page.locator("html")).to_have_attribute("lang", "de")  # the choice takes effect at once
    for address in CONSOLE:
        page.goto(f"/admin/{address}")
        fits(page, f"console-{address.strip('/').replace('/', '-') or 'overview'}")
    page.goto("/admin/kb/article/")
    follow(page.locator("#result_list a.t").first)
    fits(page, "console-article")
    page.get_by_label("Sprache", exact=True).first.select_option("")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_pages_before_the_login_follow_the_browser(new_page: Callable[..., Page]) -> None:
    page = new_page(locale="de-AT")
    for address, name in (("/", "home"), ("/admin/", "console-login"), ("/desk/", "desk-login"), ("/desk/x/", "404")):
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        fits(page, name)


# A file with a note on itself, and notes and checks on its operation.
NOTED: Final = {
    "openapi": "3.1.0",
    "info": {"title": "Shop"},
    "paths": {
        "/orders/{id}/pauses": {
            "post": {
                "operationId": "pause",
                "parameters": [
                    {"name": "customerId", "in": "query", "schema": {"type": "string"}},
                    {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie"},
                    {"name": "window", "in": "query", "schema": {"oneOf": [{"type": "string"}, {"type": "object"}]}},
                ],
                "responses": {"202": {}},
            }
        }
    },
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("language", "refused", "noted", "wrong"),
    [
        ("de", "Das ist Swagger 2.0.", "Die Datei nennt keinen Server.", "Hier fehlt ein Wert. (bei Zeichen 9)"),
        ("fr", "C’est du Swagger 2.0.", "Le fichier n’indique aucun serveur.", "Il manque une valeur ici."),
    ],
)
def test_imports_and_mistakes_in_definitions_are_explained_in_the_language_chosen_there(
    page: Page, open_as: Callable[[Page, str, str], None], language: str, refused: str, noted: str, wrong: str
) -> None:
    open_as(page, "admin", "/admin/")
    page.locator("#language").select_option(language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.goto("/admin/actions/actiondefinition/add/")
    page.locator("[name=file-text]").fill('{"swagger": "2.0"}')
    follow(page.locator("form:has([name=file-text]) button.btn").last)
    expect(page.locator("main")).to_contain_text(refused)
    fits(page, f"import-refused-{language}")
    page.locator("[name=file-text]").fill(json.dumps(NOTED))
    follow(page.locator("form:has([name=file-text]) button.btn").last)
    page.locator("main summary").click()
    expect(page.locator("main")).to_contain_text(noted)
    fits(page, f"import-noted-{language}")
    page.locator("[name=pick]").check()
    follow(page.locator("button[name=import]").last)
    fits(page, f"import-draft-{language}")
    page.goto(f"{page.url.partition('change/')[0]}part/guards/")
    page.locator("[name=guards-0-name]").fill("is_open")
    page.locator("[name=guards-0-require]").fill("today >= ")
    follow(page.locator("main form button.primary").last)
    expect(page.locator("main")).to_contain_text(wrong)
    fits(page, f"definition-wrong-{language}")
