"""Users, a conversation and a waiting ticket."""

import pytest
from rest_framework.test import APIClient

from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.rest import person, signed_in


@pytest.fixture
def channel(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Storefront", allowed_origins=["http://shop.test"])


@pytest.fixture
def alice(alice: Customer) -> Customer:
    """A signed-in customer without an address in her identity, so that she is asked for one."""
    alice.email = ""
    alice.save(update_fields=["email"])
    return alice


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    return start_conversation(alice.pk)


@pytest.fixture
def ticket(conversation: Conversation) -> Ticket:
    return services.request(conversation.pk, reason="customer_asked", by="customer", summary="Wants a new tent pole")


@pytest.fixture
def lead(workspace: Workspace) -> User:
    user = User.objects.create_user("daniel", first_name="Daniel", last_name="Brandt")
    Membership.objects.create(workspace=workspace, user=user, role=Membership.Role.SUPERVISOR)
    return user


@pytest.fixture
def noor(workspace: Workspace) -> User:
    user = User.objects.create_user("noor", first_name="Noor", last_name="Aziz")
    Membership.objects.create(workspace=workspace, user=user, role=Membership.Role.AGENT)
    return user


@pytest.fixture
def bob_client(workspace: Workspace, bob: User) -> APIClient:
    return person(workspace, bob)


@pytest.fixture
def alice_client(channel: NewChannel, alice: Customer) -> APIClient:
    return signed_in(channel, alice)
