"""A customer leaves an e-mail address by writing it, after being asked for one."""

from uuid import uuid4

import pytest
from django.utils.timezone import now

from supportbot.accounts.channels import NewChannel, change_channel
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.handoff.models import Presence, Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.notices import (
    INVALID_ADDRESS,
    SEVERAL_ADDRESSES,
    TEAM_AWAY,
    TEAM_AWAY_WITH_ADDRESS,
)
from supportbot.handoff.tickets.presence import record_presence
from supportbot.language.email_addresses import addresses_in
from supportbot.translation import text_in

pytestmark = pytest.mark.django_db


def writes(conversation: Conversation, text: str) -> str:
    """Write as the customer and return the last text of the log."""
    add_customer_message(conversation.pk, text=text, client_id=uuid4().hex)
    return str(events_after(conversation.pk, 0)[-1].payload["text"])


def test_a_requested_address_is_stored_and_can_be_replaced(ticket: Ticket, conversation: Conversation) -> None:
    assert writes(conversation, "It is mara@example.com, thanks.") == "Thank you. We will reply to mara@example.com."
    assert Ticket.objects.get().contact_email == "mara@example.com"
    assert writes(conversation, "mara@example.com again") == "mara@example.com again"
    assert writes(conversation, "No, mara.lindner@example.com!").endswith("reply to mara.lindner@example.com.")
    assert Ticket.objects.get().contact_email == "mara.lindner@example.com"


def test_customers_of_every_time_zone_are_told_the_hours_and_their_zone(
    alice: Customer, channel: NewChannel, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(timezone="Asia/Tokyo")
    change_channel(channel.channel.pk, hours={"days": [0, 1, 2], "opens": "09:00", "closes": "18:00"})
    conversation = start_conversation(alice.pk, channel_id=channel.channel.pk)
    services.request(conversation.pk, reason="customer_asked", by="customer")
    notice = str(events_after(conversation.pk, 0)[-1].payload["text"])
    assert notice == f"{text_in('en', TEAM_AWAY)} Our hours: Monday–Wednesday, 09:00–18:00 (Japan Time)."


def test_an_invalid_address_is_asked_for_again(ticket: Ticket, conversation: Conversation) -> None:
    assert writes(conversation, "mara@example") == INVALID_ADDRESS
    assert writes(conversation, f"mara@{'ü' * 60}.example") == INVALID_ADDRESS  # too long once encoded
    assert writes(conversation, "My tent is torn") == "My tent is torn"
    assert Ticket.objects.get().contact_email == ""


def test_an_unrequested_address_is_not_stored(conversation: Conversation, bob: User) -> None:
    record_presence(bob)
    services.request(conversation.pk, reason="customer_asked", by="customer")
    assert writes(conversation, "mara@example.com") == "mara@example.com"
    assert Ticket.objects.get().contact_email == ""


def test_a_late_customer_may_give_an_address(conversation: Conversation, bob: User) -> None:
    record_presence(bob)
    services.request(conversation.pk, reason="customer_asked", by="customer")
    Ticket.objects.update(escalated_at=now())
    assert writes(conversation, "mara@example.com").startswith("Thank you.")


def test_an_address_written_to_a_person_or_the_assistant_is_ignored(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="mara@example.com", client_id="1")
    services.return_to_assistant(ticket.pk, agent=bob)
    add_customer_message(conversation.pk, text="mara@example.com", client_id="2")
    assert Ticket.objects.get().contact_email == ""


def test_a_requested_address_is_stored_even_if_the_team_came_online(
    ticket: Ticket, conversation: Conversation, bob: User
) -> None:
    record_presence(bob)
    assert writes(conversation, "mara@example.com").startswith("Thank you.")


@pytest.mark.parametrize(
    "text",
    [
        "The phishing mail came from billing@evil.test",
        "Is support@shop.test your address for complaints?",
        "I paid 5@each for the tent pegs",
        "They are sold as twitch foo@bar in the shop",
    ],
)
def test_a_mentioned_address_gets_no_mail(ticket: Ticket, conversation: Conversation, text: str) -> None:
    writes(conversation, "mara@example.com")
    assert writes(conversation, text) == text
    assert Ticket.objects.get().contact_email == "mara@example.com"


def test_the_customer_chooses_between_several_addresses(ticket: Ticket, conversation: Conversation) -> None:
    assert writes(conversation, "a@b.test or c@d.test") == SEVERAL_ADDRESSES
    assert Ticket.objects.get().contact_email == ""
    writes(conversation, "My new one is c@d.test, not the old a@b.test")
    assert Ticket.objects.get().contact_email == "c@d.test"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a@b.example", ["a@b.example"]),
        ("mail me at a.b+c@d.example!", ["a.b+c@d.example"]),
        ("o'brien@b.example", ["o'brien@b.example"]),
        ("“a@b.example…”", ["a@b.example"]),
        ("<a@b.example>, *c@d.example*/", ["a@b.example", "c@d.example"]),
        ("c@d.example instead of the old a@b.example", ["c@d.example"]),
        ("neu@x.example, nicht mehr alt@x.example", ["neu@x.example"]),
        ("@mara", []),
        ("nothing", []),
    ],
)
def test_addresses_are_extracted_from_text(text: str, addresses: list[str]) -> None:
    assert addresses_in(text) == addresses


