"""Erasing deletes rows of every package, for this customer only; records of money stay, and running work finds nothing
any more.
"""

import getpass
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections, models, transaction
from django.test import Client
from django.utils.timezone import now
from rest_framework.test import APIClient

from actions.models import ActionRequest, AuditEntry
from actions.policy_store import ensure_policies
from actions.principals import principal_in_conversation
from actions.services import propose
from actions.testing import FakeShop, connected
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.chat.erasure import erase_conversation
from supportbot.chat.errors import LeaseLost
from supportbot.chat.models import Citation, Conversation, ConversationEvent, Message, Turn
from supportbot.chat.services import add_agent_message, add_customer_message, add_note, start_conversation
from supportbot.chat.tasks import sweep_erased
from supportbot.chat.turns import (
    Claim,
    check_held,
    claim_turn,
    extend_lease,
    fail_turn,
    finish_turn,
    restart_attempt,
)
from supportbot.errors import NotFound
from supportbot.handoff.models import OutgoingMail, Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.ids import uuid7
from supportbot.llm.models import LLMBody, LLMCall
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.widget.models import PageCode, Rating, SocketTicket
from supportbot.widget.services import rate
from supportbot.widget.session import tickets
from supportbot.widget.session.tickets import TicketRequest, issue_ticket
from tests.rest import caller, identity_token, person, service, signed_in

pytestmark = pytest.mark.django_db
CONVERSATIONS = "/api/v1/conversations"
SAID = (Conversation, ConversationEvent, Message, Citation, Turn, Ticket, OutgoingMail, Rating, SocketTicket, LLMBody)


@pytest.fixture
def channel(workspace: Workspace) -> NewChannel:
    return create_channel(workspace, "Storefront", allowed_origins=["https://shop.example"])


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    ensure_policies()
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", total="49.90")
        yield fake


def span() -> CitedSpan:
    return CitedSpan(uuid7(), "refunds", "Refunds", "https://shop.example/refunds", 1, 0, 5, "Money")


def used_conversation(customer: Customer, channel: NewChannel, bob: User) -> Conversation:
    """Return a conversation with rows in every package."""
    conversation = start_conversation(customer.pk, channel_id=channel.channel.pk)
    add_customer_message(conversation.pk, text="Where is my money?", client_id="m1")
    claim = claim_turn("runner", only=conversation.pk)
    assert claim is not None
    finish_turn(claim, Answer("Soon [1].", (span(),), "model"))
    rate(conversation.pk, score=1, comment="Too slow", message_id=claim.message_id)
    asked = handoff.request(conversation.pk, reason="customer_asked", by="customer", summary="Angry")
    handoff.set_contact_email(asked.pk, email="alice@example.com")
    handoff.claim(asked.pk, agent=bob)
    add_agent_message(conversation.pk, text="I am on it", author=bob, client_id="b1")
    add_note(conversation.pk, text="Be kind", author=bob, client_id="b2")
    deliver_due()
    call = model_call(conversation, claim.turn_id)
    LLMBody.objects.create(call=call, request="Where is my money?", response="Soon", expires_at=now())
    SocketTicket.objects.create(
        secret_hash=str(uuid7()),
        channel=channel.channel,
        customer=customer,
        conversation=conversation,
        is_verified=True,
        expires_at=now() + timedelta(minutes=1),
    )
    PageCode.objects.create(
        secret_hash=str(uuid7()),
        channel=channel.channel,
        customer=customer,
        conversation=conversation,
        is_verified=True,
        expires_at=now() + timedelta(minutes=1),
    )
    return conversation


def model_call(conversation: Conversation, turn_id: Any = None) -> LLMCall:
    return LLMCall.objects.create(
        purpose="answer", provider="x", model="m", duration_ms=1, outcome="done",
        conversation_id=conversation.pk, turn_id=turn_id,
    )  # fmt: skip


def left() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (*SAID, PageCode)}


def test_a_used_conversation_has_rows_in_every_package(channel: NewChannel, alice: Customer, bob: User) -> None:
    used_conversation(alice, channel, bob)
    assert all(left().values()), left()


