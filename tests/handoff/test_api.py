"""Tickets over REST, with real credentials."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils.timezone import now
from rest_framework.test import APIClient

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.chat.models import Conversation, ConversationEvent, Turn
from supportbot.chat.services import start_conversation
from supportbot.handoff.models import Presence, Ticket
from supportbot.handoff.tickets import services
from tests.rest import caller, person, service

pytestmark = pytest.mark.django_db
TICKETS = "/api/v1/tickets"


def post(client: APIClient, address: str, body: Any = None) -> Any:
    return client.post(address, body or {}, format="json")


def url(ticket: Ticket, step: str = "") -> str:
    return f"{TICKETS}/{ticket.pk}{step and '/' + step}"


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Ticket, ConversationEvent, Conversation)]


def test_the_queue_shows_who_is_waiting_and_why(bob_client: APIClient, ticket: Ticket) -> None:
    page = bob_client.get(TICKETS, {"state": "waiting"}).json()
    assert page["next"] is None
    (row,) = page["results"]
    assert row["id"] == str(ticket.pk)
    assert (row["reason"], row["summary"], row["customer_name"]) == ("customer_asked", "Wants a new tent pole", "Alice")
    assert bob_client.get(TICKETS, {"state": "claimed"}).json()["results"] == []


def test_the_number_of_queries_does_not_grow_with_the_queue(
    bob_client: APIClient, alice: Customer, bob: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        one = services.request(start_conversation(alice.pk).pk, reason="other", by="rule")
        services.claim(one.pk, agent=bob)
    bob_client.get(TICKETS)
    with django_assert_max_num_queries(10):
        assert len(bob_client.get(TICKETS).json()["results"]) == 5


def test_an_unknown_state_lists_the_known_ones(bob_client: APIClient, workspace: Workspace) -> None:
    for state in ("lost", ""):
        answer = bob_client.get(TICKETS, {"state": state})
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["state"])


def test_a_missing_conversation_is_named(alice_client: APIClient, workspace: Workspace) -> None:
    answer = post(alice_client, TICKETS, {"conversation": "01a21034-bcd1-7ad8-b61b-198f911c3582"})
    assert (answer.status_code, list(answer.json()["fields"])) == (404, ["conversation"])
    assert not Ticket.objects.exists()


def test_reading_the_queue_counts_as_online(bob_client: APIClient, workspace: Workspace, bob: User) -> None:
    bob_client.get(TICKETS)
    assert Presence.objects.get().user == bob
    service(workspace, "tickets:read").get(TICKETS)
    assert Presence.objects.count() == 1


def test_an_agent_claims_answers_and_returns(bob_client: APIClient, ticket: Ticket, conversation: Conversation) -> None:
    claimed = post(bob_client, url(ticket, "claim"))
    assert (claimed.status_code, claimed.json()["state"], claimed.json()["assignee_name"]) == (200, "claimed", "Bob")
    reply = {"client_id": "r1", "text": "A new pole is on its way.", "kind": "reply"}
    assert post(bob_client, f"/api/v1/conversations/{conversation.pk}/messages", reply).status_code == 201
    returned = post(bob_client, url(ticket, "return"), {"note": "Sent a pole."})
    assert (returned.status_code, returned.json()["state"]) == (200, "returned")
    conversation.refresh_from_db()
    assert (conversation.mode, conversation.handoff_note) == ("assistant", "Sent a pole.")


@pytest.mark.parametrize("step", ["resolve", "return"])
def test_the_assistant_is_silent_after_a_person(
    bob_client: APIClient, alice_client: APIClient, ticket: Ticket, conversation: Conversation, step: str
) -> None:
    messages = f"/api/v1/conversations/{conversation.pk}/messages"
    post(bob_client, url(ticket, "claim"))
    post(alice_client, messages, {"client_id": "m1", "text": "Thank you"})
    assert post(bob_client, url(ticket, step)).status_code == 200
    assert not Turn.objects.exists()
    events = alice_client.get(f"/api/v1/conversations/{conversation.pk}/events").json()["results"]
    assert events[-1]["event"] == "handoff.ended"


def test_a_lost_claim_names_the_owner(bob_client: APIClient, workspace: Workspace, noor: User, ticket: Ticket) -> None:
    post(bob_client, url(ticket, "claim"))
    before = everything()
    answer = post(person(workspace, noor), url(ticket, "claim"))
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "already_claimed",
        "message": "Bob has already claimed this ticket.",
        "fields": {},
    }
    assert everything() == before


def test_a_ticket_is_snoozed_transferred_released_and_resolved(
    bob_client: APIClient, workspace: Workspace, noor: User, ticket: Ticket
) -> None:
    post(bob_client, url(ticket, "claim"))
    until = (now() + timedelta(hours=1)).isoformat()
    assert post(bob_client, url(ticket, "snooze"), {"until": until}).json()["state"] == "snoozed"
    assert post(bob_client, url(ticket, "transfer"), {"to": "noor"}).json()["assignee"] == str(noor.pk)
    noors = person(workspace, noor)
    assert post(noors, url(ticket, "release")).json()["state"] == "waiting"
    post(noors, url(ticket, "claim"))
    assert post(noors, url(ticket, "resolve")).json()["state"] == "resolved"
    again = post(noors, url(ticket, "resolve"))
    assert (again.status_code, again.json()["code"]) == (409, "ticket_ended")


@pytest.mark.parametrize(
    ("step", "body", "field"),
    [
        ("claim", {"agent": "noor"}, "agent"),
        ("snooze", {}, "until"),
        ("snooze", {"until": "soon"}, "until"),
        ("snooze", {"until": "2020-01-01T00:00:00Z"}, "until"),
        ("snooze", {"until": "9999-12-31T23:59:59Z"}, "until"),
        ("transfer", {"to": "nobody"}, "to"),
        ("transfer", {"to": str(uuid4())}, "to"),
        ("return", {"note": "x" * 2001}, "note"),
        ("return", {"notes": "x"}, "notes"),
    ],
)
def test_an_invalid_field_is_named_and_nothing_changes(
    bob_client: APIClient, ticket: Ticket, step: str, body: dict[str, str], field: str
) -> None:
    if step != "claim":
        post(bob_client, url(ticket, "claim"))
    before = everything()
    answer = post(bob_client, url(ticket, step), body)
    assert (answer.status_code, list(answer.json()["fields"])) == (404 if field == "to" else 400, [field])
    assert everything() == before


def test_a_services_key_cannot_claim(workspace: Workspace, ticket: Ticket) -> None:
    before = everything()
    answer = post(service(workspace, "tickets:read", "tickets:write"), url(ticket, "claim"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_person")
    assert everything() == before


@pytest.mark.parametrize("step", ["claim", "release", "return", "resolve", "snooze", "transfer"])
def test_read_scopes_cannot_change_tickets(workspace: Workspace, bob: User, ticket: Ticket, step: str) -> None:
    before = everything()
    reader = service(workspace, "tickets:read")
    assert post(reader, url(ticket, step)).status_code == 403
    assert everything() == before


def test_an_editors_key_sees_no_ticket_whatever_its_scopes(workspace: Workspace, ticket: Ticket) -> None:
    hanna = User.objects.create_user("hanna")
    add_member(workspace, hanna, Membership.Role.EDITOR)
    hannas = person(workspace, hanna, role="admin")  # the key has more scopes than its person has rights
    assert hannas.get(TICKETS).status_code == 403
    assert hannas.get(url(ticket)).status_code == 403
    assert post(hannas, url(ticket, "claim")).status_code == 403


def test_a_customer_asks_sees_their_view_and_sets_an_address(
    alice_client: APIClient, conversation: Conversation
) -> None:
    wish = {"conversation": str(conversation.pk), "summary": "Broken pole"}
    first, second = post(alice_client, TICKETS, wish), post(alice_client, TICKETS, wish)
    assert (first.status_code, first.json()) == (200, second.json())
    assert (first.json()["reason"], first.json()["place"]) == ("customer_asked", 1)
    assert not {"summary", "priority", "requested_by"} & set(first.json())
    address = f"{TICKETS}/{first.json()['id']}/contact"
    assert post(alice_client, address, {"email": "alice@example.com"}).json()["contact_email"] == "alice@example.com"
    assert post(alice_client, address, {"email": "alice"}).json()["fields"].keys() == {"email"}
    assert Ticket.objects.get().contact_email == "alice@example.com"


def test_no_ticket_is_opened_after_the_end(alice_client: APIClient, conversation: Conversation) -> None:
    assert alice_client.post(f"/api/v1/conversations/{conversation.pk}/end").status_code == 204
    before = everything()
    refused = post(alice_client, TICKETS, {"conversation": str(conversation.pk)})
    assert (refused.status_code, refused.json()["code"]) == (409, "conversation_ended")
    assert everything() == before


def test_a_customer_cannot_pick_the_reason(alice_client: APIClient, conversation: Conversation) -> None:
    post(alice_client, TICKETS, {"conversation": str(conversation.pk), "reason": "guardrail"})
    stored = Ticket.objects.get()
    assert (stored.reason, stored.requested_by) == ("customer_asked", "customer")


def test_the_team_cannot_set_addresses_and_customers_cannot_list(
    bob_client: APIClient, alice_client: APIClient, ticket: Ticket
) -> None:
    before = everything()
    assert post(bob_client, url(ticket, "contact"), {"email": "bob@example.com"}).status_code == 403
    assert alice_client.get(TICKETS).status_code == 403
    assert post(alice_client, url(ticket, "claim")).status_code == 403
    assert everything() == before


def test_a_visitor_reaches_a_person_too(channel: NewChannel) -> None:
    visitor = new_visitor(channel.channel)
    conversation = start_conversation(visitor.customer.pk)
    assert post(caller(visitor.secret), TICKETS, {"conversation": str(conversation.pk)}).status_code == 200


def test_another_customers_conversation_is_not_found(channel: NewChannel, conversation: Conversation) -> None:
    stranger = caller(new_visitor(channel.channel).secret)
    foreign = post(stranger, TICKETS, {"conversation": str(conversation.pk)})
    missing = post(stranger, TICKETS, {"conversation": str(uuid4())})
    assert (foreign.status_code, foreign.json()) == (404, missing.json())
    assert not Ticket.objects.exists()


def test_a_write_only_key_sees_the_ticket_it_changes(
    workspace: Workspace, other_workspace: Workspace, ticket: Ticket, bob: User, alice: Customer
) -> None:
    writer = caller(issue_api_key(workspace, "writer", scopes=["tickets:write"], user=bob).plain)
    assert post(writer, url(ticket, "claim")).status_code == 200
    assert writer.get(url(ticket)).json()["state"] == "claimed"
    assert writer.get(TICKETS).status_code == 403
    asked = post(writer, TICKETS, {"conversation": str(start_conversation(alice.pk).pk)})
    assert (asked.status_code, Ticket.objects.count()) == (200, 2)
    before = everything()
    stranger = service(other_workspace, "tickets:write")
    assert post(stranger, url(ticket, "release")).status_code == 404
    assert post(stranger, TICKETS, {"conversation": str(ticket.conversation_id)}).status_code == 404
    assert service(workspace, "conversations:write").get(url(ticket)).status_code == 403
    assert everything() == before


@pytest.mark.one_in(3)
@pytest.mark.parametrize("value", [5, 1.5, True, ["x"], {"x": 1}])
def test_a_non_string_is_refused_and_not_converted(
    bob_client: APIClient, ticket: Ticket, conversation: Conversation, bob: User, value: object
) -> None:
    services.claim(ticket.pk, agent=bob)
    before = everything()
    messages = f"/api/v1/conversations/{conversation.pk}/messages"
    good = {"client_id": "1", "text": "Hello", "kind": "reply"}
    for name in ("text", "client_id"):
        answer = post(bob_client, messages, {**good, name: value})
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [name])
    assert post(bob_client, url(ticket, "return"), {"note": value}).status_code == 400
    assert post(bob_client, url(ticket, "transfer"), {"to": value}).status_code == 400
    assert everything() == before
