"""Actions of two shops as tools, from the catalogue and unknown ones, and a chat in which to request them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from actions.registry import all_actions
from supportbot.assistant.action_tools import spec_of
from supportbot.builtin.intents import detect_intent
from supportbot.builtin.phrases import is_regret
from supportbot.builtin.provider import BuiltinProvider
from supportbot.language.normalise import normalised
from supportbot.llm.types import Blocks, ChatMessage, ModelRequest, TextDelta, ToolCall, ToolSpec

HUMAN = ToolSpec("request_human", "Hand over.", {"type": "object"})
WITHDRAW = ToolSpec("withdraw_cards", "Withdraw.", {"type": "object"})
SKIP = ToolSpec(
    "skip_next_box",
    "Skip the next box of a subscription.",
    {
        "type": "object",
        "properties": {
            "weeks": {"type": "integer", "minimum": 1},
            "size": {"type": "string", "enum": ["small_box", "large_box"]},
            "contract": {"type": "string", "pattern": "^C[0-9]{4}$"},
            "note": {"type": "string", "maxLength": 20},
        },
        "required": ["weeks", "size", "contract", "note"],
        "additionalProperties": False,
    },
    title="Skip a box",
    examples=("Please skip my next box", "Pause my box for two weeks", "Bitte die nächste Kiste auslassen"),
)


def catalogue(language: str = "en") -> tuple[ToolSpec, ...]:
    return tuple(spec_of(action, language) for action in all_actions().values())


_SIMILAR = "about that refund", "refund maybe", "my refund", "money back?", "hmm, money back possibly", "a refund or so"


@cache
def doubtful() -> str:
    """Return the first words that resemble a refund request just enough for the answerer to ask back."""
    return next(text for text in _SIMILAR if detect_intent(text, catalogue()).candidates[:1] == ("refund_order",))


def order(number: str, placed: str, status: str, *items: tuple[str, str], total: str = "€50.00") -> dict[str, Any]:
    listed = [{"sku": sku, "name": name, "quantity": 1} for sku, name in items]
    return {"id": number, "status_text": status, "placed_on": placed, "total": total, "items": listed}


ORDERS = (
    order("WF-20404", "2026-11-01", "delivered", ("PEBBLE", "Pebble stove")),
    order("WF-20444", "2026-11-23", "paid, not packed yet", ("SKARN-L", "Skarn rain jacket, L")),
    order("WF-20418", "2026-11-12", "delivered", ("CAIRN-41", "Cairn boots, 41"), ("ALDER-M", "Alder base layer, M")),
)  # fmt: skip
DAY = {"type": "string", "format": "date"}
CARD = "Please check the card. Nothing happens until you confirm."


@dataclass
class Chat:
    """The messages of a customer and the built-in answerer. `asked` has all calls of the last turn, with look-ups."""

    tools: Sequence[ToolSpec] = field(default_factory=lambda: (HUMAN, *catalogue()))
    orders: Sequence[Mapping[str, Any]] = ORDERS
    locale: str = "en"
    today: date | None = None
    messages: list[ChatMessage] = field(default_factory=list)
    asked: list[ToolCall] = field(default_factory=list)
    blocks: list[Mapping[str, Any]] = field(default_factory=list)

    def send(self, text: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
        """Send a message; return the reply's text, and the calls that change something as (name, arguments)."""
        text = normalised(text)  # in the form in which a turn passes it on
        self.messages.append(ChatMessage("user", text, written_on=self.today))
        turn, self.asked = list(self.messages), []
        for _ in range(4):
            words, calls = asyncio.run(self._step(turn, text))
            self.asked += calls
            reads = {tool.name for tool in self.tools if tool.is_read}
            if not calls or not {call.name for call in calls} <= reads:
                break
            turn.append(ChatMessage("assistant", "", tuple(calls)))
            turn += [ChatMessage("tool", self._found(call), tool_call_id=call.id) for call in calls]
        wished = [(call.name, json.loads(call.arguments)) for call in calls]
        answer = CARD if calls else words
        if calls and is_regret(words):
            answer = f"{words}\n\n{CARD}"
        self.messages.append(ChatMessage("assistant", answer or "Here they are."))
        return words, wished

    async def _step(self, messages: list[ChatMessage], text: str) -> tuple[str, list[ToolCall]]:
        request = ModelRequest(
            "answer", tuple(messages), tuple(self.tools), question=text, locale=self.locale, is_answerable=False
        )
        events = [event async for event in BuiltinProvider().stream(request)]
        self.blocks = [block for event in events if isinstance(event, Blocks) for block in event.blocks]
        words = "".join(event.text for event in events if isinstance(event, TextDelta))
        return words, [event for event in events if isinstance(event, ToolCall)]

    def _found(self, call: ToolCall) -> str:
        wanted = json.loads(call.arguments).get("order_id")
        return json.dumps({"orders": [order for order in self.orders if wanted in (None, order["id"])]})


def hotel(
    name: str, properties: Mapping[str, Any], wish: str, labels: Mapping[str, Mapping[str, str]] | None = None
) -> Chat:
    """Return a chat of a shop with one action."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    tool = ToolSpec(name, "?", parameters, title=name, examples=(wish,), option_labels=labels or {})
    return Chat(tools=(HUMAN, tool), orders=())


def wake_up() -> Chat:
    number = {"type": "integer", "minimum": 0}
    return hotel(
        "wake_up",
        {"hour": {**number, "maximum": 23}, "minute": {**number, "maximum": 59}},
        "Please wake me up tomorrow",
    )


def move_stay() -> Chat:
    return hotel("move_stay", {"arrival": DAY, "departure": DAY}, "I want to move my stay to other days")
