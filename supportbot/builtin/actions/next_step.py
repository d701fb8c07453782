"""From what is wanted to the next step: look the orders up, ask for what is missing, or call the tools. Pure but for
`intents`.

The calls are those that a model would make, so all that guards a model's calls guards these. Nothing is called while
anything of it is unclear. What is asked for comes as words, and as typed blocks for readers that know them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from supportbot.builtin import intents
from supportbot.builtin.actions.dialogue import CLAUSE, Talk, Wish, talk_of
from supportbot.builtin.actions.orders import (
    OFFERED,
    KnownOrder,
    goods_named,
    line_of,
    lines_of,
    meant,
    orders_in,
    total_of,
)
from supportbot.builtin.actions.slots import (
    TEXT_MOST,
    field_of_kind,
    fields_of,
    kind_of,
    required_by,
)
from supportbot.builtin.phrases import field_name, field_title, say
from supportbot.language.ordernumbers import without_numbers
from supportbot.language.words import words
from supportbot.llm.types import ModelRequest, ToolCall, ToolSpec

WITHDRAW_TOOL: Final = "withdraw_cards"
ONLY_ASKS: Final = "only-asks"  # the option that is no action's name
_OF_A_FIELD: Final = frozenset({"type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"})
_ADDRESS_PARTS: Final = ("line1", "postal_code", "city")
_CLAUSES_MOST: Final = 6
_AS_MUCH: Final = 0.8  # of what the clause that wishes says: "give me my money back" is no reason
_LEAST_REASON: Final = 4  # letters
_COURTEOUS: Final = frozenset({"greeting", "thanks", "farewell", "acknowledgement", "affirm", "negate", "person"})


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: words, calls, or neither where the look-up itself is the answer. `blocks` are the typed blocks
    of the wire: what is asked for, to choose or to fill in."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    blocks: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class _Ready:
    """A wish with all its arguments."""

    action: str
    arguments: dict[str, Any]


class _LookUp:
    """The customer's orders are needed first."""


def next_step(request: ModelRequest, language: str) -> Step | None:
    """Return the next step of what the customer wants done; None if their message is about something else."""
    tools = [tool for tool in request.tools if tool.examples]
    if not tools:
        wished = intents.wished_in(request.question, request.tools_signed_in)
        return Step(say("sign_in", language)) if wished and wished[0].is_heard else None
    talk = talk_of(request, tools)
    if talk.answers is not None:
        can_withdraw = talk.withdraws and WITHDRAW_TOOL in {tool.name for tool in request.tools}
        calls = (_call(1, WITHDRAW_TOOL, {}),) if can_withdraw else ()
        return Step("" if calls else say(talk.answers, language), calls)
    if talk.doubted:
        return _what_was_meant([talk.tool(action) for action in talk.doubted], language)
    if not talk.is_moved or not talk.open:
        return None
    return _Planner(talk, orders_in(request.messages), language).step()


