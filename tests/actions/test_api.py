"""Actions over REST, with real credentials: who can see, confirm and decide on a request."""

from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from actions.approvers import allow_approval
from actions.models import ActionRequest
from actions.policy_store import change_rules, policy_of
from actions.states import State
from actions.testing import FakeShop, run_queued
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from tests.rest import caller, person, service, signed_in

pytestmark = pytest.mark.django_db
REQUESTS = "/api/v1/action-requests"


@pytest.fixture
def channel(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Storefront")


@pytest.fixture
def alice_client(channel: NewChannel, alice: Customer) -> APIClient:
    return signed_in(channel, alice)


@pytest.fixture
def bob_client(workspace: Workspace, approver: User) -> APIClient:
    return person(workspace, approver, role="supervisor")


def act(client: APIClient, request: ActionRequest, step: str, **body: Any) -> Any:
    return client.post(f"{REQUESTS}/{request.pk}/{step}", body, format="json")


def test_a_customer_reads_and_confirms_their_card(alice_client: APIClient, card: ActionRequest, shop: FakeShop) -> None:
    shown = alice_client.get(f"{REQUESTS}/{card.pk}").json()
    assert (shown["title"], shown["digest"]) == ("Refund €49.90", card.digest)
    assert {"label": "To", "value": "Visa ending 4417"} in shown["rows"]
    answer = act(alice_client, card, "confirm", digest=shown["digest"])
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    run_queued()
    done = alice_client.get(f"{REQUESTS}/{card.pk}").json()
    assert (done["state"], done["receipt"]["amount"]) == ("succeeded", "49.90")
    assert [step["state"] for step in done["steps"]] == [
        "proposed", "awaiting_confirmation", "queued", "executing", "succeeded",
    ]  # fmt: skip
    assert alice_client.get(REQUESTS).json()["results"][0]["id"] == str(card.pk)


def test_only_the_customer_sees_and_confirms_it(
    bob_client: APIClient, card: ActionRequest, channel: NewChannel, workspace: Workspace, shop: FakeShop
) -> None:
    stranger = Customer.objects.create(external_id="cus_stranger", name="Stranger")
    refusals = {
        bob_client: 403,
        service(workspace, "actions:read", "actions:approve"): 403,
        signed_in(channel, stranger): 404,
        caller(new_visitor(channel.channel).secret): 404,
        caller("sk_wrong_key"): 401,
        APIClient(): 401,
    }
    for client, status in refusals.items():
        answer = act(client, card, "confirm", digest=card.digest)
        assert (answer.status_code, set(answer.json())) == (status, {"code", "message", "fields"})
    assert signed_in(channel, stranger).get(f"{REQUESTS}/{card.pk}").status_code == 404
    assert signed_in(channel, stranger).get(REQUESTS).json()["results"] == []
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "body", [{}, {"digest": 5}, {"digest": None}, {"digest": ""}, {"digest": "x" * 500}, {"diggest": "x"}]
)
def test_a_confirmation_without_its_digest_names_the_field(
    alice_client: APIClient, card: ActionRequest, body: dict[str, Any]
) -> None:
    answer = alice_client.post(f"{REQUESTS}/{card.pk}/confirm", body, format="json")
    assert answer.status_code in (400, 409)
    assert answer.json()["fields"] or answer.json()["code"] == "digest_mismatch"
    card.refresh_from_db()
    assert card.state == State.AWAITING_CONFIRMATION


def test_a_used_or_changed_confirmation_is_refused(
    alice_client: APIClient, card: ActionRequest, shop: FakeShop
) -> None:
    assert act(alice_client, card, "confirm", digest="0" * 64).json()["code"] == "digest_mismatch"
    assert act(alice_client, card, "confirm", digest=card.digest).status_code == 200
    again = act(alice_client, card, "confirm", digest=card.digest)
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting")


def test_a_person_with_the_right_can_approve(bob_client: APIClient, waiting: ActionRequest, shop: FakeShop) -> None:
    listed = bob_client.get(REQUESTS, {"state": "awaiting_approval"}).json()["results"]
    assert [entry["id"] for entry in listed] == [str(waiting.pk)]
    answer = act(bob_client, waiting, "approve", digest=listed[0]["digest"])
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    assert act(bob_client, waiting, "approve", digest=waiting.digest).json()["code"] == "not_waiting"
    run_queued()
    assert len(shop.refunds) == 1


def test_two_approvals_are_counted(bob_client: APIClient, workspace: Workspace, waiting: ActionRequest) -> None:
    policy, carla = policy_of("refund_order"), User.objects.create_user("carla", "carla@example.com", "x")
    add_member(workspace, carla, Membership.Role.SUPERVISOR)
    assert policy is not None
    allow_approval(policy, carla, actor="test")
    change_rules(policy, actor="test", second_approval_above=Decimal(500))
    first = act(bob_client, waiting, "approve", digest=waiting.digest).json()
    assert (first["state"], first["approvals"]) == ("awaiting_approval", {"needed": 2, "given": 1})
    again = act(bob_client, waiting, "approve", digest=waiting.digest)
    assert (again.status_code, again.json()["code"]) == (403, "second_person")
    second = act(person(workspace, carla, role="supervisor"), waiting, "approve", digest=waiting.digest).json()
    assert (second["state"], second["approvals"]) == ("queued", {"needed": 2, "given": 2})


