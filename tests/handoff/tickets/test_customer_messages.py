"""A customer who writes after the end of a ticket gets their agent again, or the assistant."""

from collections.abc import Callable

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Membership, User
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.presence import record_presence, set_away
from supportbot.handoff.tickets.queue_rules import REOPEN_WITHIN
from tests.handoff.records import ticket_row

pytestmark = pytest.mark.django_db


def test_a_message_right_after_the_end_reopens_the_ticket(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    claimed = services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="Wait, and the laces?", client_id="1")
    conversation.refresh_from_db()
    again = Ticket.objects.get()
    assert (again.state, again.assignee, again.ended_at) == ("claimed", bob, None)
    assert again.claimed_at == claimed.claimed_at  # otherwise the wait would count from the wrong time
    assert (conversation.mode, conversation.agent, Turn.objects.count()) == ("person", bob, 0)
    assert [event.event for event in events_after(conversation.pk, 0)[-3:]] == [
        "handoff.ended", "message", "handoff.joined",
    ]  # fmt: skip
    add_agent_message(conversation.pk, text="Of course", author=bob, client_id="2")


def later(ticket: Ticket, bob: User) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(ended_at=now() - REOPEN_WITHIN)


def away(ticket: Ticket, bob: User) -> None:
    set_away(bob, is_away=True)


def given_back(ticket: Ticket, bob: User) -> None:
    Ticket.objects.filter(pk=ticket.pk).update(state="returned")


def asked_already(ticket: Ticket, bob: User) -> None:
    away(ticket, bob)
    add_customer_message(ticket.conversation_id, text="Hello", client_id="0")
    set_away(bob, is_away=False)


def locked_out(ticket: Ticket, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)


def of_another_role(ticket: Ticket, bob: User) -> None:
    bob.memberships.update(role=Membership.Role.EDITOR)


@pytest.mark.parametrize("happens", [later, away, given_back, asked_already, locked_out, of_another_role])
def test_the_assistant_answers_other_messages_after_the_end(
    happens: Callable[[Ticket, User], None], ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    happens(ticket, bob)
    before = ticket_row(ticket)
    add_customer_message(conversation.pk, text="And boots?", client_id="1")
    conversation.refresh_from_db()
    assert (ticket_row(ticket), conversation.mode, Turn.objects.filter(state="pending").count()) == (
        before,
        "assistant",
        1,
    )


def test_an_unanswered_thank_you_does_not_prevent_reopening(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    record_presence(bob)
    services.claim(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="Thank you!", client_id="1")
    services.resolve(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="One more thing", client_id="2")
    conversation.refresh_from_db()
    assert (ticket_row(ticket)["state"], conversation.mode, conversation.agent) == ("claimed", "person", bob)
