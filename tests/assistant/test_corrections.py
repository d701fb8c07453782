"""A card that the customer corrects: which cards the correction ends, and simultaneous confirmations."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from actions import services
from actions.audit import verify
from actions.errors import AlreadyConfirmed, NotWaiting
from actions.models import ActionRequest, AuditEntry
from actions.requests import proposing
from actions.requests.transitions import lock_request
from actions.services import confirm, decline, propose
from actions.testing import FakeShop, run_queued
from supportbot.accounts.models import Customer
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Conversation
from supportbot.embedded.child_processes import wait_until
from tests.actions.conftest import signed_in_as
from tests.locks import has_waiting_locks
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
Propose = Callable[..., ActionRequest]


@pytest.fixture
def ask_as_alice(conversation: Conversation, alice: Customer, shop: FakeShop) -> Propose:
    """Return a function that sends a message of Alice's, which proposes a refund of an order."""
    for order in ("A-1006", "A-1007"):
        shop.add_order(order, "cus_alice", total="30.00")
    turns = iter(range(1, 100))

    def ask(order: str, *, corrects: bool = False, turn: int = 0) -> ActionRequest:
        return propose(
            signed_in_as(alice),
            "refund_order",
            {"order_id": order, "reason": "Arrived damaged"},
            proposal_key=f"turn:{turn or next(turns)}:{order}",
            conversation_id=conversation.pk,
            corrects=corrects,
        )

    return ask


def states() -> list[tuple[str, str]]:
    return [(one.subject_id, one.state) for one in ActionRequest.objects.order_by("id")]


def test_a_confirmed_card_cannot_be_corrected_by_another(ask_as_alice: Propose, alice: Customer) -> None:
    card = ask_as_alice("A-1001")
    confirm(card.pk, principal=signed_in_as(alice), digest=card.digest)
    with pytest.raises(AlreadyConfirmed):
        ask_as_alice("A-1006", corrects=True)
    assert len(states()) == 1
    entry = AuditEntry.objects.get(event="wish.refused")
    assert (entry.request_id, entry.payload["code"], entry.payload["action"]) == (
        card.pk, "already_confirmed", "refund_order"
    )  # fmt: skip
    assert verify().is_whole


@pytest.mark.long
def test_correcting_a_confirmed_card_does_not_end_an_older_open_one(ask_as_alice: Propose, alice: Customer) -> None:
    ask_as_alice("A-1001")
    newest = ask_as_alice("A-1006")
    confirm(newest.pk, principal=signed_in_as(alice), digest=newest.digest)
    with pytest.raises(AlreadyConfirmed) as refused:
        ask_as_alice("A-1007", corrects=True)
    assert refused.value.request_id == newest.pk
    newest.refresh_from_db()
    assert states() == [("A-1001", "awaiting_confirmation"), ("A-1006", newest.state)]


def test_a_declined_card_does_not_prevent_a_new_one(ask_as_alice: Propose, alice: Customer) -> None:
    decline(ask_as_alice("A-1001").pk, principal=signed_in_as(alice))
    ask_as_alice("A-1006", corrects=True)
    assert states() == [("A-1001", "cancelled"), ("A-1006", "awaiting_confirmation")]


def test_a_correction_that_equals_an_open_card_ends_the_corrected_one(ask_as_alice: Propose) -> None:
    first, newest = ask_as_alice("A-1006"), ask_as_alice("A-1001")
    assert ask_as_alice("A-1006", corrects=True).pk == first.pk
    newest.refresh_from_db()
    assert (newest.state, newest.reason_code) == ("cancelled", "replaced_card")
    assert states() == [("A-1006", "awaiting_confirmation"), ("A-1001", "cancelled")]


def test_a_correction_ends_only_the_newest_card(ask_as_alice: Propose) -> None:
    for order in ("A-1001", "A-1006"):
        ask_as_alice(order)
    ask_as_alice("A-1007", corrects=True)
    waiting = "awaiting_confirmation"
    assert states() == [("A-1001", waiting), ("A-1006", "cancelled"), ("A-1007", waiting)]


def test_a_refused_correction_ends_nothing(ask_as_alice: Propose) -> None:
    ask_as_alice("A-1001")
    ask_as_alice("A-1005", corrects=True)
    assert states() == [("A-1001", "awaiting_confirmation"), ("A-1005", "refused")]


Second = Callable[[Callable[[], Any]], "Future[Any]"]


@pytest.fixture
def has_card() -> threading.Event:
    """An event that is set once somebody holds the card's lock."""
    return threading.Event()


@pytest.fixture
def second(conversation: Conversation, has_card: threading.Event) -> Iterator[Second]:
    """Return a function that makes a call on another connection once the first one has the card's lock."""

    def later(do: Callable[[], Any]) -> Any:
        try:
            assert has_card.wait(PATIENCE_SECONDS)
            with workspace_scope(conversation.workspace_id):
                return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield lambda do: pool.submit(later, do)


