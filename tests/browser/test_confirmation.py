"""A customer confirms an external agent's proposal on our page, in a real browser."""

import json
import re
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import check_for_everybody
from tests.embedded.instance import Instance
from tests.mcp.agent import ForeignAgent
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.browser


@pytest.fixture
def token(demo: dict[str, Any]) -> str:
    """An identity token, signed by the shop, of a customer whom no other test refunds."""
    asked = Request(
        f"{demo['urls']['shop'].rstrip('/')}/api/token",
        data=json.dumps({"customer": demo["customers"][9]["id"]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with build_opener(ProxyHandler({})).open(asked, timeout=PATIENCE_SECONDS) as answer:
        return str(json.load(answer)["token"])


@pytest.fixture
def proposed(instance: Instance, demo: dict[str, Any], token: str) -> dict[str, Any]:
    """A refund that an agent has proposed."""
    made = instance.command(
        "apikey_create", "Travel agency", "--scope", "mcp:use", "--scope", "mcp:customers", "--json"
    )
    assert made.returncode == 0, made.stderr
    agent = ForeignAgent(demo["urls"]["base"].rstrip("/"), json.loads(made.stdout)["api_key"])
    orders = agent.call("order_status", token=token).structured_content["orders"]
    order = next(one["id"] for one in orders if one["status"] == "delivered")
    answer = agent.call("refund_order", {"order_id": order, "reason": "Arrived damaged"}, token=token)
    found: dict[str, Any] = answer.structured_content
    return {**found, "agent": agent}


def test_a_customer_confirms_and_sees_the_result(page: Page, proposed: dict[str, Any], token: str) -> None:
    page.goto(proposed["confirm_url"])
    # Proposed in German, the customer's language; this browser prefers English.
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refund")
    expect(page.get_by_text("Nothing happens until you confirm.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/confirm/[^#]+/$"))  # the code is gone from the address
    check_for_everybody(page)
    page.get_by_role("button", name=re.compile("^Refund")).click()
    expect(page.get_by_role("status")).to_contain_text("We refunded")
    expect(page.get_by_role("button")).to_have_count(0)
    check_for_everybody(page)
    status = proposed["agent"].call("action_status", {"request": proposed["request"]}, token=token)
    assert status.structured_content["state"] == "succeeded"

    page.goto(proposed["confirm_url"])
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("This link has been used")


@pytest.mark.long
def test_a_page_without_a_code_reports_it_in_the_readers_language(page: Page, demo: dict[str, Any]) -> None:
    page.goto(f"/confirm/{demo['channel']}/?lang=ar")
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_role("status")).to_contain_text("اطلبوا رابطًا جديدًا")
    check_for_everybody(page)
