"""A person who does not program creates an action from an OpenAPI file, and it is offered to a customer."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.deskpage import Customer
from tests.browser.test_console import check
from tests.browser.test_console import enter as enter
from tests.browser.waiting import follow

pytestmark = pytest.mark.browser
ENTITIES = (
    "Pallet", "Carrier", "Invoice", "Return", "Parcel", "Shelf", "Batch", "Route", "Driver", "Label", "Voucher",
    "Price", "Tax", "Stock", "Supplier", "Contract", "Claim", "Note", "Shift", "Gate",
)  # fmt: skip
ORDER = {"orderNumber": "A-1001", "buyer": "cus_1007", "state": "paid", "gift": False}


@dataclass
class Depot:
    """A company's system over HTTP, which records the calls it gets."""

    url: str = ""
    wrapped: list[tuple[str, Any]] = field(default_factory=list)


@pytest.fixture
def depot() -> Iterator[Depot]:
    made = Depot()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v2/orders/A-1001"
            self._send(200 if known else 404, ORDER if known else {"error": "unknown"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            made.wrapped.append((self.path, body))
            self._send(201, {"ticket": "GW-7"})

        def _send(self, status: int, told: Any) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/v2"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def openapi() -> dict[str, Any]:
    """Return a description of about a hundred operations, as a framework generates it."""
    number = {"name": "orderNumber", "in": "path", "required": True, "schema": {"type": "string"},
              "description": "Number printed on the invoice"}  # fmt: skip
    order = {"type": "object", "properties": {name: {"type": "string"} for name in ("orderNumber", "buyer", "state")}}
    paths: dict[str, Any] = {
        "/orders/{orderNumber}": {
            "get": {"operationId": "OrdersController_findOne", "parameters": [number], "responses": {
                "200": {"description": "ok", "content": {"application/json": {"schema": {
                    "$ref": "#/components/schemas/Order"}}}}}},
        },
        "/orders/{orderNumber}/gift-wrap": {
            "post": {
                "operationId": "OrdersController_giftWrap", "summary": "Gift-wrap an order",
                "description": "Wraps an order as a present before it is packed.", "parameters": [number],
                "requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                    "cardText": {"type": "string", "maxLength": 120}}}}}},
                "responses": {"201": {"description": "made", "content": {"application/json": {"schema": {
                    "type": "object", "properties": {"ticket": {"type": "string"}}}}}}},
            },
        },
    }  # fmt: skip
    for entity in ENTITIES:
        one = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
        names = (("get", "findOne"), ("put", "replace"), ("patch", "update"), ("delete", "remove"))
        paths[f"/{entity.lower()}s/{{id}}"] = {
            method: {"operationId": f"{entity}sController_{name}", "parameters": [one], "responses": {"200": {}}}
            for method, name in names
        }
        paths[f"/{entity.lower()}s"] = {"get": {"operationId": f"{entity}sController_list", "responses": {"200": {}}}}
    return {
        "openapi": "3.0.0", "info": {"title": "Depot API", "version": "2.1"}, "paths": paths,
        "servers": [{"url": "https://depot.example/v2"}],
        "components": {"schemas": {"Order": order},
                       "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip


def connect(page: Page, url: str, environment: str) -> None:
    page.goto("/admin/actions/connection/add/?auth=bearer")
    page.get_by_label("Name").fill("depot")
    page.get_by_label("Environment").select_option(environment)
    page.get_by_label("Address").fill(url)
    page.locator("[name=secret]").fill("tok-1")
    follow(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_text("Saved: depot")).to_be_visible()


def save(page: Page) -> None:
    follow(page.get_by_role("button", name="Save", exact=True))
    expect(page.get_by_text("Saved as version")).to_be_visible()


def part(page: Page, name: str) -> None:
    follow(page.get_by_role("navigation", name="Parts").get_by_role("link", name=name))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def tab(page: Page, name: str) -> None:
    follow(page.locator("main nav.seg").first.get_by_role("link", name=name, exact=True))


def ask(page: Page) -> None:
    tab(page, "Test call")
    page.locator("#id_customer").fill("cus_1007")
    page.get_by_label("order_number").fill("A-1001")
    follow(page.get_by_role("button", name="Make the test call"))


def import_operation(page: Page, folder: Path) -> None:
    """Read the file, and import the only operation that a search for a word finds."""
    page.goto("/admin/")
    follow(page.get_by_role("link", name="Actions", exact=True))
    check(page)
    follow(page.get_by_role("link", name="New action").first)
    check(page)
    file = folder / "openapi.json"
    file.write_text(json.dumps(openapi()))
    page.get_by_label("File", exact=True).set_input_files(file)
    page.locator("#id_file-connection").select_option("depot")
    follow(page.get_by_role("button", name="Read the file"))
    expect(page.get_by_text("102 operations")).to_be_visible()
    page.get_by_label("Search operations").fill("gift")
    follow(page.get_by_role("button", name="Search", exact=True))
    page.get_by_role("checkbox").check()
    check(page)
    follow(page.get_by_role("button", name="Import selected").last)
    expect(page.get_by_role("heading", name="What is missing")).to_be_visible()
    check(page)


def describe(page: Page) -> None:
    """Fill in the action's name, arguments and subject, with a mistake in the owner."""
    follow(page.get_by_role("link", name="Basics, Description"))
    for taken in page.get_by_label("Use this text").all():
        taken.check()
    page.get_by_label("Example messages from customers").fill(
        "Please wrap my order as a present\nCan you gift-wrap order A-1001?"
    )
    page.get_by_label("Effect").select_option("change")
    save(page)
    part(page, "Arguments")
    row = page.get_by_role("group", name="order_number")
    row.get_by_label("Use this text").check()
    row.get_by_text("More", exact=True).click()
    row.get_by_label("Pattern for text").fill("[A-Z]-[0-9]{4}")
    row.get_by_label("Example").fill("A-1001")
    row.get_by_label("Maximum length of text").fill("10")
    words = page.get_by_role("group", name="card_text")
    words.get_by_label("Description").fill("What to write on the card.")
    words.get_by_label("It does not identify a record").check()
    save(page)
    part(page, "Look-ups and owner")
    page.get_by_role("textbox", name="What the action is about").fill("order")
    page.get_by_role("textbox", name="Record number").fill("order.orderNumber")
    row = page.get_by_role("group", name="Look-up 1")
    row.get_by_role("textbox", name="Name", exact=True).fill("order")
    row.get_by_label("Method").select_option("GET")
    row.get_by_role("textbox", name="Path").fill("/orders/{arguments.order_number}")
    row.get_by_role("textbox", name="Owner").fill("order.buyr")
    row.get_by_role("textbox", name="Code if the record does not exist").fill("order_not_found")
    row.get_by_role("textbox", name="What the customer reads if the record does not exist").fill(
        "There is no such order in your account."
    )
    save(page)
    check(page)


def guard(page: Page) -> None:
    """Add the card and a guard, whose mistake is reported with a suggestion."""
    part(page, "Guards")
    row = page.get_by_role("group", name="Guard 1")
    row.get_by_label("Name", exact=True).fill("not_packed")
    row.get_by_label("Condition").fill("ordr.state == 'paid'")
    row.get_by_label("Refusal code").fill("already_packed")
    row.get_by_label("What the customer reads if it fails").fill("Order {order.orderNumber} is already {order.state}.")
    follow(page.get_by_role("button", name="Save", exact=True))
    expect(page.locator(".err")).to_contain_text("Did you mean order?")
    check(page)
    row.get_by_label("Condition").fill("order.state == 'paid'")
    save(page)
    part(page, "Card")
    page.get_by_label("Use this text").check()
    page.get_by_label("Summary").fill("Wrap order {order.orderNumber} as a present.")
    page.get_by_label("Button").fill("Wrap it")
    save(page)
    tab(page, "Overview")
    expect(page.get_by_role("heading", name="Nothing is missing")).to_be_visible()


def try_out(page: Page, depot: Depot) -> None:
    """Make the test call, correct the mistakes that it shows, and record it as a case."""
    tab(page, "Test call")
    check(page)
    ask(page)
    expect(page.get_by_text("Where it failed:")).to_contain_text("order.buyr")
    tab(page, "Overview")
    follow(page.get_by_role("link", name="Look-ups and owner"))
    page.get_by_role("group", name="Look-up 1").get_by_label("Owner").fill("order.buyer")
    save(page)
    ask(page)
    expect(page.get_by_role("heading", name="Allowed")).to_be_visible()
    expect(page.get_by_text("GW-7").first).to_be_visible()
    assert [path for path, _ in depot.wrapped] == ["/v2/orders/A-1001/gift-wrap"]
    assert "tok-1" not in page.content()
    check(page)
    follow(page.get_by_role("button", name="Record as a case"))
    page.locator("#id_name").fill("A paid order is wrapped")
    check(page)
    follow(page.get_by_role("button", name="Record", exact=True))
    expect(page.get_by_text("Passes")).to_be_visible()
    check(page)


def publish_as_second(page: Page, enter: Callable[[str], Page]) -> None:
    """Make Daniel an admin, who publishes the action."""
    page.goto("/admin/accounts/membership/")
    follow(page.get_by_role("link", name="Daniel Brandt"))
    page.get_by_label("Role").select_option("admin")
    follow(page.get_by_role("button", name="Save", exact=True))
    second = enter("daniel")
    follow(second.get_by_role("link", name="Actions", exact=True))
    follow(second.get_by_role("link", name="Gift-wrap an order"))
    tab(second, "Publish")
    check(second)
    expect(second.get_by_label("Start as a dry run")).to_be_checked()
    second.get_by_label("Start as a dry run").uncheck()
    follow(second.get_by_role("button", name="Publish version"))
    expect(second.get_by_text("Check its rules next.")).to_be_visible()


def restore_the_first(page: Page) -> None:
    """Save the first version of the published action as a new draft."""
    page.goto("/admin/")
    follow(page.get_by_role("link", name="Actions", exact=True))
    follow(page.get_by_role("link", name="Gift-wrap an order"))
    tab(page, "Versions")
    follow(page.locator(".revs a").last)
    check(page)
    follow(page.get_by_role("button", name="Restore version 1"))
    expect(page.get_by_text("Saved as version")).to_be_visible()
    expect(page.get_by_role("heading", name="What is missing")).to_be_visible()
    expect(page.get_by_text("Published", exact=True).first).to_be_visible()


@pytest.mark.long
def test_an_operation_from_an_external_file_becomes_an_action(
    enter: Callable[[str], Page], depot: Depot, demo: dict[str, Any], tmp_path: Path
) -> None:
    page = enter("admin")
    for environment in ("live", "sandbox"):
        connect(page, depot.url, environment)
    import_operation(page, tmp_path)
    describe(page)
    guard(page)
    try_out(page, depot)
    publish_as_second(page, enter)

    lea = Customer(demo, "cus_1007")
    lea.say("Please wrap my order A-1001 as a present")
    lea.wait_for_event(page, "assistant.final")
    lea.say("Gift-wrap an order")  # the chat has offered to prepare this
    card = lea.card(page)
    assert card["title"] == "Gift-wrap an order" and "A-1001" in json.dumps(card)
    assert len(depot.wrapped) == 1  # that of the test call; nothing happens until the customer confirms
    restore_the_first(page)
