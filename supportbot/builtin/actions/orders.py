"""Which of a customer's orders is meant: by its number, its place in a list, or what is in it. Pure but for `intents`.

The orders come from the look-up that a turn makes; an order number goes on as the customer wrote it when none of their
own matches, so that the answer to a stranger's order is the same as to none.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from supportbot.builtin import intents
from supportbot.builtin.actions.slots import Wish
from supportbot.builtin.phrases import field_name
from supportbot.language.words import words
from supportbot.llm.types import ChatMessage

# "Schlafsack" and "Ember sleeping bag" are .45 apart from the middle of all texts and .26 nearer than to other goods;
# of words that name none of the goods, none came as near.
_NEAR, _NEARER, _COMPARED = 0.25, 0.1, 8
_LEAST_STEM: Final = 4  # letters that two forms of a word share: "boot" and "boots", "Zelt" and "Zelte"
_DATES: Final = ("shipped_at", "delivered_at", "expected_on")


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """One order of the customer, as the look-up told it."""

    id: str
    told: Mapping[str, Any]

    @property
    def items(self) -> list[Mapping[str, Any]]:
        found = self.told.get("items")
        return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []

    @property
    def names(self) -> list[str]:
        return [str(item.get("name", "")) for item in self.items]

    @property
    def line(self) -> str:
        """What a list or button says of it, every word of it from the look-up."""
        state = str(self.told.get("status_text") or self.told.get("status") or "")
        goods = " + ".join(name for name in self.names[:3] if name)
        parts = [f"{self.id}: {goods}", state, str(self.told.get("total", ""))]
        return " · ".join(part for part in parts if part.strip(": "))

    @property
    def is_told_by_a_line(self) -> bool:
        """Whether state and dates say all of it: nothing was paid back, and nothing is asked for."""
        return not self.told.get("asked_for") and re.search("[1-9]", str(self.told.get("refunded", ""))) is None

    def dated_line(self, language: str) -> str:
        dates = (f"{field_name(name, language)} {self.told[name]}" for name in _DATES if self.told.get(name))
        return " · ".join([self.line, *dates])

    def allows(self, action: str) -> bool:
        """Return whether the look-up says that the action is possible for it now, or says nothing of that."""
        return action in self.told.get("possible_actions", (action,))

    def costs(self, amount: str) -> bool:
        """Return whether an amount is all of it: "I paid 50 euros and want my money back"."""
        whole, _, cents = amount.partition(".")
        return f"{whole}{cents.ljust(2, '0')}" == re.sub(r"\D", "", str(self.told.get("total", "")))


def orders_in(messages: Sequence[ChatMessage]) -> list[KnownOrder] | None:
    """Return the orders that this turn has looked up last, newest first; None if nothing was looked up."""
    newest = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    told = (_orders_of(message.content) for message in messages[:newest:-1] if message.role == "tool")
    return next((orders for orders in told if orders is not None), None)


def _orders_of(content: str) -> list[KnownOrder] | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    lists = [part for part in value.values() if isinstance(part, list)] if isinstance(value, dict) else []
    for entries in lists:
        if all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries):
            orders = [KnownOrder(entry["id"], entry) for entry in entries]
            return sorted(orders, key=lambda order: str(order.told.get("placed_on", "")), reverse=True)
    return None


def meant(wish: Wish, orders: Sequence[KnownOrder]) -> list[KnownOrder]:
    """Return the orders that may be meant: one if it is clear, none if a number is nobody's of these."""
    possible = [order for order in orders if order.allows(wish.action)] or list(orders)
    if wish.order is None:
        goods = goods_named(wish.said, orders)
        return [order for order in orders if not goods.isdisjoint(order.names)] or possible
    if wish.order.number:
        return [order for order in orders if _is_number(wish.order.number, order.id)]
    match wish.order.place:
        case "last":
            return list(orders[:1])
        case "oldest":
            return list(orders[-1:])
        case "other":
            return [order for order in orders if order.id != wish.previous]
    return possible[int(wish.order.place) :][:1]


def _is_number(said: str, known: str) -> bool:
    plain, other = _plain(said), _plain(known)
    return plain == other or (plain.isdigit() and len(plain) >= 3 and plain == re.sub(r"\D", "", other))


def _plain(number: str) -> str:
    return "".join(char for char in number.upper() if char.isalnum())


def goods_named(said: str, orders: Sequence[KnownOrder]) -> frozenset[str]:
    """Return the names of the items that a text speaks of: by a word of theirs, else by a word that means the same."""
    spoken = [word for word in dict.fromkeys(words(said)) if len(word) >= _LEAST_STEM and word.isalpha()]
    names = list(dict.fromkeys(name for order in orders for name in order.names))
    same = frozenset(name for name in names if any(_is_of(word, name) for word in spoken))
    if same or len(names) < 2:
        return same
    vectors = np.array([intents.apart(name) for name in names])
    near = [vectors @ intents.apart(word) for word in spoken[-_COMPARED:]]
    best = [(names[int(one.argmax())], *np.sort(one)[:-3:-1].tolist()) for one in near]
    return frozenset(name for name, first, second in best if first >= _NEAR and first - second >= _NEARER)


def _is_of(word: str, name: str) -> bool:
    length = max(_LEAST_STEM, len(word) - 2)
    return any(word[:length] == part[:length] for part in words(name) if len(part) >= _LEAST_STEM)
