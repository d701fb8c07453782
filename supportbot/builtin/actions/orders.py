"""Finds the order that a customer means, by its number, position or items. Pure, apart from `intents`.

The orders come from the turn's look-up. An order number that matches none of them is passed on unchanged, so the answer
about another customer's order is the same as about an order that does not exist.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from supportbot.builtin import intents
from supportbot.builtin.actions.slots import Intent
from supportbot.builtin.phrases import dated
from supportbot.language.words import words
from supportbot.llm.types import ChatMessage

# Cosine similarities of centred vectors: "Schlafsack" and "Ember sleeping bag" reach .45, which is .26 above other
# items. Words that name none of the items never came this close.
_NEAR, _NEARER, _COMPARED = 0.25, 0.1, 8
_LEAST_STEM: Final = 4  # letters shared by two forms of a word: "boot" and "boots", "Zelt" and "Zelte"
_DATES: Final = ("shipped_at", "delivered_at", "expected_on")


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """One of the customer's orders, with the fields of the look-up."""

    id: str
    fields: Mapping[str, Any]

    @property
    def items(self) -> list[Mapping[str, Any]]:
        found = self.fields.get("items")
        return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []

    @property
    def names(self) -> list[str]:
        return [str(item.get("name", "")) for item in self.items]

    @property
    def line(self) -> str:
        """The text for an order in a list or on a button. It contains only what the look-up returned."""
        state = str(self.fields.get("status_text") or self.fields.get("status") or "")
        goods = " + ".join(name for name in self.names[:3] if name)
        parts = [f"{self.id}: {goods}", state, str(self.fields.get("total", ""))]
        return " · ".join(part for part in parts if part.strip(": "))

    @property
    def fits_one_line(self) -> bool:
        """Whether a line with the state and dates says everything, because nothing was refunded and nothing is
        pending.
        """
        return not self.fields.get("asked_for") and re.search("[1-9]", str(self.fields.get("refunded", ""))) is None

    def dated_line(self, language: str) -> str:
        dates = (dated(name, str(self.fields[name]), language) for name in _DATES if self.fields.get(name))
        return " · ".join([self.line, *dates])

    def allows(self, action: str) -> bool:
        """Return whether the look-up allows the action for this order or says nothing about it."""
        return action in self.fields.get("possible_actions", (action,))

    def costs(self, amount: str) -> bool:
        """Return whether an amount equals the order's total, as in "I paid 50 euros and want my money back"."""
        whole, _, cents = amount.partition(".")
        return f"{whole}{cents.ljust(2, '0')}" == re.sub(r"\D", "", str(self.fields.get("total", "")))


def orders_in(messages: Sequence[ChatMessage]) -> list[KnownOrder] | None:
    """Return the orders of this turn's last look-up, newest first; None if there was no look-up."""
    newest = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    found = (_orders_of(message.content) for message in messages[:newest:-1] if message.role == "tool")
    return next((orders for orders in found if orders is not None), None)


def refused_by_call(messages: Sequence[ChatMessage]) -> dict[str, list[str]]:
    """Return the arguments that were refused in this turn's calls, by tool; [] for a call that was not refused."""
    newest = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    turn = messages[newest + 1 :]
    results = {message.tool_call_id: message.content for message in turn if message.role == "tool"}
    calls = [call for message in turn for call in message.tool_calls]
    return {call.name: _refused_in(results.get(call.id, "")) for call in calls}


def called_with(messages: Sequence[ChatMessage]) -> dict[str, dict[str, Any]]:
    """Return the arguments of each tool's last call in this turn, by tool."""
    newest = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    calls = [call for message in messages[newest + 1 :] for call in message.tool_calls]
    return {call.name: _json(call.arguments) or {} for call in calls}


def choices_in_turn(messages: Sequence[ChatMessage]) -> dict[str, dict[str, str]]:
    """Return the customer's records that a call in this turn offered as choices, by argument, with the text of each
    value.
    """
    newest = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    found: dict[str, dict[str, str]] = {}
    for message in messages[newest + 1 :]:
        value = _json(message.content) if message.role == "tool" else None
        choices = value.get("choices") if isinstance(value, dict) else None
        for name, entries in choices.items() if isinstance(choices, dict) else ():
            found[name] = {one["value"]: one["label"] for one in entries}
    return found


def _json(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _refused_in(content: str) -> list[str]:
    value = _json(content)
    fields = value.get("fields") if isinstance(value, dict) and "refused" in value else None
    return [str(name).partition(".")[0] for name in fields] if isinstance(fields, dict) else []


def _orders_of(content: str) -> list[KnownOrder] | None:
    value = _json(content)
    lists = [part for part in value.values() if isinstance(part, list)] if isinstance(value, dict) else []
    for entries in lists:
        if all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries):
            orders = [KnownOrder(entry["id"], entry) for entry in entries]
            return sorted(orders, key=lambda order: str(order.fields.get("placed_on", "")), reverse=True)
    return None


def matching_orders(intent: Intent, orders: Sequence[KnownOrder]) -> list[KnownOrder]:
    """Return the orders that the customer may mean: only one if it is clear, and none if the number matches no
    order.
    """
    possible = [order for order in orders if order.allows(intent.action)] or list(orders)
    if intent.order is None:
        goods = items_named(intent.text, orders)
        return [order for order in orders if not goods.isdisjoint(order.names)] or possible
    if intent.order.number:
        return [order for order in orders if _is_number(intent.order.number, order.id)]
    match intent.order.place:
        case "last":
            return list(orders[:1])
        case "oldest":
            return list(orders[-1:])
        case "other":
            return [order for order in orders if order.id != intent.previous]
        case "unclear":
            return possible
    return possible[int(intent.order.place) :][:1]


def _is_number(text: str, known: str) -> bool:
    plain, other = _plain(text), _plain(known)
    return plain == other or (plain.isdigit() and len(plain) >= 3 and plain == re.sub(r"\D", "", other))


def _plain(number: str) -> str:
    return "".join(char for char in number.upper() if char.isalnum())


def items_named(text: str, orders: Sequence[KnownOrder]) -> frozenset[str]:
    """Return the names of the items that the text mentions with a word from the name or with a word of similar
    meaning.
    """
    spoken = [word for word in dict.fromkeys(words(text)) if len(word) >= _LEAST_STEM and word.isalpha()]
    names = list(dict.fromkeys(name for order in orders for name in order.names))
    same = frozenset(name for name in names if any(_is_of(word, name) for word in spoken))
    if same or len(names) < 2:
        return same
    vectors = np.array([intents.centred_vector(name) for name in names])
    near = [vectors @ intents.centred_vector(word) for word in spoken[-_COMPARED:]]
    best = [(names[int(one.argmax())], *np.sort(one)[:-3:-1].tolist()) for one in near]
    return frozenset(name for name, first, second in best if first >= _NEAR and first - second >= _NEARER)


def _is_of(word: str, name: str) -> bool:
    length = max(_LEAST_STEM, len(word) - 2)
    return any(word[:length] == part[:length] for part in words(name) if len(part) >= _LEAST_STEM)