def _what_was_meant(tools: Sequence[ToolSpec], language: str) -> Step:
    """Ask whether an action is wanted or only asked about, with a button for each."""
    prompt = say("meant", language, title=tools[0].title or tools[0].name)
    options = [{"id": tool.name, "label": tool.title or tool.name} for tool in tools]
    return Step(prompt, blocks=(_choices(prompt, [*options, {"id": ONLY_ASKS, "label": say("only_asks", language)}]),))


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
        question = next((entry for entry in planned if isinstance(entry, Step)), None)
        if question is not None:
            return question
        ready = [entry for entry in planned if isinstance(entry, _Ready)]
        return Step(calls=tuple(_call(place, entry.action, entry.arguments) for place, entry in enumerate(ready, 1)))

    def _plan(self, wish: Wish) -> _Ready | Step | _LookUp:
        tool = self._talk.tool(wish.action)
        return self._plan_read(tool, wish) if tool.is_read else self._plan_write(tool, wish)

    def _plan_read(self, tool: ToolSpec, wish: Wish) -> _Ready | Step | _LookUp:
        order = field_of_kind(tool, "order")
        if wish.order is not None and wish.order.is_whole and order:
            return Step() if self._orders is not None else _Ready(tool.name, {order: wish.order.number})
        if self._orders is None:
            return _Ready(tool.name, {})
        ref = wish.order if wish.order and wish.order.number else None  # "my last refund" is not that of the last order
        found = meant(ref, wish.said, self._orders)
        if wish.order is not None and wish.order.number and not found and order:
            return _Ready(tool.name, {order: wish.order.number})
        is_all = len(found) == len(self._orders) or not all(order.is_told_by_a_line for order in found)
        return Step("" if is_all else lines_of(found, self._language, with_dates=True))

    def _plan_write(self, tool: ToolSpec, wish: Wish) -> _Ready | Step | _LookUp:
        arguments = dict(wish.values)
        order_field, order = field_of_kind(tool, "order"), None
        items, amount = field_of_kind(tool, "items"), field_of_kind(tool, "amount")
        if order_field:
            needs_items = bool(items) and len(words(without_numbers(wish.said))) > 2 and amount not in wish.values
            if self._orders is None and self._look_up is not None and (needs_items or amount in wish.values):
                return _LookUp()  # which items are named, and whether an amount is all of it
            named = self._order(wish)
            if isinstance(named, Step | _LookUp):
                return named
            arguments[order_field], order = named
        if order is not None and amount in arguments and _is_all(arguments[amount], order):
            del arguments[amount]
        if items and order is not None and not wish.unclear and amount not in arguments:
            arguments |= {items: chosen} if (chosen := _items(wish, order)) else {}
        missing = self._missing(tool, wish, arguments)
        return missing if missing is not None else _Ready(tool.name, arguments)

    def _order(self, wish: Wish) -> tuple[str, KnownOrder | None] | Step | _LookUp:
        """Return the number of the order that is meant, and the order itself if it was looked up."""
        number, language = wish.order.number if wish.order else "", self._language
        if self._orders is None:
            if number and (self._look_up is None or (wish.order and wish.order.is_whole)):
                return number, None
            return _LookUp() if self._look_up is not None else Step(say("order_number", language))
        found = meant(wish.order, wish.said, self._orders, action=wish.action, before=wish.previous)
        if len(found) == 1:
            return found[0].id, found[0]
        if number:
            return number, None
        if not self._orders:
            return Step()  # the look-up says so itself
        offered, prompt = (found or self._orders)[:OFFERED], say("which_of_these", language)
        options = [{"id": order.id, "label": line_of(order)} for order in offered]
        return Step(f"{prompt}\n{lines_of(offered)}", blocks=(_choices(prompt, options),))

    def _missing(self, tool: ToolSpec, wish: Wish, arguments: dict[str, Any]) -> Step | None:
        """Ask for the first thing that is missing or was unclear; fill in a reason that was not given."""
        for name, schema in fields_of(tool).items():
            kind = kind_of(name, schema)
            if kind == "amount" and wish.unclear == name and name not in arguments:
                return Step(say("amount", self._language))
            if kind == "address" and name in required_by(tool):
                question = self._address(schema, arguments.get(name, {}))
                if question is not None:
                    return question
            if name not in required_by(tool) or name in arguments:
                continue
            if kind != "reason":
                return self._ask_for(name, schema)
            most = int(schema.get("maxLength", TEXT_MOST))
            arguments[name] = reason_in(wish.said, wish.action, self._talk.tools, most) or say(
                "no_reason", self._language
            )
        return None

    def _ask_for(self, name: str, schema: Mapping[str, Any]) -> Step:
        part = field_name(name, self._language)
        if "enum" not in schema:
            prompt = say("other", self._language, part=part)
            return Step(prompt, blocks=_form(prompt, {name: schema}, [name], self._language))
        named = {str(choice): str(choice).replace("_", " ") for choice in schema["enum"]}
        prompt = say("choice", self._language, part=part, choices=" / ".join(named.values()))
        return Step(prompt, blocks=(_choices(prompt, [{"id": one, "label": label} for one, label in named.items()]),))

    def _address(self, schema: Mapping[str, Any], known: dict[str, str]) -> Step | None:
        missing = [part for part in _ADDRESS_PARTS if part not in known]
        if not missing:
            return None
        # Nobody can be expected to know how a part that may be left out has to be written, such as a country's code.
        unknown = ((part, shape) for part, shape in schema.get("properties", {}).items() if part not in known)
        fields = {part: shape for part, shape in unknown if part in missing or "pattern" not in shape}
        if len(missing) == len(_ADDRESS_PARTS):
            prompt = say("address", self._language)
        else:
            prompt = say("address_part", self._language, part=field_name(missing[0], self._language))
        return Step(prompt, blocks=_form(prompt, fields, missing, self._language))


