"""Conversations over REST, which can do the same as the socket, with real credentials."""

from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Channel, Customer, User, Workspace
from supportbot.chat.event_log import append_event, lock_conversation
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.services import add_note, hand_over, start_conversation
from tests.rest import caller, person, service, signed_in

pytestmark = pytest.mark.django_db
CONVERSATIONS = "/api/v1/conversations"


@pytest.fixture
def channel(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Storefront", locale="de")


@pytest.fixture
def alice_client(channel: NewChannel, alice: Customer) -> APIClient:
    return signed_in(channel, alice)


@pytest.fixture
def bob_client(workspace: Workspace, bob: User) -> APIClient:
    return person(workspace, bob)


def say(client: APIClient, conversation: Conversation, **body: Any) -> Any:
    return client.post(f"{CONVERSATIONS}/{conversation.pk}/messages", body, format="json")


def events(client: APIClient, conversation: Conversation, **query: Any) -> Any:
    return client.get(f"{CONVERSATIONS}/{conversation.pk}/events", query)


def books() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Conversation, ConversationEvent, Message, Turn)]


def test_a_customer_starts_a_conversation_in_their_language(
    alice_client: APIClient, alice: Customer, channel: NewChannel
) -> None:
    answer = alice_client.post(CONVERSATIONS, {}, format="json")
    stored = Conversation.objects.get()
    assert (answer.status_code, answer.json()["id"]) == (201, str(stored.pk))
    assert (stored.customer, stored.channel, stored.locale, stored.mode) == (alice, channel.channel, "en", "assistant")
    assert alice_client.post(CONVERSATIONS, {"locale": "de-AT"}, format="json").json()["locale"] == "de-AT"


def test_a_visitor_starts_a_conversation_in_the_workspaces_language(channel: NewChannel) -> None:
    visitor = caller(new_visitor(channel.channel).secret)
    assert visitor.post(CONVERSATIONS, {}, format="json").json()["locale"] == "en"


def test_a_language_without_a_region_gets_that_of_the_customer_the_channel_or_the_workspace(
    alice_client: APIClient, alice: Customer, channel: NewChannel
) -> None:
    def started(**body: str) -> str:
        return str(alice_client.post(CONVERSATIONS, body, format="json").json()["locale"])

    Workspace.objects.update(locale="en-GB")
    Channel.objects.filter(pk=channel.channel.pk).update(locale="de-AT")
    assert [started(), started(locale="en"), started(locale="de")] == ["en-GB", "en-GB", "de-AT"]
    Customer.objects.filter(pk=alice.pk).update(locale="en-US")
    assert [started(), started(locale="en"), started(locale="en-AU")] == ["en-US", "en-US", "en-AU"]
    Customer.objects.filter(pk=alice.pk).update(locale="")
    assert started() == "de-AT"


@pytest.mark.parametrize("body", [{"locale": "Klingon!"}, {"customer": "someone"}, {"locale": "x" * 20}])
def test_an_invalid_start_creates_nothing(alice_client: APIClient, body: dict[str, str]) -> None:
    answer = alice_client.post(CONVERSATIONS, body, format="json")
    assert (answer.status_code, answer.json()["fields"].keys()) == (400, body.keys())
    assert not Conversation.objects.exists()


def test_the_team_cannot_start_a_conversation_for_a_customer(bob_client: APIClient, workspace: Workspace) -> None:
    assert bob_client.post(CONVERSATIONS, {}, format="json").status_code == 403
    assert not Conversation.objects.exists()


def test_a_message_is_stored_once_and_asks_the_assistant(alice_client: APIClient, conversation: Conversation) -> None:
    first = say(alice_client, conversation, client_id="m1", text="Where is my parcel?")
    again = say(alice_client, conversation, client_id="m1", text="Where is my parcel?")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    message = Message.objects.get(source="customer")
    assert first.json() == {"client_id": "m1", "seq": message.seq, "message": str(message.pk)}
    assert Turn.objects.filter(state="pending").count() == 1


