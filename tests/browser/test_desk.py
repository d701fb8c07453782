"""Two agents, one customer: the desk in real browsers, side by side."""

import json
from collections.abc import Callable
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_for_everybody

pytestmark = pytest.mark.browser


def post(address: str, body: dict[str, Any], credential: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Origin": address.split("/api/")[0]}
    headers |= {"Authorization": f"Bearer {credential}"} if credential else {}
    with build_opener(ProxyHandler({})).open(Request(address, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def a_visitor_asks_for_a_person(demo: dict[str, Any], text: str) -> None:
    api = f"{demo['urls']['base']}/api/v1"
    visit = post(f"{api}/widget/tickets", {"channel": demo["channel"]})
    conversation, secret = visit["conversation"], visit["visitor"]
    post(f"{api}/conversations/{conversation}/messages", {"client_id": "1", "text": text}, secret)
    post(f"{api}/tickets", {"conversation": conversation, "summary": text}, secret)


def test_two_agents_and_one_customer(
    demo: dict[str, Any], new_page: Callable[..., Page], log_in: Callable[[Page, str], None]
) -> None:
    a_visitor_asks_for_a_person(demo, "My <b>pole</b> is broken")
    ines, noor = new_page(), new_page()
    for page, name in ((ines, "ines"), (noor, "noor")):
        log_in(page, name)
    check_for_everybody(ines)
    for page in (ines, noor):
        page.get_by_role("link", name="My <b>pole</b> is broken").click()
    ines.get_by_role("button", name="Take over").click()
    noor.get_by_role("button", name="Take over").click()
    expect(noor.get_by_role("alert")).to_have_text("Ines Kowalski has already claimed this ticket.")

    ines.get_by_label("Reply to").fill("A new one is on its way.")
    ines.get_by_role("button", name="Send reply").dblclick()
    expect(ines.locator(".log .agent .said")).to_have_text(["A new one is on its way."])
    check_for_everybody(ines)

    ines.get_by_text("Give back to the assistant").click()
    ines.get_by_label("What the assistant should know").fill("A pole was sent.")
    ines.get_by_role("button", name="Give back").click()
    expect(ines.get_by_text("Ended: returned")).to_be_visible()
    ines.get_by_role("button", name="Log out").click()
    expect(ines.get_by_role("heading", level=1)).to_have_text("Log in to the desk")
