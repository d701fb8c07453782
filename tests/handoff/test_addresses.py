"""A customer leaves an e-mail address by writing it, once they were asked for one."""

from uuid import uuid4

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import User
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message
from supportbot.handoff import services
from supportbot.handoff.addresses import address_in
from supportbot.handoff.models import Ticket
from supportbot.handoff.notices import NO_ADDRESS
from supportbot.handoff.presence import note_presence

pytestmark = pytest.mark.django_db


def writes(conversation: Conversation, text: str) -> str:
    """Say something as the customer, and return the log's last words."""
    add_customer_message(conversation.pk, text=text, client_id=uuid4().hex)
    return str(events_after(conversation.pk, 0)[-1].payload["text"])


def test_an_address_that_was_asked_for_is_noted_and_another_takes_its_place(
    ticket: Ticket, conversation: Conversation
) -> None:
    assert writes(conversation, "It is mara@example.com, thanks.") == "Thank you. We will reply to mara@example.com."
    assert Ticket.objects.get().contact_email == "mara@example.com"
    assert writes(conversation, "mara@example.com again") == "mara@example.com again"
    assert writes(conversation, "No, mara.lindner@example.com!").endswith("reply to mara.lindner@example.com.")
    assert Ticket.objects.get().contact_email == "mara.lindner@example.com"


def test_what_only_looks_like_an_address_is_asked_for_again(ticket: Ticket, conversation: Conversation) -> None:
    assert writes(conversation, "mara@example") == NO_ADDRESS["en"]
    assert writes(conversation, "My tent is torn") == "My tent is torn"
    assert Ticket.objects.get().contact_email == ""


def test_nobody_takes_an_address_that_was_not_asked_for(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    note_presence(bob)
    assert writes(conversation, "My account is mara@example.com") == "My account is mara@example.com"
    assert Ticket.objects.get().contact_email == ""


def test_one_who_waits_too_long_may_leave_an_address_too(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    note_presence(bob)
    Ticket.objects.update(escalated_at=now())
    assert writes(conversation, "mara@example.com").startswith("Thank you.")


def test_with_a_person_or_the_assistant_an_address_is_just_words(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="mara@example.com", client_id="1")
    services.return_to_assistant(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="mara@example.com", client_id="2")
    assert Ticket.objects.get().contact_email == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a@b.example", "a@b.example"),
        ("<a@b.example>, or c@d.example.", "c@d.example"),
        ("mail me at a.b+c@d.example!", "a.b+c@d.example"),
        ("a@b", ""),
        ("o'brien@b.example", "o'brien@b.example"),
        ("“a@b.example…”", "a@b.example"),
        ("*a@b.example* or `c@d.example`/", "c@d.example"),
        ("a@b.example, not old@b.example", "a@b.example"),
        ("@mara", None),
        ("a" * 300 + "@b.example", ""),
        ("nothing", None),
    ],
)
def test_which_address_is_meant(text: str, address: str | None) -> None:
    assert address_in(text) == address