def reason_in(said: str, action: str, tools: Sequence[ToolSpec], most: int) -> str:
    """Return the customer's own words beside the wish itself, as one line: the clauses that ask for nothing."""
    clauses = [clause.strip() for clause in CLAUSE.split(said) if clause and clause.strip()][:_CLAUSES_MOST]
    if len(clauses) < 2:
        return ""
    wished = [_chance(clause, action, tools) for clause in clauses]
    kept = [
        " ".join(without_numbers(clause).replace(";", " ").split())
        for clause, chance in zip(clauses, wished, strict=True)
        if chance < _AS_MUCH * max(wished) and _is_telling(clause)
    ]
    line = "".join(char if char.isprintable() else " " for char in ", ".join(filter(None, kept)))
    return f"{line[:1].upper()}{line[1:]}"[:most].strip()


def _chance(clause: str, action: str, tools: Sequence[ToolSpec]) -> float:
    return next((wished.chance for wished in intents.wished_in(clause, tools) if wished.action == action), 0.0)


def _is_telling(clause: str) -> bool:
    letters = sum(sign.isalpha() for sign in without_numbers(clause))
    return letters >= _LEAST_REASON and intents.read(clause).kind not in _COURTEOUS


def _items(wish: Wish, order: KnownOrder) -> list[dict[str, Any]]:
    """Return the items that the customer named, none if that is all of the order."""
    goods = goods_named(wish.said, [order])
    named = [item for item in order.items if item.get("sku") and str(item.get("name", "")) in goods]
    if len(named) == len(order.items):
        return []
    return [{"sku": item["sku"], "quantity": max(1, int(item.get("quantity", 1)))} for item in named]


def _is_all(amount: str, order: KnownOrder) -> bool:
    """Return whether an amount is what the order cost: "I paid 50 euros and want my money back"."""
    whole, _, cents = amount.partition(".")
    return f"{whole}{cents.ljust(2, '0')}" == total_of(order)


def _choices(prompt: str, options: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": "choices", "prompt": prompt, "options": list(options)}


def _form(
    prompt: str, shapes: Mapping[str, Mapping[str, Any]], required: Sequence[str], language: str
) -> tuple[dict[str, Any], ...]:
    """Return the form that asks for the fields, none where one that is needed is no plain text or number."""
    plain = {name: shape for name, shape in shapes.items() if shape.get("type") in ("string", "integer")}
    if not plain or not set(required) <= plain.keys():
        return ()
    fields = [_field(name, shape, name in required, language) for name, shape in plain.items()]
    return ({"type": "form", "prompt": prompt, "fields": fields},)


def _field(name: str, shape: Mapping[str, Any], is_required: bool, language: str) -> dict[str, Any]:
    kept = {key: value for key, value in shape.items() if key in _OF_A_FIELD}
    if shape["type"] == "string":
        kept.setdefault("maxLength", TEXT_MOST)
    return {"name": name, "title": field_title(name, language), "required": is_required, **kept}


def _call(place: int, name: str, arguments: dict[str, Any]) -> ToolCall:
    return ToolCall(f"builtin-{place}", name, orjson.dumps(arguments).decode())
