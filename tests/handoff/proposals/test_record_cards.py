"""An agent sends a record's card or a receipt: the server looks it up, and it is sent once, as in the preview."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionRequest
from actions.services import confirm, propose
from actions.testing import FakeShop, connected, run_queued
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import ConversationEvent
from supportbot.chat.transcript import transcript_of
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.actions.conftest import signed_in_as
from tests.events import check_event
from tests.handoff.browsing import browser
from tests.pages import visible_text
from tests.policies import store_policies

pytestmark = pytest.mark.django_db
PAGE, PICTURE = "https://shop.test/orders#A-1", "https://shop.test/pictures/tent.svg"


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", status="shipped", delivered_days_ago=None)
        fake.change_order("A-1", page=PAGE, picture=PICTURE)
        fake.add_order("B-2", "cus_stranger")
        yield fake


@pytest.fixture
def taken(ticket: Ticket, bob: User) -> Ticket:
    return services.claim(ticket.pk, agent=bob)


@pytest.fixture
def bob_client(bob: User) -> Client:
    return browser(bob)


def forms_of(answer: Any) -> list[dict[str, str]]:
    """Return the fields of each form that sends something."""
    page = LexborHTMLParser(answer.content.decode())
    return [
        {str(one.attributes["name"]): str(one.attributes.get("value") or "") for one in form.css("input[type=hidden]")}
        for form in page.css(".page form[method=post]")
    ]


def sent(ticket: Ticket) -> list[dict[str, Any]]:
    events = ConversationEvent.objects.filter(
        conversation=ticket.conversation, event="message", payload__source="agent"
    )
    return [event.payload for event in events.order_by("seq")]


def test_a_card_is_sent_once_and_as_previewed(shop: FakeShop, taken: Ticket, bob_client: Client) -> None:
    address = f"/desk/tickets/{taken.pk}/records/"
    assert address in bob_client.get(f"/desk/tickets/{taken.pk}/").content.decode()
    page = bob_client.get(address)
    assert "B-2" not in visible_text(LexborHTMLParser(page.content.decode()), " ")
    [form] = {form["seen"]: form for form in forms_of(page) if "seen" in form}.values()
    for _again in range(2):
        assert bob_client.post(address, form).status_code == 302
    [message] = sent(taken)
    check_event("message", message)
    [block] = message["blocks"]
    assert (block["type"], block["record"]["title"]) == ("card", "Order A-1")
    assert (block["record"]["link"], block["record"]["picture"]) == (PAGE, PICTURE)
    assert [row["value"] for row in block["record"]["rows"]][1:] == ["Alder merino base layer, M", "€49.90"]
    assert PAGE in transcript_of(taken.conversation)
    shop.change_order("A-1", status="cancelled")
    changed = bob_client.post(address, {**form, "client_id": "2"})
    assert changed.status_code == 409 and "has changed since you saw it" in changed.content.decode()
    forged = bob_client.post(address, {**form, "client_id": "3", "order_id": "B-2"})
    assert forged.status_code == 409 and len(sent(taken)) == 1


def test_a_receipt_must_be_the_customers_own(
    shop: FakeShop, taken: Ticket, bob_client: Client, noor: User, alice: Customer, workspace: Workspace
) -> None:
    shop.change_order("A-1", status="paid")
    alices = signed_in_as(alice)
    card = propose(alices, "cancel_order", {"order_id": "A-1"}, proposal_key="turn:1:1:1")
    confirm(card.pk, principal=alices, digest=card.digest)
    run_queued()
    theirs = signed_in_as(Customer.objects.get_or_create(external_id="cus_stranger")[0])
    other = propose(theirs, "refund_order", {"order_id": "B-2", "reason": "Torn"}, proposal_key="turn:2:1:1")
    confirm(other.pk, principal=theirs, digest=other.digest)
    run_queued()
    address = f"/desk/tickets/{taken.pk}/records/"
    form = next(form for form in forms_of(bob_client.get(address)) if "receipt" in form)
    assert form["receipt"] == str(card.pk)
    assert bob_client.post(address, {**form, "receipt": str(other.pk)}).status_code == 404
    assert browser(noor).post(address, form).status_code in (403, 409) and sent(taken) == []
    assert bob_client.post(address, form).status_code == 302
    [message] = sent(taken)
    check_event("message", message)
    assert message["text"] == "Receipt: Cancel order A-1 and refund €49.90"
    assert message["blocks"][0]["link"]["url"].startswith("http") and message["blocks"][0]["request"] == str(card.pk)
    assert ActionRequest.objects.get(pk=other.pk).state == "succeeded"
