"""From the customer's request to the refund, through the services that chat, REST and commands call."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils.timezone import now

from actions import errors
from actions.cards import card_of, state_payload
from actions.facts import Line
from actions.models import ActionRequest, AuditEntry, LedgerEntry
from actions.policy_store import policy_of, switch
from actions.principals import Principal
from actions.requests.sweeps import expire_waiting
from actions.services import approve, cancel, confirm, decline, preview, propose, run_read
from actions.states import State
from actions.testing import FakeShop, Refund, run_queued
from supportbot.accounts.models import Customer, User
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import NotFound
from supportbot.outbox.models import Announcement
from tests.actions.conftest import REFUND, limit, signed_in_as
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db


def codes() -> list[str]:
    """Return the codes of the logged refusals."""
    return [entry.payload.get("code", "") for entry in AuditEntry.objects.filter(event__endswith="refused")]


def test_a_confirmed_refund_is_paid_once_and_says_where_it_went(
    shop: FakeShop, card: ActionRequest, principal: Principal
) -> None:
    assert card.state == State.AWAITING_CONFIRMATION
    assert card.arguments == {
        "order_id": "A-1001", "amount": "49.90", "currency": "EUR", "reason": "Arrived damaged",
    }  # fmt: skip
    assert shop.refunds == []
    confirm(card.pk, principal=principal, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert card.state == State.SUCCEEDED
    assert card.receipt is not None and card.receipt["to"] == "Visa ending 4417"
    assert shop.refunds == [Refund("A-1001", Decimal("49.90"), "EUR")]
    assert shop.refunds[0].key == str(card.pk)


def test_the_records_of_a_request_are_read_in_the_language_of_its_card(
    shop: FakeShop, principal: Principal, approver: User
) -> None:
    limit("refund_order", max_per_customer_year=None)
    asked = {**REFUND, "order_id": "A-1002"}
    card = propose(replace(principal, locale="de"), "refund_order", asked, proposal_key="turn:1:1")
    confirm(card.pk, principal=replace(principal, locale="fr"), digest=card.digest)
    limit("refund_order", window_days=20)  # the order is read again
    approve(card.pk, approver=approver, digest=card.digest)
    run_queued()
    assert (len(shop.refunds), shop.locales) == (1, ["de"] * 4)


def test_every_step_is_audited_and_announced(queued: ActionRequest) -> None:
    run_queued()
    steps = AuditEntry.objects.filter(request_id=queued.pk).values_list("event", flat=True)
    assert list(steps) == [
        "request.proposed", "request.awaiting_confirmation", "request.queued", "request.executing", "request.succeeded",
    ]  # fmt: skip
    assert Announcement.objects.filter(topic="action_changed", object_id=queued.pk).count() == 4


def test_the_items_determine_the_amount(proposals: Callable[..., ActionRequest], shop: FakeShop) -> None:
    request = proposals(items=[{"sku": "ALDER-M"}])
    assert request.arguments["amount"] == "49.90"
    assert request.arguments["items"] == [{"sku": "ALDER-M", "quantity": 1}]


@pytest.mark.parametrize("items", [[{"sku": "ALDER-M", "quantity": 2}], [{"sku": "NONE"}], [{"sku": "ALDER-M"}] * 2])
def test_items_not_in_the_order_are_refused(
    proposals: Callable[..., ActionRequest], items: list[dict[str, object]]
) -> None:
    request = proposals(items=items)
    assert (request.state, request.reason_code) == (State.REFUSED, "item_not_in_order")


def test_the_same_key_gives_the_same_request(card: ActionRequest, principal: Principal) -> None:
    again = propose(principal, "refund_order", dict(reversed(REFUND.items())), proposal_key="turn:1:1")
    assert again.pk == card.pk
    with pytest.raises(errors.KeyReused):
        propose(principal, "refund_order", {**REFUND, "amount": "1.00"}, proposal_key="turn:1:1")
    assert ActionRequest.objects.count() == 1


def test_an_identical_proposal_returns_the_open_request(
    card: ActionRequest, proposals: Callable[..., ActionRequest], principal: Principal
) -> None:
    assert proposals().pk == card.pk
    confirm(card.pk, principal=principal, digest=card.digest)
    assert proposals().pk == card.pk


def test_a_card_in_another_chat_is_superseded(card: ActionRequest, principal: Principal) -> None:
    newer = propose(principal, "refund_order", REFUND, proposal_key="turn:2:1", conversation_id=uuid4())
    card.refresh_from_db()
    assert (card.state, card.reason_code) == (State.CANCELLED, "superseded")
    assert newer.state == State.AWAITING_CONFIRMATION


def test_a_strangers_order_and_a_missing_one_get_the_same_answer(
    proposals: Callable[..., ActionRequest], shop: FakeShop
) -> None:
    asked = [proposals(order_id=order) for order in ("B-2002", "Z-9999")]
    assert {(request.state, request.reason_code) for request in asked} == {(State.REFUSED, "order_not_found")}
    assert shop.calls == ["order", "order"]
    assert "cus_stranger" not in str([request.arguments for request in asked])


def test_an_anonymous_visitor_is_refused(shop: FakeShop, alice: Customer) -> None:
    visitor = signed_in_as(alice, external_id=None, is_verified=False)
    with pytest.raises(errors.NotSignedIn):
        propose(visitor, "refund_order", REFUND, proposal_key="turn:1:1")
    with pytest.raises(errors.NotSignedIn):
        run_read(visitor, "order_status", {})
    assert shop.calls == [] and codes() == ["identity_required"] * 2


@pytest.mark.parametrize(
    ("order", "reason"),
    [("A-1005", "outside_window"), ("A-1003", "not_delivered")],
)
def test_requests_against_the_shops_rules_are_refused(
    proposals: Callable[..., ActionRequest], order: str, reason: str
) -> None:
    request = proposals(order_id=order)
    assert (request.state, request.reason_code) == (State.REFUSED, reason)


@pytest.mark.parametrize(
    ("change", "chosen", "words"),
    [
        ({"status": "returned"}, {},
         "Order A-1001 has been returned, so it cannot be refunded here. A colleague can look into it."),
        ({"refunded": Decimal("49.90")}, {}, "Order A-1001 has already been refunded in full."),
        ({"total": Decimal(0)}, {}, "Order A-1001 cost nothing, so there is nothing to refund."),
        ({"lines": (Line("GIFT", "Sticker", 1, Decimal(0), Decimal(0)),)}, {"items": [{"sku": "GIFT"}]},
         "The chosen part of order A-1001 cost nothing, so there is nothing to refund."),
    ],
)  # fmt: skip
def test_a_refused_refund_says_what_is_true_of_the_order(
    proposals: Callable[..., ActionRequest], shop: FakeShop, change: dict[str, Any], chosen: dict[str, Any], words: str
) -> None:
    shop.change_order("A-1001", **change)
    request = proposals(**chosen)
    assert request.state == State.REFUSED
    assert state_payload(request)["reason"]["text"] == words


def test_a_first_request_above_a_limit_is_not_told_that_the_limit_was_reached(
    proposals: Callable[..., ActionRequest],
) -> None:
    request = proposals(order_id="A-1002")  # 640.00 with a limit of 400.00 a year, of which nothing is used
    assert request.reason_code == "limit_customer_year"
    words = "This would exceed the limit for your account. A colleague can look into it."
    assert state_payload(request)["reason"]["text"] == words


def test_a_new_address_is_sent_to_the_shop(
    proposals: Callable[..., ActionRequest], shop: FakeShop, principal: Principal
) -> None:
    address = {"line1": "Talstraße 8", "postal_code": "79102", "city": "Freiburg"}
    request = proposals("change_shipping_address", order_id="A-1003", address=address)
    assert request.arguments["address"] == {
        "name": "Alice Example", "line1": "Talstraße 8", "line2": "", "postal_code": "79102", "city": "Freiburg",
        "country": "DE",
    }  # fmt: skip
    confirm(request.pk, principal=principal, digest=request.digest)
    run_queued()
    assert shop.orders["A-1003"].address.line1 == "Talstraße 8"


@pytest.mark.parametrize(
    ("order", "address", "reason"),
    [
        ("A-1001", {"line1": "Talstraße 8", "postal_code": "79102", "city": "Freiburg"}, "already_shipped"),
        ("A-1003", {"line1": "Rue 1", "postal_code": "67000", "city": "Strasbourg", "country": "FR"}, "other_country"),
        ("A-1003", {"line1": "Habsburgerstraße 62", "postal_code": "79104", "city": "Freiburg"}, "same_address"),
    ],
)
def test_invalid_addresses_are_refused(
    proposals: Callable[..., ActionRequest], order: str, address: dict[str, str], reason: str
) -> None:
    request = proposals("change_shipping_address", order_id=order, address=address)
    assert (request.state, request.reason_code) == (State.REFUSED, reason)


def test_a_cancellation_refunds(proposals: Callable[..., ActionRequest], shop: FakeShop, principal: Principal) -> None:
    request = proposals("cancel_order", order_id="A-1003")
    confirm(request.pk, principal=principal, digest=request.digest)
    run_queued()
    assert shop.orders["A-1003"].status == "cancelled"
    assert shop.refunds == [Refund("A-1003", Decimal("25.00"), "EUR")]


@pytest.mark.parametrize("refunded", ["25.00", "30.00"])
def test_a_cancellation_with_nothing_left_to_refund_says_nothing_of_a_refund(
    proposals: Callable[..., ActionRequest], shop: FakeShop, principal: Principal, refunded: str
) -> None:
    shop.change_order("A-1003", refunded=Decimal(refunded))
    request = proposals("cancel_order", order_id="A-1003")
    card = card_of(request)
    assert card.summary == "Cancel order A-1003."
    assert [(row.label, row.value) for row in card.rows] == [("Order", "A-1003"), ("Refund", "€0.00")]
    confirm(request.pk, principal=principal, digest=request.digest)
    run_queued()
    request.refresh_from_db()
    assert (request.state, shop.orders["A-1003"].status, shop.refunds) == (State.SUCCEEDED, "cancelled", [])
    assert card_of(request).done == "We cancelled order A-1003."
    assert card_of(request, "de").done == "Wir haben Bestellung A-1003 storniert."


def test_a_changed_digest_changes_nothing(card: ActionRequest, principal: Principal) -> None:
    for wrong in ("", card.digest[:-1], card.digest.upper(), "0" * 64, "٣" * 64):
        with pytest.raises(errors.DigestMismatch):
            confirm(card.pk, principal=principal, digest=wrong)
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION
    assert LedgerEntry.objects.count() == 0
    assert codes() == ["digest_mismatch"] * 5


def test_a_second_confirmation_changes_nothing(queued: ActionRequest, principal: Principal, shop: FakeShop) -> None:
    for _ in range(2):
        with pytest.raises(errors.NotWaiting):
            confirm(queued.pk, principal=principal, digest=queued.digest)
    run_queued()
    with pytest.raises(errors.NotWaiting):
        confirm(queued.pk, principal=principal, digest=queued.digest)
    assert len(shop.refunds) == 1


def test_another_customer_cannot_confirm(card: ActionRequest, shop: FakeShop) -> None:
    stranger = Customer.objects.create(external_id="cus_stranger", name="Stranger")
    for act in (lambda: confirm(card.pk, principal=signed_in_as(stranger), digest=card.digest),
                lambda: decline(card.pk, principal=signed_in_as(stranger))):  # fmt: skip
        with pytest.raises(NotFound):
            act()
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION


@pytest.mark.parametrize(
    "stale", [{"expires_at": None}, {"expires_at": now() - timedelta(days=1)}, {"is_verified": False}]
)
def test_a_confirmation_needs_a_fresh_identity(card: ActionRequest, alice: Customer, stale: dict[str, object]) -> None:
    with pytest.raises(errors.NotSignedIn):
        confirm(card.pk, principal=signed_in_as(alice, **stale), digest=card.digest)
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION


def test_an_expired_card_does_nothing(card: ActionRequest, principal: Principal, shop: FakeShop) -> None:
    ActionRequest.objects.filter(pk=card.pk).update(expires_at=now() - timedelta(seconds=1))
    with pytest.raises(errors.Expired):
        confirm(card.pk, principal=principal, digest=card.digest)
    card.refresh_from_db()
    assert (card.state, card.reason_code) == (State.EXPIRED, "not_confirmed")
    assert shop.refunds == []


def test_the_sweep_expires_unconfirmed_cards(card: ActionRequest) -> None:
    expire_waiting()
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION
    ActionRequest.objects.filter(pk=card.pk).update(expires_at=now() - timedelta(seconds=1))
    expire_waiting()
    card.refresh_from_db()
    assert card.state == State.EXPIRED


def test_new_rules_expire_cards_made_under_the_old_ones(card: ActionRequest, principal: Principal) -> None:
    limit("refund_order", approval_above=Decimal(10))
    with pytest.raises(errors.Expired):
        confirm(card.pk, principal=principal, digest=card.digest)
    card.refresh_from_db()
    assert (card.state, card.reason_code) == (State.EXPIRED, "policy_changed")


def test_a_changed_record_is_reported_on_confirmation(
    card: ActionRequest, principal: Principal, shop: FakeShop
) -> None:
    shop.change_order("A-1001", refunded=Decimal("49.90"))
    request = confirm(card.pk, principal=principal, digest=card.digest)
    assert (request.state, request.reason_code) == (State.CANCELLED, "already_refunded")
    assert LedgerEntry.objects.count() == 0


def test_a_card_stays_if_the_merchant_is_unreachable_on_confirmation(
    card: ActionRequest, principal: Principal, shop: FakeShop
) -> None:
    shop.is_reachable = False
    with pytest.raises(errors.MerchantUnavailable):
        confirm(card.pk, principal=principal, digest=card.digest)
    shop.is_reachable = True
    assert confirm(card.pk, principal=principal, digest=card.digest).state == State.QUEUED


def test_the_kill_switch_stops_every_stage(
    card: ActionRequest, proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    confirmed = proposals(amount="5.00")
    confirm(confirmed.pk, principal=principal, digest=confirmed.digest)
    switch(policy, is_enabled=False, actor="test")
    assert proposals(amount="6.00").reason_code == "action_disabled"
    assert confirm(card.pk, principal=principal, digest=card.digest).reason_code == "action_disabled"
    run_queued()
    confirmed.refresh_from_db()
    assert (confirmed.state, confirmed.reason_code) == (State.FAILED, "action_disabled")
    assert shop.refunds == []


def test_a_card_is_declined_and_a_request_withdrawn(
    card: ActionRequest, proposals: Callable[..., ActionRequest], principal: Principal, shop: FakeShop
) -> None:
    assert decline(card.pk, principal=principal).reason_code == "declined"
    other = proposals(amount="5.00")
    confirm(other.pk, principal=principal, digest=other.digest)
    assert decline(other.pk, principal=principal).reason_code == "withdrawn"
    run_queued()
    assert shop.refunds == []
    assert set(LedgerEntry.objects.values_list("status", flat=True)) == {"released"}


def test_a_colleague_withdraws_an_unsent_request(queued: ActionRequest, approver: User, shop: FakeShop) -> None:
    assert cancel(queued.pk, canceller=approver).state == State.CANCELLED
    run_queued()
    assert shop.refunds == []


def test_a_card_that_a_colleague_withdraws_was_not_declined_by_the_customer(
    card: ActionRequest, approver: User
) -> None:
    withdrawn = cancel(card.pk, canceller=approver)
    assert (withdrawn.state, withdrawn.reason_code) == (State.CANCELLED, "withdrawn")


def test_a_preview_stores_nothing(shop: FakeShop, principal: Principal) -> None:
    before = AuditEntry.objects.count()
    shown = preview(principal, "refund_order", {**REFUND, "order_id": "A-1002", "amount": "200.00"})
    assert shown.decision.needs_approval
    assert shown.request.arguments["amount"] == "200.00"
    assert ActionRequest.objects.count() == 0 and AuditEntry.objects.count() == before


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a\\u0000": 1, "a\\u0000": 2}', '{"\\ud800": 1}', '{"order_id": "A-1001", "reason": "\\udfff"}',
        '{"order_id": "A-1001", "reason": {"\\u0000": 1}}', "[" * 9_000,
    ],
)  # fmt: skip
def test_every_refusal_can_be_logged(shop: FakeShop, principal: Principal, arguments: str) -> None:
    with pytest.raises(errors.InvalidArguments):
        propose(principal, "refund_order", arguments, proposal_key="turn:1:1")
    assert codes() == ["invalid_arguments"]
    with pytest.raises(errors.UnknownAction):
        propose(principal, "refund\x00\ud800", "{}", proposal_key="turn:1:1")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_one_key", [True, False])
def test_twenty_simultaneous_identical_proposals_make_one_request(
    shop: FakeShop, principal: Principal, has_one_key: bool
) -> None:
    start, found = threading.Barrier(20), []

    def ask(number: int) -> None:
        key = "turn:1:1" if has_one_key else f"turn:{number}:1"
        try:
            start.wait(PATIENCE_SECONDS)
            with workspace_scope(principal.workspace_id):
                found.append(propose(principal, "refund_order", REFUND, proposal_key=key).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert len(found) == 20 and len(set(found)) == 1
    assert ActionRequest.objects.get().state == State.AWAITING_CONFIRMATION
