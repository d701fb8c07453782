#!/usr/bin/env python3
"""Take the README's screenshots of an instance that `make run` has just started with an empty DATA_DIR.

    .venv/bin/python -m scripts.pictures

Needs the development packages and Chromium. A refund and a waiting customer remain in the instance.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import django
from playwright.sync_api import Browser, Page, expect, sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
django.setup()

from tests.browser.program import launch_options  # noqa: E402
from tests.browser.shopping import Shopper  # noqa: E402
from tests.patience import PATIENCE_MS  # noqa: E402

ROOT: Final = Path(__file__).parent.parent
PICTURES: Final = ROOT / "docs" / "pictures"
ORDER, REFUND = "WF-20404", "Refund €54.00"


def main() -> None:
    data = Path(os.environ.get("DATA_DIR") or ROOT / ".data")
    demo = json.loads((data / "demo.json").read_text(encoding="utf-8"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        take_widget(browser, demo)
        take_desk(browser, demo)
        take_console(browser, demo)
        browser.close()


@contextmanager
def page_of(browser: Browser, demo: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, device_scale_factor=1, locale="en-GB", base_url=demo["urls"]["base"]
    )
    yield context.new_page()
    context.close()


def keep(page: Page, name: str) -> None:
    page.wait_for_timeout(600)  # wait until animations have ended
    page.screenshot(path=PICTURES / f"{name}.png")


def take_widget(browser: Browser, demo: dict[str, Any]) -> None:
    with page_of(browser, demo) as page:
        shopper = Shopper(page, demo)
        shopper.be("Mara Lindner")
        shopper.open_chat()
        shopper.ask("How long does it take until I have my money back?")
        shopper.say(f"Refund {ORDER}, it is damaged")
        card = shopper.card(REFUND)
        card.get_by_role("button", name=REFUND).click(timeout=PATIENCE_MS)
        expect(card).to_contain_text("RF-", timeout=PATIENCE_MS)
        expect(shopper.answers.last).to_contain_text("RF-", timeout=PATIENCE_MS)
        keep(page, "widget")


def take_desk(browser: Browser, demo: dict[str, Any]) -> None:
    with page_of(browser, demo) as desk, page_of(browser, demo) as one, page_of(browser, demo) as other:
        enter(desk, demo, "ines", "/desk/")
        ask_for_a_person(Shopper(one, demo), "Priya Raman", "How long do I have to return something?")
        ask_for_a_person(Shopper(other, demo), "Léa Martin", "What does delivery to France cost?")
        desk.get_by_text("Priya Raman").first.click()
        desk.get_by_role("button", name="Take over").click()
        expect(desk.get_by_label("Reply to")).to_be_visible()
        desk.wait_for_load_state("networkidle")
        keep(desk, "desk")


def ask_for_a_person(shopper: Shopper, name: str, question: str) -> None:
    shopper.be(name)
    shopper.open_chat()
    shopper.ask(question)
    shopper.say("My tent has a hole after one night. I would like to talk to a person please")
    expect(shopper.chat).to_contain_text("We will pass this chat on", timeout=PATIENCE_MS)


def take_console(browser: Browser, demo: dict[str, Any]) -> None:
    with page_of(browser, demo) as page:
        enter(page, demo, "hanna", "/admin/")
        page.get_by_role("link", name="Articles", exact=True).click()
        page.get_by_role("link", name="Returns and refunds").first.click()
        keep(page, "console")


def enter(page: Page, demo: dict[str, Any], name: str, address: str) -> None:
    passwords = {user["username"]: user["password"] for user in demo["users"]}
    page.goto(address)
    page.get_by_label("User").fill(name)
    page.get_by_label("Password").fill(passwords[name])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state("networkidle")


if __name__ == "__main__":
    main()