@pytest.mark.parametrize("text", ["a@b", "me@localhost", "a" * 300 + "@b.example", "a@b..example"])
def test_an_undeliverable_address_is_invalid(ticket: Ticket, conversation: Conversation, text: str) -> None:
    assert writes(conversation, text) == INVALID_ADDRESS
    assert Ticket.objects.get().contact_email == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("I want to talk to a person, my address is mara@example.com", "mara@example.com"),
        ("Bitte einen Menschen. Schreiben Sie mir an mara@example.com.", "mara@example.com"),
        ("I need a person. You can reach me at mara@example.com", "mara@example.com"),
        ("Ich möchte mit jemandem reden, meine Mailadresse ist mara@example.com", "mara@example.com"),
        ("I want a person, my daughter anna@example.com got the wrong parcel", ""),
        ("Bitte einen Menschen, mein Nachbar nils@example.com hat das Paket", ""),
        ("Let me talk to a person, the seller uses shop@example.org", ""),
        ("I want to talk to a person about the mail from spam@example.org that I got", ""),
        ("A person please. My addresses are one@example.com and two@example.com", ""),
    ],
)
def test_an_address_in_the_request_for_a_person_is_not_asked_for_again(
    conversation: Conversation, text: str, address: str
) -> None:
    add_customer_message(conversation.pk, text=text, client_id=uuid4().hex)
    services.request(conversation.pk, reason="customer_asked", by="assistant")
    notice = str(events_after(conversation.pk, 0)[-1].payload["text"])
    assert Ticket.objects.get().contact_email == address
    away = TEAM_AWAY_WITH_ADDRESS if address else TEAM_AWAY
    assert notice == text_in("de" if "Menschen" in text or "möchte" in text else "en", away, address=address)


@pytest.mark.parametrize("is_online", [False, True])
def test_the_address_of_an_earlier_ticket_is_kept(conversation: Conversation, bob: User, is_online: bool) -> None:
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    writes(conversation, "mara@example.com")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="It is on its way.", author=bob, client_id="2")
    services.return_to_assistant(ticket.pk, agent=bob)
    Presence.objects.all().delete()
    if is_online:
        record_presence(bob)
    again = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert Ticket.objects.get(pk=again.pk).contact_email == "mara@example.com"
    is_told = "mara@example.com" in str(events_after(conversation.pk, 0)[-1].payload.get("text"))
    assert is_told is not is_online


@pytest.mark.parametrize("is_online", [False, True])
def test_an_address_written_in_the_new_request_replaces_the_earlier_one(
    conversation: Conversation, bob: User, is_online: bool
) -> None:
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    writes(conversation, "mara@example.com")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="It is on its way.", author=bob, client_id="2")
    services.return_to_assistant(ticket.pk, agent=bob)
    Presence.objects.all().delete()
    if is_online:
        record_presence(bob)
    add_customer_message(conversation.pk, text="A person please, my address is new@example.com", client_id="3")
    again = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert Ticket.objects.get(pk=again.pk).contact_email == "new@example.com"


def test_an_address_written_in_an_earlier_episode_is_ignored(conversation: Conversation, bob: User) -> None:
    record_presence(bob)
    add_customer_message(conversation.pk, text="my address is mara@example.com", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="It is on its way.", author=bob, client_id="2")
    services.return_to_assistant(ticket.pk, agent=bob)
    Presence.objects.all().delete()
    again = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert Ticket.objects.get(pk=again.pk).contact_email == ""


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("text", "away", "noted"),
    [
        ("Chcę porozmawiać z konsultantem, proszę.", "Nasz zespół jest teraz niedostępny.", "Dziękujemy. Odpowiemy na"),
        (
            "Quero falar com uma pessoa da vossa equipa.",
            "A nossa equipa não está disponível",
            "Obrigado.",
        ),
        ("Lütfen bir temsilciyle görüşmek istiyorum.", "Ekibimize şu anda ulaşılamıyor.", "Teşekkürler."),
        ("أريد التحدث إلى أحد الموظفين من فضلكم", "فريقنا غير متاح", "شكرًا لكم."),
    ],
)
def test_the_notice_is_in_the_customers_language_not_the_pages(
    conversation: Conversation, text: str, away: str, noted: str
) -> None:
    """The page is in English. An address has no language, so the messages before it count."""
    add_customer_message(conversation.pk, text=text, client_id="1")
    services.request(conversation.pk, reason="customer_asked", by="customer")
    notices = [event.payload["text"] for event in events_after(conversation.pk, 0) if event.event == "message"]
    assert notices[-1].startswith(away)
    assert writes(conversation, "mara@example.com").startswith(noted)
