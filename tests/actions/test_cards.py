"""Cards are built from the request's row."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from rest_framework.serializers import DateTimeField

from actions.cards import card_of, proposed_payload, state_payload
from actions.facts import Line
from actions.models import ActionRequest
from actions.principals import Principal
from actions.registry import action_in_force, all_actions
from actions.services import run_read
from actions.testing import FakeShop

pytestmark = pytest.mark.django_db


def test_a_request_that_is_refused_early_still_has_a_card(proposals: Callable[..., ActionRequest]) -> None:
    request = proposals(order_id="Z-9999")
    assert state_payload(request) == {
        "request": str(request.pk), "action": "refund_order", "title": "Refund an order", "locale": "en",
        "reason": {"code": "order_not_found", "text": "There is no order Z-9999 in your account."},
    }  # fmt: skip


def test_a_card_is_made_from_its_row(card: ActionRequest) -> None:
    payload = proposed_payload(card)
    assert (payload["title"], payload["button"]) == ("Refund €49.90", "Refund €49.90")
    assert "note" not in payload  # the rows contain everything that counts
    assert payload["rows"] == [
        {"label": "For", "value": "Alder merino base layer, M"},
        {"label": "Order", "value": "A-1001"},
        {"label": "Reason", "value": "Arrived damaged"},
        {"label": "To", "value": "Visa ending 4417"},
    ]
    assert payload["expires_at"] == DateTimeField().to_representation(card.expires_at), "the same text as over REST"
    card.locale = "de"
    assert proposed_payload(card)["title"] == "49,90\u00a0€ erstatten"
    assert (proposed_payload(card)["locale"], state_payload(card)["locale"]) == ("de", "de")
    card.locale = ""
    assert "locale" not in proposed_payload(card)


def test_a_card_says_in_a_sentence_what_was_done(card: ActionRequest) -> None:
    money = {"order_id": "A-1001", "amount": "49.90", "currency": "EUR"}
    home = {"name": "Ada", "line1": "3 Mill Lane", "line2": "", "postal_code": "T12", "city": "Cork", "country": "IE"}
    done = {
        name: action_in_force(name).card(arguments, {}, "en").done  # type: ignore[union-attr]  # these are writes
        for name, arguments in {
            "cancel_order": money,
            "change_shipping_address": {"order_id": "A-1001", "address": home},
        }.items()
    }
    assert done == {
        "cancel_order": "We cancelled order A-1001 and refunded €49.90.",
        "change_shipping_address": "We changed the delivery address of order A-1001 to Ada, 3 Mill Lane, T12 Cork, IE.",
    }
    assert card_of(card, "de").done == "Wir haben 49,90\u00a0€ für Bestellung A-1001 erstattet."


def test_the_card_of_a_large_order_stays_short(proposals: Callable[..., ActionRequest], shop: FakeShop) -> None:
    lines = tuple(Line(f"S-{n}", f"Part {n}", 1, Decimal(1), Decimal(0)) for n in range(1, 301))
    shop.add_order("A-9", "cus_alice", total="300.00", lines=lines)
    [named] = [row["value"] for row in proposed_payload(proposals(order_id="A-9"))["rows"] if row["label"] == "For"]
    assert named.startswith("Part 1, Part 2, ") and named.endswith("Part 12, … (+288)")


def test_a_request_of_a_removed_action_keeps_its_name_and_look_ups_still_work(
    card: ActionRequest, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = {name: action for name, action in all_actions().items() if name != "refund_order"}
    monkeypatch.setattr("actions.registry.code_actions", lambda: left)
    [order] = run_read(principal, "order_status", {"order_id": "A-1001"})["orders"]
    assert [request["what"] for request in order["asked_for"]] == ["Refund order"]
    assert card_of(card).title == "Refund order"
