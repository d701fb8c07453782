"""Many calls at once: real threads, real commits."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.accounts.workspaces import create_workspace
from supportbot.chat.answers import Answer
from supportbot.chat.errors import LeaseLost
from supportbot.chat.models import ConversationEvent
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.handoff.errors import AlreadyClaimed
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
AGENTS = 20
CLAIMS = 200
CONNECTIONS = 40  # limited like a pool, since the database cannot serve two hundred


def at_once(workspace: Workspace, *calls: Any) -> list[Any]:
    """Run the calls in threads that start together; return each result or exception."""
    gate, room = Barrier(len(calls)), Semaphore(CONNECTIONS)

    def run(call: Any) -> Any:
        gate.wait(timeout=PATIENCE_SECONDS)
        with workspace_scope(workspace.pk), room:
            try:
                return call()
            except (AlreadyClaimed, LeaseLost) as refusal:
                return refusal
            finally:
                connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


@pytest.fixture
def workspace_of_agents() -> Workspace:
    return create_workspace("Wrenfell Outdoor")


def agents(workspace: Workspace, count: int = AGENTS) -> list[User]:
    people = [User.objects.create(username=f"agent{number}") for number in range(count)]
    for one in people:
        add_member(workspace, one, Membership.Role.AGENT)
    return people


def waiting_ticket() -> Ticket:
    conversation = start_conversation(Customer.objects.create(external_id="cus_alice").pk)
    return services.request(conversation.pk, reason="customer_asked", by="customer")


def joined(conversation_id: UUID) -> list[str]:
    events = ConversationEvent.objects.filter(conversation_id=conversation_id, event="handoff.joined")
    return [event.payload["agent"] for event in events]


@pytest.mark.long
def test_two_hundred_claims_have_one_winner_named_to_the_others(workspace_of_agents: Workspace) -> None:
    with workspace_scope(workspace_of_agents.pk):
        people, ticket = agents(workspace_of_agents, CLAIMS), waiting_ticket()
    outcomes = at_once(workspace_of_agents, *(lambda who=who: services.claim(ticket.pk, agent=who) for who in people))
    winners = [outcome for outcome in outcomes if isinstance(outcome, Ticket)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, AlreadyClaimed)]
    with workspace_scope(workspace_of_agents.pk):
        owner = Ticket.objects.get(pk=ticket.pk).assignee
        assert owner is not None
        assert (len(winners), len(losers)) == (1, CLAIMS - 1)
        assert {loser.owner for loser in losers} == {owner.display_name}
        assert joined(ticket.conversation_id) == [owner.display_name]


def test_twenty_requests_open_one_ticket(workspace_of_agents: Workspace) -> None:
    with workspace_scope(workspace_of_agents.pk):
        conversation = start_conversation(Customer.objects.create(external_id="cus_alice").pk)
    wish = {"reason": "customer_asked", "by": "customer"}
    tickets = at_once(workspace_of_agents, *(lambda: services.request(conversation.pk, **wish) for _ in range(AGENTS)))
    with workspace_scope(workspace_of_agents.pk):
        assert {ticket.pk for ticket in tickets} == {Ticket.objects.get().pk}
        assert ConversationEvent.objects.filter(event="handoff.requested").count() == 1


@pytest.mark.one_in(5)
@pytest.mark.parametrize("attempt", range(5))
def test_a_takeover_races_a_finishing_answer(workspace_of_agents: Workspace, attempt: int) -> None:
    with workspace_scope(workspace_of_agents.pk):
        bob = agents(workspace_of_agents)[0]
        conversation = start_conversation(Customer.objects.create(external_id="cus_alice").pk)
        add_customer_message(conversation.pk, text="Where is my parcel?", client_id="1")
        turn = claim_turn("runner-1")
        assert turn is not None
        ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    at_once(
        workspace_of_agents,
        lambda: services.claim(ticket.pk, agent=bob),
        lambda: finish_turn(turn, Answer("Your parcel is here.", (), by="builtin")),
    )
    with workspace_scope(workspace_of_agents.pk):
        events = list(ConversationEvent.objects.order_by("seq").values_list("event", flat=True))
        assert events[events.index("handoff.joined") + 1 :] == []