def test_erasing_one_conversation_leaves_the_others(channel: NewChannel, alice: Customer, bob: User) -> None:
    used_conversation(alice, channel, bob)
    kept = left()
    gone = used_conversation(alice, channel, bob)
    answer = signed_in(channel, alice).delete(f"{CONVERSATIONS}/{gone.pk}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert left() == kept
    for model in (ConversationEvent, Message, Turn, Ticket, Rating, SocketTicket):
        assert not model.objects.filter(conversation_id=gone.pk).exists()
    assert signed_in(channel, alice).delete(f"{CONVERSATIONS}/{gone.pk}").status_code == 404
    assert LLMCall.objects.count() == 2  # its cost is kept, its text is not


def test_a_customer_whose_chats_are_all_erased_can_start_again(channel: NewChannel, alice: Customer, bob: User) -> None:
    other = Customer.objects.create(external_id="cus_tom")
    used_conversation(other, channel, bob)
    kept = left()
    for _ in range(2):
        used_conversation(alice, channel, bob)
    alice_client = signed_in(channel, alice)
    assert [alice_client.delete(CONVERSATIONS).status_code for _ in range(2)] == [204, 204]
    assert left() == kept
    assert alice_client.get(CONVERSATIONS).json()["results"] == []
    assert alice_client.post(CONVERSATIONS, {}, format="json").status_code == 201


def test_a_visitor_can_erase_with_their_secret(channel: NewChannel) -> None:
    visitor = new_visitor(channel.channel)
    start_conversation(visitor.customer.pk)
    assert caller(visitor.secret).delete(CONVERSATIONS).status_code == 204
    assert not Conversation.objects.exists() and not ConversationEvent.objects.exists()
    assert caller(visitor.secret).get("/api/v1/me").status_code == 200


def test_nobody_can_erase_another_customers_conversation(
    channel: NewChannel, alice: Customer, bob: User, workspace: Workspace, mallory: User, other_workspace: Workspace
) -> None:
    conversation = used_conversation(alice, channel, bob)
    books = {model: list(model.objects.order_by("pk").values()) for model in (*SAID, PageCode)}
    tom = Customer.objects.create(external_id="cus_tom")
    address = f"{CONVERSATIONS}/{conversation.pk}"
    foreign = signed_in(channel, tom).delete(address)
    missing = signed_in(channel, tom).delete(f"{CONVERSATIONS}/{uuid7()}")
    assert (foreign.status_code, foreign.content) == (404, missing.content)
    assert signed_in(channel, tom).delete(CONVERSATIONS).status_code == 204  # this customer has no conversation
    for client in (person(workspace, bob), service(workspace, "conversations:write"), caller("sk_wrong"), APIClient()):
        assert client.delete(address).status_code in (401, 403)
        assert client.delete(CONVERSATIONS).status_code in (401, 403)
    assert person(other_workspace, mallory, role="admin").delete(address).status_code == 403
    assert {model: list(model.objects.order_by("pk").values()) for model in books} == books


def test_records_of_money_survive_an_erasure(channel: NewChannel, alice: Customer, shop: FakeShop) -> None:
    conversation = start_conversation(alice.pk, channel_id=channel.channel.pk)
    wish = {"order_id": "A-1", "reason": "Damaged"}
    principal = principal_in_conversation(alice)
    request = propose(principal, "refund_order", wish, proposal_key="t:1:1", conversation_id=conversation.pk)
    before = ActionRequest.objects.values().get()
    assert signed_in(channel, alice).delete(CONVERSATIONS).status_code == 204
    assert ActionRequest.objects.values().get() == before
    deliver_due()  # nobody is left to report its steps to, which is not a failure
    assert not Announcement.objects.filter(delivered_at=None).exists()
    assert request.conversation_id == conversation.pk and not Conversation.objects.exists()


@pytest.fixture
def claim(channel: NewChannel, alice: Customer) -> Claim:
    """A running turn whose conversation has just been erased."""
    conversation = start_conversation(alice.pk, channel_id=channel.channel.pk)
    add_customer_message(conversation.pk, text="Hello?", client_id="m1")
    claimed = claim_turn("runner", only=conversation.pk)
    assert claimed is not None
    assert signed_in(channel, alice).delete(CONVERSATIONS).status_code == 204
    return claimed


def test_a_running_turn_has_lost_its_claim(claim: Claim) -> None:
    for write in (
        lambda: finish_turn(claim, Answer("Late", (), "model")),
        lambda: fail_turn(claim, "late"),
        lambda: restart_attempt(claim),
        lambda: extend_lease(claim, text="Late", index=1),
        lambda: check_held(claim),
    ):
        with pytest.raises(LeaseLost), transaction.atomic():
            write()
    assert not Message.objects.exists() and not ConversationEvent.objects.exists()


def test_late_writes_find_no_conversation(claim: Claim) -> None:
    with pytest.raises(NotFound):
        add_customer_message(claim.conversation_id, text="Still there?", client_id="m2")
    assert not Message.objects.exists()


def test_a_body_written_after_the_erasure_is_deleted(channel: NewChannel, alice: Customer) -> None:
    """A model call that ends later is recorded after the erasure; the announcement or the sweep deletes it."""
    conversation = start_conversation(alice.pk)
    kept = start_conversation(Customer.objects.create(external_id="cus_tom").pk)
    assert signed_in(channel, alice).delete(CONVERSATIONS).status_code == 204
    for one in (conversation, kept):
        LLMBody.objects.create(call=model_call(one), request="Hello", expires_at=now())
    deliver_due()
    assert [body.call.conversation_id for body in LLMBody.objects.all()] == [kept.pk]
    LLMBody.objects.create(call=model_call(conversation), request="Hello", expires_at=now())
    sweep_erased()
    assert [body.call.conversation_id for body in LLMBody.objects.all()] == [kept.pk]


def test_settings_may_name_the_former_consumers_of_erasures(
    channel: NewChannel, alice: Customer, settings: Any
) -> None:
    former = ["supportbot.chat.erasure.on_conversation_erased", "actions.forgetting.on_conversation_erased"]
    settings.OUTBOX_CONSUMERS = {**settings.OUTBOX_CONSUMERS, "conversation_erased": former}
    conversation = start_conversation(alice.pk)
    assert signed_in(channel, alice).delete(CONVERSATIONS).status_code == 204
    LLMBody.objects.create(call=model_call(conversation), request="Hello", expires_at=now())
    deliver_due()
    assert not LLMBody.objects.exists() and not Announcement.objects.filter(delivered_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_ticket_cannot_be_issued_during_an_erasure(
    channel: NewChannel, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure commits between the ticket's check and its own commit, so the ticket is refused as for a missing
    conversation.
    """
    conversation = start_conversation(alice.pk, channel_id=channel.channel.pk)
    found = tickets.requested_conversation

    def and_then_it_is_erased(*args: Any) -> Any:
        row = found(*args)
        erase_elsewhere(conversation)
        return row

    monkeypatch.setattr(tickets, "requested_conversation", and_then_it_is_erased)
    token = identity_token(channel.channel.key, channel.identity_secret, "cus_alice")
    with pytest.raises(NotFound):
        issue_ticket(TicketRequest(channel.channel, "https://shop.example", token=token, conversation=conversation.pk))
    assert not SocketTicket.objects.exists()


def erase_elsewhere(conversation: Conversation) -> None:
    """Erase over another connection, as another process would."""

    def erase() -> None:
        try:
            with workspace_scope(conversation.workspace_pk):
                erase_conversation(
                    CustomerCaller(conversation.workspace_pk, conversation.customer_id, is_verified=True),
                    conversation.pk,
                )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(erase).result()


def test_pages_of_the_channel_can_erase(channel: NewChannel, alice: Customer) -> None:
    asking = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
    preflight = Client().options(CONVERSATIONS, headers={"Origin": "https://shop.example", **asking})
    assert preflight.status_code == 204 and "DELETE" in preflight["Access-Control-Allow-Methods"]
    conversation = start_conversation(alice.pk)
    answer = signed_in(channel, alice).delete(f"{CONVERSATIONS}/{conversation.pk}", HTTP_ORIGIN="https://shop.example")
    assert answer.status_code == 204 and answer["Access-Control-Allow-Origin"] == "https://shop.example"
    foreign = signed_in(channel, alice).delete(CONVERSATIONS, HTTP_ORIGIN="https://evil.example")
    assert "Access-Control-Allow-Origin" not in foreign


# --- A whole customer.


def run(name: str, customer: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(name, customer, "--json", stdout=out, **options)
    facts: dict[str, Any] = json.loads(out.getvalue())
    return facts


def test_a_customer_is_erased(channel: NewChannel, alice: Customer, bob: User, workspace: Workspace) -> None:
    tom = Customer.objects.create(external_id="cus_tom")
    used_conversation(tom, channel, bob)
    kept = left()
    for _ in range(2):
        used_conversation(alice, channel, bob)
    facts = run("forget_customer", "cus_alice")
    assert facts == {"workspace": "wrenfell", "customer": str(alice.pk), "conversations": 2}
    assert left() == kept and list(Customer.objects.all()) == [tom]
    assert Announcement.objects.filter(topic="customer_forgotten", object_id=alice.pk).count() == 1
    deliver_due()
    with pytest.raises(CommandError, match="There is no customer cus_alice"):
        run("forget_customer", "cus_alice")


def test_a_customer_with_an_open_request_cannot_be_erased(channel: NewChannel, alice: Customer, shop: FakeShop) -> None:
    conversation = start_conversation(alice.pk)
    wish = {"order_id": "A-1", "reason": "Damaged"}
    principal = principal_in_conversation(alice)
    request = propose(principal, "refund_order", wish, proposal_key="t:1:1", conversation_id=conversation.pk)
    with pytest.raises(CommandError, match=str(request.pk)):
        run("forget_customer", str(alice.pk))
    assert Customer.objects.filter(pk=alice.pk).exists() and Conversation.objects.exists()
    assert not Announcement.objects.filter(topic="customer_forgotten").exists()
    ActionRequest.objects.filter(pk=request.pk).update(state="expired")
    assert run("forget_customer", str(alice.pk))["conversations"] == 1
    assert ActionRequest.objects.get().customer_id == alice.pk


def test_a_customer_of_another_workspace_is_not_found(
    channel: NewChannel, alice: Customer, other_workspace: Workspace
) -> None:
    for name in ("forget_customer", "export_customer"):
        for wanted in (str(alice.pk), "cus_alice", "\x00", "nobody"):
            with pytest.raises(CommandError, match="There is no customer"):
                run(name, wanted, workspace="another")
    assert Customer.objects.get() == alice


def test_an_export_contains_what_would_be_erased_and_what_stays(
    channel: NewChannel, alice: Customer, bob: User, shop: FakeShop, workspace: Workspace
) -> None:
    conversation = used_conversation(alice, channel, bob)
    used_conversation(Customer.objects.create(external_id="cus_tom", name="Tom"), channel, bob)
    wish = {"order_id": "A-1", "reason": "Damaged"}
    principal = principal_in_conversation(alice)
    propose(principal, "refund_order", wish, proposal_key="t:1:1", conversation_id=conversation.pk)
    assert signed_in(channel, alice).get(f"{CONVERSATIONS}/{uuid7()}").status_code == 404  # the export is logged
    held = run("export_customer", "cus_alice")["held"]
    told = json.dumps(held)
    assert "Where is my money?" in told and "Be kind" in told and "alice@example.com" in told
    assert "Tom" not in told and "secret_hash" not in told and "visitor_hash" not in told
    assert len(held["chat.conversation"]) == len(held["actions.actionrequest"]) == len(held["llm.llmcall"]) == 1
    assert held["chat.message"] and held["llm.llmbody"]
    on_record = {entry["event"] for entry in held["actions.auditentry"]}
    assert {"request.proposed", "conversation.not_theirs"} <= on_record
    ActionRequest.objects.update(state="expired")
    before = counts()
    run("forget_customer", "cus_alice")
    entries = AuditEntry.objects.filter(payload__customer=str(alice.pk)).order_by("seq")
    assert [entry.event for entry in entries] == ["customer.exported", "customer.forgotten"]
    assert {entry.actor for entry in entries} == {f"operator:{getpass.getuser()}"}
    gone = {name: before[name] - count for name, count in counts().items() if before[name] > count}
    stays = {"llm.llmcall", "actions.actionrequest", "actions.auditentry"}
    assert gone == {name: len(rows) for name, rows in held.items() if name not in stays}


def counts() -> dict[str, int]:
    """Count the rows of each of the product's tables except the announcements."""
    ours = [model for model in apps.get_models() if hasattr(model, "workspace") and model is not Announcement]
    return {model._meta.label_lower: _count(model) for model in ours}


def _count(model: type[models.Model]) -> int:
    return int(model._default_manager.count())


def test_the_export_is_readable(alice: Customer) -> None:
    out = StringIO()
    call_command("export_customer", "cus_alice", stdout=out)
    assert json.loads(out.getvalue())["held"]["accounts.customer"][0]["name"] == "Alice"
