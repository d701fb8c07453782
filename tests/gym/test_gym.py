"""Memberships, pauses and classes with definitions alone, which were created in the console and exported."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils.timezone import now

from actions.approvers import allow_approval
from actions.audit import verify
from actions.cards import card_of, reason_of
from actions.connections import services as connections
from actions.definitions import publishing, services
from actions.models import ActionRequest
from actions.policy_store import policy_of
from actions.principals import Principal
from actions.requests.undo import offer_of, propose_undo
from actions.services import approve, confirm, decline, propose, run_read
from actions.states import State
from actions.testing import make_due, run_queued
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.conftest import signed_in_as
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import record_a_case
from tests.gym.service import TOKEN, Gym, running_gym
from tests.handoff.browsing import browser

pytestmark = pytest.mark.django_db
DEFINITIONS = sorted((Path(__file__).parent / "definitions").glob("*.json"))


@pytest.fixture
def gym(workspace: Workspace, admin: User, settings: Any) -> Iterator[Gym]:
    settings.PRIVATE_NETWORKS = LOOPBACK
    with running_gym() as running:
        draft = connections.Draft("gym", running.base_url, auth="bearer", secret=TOKEN)
        connections.create(draft, actor="test")
        versions = [services.save_draft(json.loads(file.read_text()), actor="operator:test") for file in DEFINITIONS]
        for version in versions:  # all drafts first, since two of them refer to each other
            record_a_case(version)
            publishing.publish(version.definition.name, number=1, person=admin)
        yield running


@pytest.fixture
def mara() -> Principal:
    return signed_in_as(Customer.objects.create(external_id="cus_1001", name="Mara"))


@pytest.fixture
def jonas() -> Principal:
    return signed_in_as(Customer.objects.create(external_id="cus_1002", name="Jonas"))


def asked(who: Principal, name: str, **arguments: str) -> ActionRequest:
    count = ActionRequest.objects.count()
    return propose(who, name, arguments, proposal_key=f"turn:{count}:1")


def done(card: ActionRequest, who: Principal) -> ActionRequest:
    assert card.state == State.AWAITING_CONFIRMATION, (card.reason_code, card.reason_facts)
    confirm(card.pk, principal=who, digest=card.digest)
    run_queued()
    card.refresh_from_db()
    assert card.state == State.SUCCEEDED, (card.reason_code, card.reason_facts)
    return card


def words(request: ActionRequest) -> str:
    reason = reason_of(request)
    return reason["text"] if reason else ""


@pytest.mark.long
def test_a_membership_is_paused_and_the_pause_undone(gym: Gym, mara: Principal, jonas: Principal) -> None:
    until = now().date() + timedelta(days=40)
    assert words(asked(jonas, "pause_membership", until=until.isoformat())) == "The plan basic cannot be paused."
    too_far = asked(mara, "pause_membership", until=(until + timedelta(days=400)).isoformat())
    assert words(too_far) == "Choose a day within the next year."
    card = asked(mara, "pause_membership", until=until.isoformat())
    assert f"{until.day} {until:%B %Y}" in card_of(card).summary
    paused = done(card, mara)
    assert gym.people["cus_1001"]["membership"]["paused_until"] == until.isoformat()
    assert "It is paused." in run_read(mara, "my_membership", {})["text"]
    assert words(asked(mara, "book_class", class_id="C-1")).startswith("Your membership is paused")
    offer = offer_of(paused)
    assert offer is not None and offer.action.name == "resume_membership"
    done(propose_undo(mara, paused.pk), mara)
    assert gym.people["cus_1001"]["membership"]["status"] == "active" and len(gym.commands) == 2


@pytest.mark.long
def test_a_class_with_free_places_is_booked_and_cancelled(gym: Gym, mara: Principal, jonas: Principal) -> None:
    assert words(asked(mara, "book_class", class_id="C-2")) == "Yoga is full."
    booked = done(asked(mara, "book_class", class_id="C-1"), mara)
    assert booked.receipt == {"booking": "B-1"} and gym.classes["C-1"]["booked"] == 2
    assert words(asked(mara, "book_class", class_id="C-1")) == "Spinning is full."
    assert words(asked(jonas, "cancel_booking", booking_id="B-1")) == "You have no booking B-1."
    card = propose_undo(mara, booked.pk)
    assert card.arguments == {"booking_id": "B-1"}
    done(card, mara)
    assert gym.classes["C-1"]["booked"] == 1 and gym.bookings == {} and verify().is_whole


def test_money_needs_two_supervisors_and_can_be_withdrawn(
    gym: Gym, mara: Principal, workspace: Workspace, bob: User
) -> None:
    policy = policy_of("credit_month")
    assert policy is not None
    leads = [User.objects.create_user(name, f"{name}@example.com", "x") for name in ("one", "two")]
    for person in leads:
        add_member(workspace, person, "supervisor")
        allow_approval(policy, person, actor="test")
    for withdrawn in (True, False):
        card = asked(mara, "credit_month", reason="closed")
        assert card_of(card).title == "Credit €39.90"
        request = confirm(card.pk, principal=mara, digest=card.digest)
        assert (request.state, request.approvals_needed) == (State.AWAITING_APPROVAL, 2)
        for person in leads:
            request = approve(request.pk, approver=person, digest=request.digest)
        assert request.state == State.QUEUED and request.held_until is not None and gym.credits == []
        if withdrawn:
            assert decline(request.pk, principal=mara).reason_code == "withdrawn"
    make_due()
    run_queued()
    assert gym.credits == [("cus_1001", "39.90")]
    assert asked(mara, "credit_month", reason="closed").state == State.AWAITING_CONFIRMATION


@pytest.mark.long
def test_a_supervisor_sees_who_must_approve_and_cancels_a_held_request(
    gym: Gym, jonas: Principal, workspace: Workspace
) -> None:
    policy = policy_of("credit_month")
    assert policy is not None
    lead = User.objects.create_user("lead", "lead@example.com", "x")
    add_member(workspace, lead, "supervisor")
    allow_approval(policy, lead, actor="test")
    card = asked(jonas, "credit_month", reason="closed")  # 19.90 needs one approval, which the action always requires
    request = confirm(card.pk, principal=jonas, digest=card.digest)
    client, page = browser(lead), f"/desk/approvals/{request.pk}/"
    shown = client.get(page).content.decode()
    assert "The action itself requires approval" in shown and "Supervisor" in shown and "The gym was closed" in shown
    assert "Cancel the request" not in shown
    client.post(f"{page}approve/", {"digest": request.digest})
    assert "Cancel the request" in client.get(page).content.decode()
    client.post(f"{page}cancel/")
    request.refresh_from_db()
    assert (request.state, request.reason_code) == (State.CANCELLED, "withdrawn")
    make_due()
    run_queued()
    assert gym.credits == [] and verify().is_whole
