"""The storefront's story as a script: a customer's steps in the browser, but only over HTTP and the socket.

The built-in answerer detects the requests; web process, worker, broker and the demo shop are those of `make run`.
"""

import asyncio
from typing import Any

import pytest

from tests.flows.customers import Customer, books, card_for, paid_back
from tests.flows.people import ask, call
from tests.flows.stack import Stack, Web
from tests.patience import PATIENCE_SECONDS
from tests.widget.page import Socket

pytestmark = [pytest.mark.usefixtures("shop_and_worker"), pytest.mark.long]
MARA, JONAS, LEA = "cus_1001", "cus_1002", "cus_1007"


def customer(stack: Stack, web: Web, subject: str) -> Customer:
    return Customer(stack, web.address, subject=subject)


async def confirm(socket: Socket, card: dict[str, Any]) -> None:
    await socket.say("confirm", request=card["request"], digest=card["digest"])


async def test_a_question_has_a_source_that_opens(stack: Stack, builtin_web: Web) -> None:
    async with customer(stack, builtin_web, MARA).chat() as socket:
        final = await ask(socket, "How long do I have to return something?")
    [first, *_] = final["citations"]
    path = first["url"].removeprefix(builtin_web.address)
    status, page = await call(builtin_web.address, "GET", path)
    assert status == 200
    assert "60 days" in first["quote"]
    assert '<mark id="passage"' in page or 'id="passage"' in page


async def test_a_refund_goes_from_the_request_to_a_receipt(stack: Stack, builtin_web: Web) -> None:
    async with customer(stack, builtin_web, MARA).chat() as socket:
        card = await card_for(socket, "I would like a refund for order WF-20404, it arrived damaged")
        assert (card["title"], card["needs_approval"]) == ("Refund €54.00", False)
        assert await paid_back() == []
        await confirm(socket, card)
        done = await socket.until("action.succeeded", PATIENCE_SECONDS)
        said = await socket.until("assistant.final", PATIENCE_SECONDS)
        await confirm(socket, card)
        assert (await socket.until("error"))["code"] == "not_waiting"
    [refund] = await paid_back()
    assert (refund["order"], refund["amount"], refund["key"]) == ("WF-20404", "54.00", card["request"])
    assert done["payload"]["receipt"]["reference"] == refund["reference"]
    assert refund["reference"] in said["payload"]["text"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        ("Please refund order WF-20444, it arrived damaged", "There is no order WF-20444 in your account."),
        ("Please refund order WF-99999, it arrived damaged", "There is no order WF-99999 in your account."),
        ("Please refund order WF-20262, it does not fit", "Order WF-20262 was delivered more than 60 days ago"),
    ],
)
async def test_a_strangers_order_and_an_expired_one_are_refused(
    stack: Stack, builtin_web: Web, wish: str, answer: str
) -> None:
    before = await books()
    async with customer(stack, builtin_web, MARA).chat() as socket:
        final = await ask(socket, wish)
        assert final["text"].startswith(answer)
        assert "action.proposed" not in [event["event"] for event in socket.events]
    assert await books() == before


async def test_an_address_change_in_german(stack: Stack, builtin_web: Web) -> None:
    async with customer(stack, builtin_web, JONAS).chat() as socket:
        await ask(
            socket, "Bitte schicken Sie die Bestellung WF-20444 an eine andere Adresse: Lindenweg 14, 79100 Freiburg"
        )
        [card] = [event["payload"] for event in socket.events if event["event"] == "action.proposed"]
        assert [row["value"] for row in card["rows"] if "Lindenweg 14" in row["value"]]
        await confirm(socket, card)
        await socket.until("action.succeeded", PATIENCE_SECONDS)
    [change] = (await books())["changes"]
    assert (change["order"], change["after"]["line1"], change["key"]) == ("WF-20444", "Lindenweg 14", card["request"])


async def test_an_amount_approved_by_another_person_while_nobody_is_connected(stack: Stack, builtin_web: Web) -> None:
    lea = customer(stack, builtin_web, LEA)
    async with lea.chat() as socket:
        card = await card_for(socket, "I would like a refund for order WF-20425, it does not fit")
        assert card["needs_approval"]
        await confirm(socket, card)
        await socket.until("action.awaiting_approval", PATIENCE_SECONDS)
        seen = socket.events[-1]["seq"]
    before = await paid_back()
    approve = f"/api/v1/action-requests/{card['request']}/approve"
    own = {"Authorization": f"Bearer {lea.token}"}
    status, _ = await call(builtin_web.address, "POST", approve, {"digest": card["digest"]}, **own)
    assert status == 403
    assert await paid_back() == before

    await lea.agent.does("POST", f"action-requests/{card['request']}/approve", {"digest": card["digest"]})
    await settled(lea, card["request"])
    async with lea.chat(last_seq=seen) as socket:
        done = await socket.until("action.succeeded", PATIENCE_SECONDS)
    [refund] = [one for one in await paid_back() if one["order"] == "WF-20425"]
    assert (refund["amount"], refund["key"]) == ("219.00", card["request"])
    assert done["payload"]["receipt"]["reference"] == refund["reference"]


async def settled(customer: Customer, request: str) -> None:
    """Wait until the request is settled, asking as its customer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            key = {"Authorization": f"Bearer {customer.token}"}
            _, found = await call(customer.address, "GET", f"/api/v1/action-requests/{request}", **key)
            if found["state"] == "succeeded":
                return
            assert found["state"] in ("queued", "executing"), found
            await asyncio.sleep(0.2)
