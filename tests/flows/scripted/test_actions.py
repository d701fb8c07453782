"""From a request to a receipt through every process: model, web, broker, worker and demo shop."""

import pytest

from tests.flows.customers import Customer, card_for, paid_back
from tests.flows.people import ask
from tests.flows.stack import Stack, Web
from tests.modelserver import Behaviour, ModelServer
from tests.modelserver.behaviour import Call
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.usefixtures("shop_and_worker"), pytest.mark.long]
REFUND = Call("refund_order", '{"order_id": "WF-20404", "reason": "Arrived damaged"}')


@pytest.fixture
def mara(stack: Stack, model_web: Web) -> Customer:
    return Customer(stack, model_web.address)


async def test_a_refund_reaches_the_shops_ledger_once(mara: Customer, model: ModelServer) -> None:
    model.will(Behaviour(text="", calls=(REFUND,), finish_reason="tool_calls"))
    async with mara.chat() as socket:
        card = await card_for(socket, "My order WF-20404 arrived damaged, please refund it")
        assert await paid_back() == []
        await socket.say("confirm", request=card["request"], digest=card["digest"])
        done = await socket.until("action.succeeded", PATIENCE_SECONDS)
        final = await socket.until("assistant.final")
        await socket.say("confirm", request=card["request"], digest=card["digest"])
        again = await socket.until("error")
    [refund] = await paid_back()
    assert (refund["order"], refund["amount"], refund["key"]) == ("WF-20404", "54.00", card["request"])
    assert done["payload"]["receipt"]["reference"] in final["payload"]["text"]
    assert again["code"] == "not_waiting"
    names = [event["event"] for event in socket.events]
    assert names[-4:] == ["assistant.final", "action.queued", "action.succeeded", "assistant.final"]


async def test_another_customer_can_neither_see_nor_confirm_a_card(
    mara: Customer, stack: Stack, model_web: Web, model: ModelServer
) -> None:
    model.will(
        Behaviour(text="", calls=(Call("refund_order", '{"order_id": "WF-20418", "reason": "x"}'),)),
        Behaviour(text="", calls=(Call("order_status", '{"order_id": "WF-20418"}'),)),
    )
    before = await paid_back()
    async with mara.chat() as socket:
        card = await card_for(socket, "Refund WF-20418")
    other = Customer(stack, model_web.address, subject="cus_1002")
    async with other.chat() as socket:
        assert (await ask(socket, "Where is WF-20418?"))["text"] == "There is no order WF-20418 in your account."
        await socket.say("confirm", request=card["request"], digest=card["digest"])
        assert (await socket.until("error"))["code"] == "not_found"
    assert await paid_back() == before
