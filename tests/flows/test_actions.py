"""From a wish to a receipt through every process: model, web, broker, worker and the demo shop itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from supportbot.embedded.waiting import wait_for_page
from tests.flows.house import STOREFRONT, House, Web
from tests.flows.people import Visitor, ask, call
from tests.modelserver import Behaviour, ModelServer
from tests.modelserver.behaviour import Call
from tests.widget.page import Socket

MARA = "cus_1001"
REFUND = Call("refund_order", '{"order_id": "WF-20404", "reason": "Arrived damaged"}')
PATIENCE_SECONDS = 60.0


@dataclass
class Customer(Visitor):
    """Somebody whom the shop knows and signs for."""

    subject: str = MARA
    token: str = field(default="", repr=False)

    async def ticket(self, address: str = "") -> dict[str, Any]:
        status, signed = await call(STOREFRONT, "POST", "/api/token", {"customer": self.subject})
        assert status == 200, signed
        body = {"channel": self.house.demo["channel"], "token": signed["token"]}
        status, granted = await call(address or self.address, "POST", "/api/v1/widget/tickets", body, Origin=STOREFRONT)
        assert status == 201, granted
        answer: dict[str, Any] = granted
        return answer


@pytest.fixture(scope="module", autouse=True)
def shop_and_worker(house: House) -> Iterator[None]:
    shop, worker = house.shop(), house.child("worker")
    shop.start()
    worker.start()
    try:
        wait_for_page(f"{STOREFRONT}/api/customers", shop)
        yield
    finally:
        worker.stop()
        shop.stop()


@pytest.fixture
def mara(house: House, model_web: Web) -> Customer:
    return Customer(house, model_web.address)


async def ledger() -> list[dict[str, Any]]:
    status, books = await call(STOREFRONT, "GET", "/api/ledger")
    assert status == 200
    refunds: list[dict[str, Any]] = books["refunds"]
    return refunds


async def card_for(socket: Socket, wish: str) -> dict[str, Any]:
    final = await ask(socket, wish)
    assert final["text"] == "Please check the card. Nothing happens until you confirm.", final
    [card] = [event["payload"] for event in socket.events if event["event"] == "action.proposed"]
    return card


async def test_a_refund_reaches_the_shops_ledger_once(mara: Customer, model: ModelServer) -> None:
    model.will(Behaviour(text="", calls=(REFUND,), finish_reason="tool_calls"))
    async with mara.chat() as socket:
        card = await card_for(socket, "My order WF-20404 arrived damaged, please refund it")
        assert await ledger() == []
        await socket.say("confirm", request=card["request"], digest=card["digest"])
        done = await socket.until("action.succeeded", PATIENCE_SECONDS)
        final = await socket.until("assistant.final")
        await socket.say("confirm", request=card["request"], digest=card["digest"])
        again = await socket.until("error")
    [refund] = await ledger()
    assert (refund["order"], refund["amount"], refund["key"]) == ("WF-20404", "54.00", card["request"])
    assert done["payload"]["receipt"]["reference"] in final["payload"]["text"]
    assert again["code"] == "not_waiting"
    names = [event["event"] for event in socket.events]
    assert names[-4:] == ["assistant.final", "action.queued", "action.succeeded", "assistant.final"]


async def test_another_customer_neither_sees_nor_confirms_it(
    mara: Customer, house: House, model_web: Web, model: ModelServer
) -> None:
    model.will(
        Behaviour(text="", calls=(Call("refund_order", '{"order_id": "WF-20418", "reason": "x"}'),)),
        Behaviour(text="", calls=(Call("order_status", '{"order_id": "WF-20418"}'),)),
    )
    before = await ledger()
    async with mara.chat() as socket:
        card = await card_for(socket, "Refund WF-20418")
    other = Customer(house, model_web.address, subject="cus_1002")
    async with other.chat() as socket:
        assert (await ask(socket, "Where is WF-20418?"))["text"] == "There is no order WF-20418 in your account."
        await socket.say("confirm", request=card["request"], digest=card["digest"])
        assert (await socket.until("error"))["code"] == "not_found"
    assert await ledger() == before
