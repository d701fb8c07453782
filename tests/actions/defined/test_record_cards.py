"""Look-ups that show records as cards: in the chat, the transcript and at the desk, with links to listed hosts."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from actions.definitions.errors import InvalidDefinition
from actions.definitions.parsing.document import parse_document
from actions.principals import Principal
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import User, Workspace
from supportbot.assistant.action_tools import use_action
from supportbot.assistant.answer_assembly import finalize
from supportbot.assistant.tool_results import Place, ToolResult
from supportbot.chat.answers import Answer
from supportbot.chat.models import ConversationEvent
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.transcript import transcript_of
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.handoff.desk.conversation_lines import lines_of, reader_of
from supportbot.llm.types import ToolCall
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.events import check_event

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
NAME = "get_order_details"
CARD = {
    "title": {"en": "Order {order.order_id}"},
    "hosts": ["shop.example"],
    "link": "order.url",
    "picture": "order.image",
}
PAGE, PICTURE = "https://shop.example/orders/1?a=b", "https://shop.example/1.png"


def with_card(**changes: Any) -> dict[str, Any]:
    made = document(NAME)
    made["result"].pop("list", None)
    made["result"]["fields"] = [{"name": "status", "label": {"en": "Status"}, "value": "order.status"}]
    made["result"]["card"] = {**CARD, **changes}
    return made


def looked_up(ann: Principal) -> tuple[UUID, ToolResult]:
    conversation = start_conversation(ann.customer_id)
    add_customer_message(conversation.pk, text="Where is order #W0000001?", client_id="1")
    claim = claim_turn("test")
    assert claim is not None
    told = use_action(ToolCall("c1", NAME, '{"order_id": "#W0000001"}'), Place(claim, 1, 1, "en"))
    answer = Answer("", (), "builtin", is_abstention=True)
    finish_turn(claim, finalize(answer, [], [told.summary], (), told.cards))
    return conversation.pk, told


def test_a_record_is_shown_as_a_card_to_customer_and_team(
    put_in_force: Put, ann: Principal, retail: LoopbackShop, admin: User, workspace: Workspace, client: Client
) -> None:
    retail.records.records["orders"]["#W0000001"] |= {"url": PAGE, "image": PICTURE}
    put_in_force(with_card())
    conversation_id, told = looked_up(ann)
    assert "shop.example" not in told.for_model
    event = ConversationEvent.objects.get(conversation_id=conversation_id, event="assistant.final")
    check_event(event.event, event.payload)
    record = {
        "title": "Order #W0000001", "rows": [{"label": "Status", "value": "pending"}], "link": PAGE, "picture": PICTURE,
    }  # fmt: skip
    assert event.payload["blocks"] == [{"type": "card", "record": record}]
    assert f"  Order #W0000001 {PAGE}\n  Status: pending" in transcript_of(event.conversation)
    line = lines_of(event.conversation, reader_of(event.conversation, admin))[-1]
    assert "Order #W0000001\nStatus: pending" in line.text and line.sources[0].url == PAGE
    channel = create_channel(workspace, "Shop", locale="en", allowed_origins=[])
    policy = client.get(f"/chat/{channel.channel.key}/").headers["Content-Security-Policy"]
    assert "img-src 'self' data: https://shop.example;" in policy


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "address",
    [
        "http://shop.example/1", "https://evil.example/1", "https://shop.example@evil.example/", "javascript:alert(1)", "https://[x",
        "https://shop.example.evil.example/", "https://shop.example:8443/", "https://shop.example\\@evil.example/",
        7, None, "//shop.example/1", "https://shop.example/ x", "data:image/png;base64,AAAA",
    ],
)  # fmt: skip
def test_an_address_on_another_host_is_left_out(
    address: Any, put_in_force: Put, ann: Principal, retail: LoopbackShop
) -> None:
    retail.records.records["orders"]["#W0000001"] |= {"url": address, "image": address}
    put_in_force(with_card())
    [card] = looked_up(ann)[1].cards
    assert set(card["record"]) == {"title", "rows"}


def test_hosts_are_required() -> None:
    for wrong, path in (({"hosts": []}, "result.card.hosts"), ({"hosts": ["*.example"]}, "result.card.hosts")):
        with pytest.raises(InvalidDefinition) as error:
            parse_document(with_card(**wrong))
        assert path in error.value.fields