def test_approval_without_the_right_is_refused(
    waiting: ActionRequest, workspace: Workspace, bob: User, alice_client: APIClient, shop: FakeShop
) -> None:
    add_member(workspace, bob, Membership.Role.SUPERVISOR)
    clients = {
        person(workspace, bob, role="supervisor"): "not_allowed",  # the scope without the right on the policy
        person(workspace, bob, role="agent"): "permission_denied",
        service(workspace, "actions:approve"): "not_allowed",
        alice_client: "permission_denied",
    }
    for client, code in clients.items():
        for step in ("approve", "reject"):
            answer = act(client, waiting, step, **({"digest": waiting.digest} if step == "approve" else {}))
            assert (answer.status_code, answer.json()["code"]) == (403, code)
    waiting.refresh_from_db()
    assert waiting.state == State.AWAITING_APPROVAL


@pytest.mark.long
def test_a_request_is_rejected_and_cancelled_over_rest(
    bob_client: APIClient, alice_client: APIClient, card: ActionRequest, waiting: ActionRequest
) -> None:
    assert act(bob_client, waiting, "reject", words="x" * 501).status_code == 400
    rejected = act(bob_client, waiting, "reject", words="Worn boots are swapped", note="Third time this year").json()
    assert rejected["reason"]["code"] == "rejected_with_words"
    assert "declined it: Worn boots are swapped. Nothing was done." in rejected["reason"]["text"]
    assert "Third time" not in alice_client.get(f"{REQUESTS}/{waiting.pk}").content.decode()
    assert act(bob_client, card, "cancel", why="because").json()["fields"] == {"why": ["Unknown field."]}
    declined = act(alice_client, card, "cancel").json()
    assert (declined["state"], declined["reason"]["code"]) == ("cancelled", "declined")
    assert act(alice_client, card, "cancel").status_code == 409


@pytest.mark.parametrize("outcome", ['"\\ud800"', '"' + "x" * 10_000 + '"', "5", '["happened"]'])
def test_an_unknown_outcome_is_refused_with_the_known_ones(
    bob_client: APIClient, waiting: ActionRequest, outcome: str
) -> None:
    body = f'{{"outcome": {outcome}}}'
    answer = bob_client.post(f"{REQUESTS}/{waiting.pk}/settle", body, content_type="application/json")
    assert (answer.status_code, answer.json()["fields"]) == (400, {"outcome": ["Choose one of happened, did_not."]})


def test_a_made_up_field_is_named_in_short(bob_client: APIClient, waiting: ActionRequest) -> None:
    body = f'{{"\\ud800": 1, "{"k" * 10_000}": 1}}'
    answer = bob_client.post(f"{REQUESTS}/{waiting.pk}/cancel", body, content_type="application/json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["?", "k" * 200])
    many = act(bob_client, waiting, "cancel", **{f"k{number}": 1 for number in range(10_000)})
    assert (many.status_code, len(many.json()["fields"])) == (400, 20)


def test_actions_are_listed_and_filtered(bob_client: APIClient, alice_client: APIClient, shop: FakeShop) -> None:
    listed = {entry["name"]: entry for entry in bob_client.get("/api/v1/actions", {"locale": "de"}).json()}
    assert listed["refund_order"]["title"] == "Bestellung erstatten"
    assert listed["refund_order"]["rules"]["approval_above"] == "150.00"
    assert listed["order_status"]["is_enabled"]
    assert alice_client.get("/api/v1/actions").status_code == 403


def test_invalid_filters_are_named(bob_client: APIClient) -> None:
    for query in ({"state": "done"}, {"customer": "x"}, {"conversation": "\x00"}):
        answer = bob_client.get(REQUESTS, query)
        assert (answer.status_code, set(answer.json()["fields"])) == (400, set(query))


@pytest.mark.long
def test_the_list_takes_a_constant_number_of_queries(
    bob_client: APIClient, proposals: Any, django_assert_max_num_queries: Any
) -> None:
    for step in range(12):
        proposals(order_id="A-1002", amount=f"{step + 1}.00")
    with django_assert_max_num_queries(8):
        assert len(bob_client.get(REQUESTS).json()["results"]) == 12


def test_another_workspaces_team_sees_nothing(card: ActionRequest, other_workspace: Workspace, mallory: User) -> None:
    client = person(other_workspace, mallory, role="admin")
    assert client.get(REQUESTS).json()["results"] == []
    for step in ("approve", "reject", "cancel"):
        assert act(client, card, step, **({"digest": card.digest} if step == "approve" else {})).status_code == 404
