"""A chat with the built-in answerer alone, of a customer with five sample orders."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from actions.facts import Address, Line, Order
from actions.registry import all_actions, read_action
from supportbot.assistant.action_tools import spec_of
from supportbot.assistant.prompts import as_data
from supportbot.assistant.texts import say
from supportbot.assistant.tools import REQUEST_HUMAN
from supportbot.builtin.provider import BuiltinProvider
from supportbot.llm.types import ChatMessage, ModelRequest, TextDelta, ToolCall

NOW: Final = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
HOME: Final = Address("Mara Lindqvist", "Habsburgerstraße 62", "", "79104", "Freiburg", "DE")
MOST_STEPS: Final = 4


def _order(number: str, status: str, days_ago: int, *items: tuple[str, str, str]) -> Order:
    placed, lines = NOW - timedelta(days=days_ago), [Line(s, n, 1, Decimal(p), Decimal(0)) for s, n, p in items]
    has_left, has_arrived = status in ("shipped", "delivered"), status == "delivered"
    return Order(
        id=number, customer="cus_1001", status=status, currency="EUR", total=Decimal(sum(line.price for line in lines)),
        refunded=Decimal(0), placed_at=placed, shipped_at=placed + timedelta(days=1) if has_left else None,
        delivered_at=placed + timedelta(days=3) if has_arrived else None, expected_on="2026-11-27",
        lines=tuple(lines), address=HOME, payment="Visa ending 4417",
    )  # fmt: skip


ORDERS: Final = (
    _order("WF-20444", "paid", 1, ("SKARN-L", "Skarn rain jacket, L", "219"), ("ALDER-L", "Alder base layer, L", "69")),
    _order("WF-20440", "packed", 2, ("EMBER", "Ember sleeping bag", "249")),
    _order("WF-20431", "shipped", 4, ("KESTREL2-AMBER", "Kestrel 2 tent, amber", "389")),
    _order("WF-20418", "delivered", 9, ("CAIRN-41", "Cairn boots 41", "189"), ("ALDER-M", "Alder base layer, M", "69")),
    _order("WF-20404", "delivered", 16, ("PEBBLE", "Pebble stove", "54")),
)  # fmt: skip


@dataclass
class Chat:
    """One conversation. `calls` are the calls of actions, without the look-ups before them."""

    locale: str
    messages: list[ChatMessage] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    answer: str = ""

    def send(self, text: str) -> None:
        """Send a customer message and record the answer and its calls."""
        self.messages.append(ChatMessage("user", text))
        looked_up: list[ToolCall] = []
        turn = list(self.messages)
        for _ in range(MOST_STEPS):
            words, calls = asyncio.run(self._ask(turn, text))
            writes = [call for call in calls if call.name not in all_actions() or not all_actions()[call.name].is_read]
            looked_up += [call for call in calls if call not in writes]
            if writes or not calls:
                break
            turn += [ChatMessage("assistant", "", tuple(calls))]
            turn += [ChatMessage("tool", _found(call, self.locale), tool_call_id=call.id) for call in calls]
        self.calls += writes or (looked_up if not words.endswith("?") and "?\n" not in words else [])
        self.answer = say("confirm", self.locale) if writes else words
        self.messages.append(ChatMessage("assistant", self.answer or "-"))

    async def _ask(self, messages: list[ChatMessage], text: str) -> tuple[str, list[ToolCall]]:
        tools = (REQUEST_HUMAN, *(spec_of(action, self.locale) for action in all_actions().values()))
        request = ModelRequest(
            "answer", tuple(messages), tools=tools, question=text, locale=self.locale, is_answerable=False
        )
        events = [event async for event in BuiltinProvider().stream(request)]
        words = "".join(event.text for event in events if isinstance(event, TextDelta))
        return words, [event for event in events if isinstance(event, ToolCall)]


def _found(call: ToolCall, locale: str) -> str:
    wanted = json.loads(call.arguments).get("order_id")
    orders = [order for order in ORDERS if wanted in (None, order.id)]
    answer: dict[str, Any] = read_action(call.name).answer(orders, (), locale)
    return as_data(answer)
