"""A completed request is undone only once, by another action that is proposed, guarded and confirmed like any other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from actions.cards import proposed_payload, receipt_title
from actions.definitions import publishing, services
from actions.definitions.errors import InvalidDefinition
from actions.errors import CannotUndo
from actions.models import ActionRequest, AuditEntry
from actions.principals import Principal
from actions.requests.receipt_links import receipt_url
from actions.requests.undo import offer_of, preview_undo, propose_undo
from actions.services import confirm, decline, propose
from actions.states import State
from actions.testing import run_queued
from supportbot.accounts.models import Customer, User
from supportbot.chat.models import ConversationEvent
from supportbot.chat.services import start_conversation
from supportbot.errors import NotFound
from supportbot.handoff.tickets import services as handoff
from supportbot.outbox.delivery import deliver_due
from tests.actions.conftest import signed_in_as
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.handoff.browsing import browser
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
MOVE = "modify_pending_order_address"
OFFICE = {
    "order_id": "#W0000001", "address1": "1 Office Road", "address2": "", "city": "Austin", "state": "TX",
    "country": "USA", "zip": "78701",
}  # fmt: skip
HOME = {"address1": "1 High Street", "address2": "", "city": "Boston", "state": "MA", "country": "USA", "zip": "02108"}
PARTS = tuple(name for name in OFFICE if name != "order_id")


def moving(**undo: Any) -> dict[str, Any]:
    """Return a document that changes an address; the same action undoes it by changing it back."""
    made = document(MOVE)
    made["arguments"] |= {
        f"old_{name}": {"type": "string", "from": "server", "value": f"order.address.{name}", "may_be_empty": True}
        for name in PARTS
    }
    back = {"order_id": "arguments.order_id"} | {name: f"arguments.old_{name}" for name in PARTS}
    return {**made, "undo": {"action": MOVE, "arguments": back, "within_hours": 2, **undo}}


@pytest.fixture
def moved(
    put_in_force: Callable[[dict[str, Any]], None], agreed: Callable[..., ActionRequest], retail: LoopbackShop
) -> ActionRequest:
    retail.records.records["orders"]["#W0000001"]["address"] = dict(HOME)
    put_in_force(moving())
    request = agreed(MOVE, OFFICE)
    run_queued()
    request.refresh_from_db()
    return request


def test_an_undo_is_proposed_confirmed_and_carried_out_once(
    moved: ActionRequest, ann: Principal, retail: LoopbackShop
) -> None:
    order = retail.records.records["orders"]["#W0000001"]
    assert order["address"] == {name: OFFICE[name] for name in PARTS}
    card = propose_undo(ann, moved.pk)
    assert proposed_payload(card)["undoes"] == str(moved.pk) and "undoes" not in proposed_payload(moved)
    assert (card.state, card.undoes, card.arguments["city"]) == (
        "awaiting_confirmation",
        moved.pk,
        "Boston",
    )
    assert propose_undo(ann, moved.pk) == card and offer_of(moved) is None and len(retail.performed) == 1
    decline(card.pk, principal=ann)
    again = propose_undo(ann, moved.pk)
    assert again.pk != card.pk and again.state == State.AWAITING_CONFIRMATION
    confirm(again.pk, principal=ann, digest=again.digest)
    run_queued()
    assert order["address"] == HOME
    with pytest.raises(CannotUndo):
        propose_undo(ann, moved.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        ActionRequest.objects.filter(pk=again.pk).update(undoes=None)
    entry = AuditEntry.objects.get(request_id=again.pk, event="request.proposed")
    assert entry.payload["undoes"] == str(moved.pk) and len(retail.performed) == 2


@pytest.mark.long
def test_the_receipts_page_says_that_it_was_undone(moved: ActionRequest, ann: Principal, client: Client) -> None:
    def shown() -> list[str]:
        page = client.get(urlsplit(receipt_url(moved)).path).content.decode()
        words = visible_text(LexborHTMLParser(page).css_first("section"), "|").split("|")
        return [one.strip() for one in words if one.strip()]

    before = shown()
    assert "Done" in before
    card = propose_undo(ann, moved.pk)
    assert shown() == before
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    after = shown()
    assert "Undone" in after and "Done" not in after
    assert receipt_title(card, "en") in after[len(before) :]


@pytest.mark.long
def test_an_identical_card_that_undoes_nothing_is_not_an_undo(
    moved: ActionRequest, ann: Principal, retail: LoopbackShop
) -> None:
    direct = propose(ann, MOVE, {"order_id": "#W0000001", **HOME}, proposal_key="turn:9:1:1")
    card = propose_undo(ann, moved.pk)
    direct.refresh_from_db()
    assert card.undoes == moved.pk and (direct.state, direct.reason_code) == (State.CANCELLED, "superseded")
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    with pytest.raises(CannotUndo):
        propose_undo(ann, moved.pk)
    assert len(retail.performed) == 2


def test_an_undo_follows_its_own_guards_and_window(moved: ActionRequest, ann: Principal, retail: LoopbackShop) -> None:
    stranger = signed_in_as(Customer.objects.create(external_id="bob_ray_2"))
    with pytest.raises(NotFound):
        propose_undo(stranger, moved.pk)
    retail.records.records["orders"]["#W0000001"]["status"] = "processed"
    assert propose_undo(ann, moved.pk).reason_code == "not_pending"
    assert offer_of(moved) is not None
    ActionRequest.objects.filter(pk=moved.pk).update(changed_at=now() - timedelta(hours=3))
    with pytest.raises(CannotUndo):
        propose_undo(ann, moved.pk)
    assert len(retail.performed) == 1


@pytest.mark.long
def test_receipt_and_desk_offer_the_undo(
    put_in_force: Callable[[dict[str, Any]], None], ann: Principal, retail: LoopbackShop, bob: User
) -> None:
    retail.records.records["orders"]["#W0000001"]["address"] = dict(HOME)
    put_in_force(moving())
    conversation = start_conversation(ann.customer_id)
    card = propose(ann, MOVE, OFFICE, proposal_key="turn:1:1:1", conversation_id=conversation.pk)
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    deliver_due()
    final = ConversationEvent.objects.get(conversation=conversation, event="assistant.final")
    assert final.payload["blocks"][0]["undo"]["label"] == "Change the shipping address"
    ticket = handoff.claim(handoff.request(conversation.pk, reason="customer_asked", by="customer").pk, agent=bob)
    client: Client = browser(bob)
    page = client.get(f"/desk/tickets/{ticket.pk}/").content.decode()
    assert f"/desk/tickets/{ticket.pk}/undo/{card.pk}/" in page
    retail.records.records["orders"]["#W0000001"]["status"] = "processed"
    refused = client.post(f"/desk/tickets/{ticket.pk}/undo/{card.pk}/")
    assert refused.status_code == 409 and "is processed" in refused.content.decode()
    assert not ActionRequest.objects.filter(undoes=card.pk).exists()  # the customer gets no notice
    retail.records.records["orders"]["#W0000001"]["status"] = "pending"
    assert client.post(f"/desk/tickets/{ticket.pk}/undo/{card.pk}/").status_code == 302
    proposed = ActionRequest.objects.get(undoes=card.pk)
    assert (proposed.state, proposed.proposed_by) == (State.AWAITING_CONFIRMATION, f"user:{bob.pk}")


@pytest.mark.parametrize(
    ("undo", "words"),
    [
        ({"action": "nothing"}, "There is no action named nothing."),
        ({"arguments": {"order": "arguments.order_id"}}, f"{MOVE} has no argument order."),
        ({"arguments": {"order_id": "arguments.order_id"}}, "needs address1, address2, city"),
    ],
)
def test_an_undo_that_does_not_fit_is_not_published(
    undo: dict[str, Any], words: str, retail: LoopbackShop, admin: User
) -> None:
    services.save_draft(moving(**undo), actor="operator:test")
    with pytest.raises(InvalidDefinition) as refused:
        publishing.publish(MOVE, number=1, person=admin)
    assert words in refused.value.fields["undo"][0]


@pytest.mark.long
def test_a_card_that_undoes_is_not_replaced_by_an_identical_request(
    moved: ActionRequest, ann: Principal, retail: LoopbackShop
) -> None:
    card = propose_undo(ann, moved.pk)
    same = propose(ann, MOVE, {"order_id": "#W0000001", **HOME}, proposal_key="turn:9:1:1")
    assert (same.pk, same.undoes) == (card.pk, moved.pk) and len(retail.performed) == 1


@pytest.mark.long
def test_an_undo_may_return_to_a_choice_that_is_no_longer_offered(
    put_in_force: Callable[[dict[str, Any]], None],
    agreed: Callable[..., ActionRequest],
    ask_for: Callable[..., ActionRequest],
    ann: Principal,
    retail: LoopbackShop,
) -> None:
    retail.records.records["orders"]["#W0000001"]["address"] = dict(HOME)
    made = moving()
    made["lookups"].append(
        {"name": "goods", "public": True, "call": {"method": "GET", "path": "/products/{order.items[0].product_id}"}}
    )
    gift = {"list": "values(goods.variants)", "as": "one", "value": "one.item_id", "words": {"en": "{one.item_id}"}}
    made["arguments"]["gift"] = {"type": "string", "description": "A gift.", "choose_from": gift}
    made["arguments"]["old_gift"] = {"type": "string", "from": "server", "value": "'1000000009'"}
    made["call"]["body"]["gift"] = "{arguments.gift}"
    made["undo"]["arguments"]["gift"] = "arguments.old_gift"
    put_in_force(made)
    done = agreed(MOVE, OFFICE | {"gift": "1000000001"})
    run_queued()
    assert ask_for(MOVE, OFFICE | {"gift": "1000000009"}).reason_code == "choice_not_offered"
    assert not preview_undo(ann, done.pk).decision.is_refusal
    card = propose_undo(ann, done.pk)
    assert (card.state, card.reason_code) == (State.AWAITING_CONFIRMATION, "")
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert (card.state, card.arguments["gift"]) == (State.SUCCEEDED, "1000000009")
