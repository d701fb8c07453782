"""Signed-in customers of the demo shop, and its records about them."""

from dataclasses import dataclass, field
from typing import Any

from tests.flows.people import Visitor, ask, call
from tests.flows.stack import STOREFRONT
from tests.widget.page import Socket


@dataclass
class Customer(Visitor):
    """A customer for whom the shop signs identity tokens."""

    subject: str = "cus_1001"
    token: str = field(default="", repr=False)

    async def ticket(self, address: str = "") -> dict[str, Any]:
        status, signed = await call(STOREFRONT, "POST", "/api/token", {"customer": self.subject})
        assert status == 200, signed
        self.token = signed["token"]
        known = {"conversation": self.conversation} if self.conversation else {}
        body = {"channel": self.stack.demo["channel"], "token": self.token, **known}
        status, granted = await call(address or self.address, "POST", "/api/v1/widget/tickets", body, Origin=STOREFRONT)
        assert status == 201, granted
        self.conversation = granted["conversation"]
        answer: dict[str, Any] = granted
        return answer


async def card_for(socket: Socket, wish: str) -> dict[str, Any]:
    """Send a request and return its card."""
    final = await ask(socket, wish)
    assert final["text"] == "Please check the card. Nothing happens until you confirm.", final
    proposed: dict[str, Any] = [event["payload"] for event in socket.events if event["event"] == "action.proposed"][-1]
    return proposed


async def paid_back() -> list[dict[str, Any]]:
    """Return everything the shop has paid back."""
    refunds: list[dict[str, Any]] = (await books())["refunds"]
    return refunds


async def books() -> dict[str, Any]:
    status, ledger = await call(STOREFRONT, "GET", "/api/ledger")
    assert status == 200
    told: dict[str, Any] = ledger
    return told
