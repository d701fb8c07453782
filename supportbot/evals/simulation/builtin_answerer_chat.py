"""Chats between a customer with five sample orders and the built-in answerer alone, and what it detects in a
message.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from actions.facts import Address, Line, Order
from actions.reasons import Reason, sentence
from actions.registry import all_actions, code_actions, read_action
from supportbot.assistant.action_tools import spec_of
from supportbot.assistant.prompts import as_data
from supportbot.assistant.texts import CONFIRM
from supportbot.assistant.tools import REQUEST_HUMAN
from supportbot.builtin.intents import UNDO, DetectedIntent, detect_intent, wants_undo
from supportbot.builtin.phrases import is_regret
from supportbot.builtin.provider import BuiltinProvider
from supportbot.evals.runs.case_outcomes import CallEnd, MadeCall, Reply
from supportbot.language.detection import base_language, detect
from supportbot.llm.types import ChatMessage, ModelRequest, TextDelta, ToolCall, ToolSpec
from supportbot.translation import text_in

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
    """A conversation. `calls` contains the action calls as (action, arguments), without the look-ups before them.

    Only the built-in actions are offered, because the sample orders are made for them. Nothing is carried out or looked
    up.
    """

    locale: str
    messages: list[ChatMessage] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answer: str = ""

    def send(self, text: str) -> Sequence[tuple[str, dict[str, Any]]]:
        """Send a customer message and record the answer and its calls; return these calls."""
        self.messages.append(ChatMessage("user", text))
        looked_up: list[ToolCall] = []
        turn = list(self.messages)
        for _ in range(MOST_STEPS):
            words, calls = asyncio.run(self._ask(turn, text))
            writes = [call for call in calls if not is_look_up(call.name)]
            looked_up += [call for call in calls if call not in writes]
            if writes or not calls:
                break
            turn += [ChatMessage("assistant", "", tuple(calls))]
            turn += [ChatMessage("tool", _found(call, self.locale), tool_call_id=call.id) for call in calls]
        made = writes or (looked_up if not words.endswith("?") and "?\n" not in words else [])
        self.answer = _before_a_card(words, text_in(self.locale, CONFIRM)) if writes else words
        self.messages.append(ChatMessage("assistant", self.answer or "-"))
        parsed = [(call.name, json.loads(call.arguments)) for call in made]
        self.calls += parsed
        return parsed

    async def _ask(self, messages: list[ChatMessage], text: str) -> tuple[str, list[ToolCall]]:
        tools = (REQUEST_HUMAN, *(spec_of(action, self.locale) for action in code_actions().values()))
        request = ModelRequest(
            "answer", tuple(messages), tools=tools, question=text, locale=self.locale, is_answerable=False
        )
        events = [event async for event in BuiltinProvider().stream(request)]
        words = "".join(event.text for event in events if isinstance(event, TextDelta))
        return words, [event for event in events if isinstance(event, ToolCall)]


def _before_a_card(words: str, closing: str) -> str:
    """Return the text of a turn that ends with a card. The text before the closing text is kept only if it is an
    apology.
    """
    return f"{words}\n\n{closing}" if is_regret(words) else closing


def is_look_up(name: str) -> bool:
    action = code_actions().get(name)
    return action is not None and action.is_read


def replies_to(messages: Sequence[str], locale: str) -> tuple[Reply, ...]:
    """Return the answers to a customer's messages, each with the calls that its message led to."""
    chat, replies = Chat(locale), list[Reply]()
    for text in messages:
        began = time.perf_counter()
        calls = tuple(MadeCall(name, arguments, _end_of(name)) for name, arguments in chat.send(text))
        took_ms = round((time.perf_counter() - began) * 1000, 1)
        replies.append(Reply(text, chat.answer, calls=calls, by="builtin", took_ms=took_ms))
    return tuple(replies)


def _end_of(name: str) -> CallEnd:
    return "handed_over" if name == REQUEST_HUMAN.name else "answered" if is_look_up(name) else "proposed"


def _found(call: ToolCall, locale: str) -> str:
    wanted = json.loads(call.arguments).get("order_id")
    orders = [order for order in ORDERS if wanted in (None, order.id)]
    answer = read_action(call.name).answer(orders, (), locale)
    return as_data({"refused": sentence(answer, locale)} if isinstance(answer, Reason) else answer)


def detected_actions_in(text: str, locale: str) -> tuple[str, ...]:
    """Return the action that is detected in a message, or the actions that the answerer would ask about."""
    found = intent_in(text, tools_in(detect(text, base_language(locale))))
    return (found.action,) if found.action else found.candidates


def tools_in(language: str) -> list[ToolSpec]:
    """Return the tools for all actions in a language."""
    return [spec_of(action, language) for action in all_actions().values()]


def intent_in(text: str, tools: Sequence[ToolSpec], *, is_after_deed: bool = False) -> DetectedIntent:
    """Return what a message requests. `is_after_deed` says whether an action was carried out earlier in the
    conversation.
    """
    found = detect_intent(text, tools)
    return DetectedIntent(UNDO) if wants_undo(text, tools, is_after_deed=is_after_deed) else found
