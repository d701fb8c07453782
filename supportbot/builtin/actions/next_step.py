"""From what is wanted to the next step: look the orders up, ask for what is missing, or call the tools. Pure but for
`intents`.

The calls are those that a model would make, so all that guards a model's calls guards these. Nothing is called while
anything of it is unclear. What is asked for comes as words, and as typed blocks for readers that know them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from supportbot.builtin import intents
from supportbot.builtin.actions.dialogue import talk_of
from supportbot.builtin.actions.orders import KnownOrder, goods_named, meant, orders_in
from supportbot.builtin.actions.slots import (
    TEXT_MOST,
    Shape,
    Wish,
    field_of_kind,
    fields_of,
    kind_of,
    missing_in,
    required_by,
)
from supportbot.builtin.phrases import field_name, field_title, say
from supportbot.language.ordernumbers import without_numbers
from supportbot.language.words import words
from supportbot.llm.types import ModelRequest, ToolCall, ToolSpec

WITHDRAW_TOOL: Final = "withdraw_cards"
ONLY_ASKS: Final = "only-asks"  # the option that is no action's name
OFFERED: Final = 5  # orders
_OF_A_FIELD: Final = frozenset({"type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"})
_CLAUSE: Final = re.compile(r"[.!?;:,()\n–—]+(?=\s|$)|\s[–—(-]\s?|[()]")
_CLAUSES_MOST: Final = 6
_AS_MUCH: Final = 0.8  # of what the clause that wishes says: "give me my money back" is no reason
_LEAST_REASON: Final = 4  # letters
_COURTEOUS: Final = frozenset({"greeting", "thanks", "farewell", "acknowledgement", "affirm", "negate", "person"})


@dataclass(frozen=True, slots=True)
class Reply:
    """Words, calls, or neither where the look-up itself is the answer. `blocks` are the typed blocks of the wire: what
    is asked for, to choose or to fill in."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    blocks: tuple[dict[str, Any], ...] = ()


def next_step(request: ModelRequest, language: str) -> Reply | None:
    """Return the next step of what the customer wants done; None if their message is about something else."""
    tools = [tool for tool in request.tools if tool.examples]
    if not tools:
        wished = intents.wished_in(request.question, request.tools_signed_in)
        return Reply(say("sign_in", language)) if wished and wished[0].is_heard else None
    talk = talk_of(request, tools)
    match talk.came:
        case "withdrawn" if WITHDRAW_TOOL in {tool.name for tool in request.tools}:
            return _call(WITHDRAW_TOOL, {})
        case "withdrawn" | "left_alone":
            return Reply(say("left_alone", language))
        case "use_card":
            return Reply(say("use_card", language))
        case "doubted":
            return _what_was_meant([talk.tool(action) for action in talk.doubted], language)
        case "moved":
            planner = _Planner(tools, orders_in(request.messages), language)
            return planner.together([planner.step(talk.tool(wish.action), wish) for wish in talk.open])
    return None


def _what_was_meant(tools: Sequence[ToolSpec], language: str) -> Reply:
    """Ask whether an action is wanted or only asked about, with a button for each."""
    prompt = say("meant", language, title=tools[0].title or tools[0].name)
    options = {tool.name: tool.title or tool.name for tool in tools}
    return Reply(prompt, blocks=(_choices(prompt, options | {ONLY_ASKS: say("only_asks", language)}),))


