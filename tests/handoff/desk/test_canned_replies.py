"""Canned replies: suggestions and their page."""

from uuid import uuid4

import pytest
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.errors import InvalidInput
from supportbot.handoff.desk.canned_replies import matching_replies, save_reply
from supportbot.handoff.models import CannedReply, Ticket
from tests.handoff.browsing import browser, get_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def replies(workspace: Workspace) -> list[CannedReply]:
    shown = [
        ("Return label sent", "Hi {name}, the label is in your e-mail. {agent}", "en"),
        ("Rücksendeetikett", "Hallo {name}, das Etikett ist unterwegs.", "de"),
        ("Pole", "Dear {name}", ""),
    ]
    return [save_reply(title=title, text=text, locale=locale) for title, text, locale in shown]


def test_a_few_letters_find_a_reply_and_fill_it_in(replies: list[CannedReply], ticket: Ticket, bob: User) -> None:
    found = get_json(browser(bob), ticket, "canned", q="label").json()["replies"]
    assert found[0]["text"] == "Hi Alice, the label is in your e-mail. Bob"
    everything = [reply["title"] for reply in get_json(browser(bob), ticket, "canned").json()["replies"]]
    assert everything == ["Pole", "Return label sent", "Rücksendeetikett"]
    assert get_json(browser(bob), ticket, "canned", q="zzzzzz").json()["replies"] == []


def test_the_customers_language_comes_first(replies: list[CannedReply], bob: User, alice: Customer) -> None:
    german = start_conversation(alice.pk, locale="de")
    assert [one.title for one in matching_replies(german, bob)] == ["Pole", "Rücksendeetikett", "Return label sent"]


def test_the_customers_messages_outweigh_the_pages_language(
    replies: list[CannedReply], bob: User, alice: Customer
) -> None:
    conversation = start_conversation(alice.pk, locale="en-GB")
    add_customer_message(conversation.pk, text="Mein Paket ist nicht da, wo ist es?", client_id="1")
    assert [one.title for one in matching_replies(conversation, bob)][:2] == ["Pole", "Rücksendeetikett"]


def test_a_customer_named_like_a_placeholder_is_not_replaced_again(
    replies: list[CannedReply], bob: User, alice: Customer
) -> None:
    Customer.objects.filter(pk=alice.pk).update(name="{agent}")
    conversation = start_conversation(alice.pk)
    filled = {one.title: one.text for one in matching_replies(conversation, bob)}
    assert filled["Return label sent"] == "Hi {agent}, the label is in your e-mail. Bob"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " ", "text": "x"}, "title"),
        ({"title": "x", "text": ""}, "text"),
        ({"title": "x" * 81, "text": "x"}, "title"),
        ({"title": "x", "text": "a\0b"}, "text"),
        ({"title": "x", "text": "y" * 4_001}, "text"),
        ({"title": "Pole", "text": "x"}, "title"),
    ],
)
def test_an_invalid_reply_names_the_field(replies: list[CannedReply], fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        save_reply(**fields)
    assert list(refused.value.fields) == [field]
    assert CannedReply.objects.count() == 3


def test_replies_are_created_changed_and_deleted_on_their_page(replies: list[CannedReply], bob: User) -> None:
    client, pole = browser(bob), replies[2]
    wrong = client.post("/desk/replies/", {"title": "Pole", "text": "Kept as typed", "locale": ""})
    assert wrong.status_code == 400 and "Kept as typed" in wrong.content.decode()
    assert client.post("/desk/replies/", {"title": "New", "text": "Line\r\ntwo", "locale": "de"}).status_code == 302
    assert CannedReply.objects.get(title="New").text == "Line\ntwo"
    client.post(f"/desk/replies/{pole.pk}/", {"title": "Poles", "text": "Dear", "locale": "en"})
    pole.refresh_from_db()
    assert (pole.title, pole.locale) == ("Poles", "en")
    tree = LexborHTMLParser(client.get(f"/desk/replies/{pole.pk}/").content.decode())
    # Deleting asks for confirmation.
    assert tree.css_first("details form").attributes["action"] == f"/desk/replies/{pole.pk}/delete/"
    client.post(f"/desk/replies/{pole.pk}/delete/")
    assert not CannedReply.objects.filter(pk=pole.pk).exists()


def test_a_stranger_can_neither_read_nor_change_replies(replies: list[CannedReply], mallory: User) -> None:
    client, pole = browser(mallory), replies[2]
    assert "Pole" not in client.get("/desk/replies/").content.decode()
    body = {"title": "Mine", "text": "x", "locale": ""}
    answers = [client.post(f"/desk/replies/{pole.pk}/", body), client.post(f"/desk/replies/{pole.pk}/delete/")]
    assert {answer.status_code for answer in answers} == {404}
    pole.refresh_from_db()
    assert pole.title == "Pole"


def test_deleting_a_missing_reply_is_not_found(bob: User) -> None:
    assert browser(bob).post(f"/desk/replies/{uuid4()}/delete/").status_code == 404
