"""Choices and forms over a customer's socket: valid ones become the customer's message, others are refused."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.chat.answers import Answer
from supportbot.chat.models import Message, Source
from supportbot.chat.services import add_customer_message
from supportbot.chat.turns import claim_turn, finish_turn
from tests.widget.page import Socket, greeted, ticket

pytestmark = pytest.mark.django_db(transaction=True)
CHOICES = {
    "type": "choices",
    "prompt": "Which order?",
    "options": [{"id": "A-1", "label": "A-1: Stove"}, {"id": "A-2", "label": "A-2: Tent"}],
}
FORM = {
    "type": "form",
    "prompt": "What is the new address?",
    "fields": [
        {"name": "line1", "title": "Street", "type": "string", "required": True, "maxLength": 20},
        {"name": "code", "title": "Code", "type": "string", "required": True, "maxLength": 5, "pattern": "^[0-9]+$"},
        {"name": "floor", "title": "Floor", "type": "integer", "required": False, "minimum": 0, "maximum": 90},
        {"name": "size", "title": "Size", "type": "string", "required": False, "maxLength": 9, "enum": ["big", "tiny"]},
        {"name": "day", "title": "Day", "type": "string", "format": "date", "required": False, "maxLength": 20},
        {
            "name": "extras", "title": "Extras", "type": "array", "required": False, "minItems": 1, "maxItems": 2,
            "items": {"type": "string", "enum": ["Tea", "Milk", "Jam"]},
        },
    ],
}  # fmt: skip
ADDRESS: dict[str, Any] = {"line1": "Talstraße 8", "code": "79102"}


def asked(conversation: str, *blocks: dict[str, Any], text: str = "Which order?") -> str:
    """Let the customer ask and the assistant answer with blocks; return the answer's message."""
    add_customer_message(UUID(conversation), text="Money back", client_id=f"q-{uuid4()}")
    claim = claim_turn("test-runner")
    assert claim is not None
    finish_turn(claim, Answer(text, (), "builtin", blocks=blocks))
    return str(claim.message_id)


def customer_messages(workspace: Workspace) -> list[str]:
    with workspace_scope(workspace.pk):
        return list(Message.objects.filter(source=Source.CUSTOMER).order_by("seq").values_list("text", flat=True))


async def refused(socket: Socket, kind: str, **fields: Any) -> tuple[str, str | None, str | None]:
    """Send a valid frame that is refused; return code, field and client_id of the error."""
    await socket.say(kind, **fields)
    error = await socket.until("error")
    return error["code"], error.get("field"), error.get("client_id")


async def test_a_choice_is_stored_once_as_its_label(server: str, channel: NewChannel, workspace: Workspace) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], CHOICES)
        final = (await socket.until("assistant.final"))["payload"]
        assert (final["message"], final["blocks"]) == (message, [CHOICES])
        choice = {"client_id": "c-1", "block": f"{message}:0", "option": "A-2"}
        await socket.say("choose", **choice)
        ack = await socket.until("ack")
        await socket.say("choose", **choice)
        again = await socket.until("ack")
        other = await refused(socket, "choose", **{**choice, "option": "A-1"})
        late = await refused(socket, "choose", **{**choice, "client_id": "c-2"})
    assert ack == again == {"type": "ack", "client_id": "c-1", "seq": ack["seq"]}
    [own] = [event["payload"] for event in socket.events if event["payload"].get("client_id") == "c-1"]
    assert own["text"] == "A-2: Tent"
    assert other == ("client_id_reused", "client_id", "c-1")
    assert late == ("block_closed", "block", "c-2")
    assert await db(customer_messages, workspace) == ["Money back", "A-2: Tent"]


async def test_a_form_is_stored_line_by_line_in_its_own_order(
    server: str, channel: NewChannel, workspace: Workspace
) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], CHOICES, FORM)
        values = {"floor": 3, "code": " 79102", "line1": "Talstraße\n8", "size": ""}
        await socket.say("submit", client_id="s-1", block=f"{message}:1", values=values)
        await socket.until("ack")
    assert await db(customer_messages, workspace) == ["Money back", "Street: Talstraße 8\nCode: 79102\nFloor: 3"]


async def test_a_number_in_another_case_is_stored_in_the_case_of_its_format(
    server: str, channel: NewChannel, workspace: Workspace
) -> None:
    field = {"name": "order", "title": "Order", "type": "string", "required": True, "maxLength": 20}
    form = {"type": "form", "prompt": "Which order?", "fields": [{**field, "pattern": "^CS-[0-9]{4}$"}]}
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], form)
        await socket.say("submit", client_id="s-1", block=f"{message}:0", values={"order": "cs-1001"})
        await socket.until("ack")
    assert await db(customer_messages, workspace) == ["Money back", "Order: CS-1001"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"line1": ""}, "values.line1"),
        ({"line1": " \u200b "}, "values.line1"),
        ({"line1": 8}, "values.line1"),
        ({"line1": "x" * 21}, "values.line1"),
        ({"code": "7910A"}, "values.code"),
        ({"floor": "3"}, "values.floor"),
        ({"floor": 91}, "values.floor"),
        ({"size": "huge"}, "values.size"),
        ({"card": "4111"}, "values.card"),
        ({"day": "5 March 2027"}, "values.day"),
        ({"day": "2027-02-30"}, "values.day"),
        ({"day": ["2027-02-03"]}, "values.day"),
        ({"extras": "Tea"}, "values.extras"),
        ({"extras": ["Rum"]}, "values.extras"),
        ({"extras": ["Tea", "Milk", "Jam"]}, "values.extras"),
    ],
)
async def test_an_invalid_form_value_is_refused(
    server: str, channel: NewChannel, workspace: Workspace, changes: dict[str, Any], field: str
) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], FORM)
        block = {"client_id": "s-1", "block": f"{message}:0"}
        assert await refused(socket, "submit", **block, values=ADDRESS | changes) == ("invalid_value", field, "s-1")
        assert await db(customer_messages, workspace) == ["Money back"]
        await socket.say("submit", **block, values=ADDRESS)  # once corrected, it is accepted
        await socket.until("ack")