class _Planner:
    """Of each wish the next step: a look-up that it needs, else a question, else its call."""

    def __init__(self, tools: Sequence[ToolSpec], orders: Sequence[KnownOrder] | None, language: str) -> None:
        self._tools = tools
        self._orders = orders
        self._language = language
        look_up = next((tool for tool in tools if tool.is_read and not required_by(tool)), None)
        self._look_up = _call(look_up.name, {}) if look_up else None

    def together(self, steps: Sequence[Reply]) -> Reply:
        """Return the look-up if one of the wishes needs it, the first question that is open, or all calls."""
        if self._look_up is not None and self._look_up in steps:
            return self._look_up
        calls = [call for step in steps for call in step.calls]
        together = Reply(calls=tuple(replace(call, id=f"builtin-{at}") for at, call in enumerate(calls, 1)))
        return next((step for step in steps if not step.calls), together)

    def step(self, tool: ToolSpec, wish: Wish) -> Reply:
        return self._told(tool, wish) if tool.is_read else self._done(tool, wish)

    def _told(self, tool: ToolSpec, wish: Wish) -> Reply:
        """Look up what is asked for; of more orders than that, tell a line of those that are meant."""
        ref = wish.order if wish.order and wish.order.number else None  # "my last refund" is not that of the last order
        name = field_of_kind(tool, "order")
        of_one, of_all = _call(tool.name, {name: ref.number} if ref and name else {}), _call(tool.name, {})
        if self._orders is None:
            return of_one if ref and ref.is_whole else of_all
        found = meant(replace(wish, order=ref), self._orders)
        if ref and name and self._orders and not found:  # which only the shop can say for sure
            return of_one
        is_all = len(found) in (0, len(self._orders)) or not all(order.is_told_by_a_line for order in found)
        return Reply("" if is_all else "\n".join(f"- {order.dated_line(self._language)}" for order in found[:OFFERED]))

    def _done(self, tool: ToolSpec, wish: Wish) -> Reply:
        """Call for what is wished, with all its arguments; ask for the first that is missing or was unclear."""
        arguments, shapes, language = dict(wish.values), fields_of(tool), self._language
        if order_field := field_of_kind(tool, "order"):
            if self._orders is None and self._look_up is not None and _needs_look_up(tool, wish):
                return self._look_up
            found = meant(wish, self._orders or ())
            if len(found) == 1:
                arguments = _for_order(tool, wish, found[0])
            elif wish.order and wish.order.number:
                arguments[order_field] = wish.order.number
            else:
                return self._which(found)
        if wish.unclear and wish.unclear not in arguments:
            return Reply(say("amount", language))
        if missing := missing_in(tool, arguments):
            return _asked_for(missing[0], shapes[missing[0]], language)
        reason = field_of_kind(tool, "reason")
        if reason in required_by(tool) and reason not in arguments:
            most = int(shapes[reason].get("maxLength", TEXT_MOST))
            arguments[reason] = reason_in(wish.said, wish.action, self._tools, most) or say("no_reason", language)
        return _call(tool.name, arguments)

    def _which(self, found: Sequence[KnownOrder]) -> Reply:
        """Ask which order is meant; the look-up says itself that there is none."""
        if self._look_up is None:
            return Reply(say("order_number", self._language))
        if not self._orders:
            return Reply()
        offered, prompt = (found or self._orders)[:OFFERED], say("which_of_these", self._language)
        lines = "\n".join(f"- {order.line}" for order in offered)
        return Reply(f"{prompt}\n{lines}", blocks=(_choices(prompt, {order.id: order.line for order in offered}),))


def _needs_look_up(tool: ToolSpec, wish: Wish) -> bool:
    """Return whether the orders must be known: which one is meant, which items are named, whether an amount is all."""
    may_name_items = bool(field_of_kind(tool, "items")) and len(words(without_numbers(wish.said))) > 2
    is_clear = wish.order is not None and wish.order.is_whole
    return not is_clear or may_name_items or field_of_kind(tool, "amount") in wish.values


def _for_order(tool: ToolSpec, wish: Wish, order: KnownOrder) -> dict[str, Any]:
    """Return the arguments without an amount that is the whole order, with the items that were named of it."""
    amount, items = field_of_kind(tool, "amount"), field_of_kind(tool, "items")
    kept = {name: value for name, value in wish.values.items() if name != amount or not order.costs(value)}
    named = _items(wish, order) if items and not wish.unclear and amount not in kept else []
    return kept | {field_of_kind(tool, "order"): order.id} | ({items: named} if named else {})


