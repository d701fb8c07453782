"""Helpers for the tests of the desk: the page as agents use it, and a customer over REST."""

import json
from typing import Any, Literal
from urllib.request import ProxyHandler, Request, build_opener

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import CONTRAST, WIDTH_BEYOND, check_with_large_text, is_new, run_axe
from tests.browser.waiting import follow, measure, wait_for

LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (1280, "light"),
    (1280, "dark"),
    (768, "light"),
    (390, "light"),
]
OFTEN = LOOKS[0], LOOKS[1], LOOKS[3]


def check(page: Page) -> None:
    """Assert that this state has no accessibility finding and no horizontal scroll, in every size and theme. Colours
    are checked in the first size (`check_for_everybody`), and later states of a page only in the looks in `OFTEN`.
    """
    before = page.viewport_size
    in_all = is_new(page)
    for width, theme in LOOKS:
        page.set_viewport_size({"width": width, "height": 844})
        if in_all or (width, theme) in OFTEN:
            found = run_axe(page, theme, without=() if width == LOOKS[0][0] else CONTRAST)
            assert found.violations_count == 0, f"{page.url} {width} {theme}: {found.generate_report()}"
        assert measure(page, WIDTH_BEYOND) <= 0
    check_with_large_text(page)
    assert before is not None
    page.set_viewport_size(before)


def post(address: str, body: dict[str, Any], credential: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Origin": address.split("/api/")[0]}
    headers |= {"Authorization": f"Bearer {credential}"} if credential else {}
    with build_opener(ProxyHandler({})).open(Request(address, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def get(address: str, credential: str) -> Any:
    with build_opener(ProxyHandler({})).open(
        Request(address, headers={"Authorization": f"Bearer {credential}"})
    ) as one:
        return json.load(one)


class Customer:
    """A customer who chats over REST."""

    def __init__(self, demo: dict[str, Any], customer: str = "") -> None:
        self.api, self.said = f"{demo['urls']['base']}/api/v1", 0
        who = {"token": post(f"{demo['urls']['shop']}/api/token", {"customer": customer})["token"]} if customer else {}
        visit = post(f"{self.api}/widget/tickets", {"channel": demo["channel"], **who})
        self.conversation, self.credential = visit["conversation"], who.get("token") or visit["visitor"]

    def say(self, text: str) -> None:
        self.said += 1
        body = {"client_id": f"c{self.said}", "text": text}
        post(f"{self.api}/conversations/{self.conversation}/messages", body, self.credential)

    def ask_for_a_person(self, summary: str) -> None:
        post(f"{self.api}/tickets", {"conversation": self.conversation, "summary": summary}, self.credential)

    def agent_texts(self) -> list[str]:
        return [one["text"] for one in self.events("message") if one["source"] == "agent"]

    def card(self, page: Page) -> dict[str, Any]:
        """Return the card that the assistant shows, once it is there."""
        return self.wait_for_event(page, "action.proposed")

    def wait_for_event(self, page: Page, name: str) -> dict[str, Any]:
        """Return the payload of the first event of this name, once there is one."""
        return wait_for(page, lambda: self.events(name), name, every_ms=200)[0]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the payloads of the conversation's events of this name."""
        events = get(f"{self.api}/conversations/{self.conversation}/events", self.credential)["results"]
        return [one["payload"] for one in events if one["event"] == name]


def is_live(page: Page) -> None:
    expect(page.locator("body")).to_have_attribute("data-live", "yes")


class Line:
    """The desk's connection on one page. A test can cut and restore it, and send made-up frames over it."""

    def __init__(self, page: Page) -> None:
        self.is_cut, self.page = False, page
        self.socket: WebSocketRoute | None = None
        page.route_web_socket("**/ws/v1/desk/", self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close()
            return
        self.socket = socket
        socket.connect_to_server()

    def cut(self) -> None:
        self.is_cut = True
        assert self.socket is not None
        self.socket.close()
        expect(self.page.locator("body")).to_have_attribute("data-live", "no")

    def restore(self) -> None:
        self.is_cut = False
        self.page.evaluate("dispatchEvent(new Event('online'))")
        is_live(self.page)

    def say(self, frame: dict[str, Any]) -> None:
        assert self.socket is not None
        self.socket.send(json.dumps(frame))


def take_over(page: Page, summary: str) -> None:
    follow(page.get_by_role("link", name=summary))
    follow(page.get_by_role("button", name="Take over"))
    expect(page.get_by_role("button", name="Send reply")).to_be_visible()
    is_live(page)


def resolve(page: Page, summary: str) -> None:
    """Resolve a colleague's ticket."""
    page.goto("/desk/")
    follow(page.get_by_role("link", name=summary))
    follow(page.get_by_role("button", name="Resolve"))
    expect(page.locator(".c-h .sub")).to_contain_text("Resolved")
