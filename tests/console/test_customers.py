"""One customer's export and erasure in the console, and taking over a conversation."""

import json

import pytest
from django.test import Client
from django.utils.timezone import now

from actions.models import ActionRequest, AuditEntry
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.erasure import forget_customer
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets.services import resolve, set_contact_email, take_over
from tests.console.conftest import Enter, Sample, logged_in, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    found = start_conversation(alice.pk)
    add_customer_message(found.pk, text="Where is my parcel?", client_id="c1")
    return found


def page_of(conversation: Conversation) -> str:
    return f"/admin/chat/conversation/{conversation.pk}/"


def test_an_admin_exports_everything_about_a_customer(
    enter: Enter, conversation: Conversation, alice: Customer
) -> None:
    browser = enter("admin")
    assert "Export the customer" in browser.get(f"{page_of(conversation)}change/").content.decode()
    answer = browser.post(f"/admin/customers/{alice.pk}/export/")
    assert answer["Content-Disposition"] == f'attachment; filename="customer-{alice.pk}.json"'
    assert json.loads(answer.content)["held"]["chat.message"][-1]["text"] == "Where is my parcel?"
    assert AuditEntry.objects.get().event == "customer.exported"


def test_an_admin_erases_a_customer_after_a_question(enter: Enter, conversation: Conversation, alice: Customer) -> None:
    browser, page = enter("admin"), f"/admin/customers/{alice.pk}/erase/"
    asked = browser.get(page, {"conversation": conversation.pk}).content.decode()
    assert f'href="{page_of(conversation)}change/">Cancel' in asked
    assert (
        "This erases the customer and their 1 conversation," in asked and Customer.objects.filter(pk=alice.pk).exists()
    )
    told = browser.post(page, follow=True).content.decode()
    assert "The customer was erased with 1 conversation." in told
    assert not Customer.objects.filter(pk=alice.pk).exists() and not Conversation.objects.exists()
    assert browser.post(page).status_code == 404
    [entry] = AuditEntry.objects.all()
    assert (entry.event, entry.payload["conversations"], entry.actor[:5]) == ("customer.forgotten", 1, "user:")


def test_a_customer_whom_a_colleague_erased_first_is_missing(
    enter: Enter, conversation: Conversation, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(customer: Customer, *, actor: str) -> int:
        forget_customer(Customer.objects.get(pk=customer.pk), actor="a colleague")
        return forget_customer(customer, actor=actor)

    monkeypatch.setattr("supportbot.console.conversations.customers.forget_customer", second)
    assert enter("admin").post(f"/admin/customers/{alice.pk}/erase/").status_code == 404


def test_a_customer_with_an_open_request_is_not_erased(enter: Enter, sample: Sample) -> None:
    ActionRequest.objects.update(state="awaiting_approval")
    page = f"/admin/customers/{sample.customer.pk}/erase/"
    answer = enter("admin").post(page)
    assert answer.status_code == 409 and "still has an open action request" in answer.content.decode()
    assert Customer.objects.filter(pk=sample.customer.pk).exists()


@pytest.mark.parametrize("role", ["agent", "supervisor"])
def test_only_admins_export_and_erase(enter: Enter, conversation: Conversation, alice: Customer, role: str) -> None:
    browser = enter(role)
    assert "Erase the customer" not in browser.get(f"{page_of(conversation)}change/").content.decode()
    for step in ("export", "erase"):
        assert browser.post(f"/admin/customers/{alice.pk}/{step}/").status_code in (302, 403)
    assert Customer.objects.filter(pk=alice.pk).exists() and not AuditEntry.objects.exists()


def test_an_agent_takes_over_from_the_assistant(workspace: Workspace, conversation: Conversation) -> None:
    noor = person(workspace, "agent", "noor")
    browser = logged_in(noor)
    assert "Take over" in browser.get(f"{page_of(conversation)}change/").content.decode()
    answer = browser.post(f"{page_of(conversation)}take-over/")
    ticket = Ticket.objects.get()
    assert answer["Location"] == f"/desk/tickets/{ticket.pk}/"
    assert (ticket.state, ticket.assignee, ticket.requested_by) == ("claimed", noor, "agent")
    assert [event.event for event in events_after(conversation.pk, 0)][-1] == "handoff.joined"
    assert ">Take over" not in browser.get(f"{page_of(conversation)}change/").content.decode()


def test_nobody_takes_over_a_conversation_that_has_ended(enter: Enter, conversation: Conversation) -> None:
    Conversation.objects.update(ended_at=now())
    assert ">Take over" not in enter("agent").get(f"{page_of(conversation)}change/").content.decode()


def test_a_conversation_that_is_taken_over_keeps_the_address_for_replies(conversation: Conversation, bob: User) -> None:
    ticket = take_over(conversation.pk, agent=bob)
    set_contact_email(ticket.pk, email="alice@example.com")
    resolve(ticket.pk, agent=bob)
    again = take_over(conversation.pk, agent=bob)
    assert (again.pk != ticket.pk, again.contact_email) == (True, "alice@example.com")


def test_a_colleague_who_was_faster_keeps_the_conversation(
    workspace: Workspace, conversation: Conversation, bob: User
) -> None:
    take_over(conversation.pk, agent=bob)
    browser = logged_in(person(workspace, "agent", "noor"))
    told = browser.post(f"{page_of(conversation)}take-over/", follow=True).content.decode()
    assert "has already claimed this ticket" in told
    assert Ticket.objects.get().assignee == bob


def test_an_editor_takes_over_nothing(client: Client, enter: Enter, conversation: Conversation) -> None:
    assert enter("editor").post(f"{page_of(conversation)}take-over/").status_code in (302, 403)
    assert not Ticket.objects.exists()