GUESTS: dict[str, Any] = {
    "type": "form",
    "prompt": "Who is coming?",
    "fields": [
        {"name": "name", "title": "Name", "type": "string", "required": True, "maxLength": 20},
        {"name": "home.city", "title": "Home – City", "type": "string", "required": False, "maxLength": 20,
         "requiredWith": ["home.street"]},
        {"name": "home.street", "title": "Home – Street", "type": "string", "required": False, "maxLength": 20},
    ],
    "entries": {"minItems": 2, "maxItems": 3, "title": "Guests", "add": "Add another", "remove": "Remove"},
}  # fmt: skip
ANN, BEN = {"name": "Ann", "home.city": "Bonn"}, {"name": "Ben"}


async def test_the_entries_of_a_form_are_stored_with_an_empty_line_in_between(
    server: str, channel: NewChannel, workspace: Workspace
) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], GUESTS)
        await socket.say("submit", client_id="s-1", block=f"{message}:0", values=[ANN, BEN])
        await socket.until("ack")
    assert await db(customer_messages, workspace) == ["Money back", "Name: Ann\nHome – City: Bonn\n\nName: Ben"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([ANN], "values"),
        (ANN, "values"),
        ([ANN, BEN, BEN, BEN], "values"),
        ([ANN, {}], "values.1.name"),
        ([ANN, {"name": "x" * 21}], "values.1.name"),
        ([ANN, BEN | {"home.street": "Weg 1"}], "values.1.home.city"),
        ([ANN, BEN | {"card": "4111"}], "values.1.card"),
    ],
)
async def test_invalid_entries_are_refused(
    server: str, channel: NewChannel, workspace: Workspace, values: Any, field: str
) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], GUESTS)
        block = {"client_id": "s-1", "block": f"{message}:0"}
        assert await refused(socket, "submit", **block, values=values) == ("invalid_value", field, "s-1")
        assert await db(customer_messages, workspace) == ["Money back"]


async def test_a_client_without_support_for_entries_can_send_a_single_one(
    server: str, channel: NewChannel, workspace: Workspace
) -> None:
    granted = await db(ticket, channel)
    several = {**GUESTS, "entries": {**GUESTS["entries"], "minItems": 1}}
    async with greeted(server, granted) as socket:
        message = await db(asked, granted["conversation"], several, FORM)
        block = {"client_id": "s-1", "block": f"{message}:1"}
        assert await refused(socket, "submit", **block, values=[ADDRESS]) == ("invalid_value", "values", "s-1")
        await socket.say("submit", client_id="s-1", block=f"{message}:0", values=ANN)
        await socket.until("ack")
    assert await db(customer_messages, workspace) == ["Money back", "Name: Ann\nHome – City: Bonn"]


async def test_an_unknown_block_is_refused(server: str, channel: NewChannel, workspace: Workspace) -> None:
    granted, stranger = await db(ticket, channel), await db(ticket, channel)
    async with greeted(server, granted) as socket:
        elsewhere = await db(asked, stranger["conversation"], CHOICES)
        message = await db(asked, granted["conversation"], CHOICES, FORM)
        for block in (f"{uuid4()}:0", f"{elsewhere}:0", f"{message}:1", f"{message}:2"):
            wrong = await refused(socket, "choose", client_id="c-1", block=block, option="A-1")
            assert wrong == ("unknown_block", "block", "c-1"), block
        wrong = await refused(socket, "submit", client_id="c-1", block=f"{message}:0", values=ADDRESS)
        assert wrong == ("unknown_block", "block", "c-1")
        wrong = await refused(socket, "choose", client_id="c-1", block=f"{message}:0", option="A-3")
        assert wrong == ("unknown_option", "option", "c-1")
    assert await db(customer_messages, workspace) == ["Money back", "Money back"]


async def test_only_the_newest_blocks_are_open_and_only_until_the_next_message(
    server: str, channel: NewChannel, workspace: Workspace
) -> None:
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        older = await db(asked, granted["conversation"], CHOICES)
        newer = await db(asked, granted["conversation"], CHOICES)
        closed = ("block_closed", "block", "c-1")
        assert await refused(socket, "choose", client_id="c-1", block=f"{older}:0", option="A-1") == closed
        await socket.say("message", client_id="m-1", text="Never mind")
        await socket.until("ack")
        assert await refused(socket, "choose", client_id="c-1", block=f"{newer}:0", option="A-1") == closed
    assert await db(customer_messages, workspace) == ["Money back", "Money back", "Never mind"]


async def test_a_reloaded_page_finds_the_blocks_in_the_log(server: str, channel: NewChannel) -> None:
    granted = await db(ticket, channel)
    message = await db(asked, granted["conversation"], FORM)
    async with greeted(server, granted, last_seq=0) as socket:
        final = await socket.until("assistant.final")
    assert (final["payload"]["message"], final["payload"]["blocks"]) == (message, [FORM])