def _items(wish: Wish, order: KnownOrder) -> list[dict[str, Any]]:
    """Return the items that the customer named, none if that is all of the order."""
    goods = goods_named(wish.said, [order])
    named = [item for item in order.items if item.get("sku") and str(item.get("name", "")) in goods]
    if len(named) == len(order.items):
        return []
    return [{"sku": item["sku"], "quantity": max(1, int(item.get("quantity", 1)))} for item in named]


def reason_in(said: str, action: str, tools: Sequence[ToolSpec], most: int) -> str:
    """Return the customer's own words beside the wish itself, as one line: the clauses that ask for nothing."""
    clauses = [clause.strip() for clause in _CLAUSE.split(said) if clause.strip()][:_CLAUSES_MOST]
    chances = [_chance(clause, action, tools) for clause in clauses]
    kept = [
        " ".join(without_numbers(clause).replace(";", " ").split())
        for clause, chance in zip(clauses, chances, strict=True)
        if chance < _AS_MUCH * max(chances) and _is_telling(clause)
    ]
    line = "".join(char if char.isprintable() else " " for char in ", ".join(kept))
    return f"{line[:1].upper()}{line[1:]}"[:most].strip()


def _chance(clause: str, action: str, tools: Sequence[ToolSpec]) -> float:
    return next((wished.chance for wished in intents.wished_in(clause, tools) if wished.action == action), 0.0)


def _is_telling(clause: str) -> bool:
    letters = sum(sign.isalpha() for sign in without_numbers(clause))
    return letters >= _LEAST_REASON and intents.read(clause).kind not in _COURTEOUS


def _asked_for(name: str, shape: Shape, language: str) -> Reply:
    """Ask for a field: by buttons for a choice, else by a form, for an address of its parts."""
    part = field_name(name, language)
    if "enum" in shape:
        options = {str(choice): str(choice).replace("_", " ") for choice in shape["enum"]}
        prompt = say("choice", language, part=part, choices=" / ".join(options.values()))
        return Reply(prompt, blocks=(_choices(prompt, options),))
    if kind_of(name, shape) != "address":
        prompt = say("other", language, part=part)
        return Reply(prompt, blocks=_form(prompt, {name: shape}, [name], language))
    prompt, required = say("address", language), shape.get("required", ())
    # Nobody can be expected to know how a part that may be left out has to be written, such as a country's code.
    parts = {part: own for part, own in shape["properties"].items() if part in required or "pattern" not in own}
    return Reply(prompt, blocks=_form(prompt, parts, required, language))


def _choices(prompt: str, options: Mapping[str, str]) -> dict[str, Any]:
    return {"type": "choices", "prompt": prompt, "options": [{"id": one, "label": options[one]} for one in options]}


def _form(
    prompt: str, shapes: Mapping[str, Shape], required: Sequence[str], language: str
) -> tuple[dict[str, Any], ...]:
    """Return the form that asks for the fields, none where one that is needed is no plain text or number."""
    plain = {name: shape for name, shape in shapes.items() if shape.get("type") in ("string", "integer")}
    if not set(required) <= plain.keys():
        return ()
    fields = [_field(name, shape, name in required, language) for name, shape in plain.items()]
    return ({"type": "form", "prompt": prompt, "fields": fields},)


def _field(name: str, shape: Shape, is_required: bool, language: str) -> dict[str, Any]:
    kept = {key: value for key, value in shape.items() if key in _OF_A_FIELD}
    if shape["type"] == "string":
        kept.setdefault("maxLength", TEXT_MOST)
    return {"name": name, "title": field_title(name, language), "required": is_required, **kept}


def _call(name: str, arguments: Mapping[str, Any]) -> Reply:
    return Reply(calls=(ToolCall("builtin-1", name, orjson.dumps(arguments).decode()),))
