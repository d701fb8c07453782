"""All texts of the desk come from the catalogues; everything else is data."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils.timezone import now

from actions.approvers import allow_approval
from actions.models import ActionRequest
from actions.policy_store import policy_of
from actions.principals import Principal
from actions.services import confirm, propose
from actions.testing import FakeShop, connected
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_agent_message, add_customer_message, add_note
from supportbot.handoff.desk.canned_replies import save_reply
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.handoff.browsing import browser
from tests.policies import store_policies
from tests.pseudo import untranslated

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pseudo_language")]

IN_THE_SHOP = "Alder merino base layer, M. Visa ending 4417. Torn. Germany. much"


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", total="189.00")
        yield fake


@pytest.fixture
def waiting(shop: FakeShop, alice: Customer, conversation: Conversation) -> ActionRequest:
    """Alice's confirmed refund, which needs approval."""
    principal = Principal(
        alice.workspace_pk, alice.pk, "cus_alice", is_verified=True, expires_at=now() + timedelta(minutes=10)
    )
    arguments = {"order_id": "A-1", "reason": "Too tight"}
    request = propose(principal, "refund_order", arguments, proposal_key="turn:1:1", conversation_id=conversation.pk)
    return confirm(request.pk, principal=principal, digest=request.digest)


@pytest.mark.long
def test_a_ticket_contains_no_untranslated_words(waiting: ActionRequest, ticket: Ticket, bob: User, noor: User) -> None:
    add_customer_message(ticket.conversation_id, text="My tent pole broke", client_id="1")
    page = f"/desk/tickets/{ticket.pk}/"
    bob_client, noors = browser(bob), browser(noor)
    shown = [bob_client.get(page), bob_client.get("/desk/")]
    services.claim(ticket.pk, agent=bob)
    add_agent_message(ticket.conversation_id, text="On its way", author=bob, client_id="2")
    add_note(ticket.conversation_id, text="Spare part", author=bob, client_id="3")
    shown += [bob_client.get(page), noors.get(page), noors.get("/desk/"), bob_client.get(f"{page}activity/")]
    shown += [bob_client.post(f"{page}snooze/", {"text": "hour"}, follow=True), bob_client.get("/desk/?show=mine")]
    shown += [bob_client.post(f"{page}resolve/", follow=True), bob_client.post(f"{page}resolve/")]
    shown += [bob_client.get("/desk/?show=all"), bob_client.get("/desk/?q=Alice")]
    shown += [bob_client.post("/desk/presence/", {"text": "away"}, follow=True), bob_client.get("/desk/log-in/")]
    for answer in shown:
        assert answer.status_code < 500
        assert not untranslated(answer.content.decode()), answer.request["PATH_INFO"]


@pytest.mark.long
def test_a_proposal_contains_no_untranslated_words(shop: FakeShop, ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    bob_client = browser(bob)
    for action in ("refund_order", "change_shipping_address", "cancel_order"):
        page = f"/desk/tickets/{ticket.pk}/ask/{action}/"
        fields = {"order_id": "A-1", "reason": "", "amount": "much", "address.country": "Germany", "step": "check"}
        shown = [
            bob_client.get(page),
            bob_client.post(page, fields),
            bob_client.post(page, {**fields, "amount": "", "reason": "Torn"}),
        ]
        for answer in shown:
            assert not untranslated(answer.content.decode(), IN_THE_SHOP), page


@pytest.mark.long
def test_an_approval_contains_no_untranslated_words(waiting: ActionRequest, lead: User, bob: User) -> None:
    policy = policy_of("refund_order")
    assert policy is not None
    allow_approval(policy, lead, actor="test")
    page, leads = f"/desk/approvals/{waiting.pk}/", browser(lead)
    shown = [browser(bob).get(page), leads.get(page), leads.post(f"{page}approve/", {"digest": "0"})]
    shown += [leads.post(f"{page}reject/", {"reason": "x" * 999}), leads.post(f"{page}reject/", follow=True)]
    shown += [leads.get(f"/desk/approvals/?show={tab}") for tab in ("decide", "running", "decided")]
    for answer in shown:
        assert answer.status_code < 500
        assert not untranslated(answer.content.decode()), answer.request["PATH_INFO"]


def test_canned_replies_contain_no_untranslated_words(workspace: Workspace, bob: User) -> None:
    reply = save_reply(title="Thanks", text="Thank you, {name}")
    bob_client = browser(bob)
    shown = [bob_client.get("/desk/replies/"), bob_client.get(f"/desk/replies/{reply.pk}/")]
    shown += [bob_client.post("/desk/replies/", {"title": "Thanks", "text": ""})]
    for answer in shown:
        assert answer.status_code < 500
        assert not untranslated(answer.content.decode()), answer.request["PATH_INFO"]


def test_refusals_in_scripts_are_translated(ticket: Ticket, bob: User) -> None:
    answer = browser(bob).post(f"/desk/tickets/{ticket.pk}/draft.json")
    assert answer.json()["message"] == "[The customer has not asked anything yet.]"
