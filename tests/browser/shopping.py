"""A customer of the demo shop: signs in with a click and uses the chat on its pages."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import check_for_everybody
from tests.browser.waiting import follow, until
from tests.patience import PATIENCE_SECONDS


@dataclass
class Shopper:
    page: Page
    demo: dict[str, Any]

    def be(self, name: str) -> None:
        """Sign in as a demo customer, as a newcomer does."""
        self.page.goto(f"{self.demo['urls']['storefront']}sign-in")
        follow(self.page.get_by_role("button", name=name))
        expect(self.page.get_by_role("complementary").first).to_contain_text(name)

    def open_chat(self) -> None:
        self.page.get_by_role("button", name=re.compile("^(Open chat|Chat öffnen)")).click()
        expect(self.composer).to_be_focused()
        until(self.page, "SupportBot.state.connection === 'open'")  # until earlier answers are shown

    def say(self, text: str) -> None:
        self.composer.fill(text)
        self.composer.press("Enter")

    def ask(self, text: str) -> Locator:
        """Send a message and return the assistant's next answer, once it is complete."""
        before = self.answers.count()
        self.say(text)
        answer = self.answers.nth(before)
        expect(answer).to_be_visible()
        expect(self.chat.locator(".stop")).to_have_count(0)
        return answer

    @property
    def chat(self) -> Locator:
        return self.page.get_by_role("dialog", name="Wrenfell")

    @property
    def composer(self) -> Locator:
        return self.chat.get_by_role("textbox", name=re.compile("^(Message|Nachricht)$"))

    @property
    def answers(self) -> Locator:
        return self.chat.locator(".m.bot")

    def card(self, title: str) -> Locator:
        return self.chat.get_by_role("group", name=title, exact=True).last

    def check(self) -> None:
        """Check the page's current state for accessibility, then restore its size."""
        size = self.page.viewport_size
        check_for_everybody(self.page)
        assert size is not None
        self.page.set_viewport_size(size)
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")

    # --- Requests that a script makes, in addition to the browser:

    def paid_back(self, order: str) -> list[dict[str, Any]]:
        """Return the amount that the shop's ledger shows as refunded for an order."""
        refunds = call(f"{self.demo['urls']['shop']}/api/ledger")["refunds"]
        return [refund for refund in refunds if refund["order"] == order]

    def changed(self, order: str) -> list[dict[str, Any]]:
        changes = call(f"{self.demo['urls']['shop']}/api/ledger")["changes"]
        return [change for change in changes if change["order"] == order]

    def misbehave(self, **faults: int) -> None:
        call(f"{self.demo['urls']['shop']}/api/faults", faults)

    def approve_as_the_lead(self, order: str) -> None:
        """Approve with the key of the team lead, who did not make the request."""
        requests, key = f"{self.demo['urls']['base']}/api/v1/action-requests", self.demo["api_key"]
        waiting = call(f"{requests}?state=awaiting_approval", key=key)["results"]
        [request] = [one for one in waiting if one["arguments"]["order_id"] == order]
        call(f"{requests}/{request['id']}/approve", {"digest": request["digest"]}, key=key)


def call(address: str, body: dict[str, Any] | None = None, *, key: str = "") -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    data = None if body is None else json.dumps(body).encode()
    with build_opener(ProxyHandler({})).open(Request(address, data, headers), timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)
