"""Mallory calls every endpoint of accounts, chat and handoff: another workspace's ids look just like missing ones."""

import re
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.urls import URLPattern
from rest_framework.test import APIClient

from supportbot.accounts import api as accounts_api
from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import ApiKey, Channel, Customer, IdentityKey, User, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat import api as chat_api
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.handoff import api as handoff_api
from supportbot.handoff.models import OutgoingMail, Presence, Ticket
from tests.rest import caller, person, signed_in

pytestmark = pytest.mark.django_db
TENANT_MODELS = [
    Channel, Customer, IdentityKey, Conversation, ConversationEvent, Message, Turn, Ticket, Presence, OutgoingMail,
]  # fmt: skip
LISTS = ("channels", "customers", "conversations", "tickets")
BODIES: dict[str, Any] = {
    "messages": {"client_id": "m1", "text": "Hello"},
    "snooze": {"until": "2099-01-01T00:00:00Z"},
    "transfer": {"to": "mallory"},
    "assign": {"to": "mallory"},
    "contact": {"email": "mallory@example.com"},
    "channels": {"name": "Mine now"},
}


def route_of(pattern: URLPattern) -> str:
    return str(pattern.pattern)


def object_routes() -> list[str]:
    """Return every route of the three packages that names an object."""
    apis = (accounts_api, chat_api, handoff_api)
    return [route_of(one) for api in apis for one in api.urls if "<uuid:" in route_of(one)]


def filled(route: str, ids: dict[str, UUID] | None) -> str:
    return "/api/v1/" + re.sub(r"<uuid:(\w+)>", lambda match: str(ids[match[1]] if ids else uuid4()), route)


def stored_rows() -> list[Any]:
    with across_workspaces("test"):
        return [list(model.objects.order_by("pk").values()) for model in TENANT_MODELS]


@pytest.fixture
def ids(alice: Customer, channel: NewChannel, conversation: Conversation, ticket: Ticket) -> dict[str, UUID]:
    return {
        "customer_id": alice.pk,
        "channel_id": channel.channel.pk,
        "conversation_id": conversation.pk,
        "ticket_id": ticket.pk,
    }


@pytest.fixture
def strangers(mallory: User, other_workspace: Workspace, channel: NewChannel) -> dict[str, APIClient]:
    """An admin and a customer of another workspace, and a visitor of this one."""
    with workspace_scope(other_workspace.pk):
        elsewhere = create_channel(other_workspace, "Elsewhere")
        customer = Customer.objects.create(external_id="cus_alice", name="Another Alice")
    return {
        "admin elsewhere": person(other_workspace, mallory, role="admin"),
        "customer elsewhere": signed_in(elsewhere, customer),
        "visitor here": caller(new_visitor(channel.channel).secret),
    }


def test_another_workspaces_object_looks_like_a_missing_one(
    ids: dict[str, UUID], strangers: dict[str, APIClient]
) -> None:
    before = stored_rows()
    for route, (who, client) in product(object_routes(), strangers.items()):
        body = BODIES.get(route.rsplit("/", 1)[-1], BODIES["channels"] if "channel" in route else {})
        for method in ("get", "post", "patch", "put", "delete"):
            sent = {} if method == "get" else {"data": body, "format": "json"}
            foreign = getattr(client, method)(filled(route, ids), **sent)
            missing = getattr(client, method)(filled(route, None), **sent)
            told = (method, route, who)
            assert foreign.status_code in {403, 404, 405}, told
            assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content), told
        assert stored_rows() == before, (route, who)


def test_another_workspaces_admin_key_passes_the_scope_and_finds_nothing(
    ids: dict[str, UUID], strangers: dict[str, APIClient]
) -> None:
    """The test above would also pass if every answer were 403; an admin's key fails at the object, not at the scope."""
    answers = {route: strangers["admin elsewhere"].get(filled(route, ids)).status_code for route in object_routes()}
    assert {answers[f"{name}/<uuid:{name[:-1]}_id>"] for name in LISTS} == {404}


def test_lists_only_show_own_objects(ids: dict[str, UUID], strangers: dict[str, APIClient]) -> None:
    for address, (who, client) in product(LISTS, strangers.items()):
        answer = client.get(f"/api/v1/{address}")
        assert answer.status_code in {200, 403}, (address, who)
        assert not any(str(known) in answer.content.decode() for known in ids.values()), (address, who)


def test_a_request_without_a_credential_is_refused(ids: dict[str, UUID]) -> None:
    for route in ("me", *LISTS, *object_routes()):
        answer = APIClient().get(filled(route, ids))
        assert answer.status_code in {401, 405}, route
        if answer.status_code == 401:
            assert set(answer.json()) == {"code", "message", "fields"}, route


@pytest.mark.parametrize("credential", ["sk_nonsense", "vs_nonsense", "a.b.c", "", "sk_\0", "é"])
def test_a_wrong_credential_is_refused_not_ignored(credential: str, workspace: Workspace) -> None:
    issue_api_key(workspace, "test", scopes=["kb:read"])
    answer = caller(credential).get("/api/v1/me")
    assert answer.status_code == 401
    assert ApiKey.objects.filter(last_used_at__isnull=False).count() == 0
