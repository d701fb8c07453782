"""From what is wanted to the next step: look the orders up, ask for what is missing, or call the tools. Pure.

The calls are those that a model would make, so all that guards a model's calls guards these. Nothing is called while
anything of it is unclear.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from supportbot.llm.types import ModelRequest, ToolCall, ToolSpec
from supportbot.llm.wishes.dialogue import Talk, Wish, talk_of
from supportbot.llm.wishes.orders import KnownOrder, items_named, lines_of, meant, orders_in, states_of
from supportbot.llm.wishes.phrases import field_name, no_reason, say
from supportbot.llm.wishes.recognise import wishes_in
from supportbot.llm.wishes.slots import field_of_kind, fields_of, kind_of, required_by

_ADDRESS_PARTS: Final = ("line1", "postal_code", "city")


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: words, calls, or neither where the look-up itself is the answer."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ready:
    """A wish with all its arguments."""

    action: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Question:
    text: str


class _LookUp:
    """The customer's orders are needed first."""


def next_step(request: ModelRequest, language: str) -> Step | None:
    """Return the next step of what the customer wants done; None if their message is about something else."""
    tools = [tool for tool in request.tools if tool.examples]
    if not tools:
        return _for_visitors(request, language)
    talk = talk_of(request, tools)
    if talk.answers is not None:
        return Step(say(talk.answers, language))
    if not talk.is_moved or not talk.open:
        return None
    return _Planner(talk, orders_in(request.messages), language).step()


def _for_visitors(request: ModelRequest, language: str) -> Step | None:
    wished = wishes_in(request.question, request.tools_signed_in)
    return Step(say("sign_in", language)) if wished else None


class _Planner:
    def __init__(self, talk: Talk, orders: list[KnownOrder] | None, language: str) -> None:
        self._talk = talk
        self._orders = orders
        self._language = language
        self._look_up = next((tool for tool in talk.tools if tool.is_read and not required_by(tool)), None)

    def step(self) -> Step:
        """Return the first question that is open, a look-up that is needed, or all calls."""
        planned = [self._plan(wish) for wish in self._talk.open]
        if any(isinstance(entry, _LookUp) for entry in planned) and self._look_up is not None:
            return Step(calls=(_call(1, self._look_up.name, {}),))
        question = next((entry for entry in planned if isinstance(entry, _Question)), None)
        if question is not None:
            return Step(question.text)
        ready = [entry for entry in planned if isinstance(entry, _Ready)]
        return Step(calls=tuple(_call(place, entry.action, entry.arguments) for place, entry in enumerate(ready, 1)))

    def _plan(self, wish: Wish) -> _Ready | _Question | _LookUp:
        tool = self._talk.tool(wish.action)
        return self._plan_read(tool, wish) if tool.is_read else self._plan_write(tool, wish)

    def _plan_read(self, tool: ToolSpec, wish: Wish) -> _Ready | _Question | _LookUp:
        order = field_of_kind(tool, "order")
        is_told = self._orders is not None
        if wish.order is not None and wish.order.kind == "number" and wish.order.is_whole and order:
            return _Question("") if is_told else _Ready(tool.name, {order: wish.order.text})
        if not is_told:
            return _Ready(tool.name, {})
        found = meant(wish.order, wish.about, self._orders or (), wish.previous)
        if wish.order is not None and wish.order.kind == "number" and not found:
            return _Ready(tool.name, {order: wish.order.text})
        is_all = len(found) == len(self._orders or ()) or not all(order.is_told_by_a_line for order in found)
        return _Question("" if is_all else states_of(found, self._language))

    def _plan_write(self, tool: ToolSpec, wish: Wish) -> _Ready | _Question | _LookUp:
        arguments = dict(wish.values)
        order_field, order = field_of_kind(tool, "order"), None
        if order_field:
            named = self._order(wish)
            if isinstance(named, _Question | _LookUp):
                return named
            arguments[order_field], order = named
        items = field_of_kind(tool, "items")
        if items and wish.about and not wish.unclear and field_of_kind(tool, "amount") not in wish.values:
            if self._orders is None and self._look_up is not None:
                return _LookUp()
            chosen = _items(wish, order)
            if chosen:
                arguments[items] = chosen
        missing = self._missing(tool, wish, arguments)
        return missing if missing is not None else _Ready(tool.name, arguments)

    def _order(self, wish: Wish) -> tuple[str, KnownOrder | None] | _Question | _LookUp:
        """Return the number of the order that is meant, and the order itself if it was looked up."""
        ref, is_number = wish.order, wish.order is not None and wish.order.kind == "number"
        if self._orders is None:
            if ref is not None and is_number and (ref.is_whole or self._look_up is None):
                return ref.text, None
            return _LookUp() if self._look_up is not None else _Question(say("order_number", self._language))
        found = meant(ref, wish.about, self._orders, wish.previous)
        if len(found) == 1:
            return found[0].id, found[0]
        if ref is not None and is_number:
            return ref.text, None
        if not self._orders:
            return _Question("")  # the look-up says so itself
        listed = lines_of(found or self._orders)
        return _Question(f"{say('which_of_these', self._language)}\n{listed}")

    def _missing(self, tool: ToolSpec, wish: Wish, arguments: dict[str, Any]) -> _Question | None:
        """Ask for the first thing that is missing or was unclear; fill in a reason that was not given."""
        for name, schema in fields_of(tool).items():
            kind = kind_of(name, schema)
            if kind == "amount" and wish.unclear == name:
                return _Question(say("amount", self._language))
            if kind == "address" and name in required_by(tool):
                question = self._address(arguments.get(name, {}))
                if question:
                    return _Question(question)
            if name not in required_by(tool) or name in arguments:
                continue
            if kind != "reason":
                return _Question(self._ask_for(name, schema))
            arguments[name] = no_reason(self._language)
        return None

    def _ask_for(self, name: str, schema: dict[str, Any] | Any) -> str:
        part = field_name(name, self._language)
        if "enum" in schema:
            choices = " / ".join(str(choice).replace("_", " ") for choice in schema["enum"])
            return say("choice", self._language, part=part, choices=choices)
        return say("other", self._language, part=part)

    def _address(self, known: dict[str, str]) -> str:
        missing = [part for part in _ADDRESS_PARTS if part not in known]
        if not missing:
            return ""
        if len(missing) == len(_ADDRESS_PARTS):
            return say("address", self._language)
        return say("address_part", self._language, part=field_name(missing[0], self._language))


def _items(wish: Wish, order: KnownOrder | None) -> list[dict[str, Any]]:
    """Return the items that the customer named, none if that is all of the order."""
    if order is None:
        return []
    named = [item for item in items_named(wish.about, order) if item.get("sku")]
    if len(named) == len(order.items):
        return []
    return [{"sku": item["sku"], "quantity": max(1, int(item.get("quantity", 1)))} for item in named]


def _call(place: int, name: str, arguments: dict[str, Any]) -> ToolCall:
    return ToolCall(f"builtin-{place}", name, orjson.dumps(arguments).decode())
