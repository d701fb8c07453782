"""A defined action is offered like one in code: by a model, the built-in answerer, the desk and the console."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from actions.cards import card_of, reason_of
from actions.models import ActionPolicy, ActionRequest
from actions.principals import Principal
from actions.registry import action_named
from actions.requests.receipt_links import receipt_block
from actions.services import confirm, propose
from actions.testing import run_queued
from supportbot.accounts.models import User, Workspace
from supportbot.assistant.action_tools import action_specs, spec_of, use_action
from supportbot.assistant.tool_results import Place
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.transcript import transcript_of
from supportbot.chat.turns import claim_turn
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.llm.types import ToolCall
from supportbot.outbox.delivery import deliver_due
from tests.actions.defined.conftest import CANCEL, bilingual, document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.builtin.action_chat import HUMAN, WITHDRAW, Chat
from tests.events import check_event
from tests.handoff.browsing import browser
from tests.rest import person

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
NAME = "cancel_pending_order"


@pytest.fixture
def conversation(ann: Principal) -> Conversation:
    return start_conversation(ann.customer_id)


@pytest.fixture
def place(conversation: Conversation) -> Place:
    add_customer_message(conversation.pk, text="Please cancel order #W0000001", client_id="1")
    claim = claim_turn("test")
    assert claim is not None
    return Place(claim, 1, 1, "en")


def test_a_model_gets_the_action_as_a_tool_and_proposes_it(
    put_in_force: Put, place: Place, retail: LoopbackShop
) -> None:
    put_in_force(document())
    put_in_force(document("get_order_details"))
    tools = {tool.name: tool for tool in action_specs("en")}
    assert tools[NAME].parameters["properties"]["reason"]["enum"] == ["no longer needed", "ordered by mistake"]
    assert "nothing happens unless they confirm" in tools[NAME].description
    told = use_action(ToolCall("c1", NAME, json.dumps(CANCEL)), place)
    assert "Nothing happens until you confirm" in told.closing
    card = ActionRequest.objects.get()
    assert (card.action, card.state, retail.performed) == (NAME, "awaiting_confirmation", [])
    found = use_action(ToolCall("c2", "get_order_details", '{"order_id": "#W0000001"}'), place)
    assert "pending" in found.summary


def test_a_model_that_asks_for_another_customer_gets_nothing(put_in_force: Put, place: Place) -> None:
    put_in_force(document())
    for arguments in (
        {**CANCEL, "customer_id": "bob_ray_2"}, {**CANCEL, "money": {"amount": "9999.00", "currency": "USD"}},
    ):  # fmt: skip
        told = use_action(ToolCall("c1", NAME, json.dumps(arguments)), place)
        assert "Unknown argument." in told.for_model and not told.closing
    assert not ActionRequest.objects.exists()


@pytest.mark.long
def test_a_look_up_may_hand_over_the_conversation(
    put_in_force: Put, place: Place, conversation: Conversation, retail: LoopbackShop
) -> None:
    put_in_force(document("transfer_to_human_agents"))
    call = ToolCall("c1", "transfer_to_human_agents", '{"summary": "Wants two orders merged."}')
    told = use_action(call, place)
    assert told.closing == "A colleague takes over." and "merged" not in told.for_model
    ticket = Ticket.objects.get(conversation=conversation)
    assert (ticket.summary, ticket.reason) == ("Wants two orders merged.", "action")


def test_the_built_in_answerer_detects_the_action_and_asks_for_missing_values(
    put_in_force: Put, workspace: Workspace
) -> None:
    put_in_force(document())
    chat = Chat(tools=(HUMAN, WITHDRAW, spec_of(action_named(NAME), "en")), orders=())
    words, calls = chat.send("Please cancel order #W0000001, I no longer need it")
    for _ in range(3):
        if calls:
            break
        words, calls = chat.send("no longer needed")
    assert calls and calls[0][0] == NAME, words
    assert calls[0][1]["order_id"] == "#W0000001"


@pytest.mark.long
def test_an_agent_proposes_the_action_at_the_desk(
    put_in_force: Put, conversation: Conversation, bob: User, workspace: Workspace, retail: LoopbackShop
) -> None:
    made = document()
    made["arguments"]["reason"]["label"] = {"en": "Reason for cancelling"}
    put_in_force(made)
    ticket = handoff.claim(handoff.request(conversation.pk, reason="customer_asked", by="customer").pk, agent=bob)
    client = browser(bob)
    page = LexborHTMLParser(client.get(f"/desk/tickets/{ticket.pk}/").content.decode())
    assert [link.text(strip=True) for link in page.css(".do a")] == ["Cancel an order"]
    address = f"/desk/tickets/{ticket.pk}/ask/{NAME}/"
    form = LexborHTMLParser(client.get(address).content.decode()).css_first("form.ask")
    assert "Reason for cancelling" in form.text() and "Why the customer cancels" not in form.text()
    assert [option.text(strip=True) for option in form.css("select[name=reason] option")] == [
        "I no longer need it", "I ordered it by mistake",
    ]  # fmt: skip
    client.post(address, {**CANCEL, "step": "check"})
    assert not ActionRequest.objects.exists()
    sent = client.post(address, {**CANCEL, "step": "send", "key": "01938f3a-0000-7000-8000-000000000001"})
    request = ActionRequest.objects.get()
    assert (sent.status_code, request.proposed_by, request.state) == (302, f"user:{bob.pk}", "awaiting_confirmation")


def test_the_receipt_is_labelled_in_chat_and_transcript(
    put_in_force: Put, ann: Principal, conversation: Conversation, retail: LoopbackShop
) -> None:
    receipt = [
        {"name": "number", "label": {"en": "Slip", "de": "Beleg"}, "value": "body.reference"},
        {"name": "order", "label": {"en": "Number of the order"}, "value": "order.order_id"},
    ]
    put_in_force(document(receipt=receipt))
    card = propose(ann, NAME, CANCEL, proposal_key="turn:1:1", conversation_id=conversation.pk)
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    deliver_due()
    event = ConversationEvent.objects.get(conversation=conversation, event="action.succeeded")
    check_event(event.event, event.payload)
    rows = [{"label": "Slip", "value": "r-1"}, {"label": "Number of the order", "value": "#W0000001"}]
    assert event.payload["receipt_rows"] == rows
    text = transcript_of(conversation)
    assert "  Slip: r-1\n  Number of the order: #W0000001" in text and "Order: #W" not in text.partition("Done")[2]


def test_the_receipt_is_in_the_customers_language(put_in_force: Put, ann: Principal, retail: LoopbackShop) -> None:
    receipt = [{"name": "sum", "label": {"en": "Summe"}, "value": "money(1234.5, 'EUR')"}]
    put_in_force(json.loads(json.dumps(document(receipt=receipt)).replace('"en":', '"de":')))
    card = propose(ann, NAME, CANCEL, proposal_key="turn:1:1")
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    assert ActionRequest.objects.get().receipt == {"sum": "1.234,50\N{NO-BREAK SPACE}€"}


def test_the_action_has_rules_in_the_console_and_over_rest(
    put_in_force: Put, admin: User, workspace: Workspace
) -> None:
    put_in_force(document(limits={"max_per_subject": "50.00", "max_requests_per_customer_day": 3}))
    rules = ActionPolicy.objects.get(action=NAME)
    listed = {one["name"]: one for one in person(workspace, admin, role="admin").get("/api/v1/actions").json()}
    assert listed[NAME]["rules"]["max_per_subject"] == listed[NAME]["rules"]["max_per_order"] == "50.00"
    assert listed[NAME]["title"] == "Cancel an order"
    admin.is_staff = True
    admin.save()
    client = browser(admin)
    assert "Cancel an order" in client.get("/admin/actions/actionpolicy/").content.decode()
    saved = client.post(f"/admin/actions/actionpolicy/{rules.pk}/change/", {"is_enabled": "on", "max_per_order": "30"})
    assert saved.status_code == 302
    rules.refresh_from_db()
    assert rules.current is not None and rules.current.max_per_order == 30


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("done", "locale", "title"),
    [
        ({"en": "Order cancelled", "de": "Bestellung storniert"}, "de", "Bestellung storniert"),
        ({"en": "Order cancelled", "de": "Bestellung storniert"}, "en-GB", "Order cancelled"),
        (None, "de", "Erledigt: Bestellung abbrechen"),
    ],
)
def test_a_receipt_names_the_completed_action(
    put_in_force: Put,
    agreed: Callable[..., ActionRequest],
    retail: LoopbackShop,
    done: dict[str, str] | None,
    locale: str,
    title: str,
) -> None:
    made = bilingual(document(title={"en": "Cancel", "de": "Bestellung abbrechen"}, done=done))
    put_in_force(made)
    request = agreed()
    ActionRequest.objects.filter(pk=request.pk).update(locale=locale)
    request.refresh_from_db()
    assert receipt_block(request) is None
    run_queued()
    request.refresh_from_db()
    block = receipt_block(request)
    assert block is not None and block["title"] == title


def labelled_document(**changes: Any) -> dict[str, Any]:
    """Return an action in English and German whose rows and words contain values with labels."""
    made = bilingual(document())
    made["arguments"]["reason"]["options"] = [
        {"value": "no longer needed", "label": {"en": "Not needed", "de": "Nicht gebraucht"}},
        {"value": "ordered by mistake"},
    ]
    status = {"value": "processed", "label": {"en": "being packed", "de": "in Arbeit"}}
    made["labels"] = {"order.status": [status, {"value": "pending", "label": {"en": "open", "de": "offen"}}]}
    method = {"en": "Paid by {order.method.kind}", "de": "Bezahlt mit {order.method.kind}"}
    absent = {"en": "Note: {order.note}", "de": "Notiz: {order.note}"}
    both = {"en": "Order", "de": "Bestellung"}
    made["card"] |= {
        "summary": {"en": "Cancel: {arguments.reason}, {order.status}.", "de": "Storno: {arguments.reason}."},
        "rows": [
            {"label": both, "value": "arguments.reason"}, {"label": both, "value": "[order.status, 'x'][0]"},
            {"label": both, "value": " order.status"}, {"label": both, "words": method},
            {"label": both, "words": absent},
        ],
    }  # fmt: skip
    refused = {"en": "It is {order.status}.", "de": "Sie ist {order.status}."}
    return {**made, "guards": [{**made["guards"][0], "words": refused}], **changes}


def test_a_card_shows_a_long_text_in_full(put_in_force: Put, ask_for: Callable[..., ActionRequest]) -> None:
    story = "It arrived with a dent in the door. " * 100
    made = document()
    made["arguments"]["story"] = {
        "type": "string", "description": "What happened.", "max_length": 4_000, "names_no_record": True,
    }  # fmt: skip
    made["card"]["rows"] = [{"label": {"en": "Story"}, "value": "arguments.story"}]
    put_in_force(made)
    assert [row.value for row in card_of(ask_for(NAME, {**CANCEL, "story": story}), "en").rows] == [story.strip()]


@pytest.mark.long
def test_labelled_values_are_shown_in_each_language(
    put_in_force: Put, ask_for: Callable[..., ActionRequest], ann: Principal, retail: LoopbackShop
) -> None:
    retail.records.records["orders"]["#W0000001"]["method"] = {"kind": "Visa"}
    put_in_force(labelled_document())
    request = ask_for()
    german, english = card_of(request, "de"), card_of(request, "en")
    assert (english.summary, german.summary) == ("Cancel: Not needed, open.", "Storno: Nicht gebraucht.")
    assert [row.value for row in german.rows] == ["Nicht gebraucht", "pending", "offen", "Bezahlt mit Visa"]
    assert [row.value for row in english.rows] == ["Not needed", "pending", "open", "Paid by Visa"]
    assert request.arguments["reason"] == "no longer needed"
    refused = ask_for(NAME, {**CANCEL, "order_id": "#W0000003"})
    assert [(reason_of(refused, locale) or {})["text"] for locale in ("en", "de")] == [
        "It is being packed.", "Sie ist in Arbeit.",
    ]  # fmt: skip
    plain = ask_for(NAME, {**CANCEL, "reason": "ordered by mistake"})
    assert card_of(plain, "de").rows[0].value == "ordered by mistake"
    confirm(request.pk, principal=ann, digest=request.digest)
    run_queued()
    assert json.loads(retail.commands[0][1])["reason"] == "no longer needed"  # the shop gets the value