def test_a_client_id_used_for_another_text_is_a_conflict(alice_client: APIClient, conversation: Conversation) -> None:
    say(alice_client, conversation, client_id="m1", text="Where is my parcel?")
    before = books()
    answer = say(alice_client, conversation, client_id="m1", text="Refund me")
    assert (answer.status_code, answer.json()["code"]) == (409, "client_id_reused")
    assert list(answer.json()["fields"]) == ["client_id"]
    assert books() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"client_id": "1", "text": ""}, "text"),
        ({"client_id": "1", "text": " \n\t"}, "text"),
        ({"client_id": "1", "text": "x" * 4001}, "text"),
        ({"client_id": "1", "text": "x" * 100_000}, "text"),
        ({"client_id": "1", "text": "a\0b"}, "text"),
        ({"client_id": "1", "text": "a\x07b"}, "text"),
        ({"client_id": "1", "text": ["a"]}, "text"),
        ({"client_id": "1"}, "text"),
        ({"client_id": "", "text": "a"}, "client_id"),
        ({"client_id": "é", "text": "a"}, "client_id"),
        ({"client_id": "x" * 129, "text": "a"}, "client_id"),
        ({"text": "a"}, "client_id"),
        ({"client_id": "1", "text": "a", "kind": "shout"}, "kind"),
        ({"client_id": "1", "text": "a", "kind": "note"}, "kind"),
        ({"client_id": "1", "text": "a", "kind": "reply"}, "kind"),
        ({"client_id": "1", "text": "a", "source": "agent"}, "source"),
    ],
)
def test_an_invalid_message_names_its_field(
    alice_client: APIClient, conversation: Conversation, body: dict[str, Any], field: str
) -> None:
    before = books()
    answer = say(alice_client, conversation, **body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert books() == before


@pytest.mark.parametrize(
    "raw",
    [b'{"client_id": "1", "text": "\\ud800"}', b"{", b"\xff", b"[]", b'"text"', b"null", b"", b"[" * 100_000],
    ids=lambda raw: raw[:30].decode("latin-1"),
)
def test_a_body_that_is_not_a_message_is_refused(
    alice_client: APIClient, conversation: Conversation, raw: bytes
) -> None:
    before = books()
    address = f"{CONVERSATIONS}/{conversation.pk}/messages"
    answer = alice_client.post(address, raw, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "fields"}
    assert books() == before


def test_only_the_assigned_agent_can_reply(
    bob_client: APIClient, workspace: Workspace, conversation: Conversation, bob: User
) -> None:
    early = say(bob_client, conversation, client_id="r1", text="Hello", kind="reply")
    assert (early.status_code, early.json()["code"]) == (409, "not_yours")
    hand_over(lock_conversation(conversation.pk), mode="person", agent=bob)
    assert say(bob_client, conversation, client_id="r1", text="Hello").status_code == 201
    noor = User.objects.create_user("noor")
    noor.memberships.create(workspace=workspace, role="agent")
    before = books()
    assert say(person(workspace, noor), conversation, client_id="r2", text="Me too").status_code == 409
    assert books() == before


def test_only_the_team_sees_a_note(bob_client: APIClient, alice_client: APIClient, conversation: Conversation) -> None:
    assert say(bob_client, conversation, client_id="n1", text="Difficult customer", kind="note").status_code == 201
    assert "Difficult" in events(bob_client, conversation).content.decode()
    assert "Difficult" not in events(alice_client, conversation).content.decode()


def test_a_service_key_cannot_write(workspace: Workspace, conversation: Conversation) -> None:
    before = books()
    client = service(workspace, "conversations:read", "conversations:write")
    for kind in ({}, {"kind": "reply"}, {"kind": "note"}):
        answer = say(client, conversation, client_id="s1", text="Hello", **kind)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert books() == before


def test_a_read_only_key_cannot_write(workspace: Workspace, bob: User, conversation: Conversation) -> None:
    before = books()
    assert say(service(workspace, "conversations:read"), conversation, client_id="1", text="a").status_code == 403
    assert books() == before


def chain(page: Any) -> list[tuple[int, int]]:
    return [(event["prev_seq"], event["seq"]) for event in page["results"]]


def test_each_reader_has_a_chain_without_a_gap(
    bob_client: APIClient, alice_client: APIClient, conversation: Conversation, bob: User
) -> None:
    say(alice_client, conversation, client_id="m1", text="Hello")
    add_note(conversation.pk, text="VIP", author=bob, client_id="n1")
    say(alice_client, conversation, client_id="m2", text="Anyone?")
    own, teams = events(alice_client, conversation).json(), events(bob_client, conversation).json()
    assert chain(own) == [(0, 1), (1, 2), (2, 4)]
    assert chain(teams) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert (own["head"], teams["head"], own["next"], teams["next"]) == (4, 4, None, None)
    assert set(own["results"][0]) == {"seq", "prev_seq", "event", "payload", "created_at"}


def test_a_note_at_the_end_does_not_move_a_customers_head(
    bob_client: APIClient, alice_client: APIClient, conversation: Conversation, bob: User
) -> None:
    add_note(conversation.pk, text="VIP", author=bob, client_id="n1")
    own = events(alice_client, conversation).json()
    assert (own["head"], own["next"]) == (1, None)
    assert alice_client.get(f"{CONVERSATIONS}/{conversation.pk}").json()["head"] == 1
    assert bob_client.get(f"{CONVERSATIONS}/{conversation.pk}").json()["head"] == 2


def test_following_next_reads_everything_once(alice_client: APIClient, conversation: Conversation) -> None:
    locked = lock_conversation(conversation.pk)
    for number in range(9):
        append_event(locked, "read", {"seq": number, "who": "customer"})
    address: str | None = f"{CONVERSATIONS}/{conversation.pk}/events?limit=4"
    seen: list[int] = []
    while address:
        page = alice_client.get(address).json()
        seen += [event["seq"] for event in page["results"]]
        address = page["next"]
    assert seen == list(range(1, 11))
    assert events(alice_client, conversation, after=8).json()["results"][0]["seq"] == 9
    assert events(alice_client, conversation, after=10**6).json()["results"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [({"after": "x"}, "after"), ({"after": -1}, "after"), ({"after": 2**64}, "after"), ({"limit": 0}, "limit")],
)
def test_a_wrong_seq_names_its_field(
    alice_client: APIClient, conversation: Conversation, query: Any, field: str
) -> None:
    answer = events(alice_client, conversation, **query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_lists_are_filtered_and_newest_first(
    bob_client: APIClient, alice_client: APIClient, conversation: Conversation, channel: NewChannel
) -> None:
    visitor = new_visitor(channel.channel)
    theirs = caller(visitor.secret).post(CONVERSATIONS, {}, format="json").json()["id"]
    listed = [row["id"] for row in bob_client.get(CONVERSATIONS).json()["results"]]
    assert listed == [theirs, str(conversation.pk)]
    assert [row["id"] for row in alice_client.get(CONVERSATIONS).json()["results"]] == [str(conversation.pk)]
    by_customer = bob_client.get(CONVERSATIONS, {"customer": str(visitor.customer.pk)}).json()["results"]
    assert [row["id"] for row in by_customer] == [theirs]
    assert bob_client.get(CONVERSATIONS, {"mode": "person"}).json()["results"] == []
    for query in ({"mode": "asleep"}, {"customer": "x"}):
        answer = bob_client.get(CONVERSATIONS, query)
        assert (answer.status_code, answer.json()["fields"].keys()) == (400, query.keys())


def test_the_list_is_paginated(bob_client: APIClient, alice_client: APIClient) -> None:
    made = [alice_client.post(CONVERSATIONS, {}, format="json").json()["id"] for _ in range(5)]
    page = bob_client.get(CONVERSATIONS, {"limit": 3}).json()
    rest = bob_client.get(page["next"]).json()
    assert [row["id"] for row in page["results"] + rest["results"]] == made[::-1]
    assert rest["next"] is None


def test_a_list_takes_as_many_queries_for_many_rows_as_for_one(
    bob_client: APIClient, alice_client: APIClient, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        alice_client.post(CONVERSATIONS, {}, format="json")
    bob_client.get(CONVERSATIONS)
    with django_assert_max_num_queries(6):
        bob_client.get(CONVERSATIONS)


def test_an_expired_token_cannot_read(channel: NewChannel, alice: Customer, conversation: Conversation) -> None:
    late = signed_in(channel, alice, iat=1_700_000_000, exp=1_700_000_600)
    answer = events(late, conversation)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("audience", ["pk_unknown", "pk_\0", "", ["pk_1"], 7, None, "pk_\ud800"])
def test_a_token_for_an_unknown_channel_is_refused(
    channel: NewChannel, alice: Customer, conversation: Conversation, audience: Any
) -> None:
    answer = events(signed_in(channel, alice, aud=audience), conversation)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


def test_a_missing_conversation_is_not_found(alice_client: APIClient) -> None:
    answer = alice_client.get(f"{CONVERSATIONS}/{uuid4()}/events")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_one_conversation_takes_twenty_messages_a_minute(alice_client: APIClient, alice: Customer) -> None:
    cache.clear()
    first, second = start_conversation(alice.pk), start_conversation(alice.pk)
    answers = [say(alice_client, first, client_id=f"m{number}", text="Hello") for number in range(21)]
    assert [answer.status_code for answer in answers] == [201] * 20 + [429]
    assert answers[-1].json()["code"] == "too_fast"
    assert Message.objects.filter(conversation=first, source="customer").count() == 20
    assert say(alice_client, second, client_id="m", text="Hello").status_code == 201


def test_messages_are_accepted_while_the_cache_is_down(
    alice_client: APIClient, alice: Customer, cache_away: None
) -> None:
    conversation = start_conversation(alice.pk)
    assert say(alice_client, conversation, client_id="m1", text="Hello").status_code == 201
    assert alice_client.get(CONVERSATIONS).status_code == 200


PAGE = "https://shop.acme.test"


@pytest.fixture
def embedded(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Shop", allowed_origins=[PAGE])


@pytest.mark.parametrize(("method", "part"), [("GET", "events"), ("POST", "messages")])
def test_a_cors_preflight_is_answered(
    embedded: NewChannel, conversation: Conversation, client: Client, method: str, part: str
) -> None:
    address = f"{CONVERSATIONS}/{conversation.pk}/{part}"
    asking = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    answer = client.options(address, headers={"Origin": PAGE, **asking})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, PAGE)
    assert answer["Access-Control-Allow-Methods"] == f"{method}, OPTIONS"
    assert answer["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    for origin in ("https://attacker.test", "https://shop.acme.test:8443", "null"):
        answer = client.options(address, headers={"Origin": origin, **asking})
        assert "Access-Control-Allow-Origin" not in answer and "Origin" in answer["Vary"]


def test_pages_of_the_channel_can_read_their_customers_conversation(
    embedded: NewChannel, conversation: Conversation, alice: Customer
) -> None:
    alice_client = signed_in(embedded, alice)
    address = f"{CONVERSATIONS}/{conversation.pk}"
    said = alice_client.post(
        f"{address}/messages", {"client_id": "1", "text": "Hi"}, format="json", headers={"Origin": PAGE}
    )
    read = alice_client.get(f"{address}/events", headers={"Origin": PAGE})
    refused = caller("vs_unknown").get(f"{address}/events", headers={"Origin": PAGE})
    assert [said.status_code, read.status_code, refused.status_code] == [201, 200, 401]
    for answer in (said, read, refused):
        assert answer["Access-Control-Allow-Origin"] == PAGE
        assert "Access-Control-Allow-Credentials" not in answer and answer["Cache-Control"] == "no-store"
        assert "Retry-After" in answer["Access-Control-Expose-Headers"]
    elsewhere = alice_client.get(f"{address}/events", headers={"Origin": "https://attacker.test"})
    assert (elsewhere.status_code, "Access-Control-Allow-Origin" in elsewhere) == (200, False)


def test_no_page_can_read_with_a_team_credential_or_another_channel(
    embedded: NewChannel, conversation: Conversation, bob_client: APIClient, alice: Customer, other_workspace: Workspace
) -> None:
    theirs = "https://theirs.test"
    create_channel(other_workspace, "Theirs", allowed_origins=[theirs])
    address = f"{CONVERSATIONS}/{conversation.pk}/events"
    team = bob_client.get(address, headers={"Origin": PAGE})
    foreign = signed_in(embedded, alice).get(address, headers={"Origin": theirs})
    for answer in (team, foreign):
        assert (answer.status_code, "Access-Control-Allow-Origin" in answer) == (200, False)


def test_a_write_only_key_can_see_the_conversation_it_writes_to(
    workspace: Workspace, other_workspace: Workspace, conversation: Conversation, bob: User
) -> None:
    plain = issue_api_key(workspace, "writer", scopes=["conversations:write"], user=bob).plain
    writer = caller(plain)
    assert say(writer, conversation, client_id="n1", text="Called back", kind="note").status_code == 201
    assert writer.get(f"{CONVERSATIONS}/{conversation.pk}").status_code == 200
    assert events(writer, conversation).status_code == 200
    assert writer.get(CONVERSATIONS).status_code == 403
    stranger = service(other_workspace, "conversations:write")
    assert say(stranger, conversation, client_id="n2", text="Mine").status_code == 404
    narrow = service(workspace, "kb:read")
    assert narrow.get(f"{CONVERSATIONS}/{conversation.pk}").status_code == 403