@pytest.fixture
def decides_first(monkeypatch: pytest.MonkeyPatch, has_card: threading.Event) -> None:
    """Let a decision hold the card's lock, and continue only when the correction waits for it."""

    def lock_and_wait(request_id: UUID) -> ActionRequest:
        locked = lock_request(request_id)
        has_card.set()
        _until_another_waits()
        return locked

    monkeypatch.setattr(services, "lock_request", lock_and_wait)


@pytest.mark.usefixtures("decides_first")
def test_a_correction_waits_for_a_decline(ask_as_alice: Propose, alice: Customer, second: Second) -> None:
    card = ask_as_alice("A-1001")
    correction = second(lambda: ask_as_alice("A-1006", corrects=True).state)
    decline(card.pk, principal=signed_in_as(alice))
    assert correction.result(PATIENCE_SECONDS) == "awaiting_confirmation"
    assert states() == [("A-1001", "cancelled"), ("A-1006", "awaiting_confirmation")]


@pytest.mark.usefixtures("decides_first")
def test_a_confirmation_that_comes_first_pays_as_its_card_showed(
    ask_as_alice: Propose, alice: Customer, second: Second, shop: FakeShop
) -> None:
    card = ask_as_alice("A-1001")
    correction = second(lambda: ask_as_alice("A-1006", corrects=True))
    confirm(card.pk, principal=signed_in_as(alice), digest=card.digest)
    with pytest.raises(AlreadyConfirmed):
        correction.result(PATIENCE_SECONDS)
    run_queued()
    assert states() == [("A-1001", "succeeded")]
    assert [one.order for one in shop.refunds] == ["A-1001"]


def test_a_correction_that_comes_first_leaves_nothing_to_confirm(
    ask_as_alice: Propose, alice: Customer, second: Second, shop: FakeShop,
    has_card: threading.Event, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    card, lock_cards = ask_as_alice("A-1001"), proposing._lock_cards

    def lock_and_wait(draft: ActionRequest) -> None:
        lock_cards(draft)
        has_card.set()
        _until_another_waits()

    monkeypatch.setattr(proposing, "_lock_cards", lock_and_wait)
    confirmation = second(lambda: confirm(card.pk, principal=signed_in_as(alice), digest=card.digest))
    ask_as_alice("A-1006", corrects=True)
    with pytest.raises(NotWaiting):
        confirmation.result(PATIENCE_SECONDS)
    run_queued()
    assert states() == [("A-1001", "cancelled"), ("A-1006", "awaiting_confirmation")]
    assert shop.refunds == []


@pytest.fixture
def meanwhile(
    alice: Customer, second: Second, has_card: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], "Future[Any]"]:
    """Return a function that stores an identical request with this key and no chat, just before the chat's request."""

    def stored(key: str) -> "Future[Any]":
        reuse, order = proposing._reuse_identical_request, {"order_id": "A-1006", "reason": "Arrived damaged"}
        other = second(lambda: propose(signed_in_as(alice), "refund_order", order, proposal_key=key).pk)

        def reuse_and_wait(draft: ActionRequest) -> ActionRequest | None:
            found = reuse(draft)
            if draft.conversation_id and not has_card.is_set():
                has_card.set()
                other.result(PATIENCE_SECONDS)
            return found

        monkeypatch.setattr(proposing, "_reuse_identical_request", reuse_and_wait)
        return other

    return stored


def test_a_correction_still_ends_its_card_if_an_identical_request_comes_first(
    ask_as_alice: Propose, meanwhile: Callable[[str], "Future[Any]"]
) -> None:
    card = ask_as_alice("A-1001")
    meanwhile("turn:other:A-1006")
    assert ask_as_alice("A-1006", corrects=True).state == "awaiting_confirmation"
    card.refresh_from_db()
    assert (card.state, card.reason_code) == ("cancelled", "replaced_card")


@pytest.mark.long
def test_a_proposal_still_gets_its_card_if_an_identical_one_of_another_chat_comes_first(
    ask_as_alice: Propose, conversation: Conversation, meanwhile: Callable[[str], "Future[Any]"]
) -> None:
    other = meanwhile("turn:other:A-1006")
    card = ask_as_alice("A-1006")
    assert (card.state, card.conversation_id) == ("awaiting_confirmation", conversation.pk)
    ended = ActionRequest.objects.get(pk=other.result())
    assert (ended.state, ended.reason_code) == ("cancelled", "superseded")


def test_two_simultaneous_identical_proposals_make_one_request(
    ask_as_alice: Propose, meanwhile: Callable[[str], "Future[Any]"]
) -> None:
    other = meanwhile("turn:7:A-1006")
    assert ask_as_alice("A-1006", turn=7).pk == other.result()
    assert states() == [("A-1006", "awaiting_confirmation")]


def _until_another_waits() -> None:
    assert wait_until(has_waiting_locks, seconds=PATIENCE_SECONDS), "nobody waits for the card"
