"""The page of a receipt shows the state of a request to anyone with its address."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionRequest
from actions.principals import Principal
from actions.requests.receipt_links import LIFE, receipt_url
from actions.services import confirm, propose
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import signed_in_as

pytestmark = pytest.mark.django_db
REFUND = {"order_id": "A-1001", "reason": "Arrived damaged, call me at 0171 1234567"}


@pytest.fixture
def principal(alice: Customer) -> Principal:
    return signed_in_as(alice)


@pytest.fixture
def card(shop: FakeShop, principal: Principal, conversation: Conversation) -> ActionRequest:
    return propose(principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=conversation.pk)


def page_of(url: str, client: Client) -> Any:
    return client.get(url[url.index("/receipts/") :])


@pytest.mark.long
def test_the_chat_links_to_a_page_that_shows_the_result(
    card: ActionRequest, principal: Principal, client: Client
) -> None:
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    deliver_due()
    final = ConversationEvent.objects.get(event="assistant.final").payload
    [receipt] = final["blocks"]
    assert (receipt["type"], receipt["request"], receipt["title"]) == ("receipt", str(card.pk), "Refund issued")
    page = page_of(receipt["link"]["url"], client)
    card.refresh_from_db()
    text = page.content.decode()
    assert page.status_code == 200
    assert "Done" in text and card.receipt["reference"] in text and "€" in text
    assert all(fact in text for fact in ("A-1001", str(card.changed_at.year), "Visa ending 4417"))
    assert "0171" not in text and "Arrived damaged" not in text and 'http-equiv="refresh"' not in text
    assert (page["Cache-Control"], page["X-Robots-Tag"]) == ("no-store", "noindex")


def test_the_page_follows_the_request(card: ActionRequest, principal: Principal, client: Client) -> None:
    url = receipt_url(card)
    confirm(card.pk, principal=principal, digest=card.digest)
    text = page_of(url, client).content.decode()
    assert (
        "Your request: Refund an order" in text and "Contacting our system" in text and 'http-equiv="refresh"' in text
    )
    ActionRequest.objects.filter(pk=card.pk).update(locale="de")
    run_queued()
    text = page_of(url, client).content.decode()
    assert "Erledigt" in text and "Geld erstattet" in text and 'lang="de"' in text
    assert ActionRequest.objects.get(pk=card.pk).state == State.SUCCEEDED


@pytest.mark.parametrize(
    ("locale", "day", "amount"),
    [("en-US", "March 4, 2026", "€49.90"), ("en-GB", "4 March 2026", "€49.90"), ("de-AT", "4. März 2026", "€ 49,90")],
)
def test_the_page_writes_days_and_amounts_as_in_the_region(
    card: ActionRequest, principal: Principal, client: Client, locale: str, day: str, amount: str
) -> None:
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    changed_at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    ActionRequest.objects.filter(pk=card.pk).update(locale=locale, changed_at=changed_at)
    tree = LexborHTMLParser(page_of(receipt_url(card), client).content)
    values = [value.text(strip=True).replace("\u00a0", " ") for value in tree.css("dd")]
    assert day in values and amount in values


def test_a_forged_or_old_address_opens_nothing(
    card: ActionRequest, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = receipt_url(card)
    for forged in (
        url[:-3] + "xx/",
        f"http://x/receipts/{card.pk}/",
        "http://x/receipts/x:y:z/",
        "http://x/receipts/%00/",
    ):
        assert page_of(forged, client).status_code == 404
    assert client.post(url[url.index("/receipts/") :]).status_code == 405
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + LIFE.total_seconds() + 60)
    assert page_of(url, client).status_code == 404
