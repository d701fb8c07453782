"""An agent's reply is mailed, once, to a customer who has left."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils.timezone import now

from supportbot.accounts.models import Customer, User
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_agent_message, add_note
from supportbot.handoff.mail.customer_presence import mark_customers_absent, mark_customers_present
from supportbot.handoff.mail.delivery import LEASE, MAX_ATTEMPTS, on_agent_replied
from supportbot.handoff.models import OutgoingMail, Ticket
from supportbot.handoff.tasks import send_mail
from supportbot.handoff.tickets import services
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement

pytestmark = pytest.mark.django_db


@pytest.fixture
def claimed(ticket: Ticket, bob: User) -> Ticket:
    services.set_contact_email(ticket.pk, email="alice@example.com")
    return services.claim(ticket.pk, agent=bob)


@pytest.fixture(autouse=True)
def customers_absent(conversation: Conversation) -> Any:
    """The cache survives the test."""
    mark_customers_absent([conversation.pk])
    yield
    mark_customers_absent([conversation.pk])


def reply(
    conversation: Conversation, bob: User, text: str = "The pole is on its way.", client_id: str = "1"
) -> Message:
    receipt = add_agent_message(conversation.pk, text=text, author=bob, client_id=client_id)
    return Message.objects.get(pk=receipt.message_id)


def test_a_reply_is_mailed_once(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    message = reply(conversation, bob)
    deliver_due()
    send_mail()
    send_mail()
    assert len(mail.outbox) == 1
    letter = mail.outbox[0]
    assert (letter.to, letter.subject) == (["alice@example.com"], "Reply from Wrenfell Outdoor")
    assert str(letter.body).startswith("The pole is on its way.\n\n-- \nBob, Wrenfell Outdoor")
    assert letter.extra_headers["Message-ID"].startswith(f"<{message.pk}@")


def test_a_repeated_announcement_sends_one_mail(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    reply(conversation, bob)
    announcement = Announcement.objects.get(topic="agent_replied")
    for _ in range(2):
        on_agent_replied(announcement)
    send_mail()
    on_agent_replied(announcement)
    send_mail()
    assert len(mail.outbox) == 1


def test_a_replayed_reply_sends_no_second_mail(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    reply(conversation, bob)
    reply(conversation, bob)
    deliver_due()
    send_mail()
    assert len(mail.outbox) == 1


def test_a_customer_in_the_chat_gets_no_mail(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    mark_customers_present([conversation.pk])
    reply(conversation, bob)
    deliver_due()
    mark_customers_absent([conversation.pk])
    reply(conversation, bob, "Anything else?", "2")
    deliver_due()
    send_mail()
    assert [str(letter.body).splitlines()[0] for letter in mail.outbox] == ["Anything else?"]


def test_a_note_is_never_mailed(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    add_note(conversation.pk, text="Difficult one.", author=bob, client_id="n1")
    deliver_due()
    send_mail()
    assert (mail.outbox, OutgoingMail.objects.count()) == ([], 0)


def test_a_signed_in_customer_who_left_gets_mail_at_the_shops_address(
    ticket: Ticket, conversation: Conversation, alice: Customer, bob: User
) -> None:
    Customer.objects.filter(pk=alice.pk).update(email="alice@shop.example")
    services.claim(ticket.pk, agent=bob)
    reply(conversation, bob)
    deliver_due()
    send_mail()
    assert [letter.to for letter in mail.outbox] == [["alice@shop.example"]]


def test_without_an_address_nothing_is_mailed(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    reply(conversation, bob)
    deliver_due()
    assert not OutgoingMail.objects.exists()


def refuse(self: object) -> None:
    raise ConnectionRefusedError


def test_a_failed_mail_is_retried_later(
    claimed: Ticket, conversation: Conversation, bob: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply(conversation, bob)
    deliver_due()
    with monkeypatch.context() as broken:
        broken.setattr("django.core.mail.EmailMessage.send", refuse)
        send_mail()
    row = OutgoingMail.objects.get()
    assert (row.attempts, row.sent_at) == (1, None)
    send_mail()
    assert mail.outbox == []  # not immediately
    OutgoingMail.objects.update(due_at=now() - timedelta(seconds=1))
    send_mail()
    assert len(mail.outbox) == 1


def test_the_mail_timeout_is_shorter_than_the_lease(settings: Any) -> None:
    assert LEASE.total_seconds() > 10 * settings.EMAIL_TIMEOUT


def test_an_undeliverable_address_does_not_block_other_mails(
    claimed: Ticket, conversation: Conversation, bob: User
) -> None:
    for number in range(2):
        reply(conversation, bob, f"Line {number}", f"{number}")
    deliver_due()
    first = OutgoingMail.objects.order_by("id")[0]
    OutgoingMail.objects.filter(pk=first.pk).update(address=f"mara@{'ü' * 60}.example")
    send_mail()
    assert [letter.to for letter in mail.outbox] == [["alice@example.com"]]


def test_abandoning_a_mail_is_logged_as_an_error(
    claimed: Ticket, conversation: Conversation, bob: User, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    reply(conversation, bob)
    deliver_due()
    for attempts in (0, MAX_ATTEMPTS - 1):
        OutgoingMail.objects.update(attempts=attempts, due_at=now() - timedelta(seconds=1))
        send_mail()
    shown = [(record.levelname, "given up" in record.message) for record in caplog.records if "mail" in record.message]
    assert shown == [("WARNING", False), ("ERROR", True)]


def test_a_mail_is_not_attempted_more_than_eight_times(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    reply(conversation, bob)
    deliver_due()
    OutgoingMail.objects.update(attempts=MAX_ATTEMPTS)
    send_mail()
    assert mail.outbox == []


def test_an_erased_message_is_not_sent(claimed: Ticket, conversation: Conversation, bob: User) -> None:
    message = reply(conversation, bob)
    deliver_due()
    message.delete()
    send_mail()
    assert (mail.outbox, OutgoingMail.objects.count()) == ([], 0)
