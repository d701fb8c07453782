"""Which of a customer's orders is meant: by its number, its place in a list, or what is in it. Pure.

The orders come from the look-up that a turn makes; an order number goes on as the customer wrote it when none of their
own matches, so that the answer to a stranger's order is the same as to none.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from supportbot.builtin import intents
from supportbot.builtin.actions.slots import OrderRef
from supportbot.builtin.phrases import field_name
from supportbot.language.words import words
from supportbot.llm.types import ChatMessage

OFFERED: Final = 5
# "Schlafsack" and "Ember sleeping bag" are .45 apart from the middle of all texts and .26 nearer than to other goods;
# of words that name none of the goods, none came as near.
_NEAR, _NEARER, _COMPARED = 0.25, 0.1, 8
_LEAST_STEM: Final = 4  # letters that two forms of a word share: "boot" and "boots", "Zelt" and "Zelte"


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """One order of the customer, as the look-up told it."""

    id: str
    told: Mapping[str, Any]

    @property
    def items(self) -> tuple[Mapping[str, Any], ...]:
        found = self.told.get("items")
        return tuple(item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()

    @property
    def is_told_by_a_line(self) -> bool:
        """Whether state and dates say all of it: nothing was paid back, and nothing is asked for."""
        return not self.told.get("asked_for") and re.search("[1-9]", str(self.told.get("refunded", ""))) is None

    def allows(self, action: str) -> bool:
        """Return whether the look-up says that the action is possible for it now, or says nothing of that."""
        return action in self.told.get("possible_actions", (action,))


def orders_in(messages: Sequence[ChatMessage]) -> list[KnownOrder] | None:
    """Return the orders that this turn has looked up, newest first; None if nothing was looked up."""
    orders: list[KnownOrder] | None = None
    for message in reversed(messages):
        if message.role == "user":
            break
        if message.role == "tool" and (found := _orders_of(message.content)) is not None:
            orders = found if orders is None or len(found) > len(orders) else orders
    return orders


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


def meant(
    ref: OrderRef | None, said: str, orders: Sequence[KnownOrder], *, action: str = "", before: str = ""
) -> list[KnownOrder]:
    """Return the orders that may be meant: one if it is clear, none if a number is nobody's of these."""
    if ref is None:
        goods = goods_named(said, orders)
        named = [order for order in orders if not goods.isdisjoint(names_in(order))]
        return named or [order for order in orders if order.allows(action)] or list(orders)
    if ref.number:
        return [order for order in orders if _is_number(ref.number, order.id)]
    match ref.place:
        case "last":
            return list(orders[:1])
        case "oldest":
            return list(orders[-1:])
        case "other":
            return [order for order in orders if order.id != before]
    offered = [order for order in orders if order.allows(action)] or list(orders)
    return offered[int(ref.place) : int(ref.place) + 1]


def _is_number(said: str, known: str) -> bool:
    plain, other = _plain(said), _plain(known)
    return plain == other or (plain.isdigit() and len(plain) >= 3 and plain == re.sub(r"\D", "", other))


def _plain(number: str) -> str:
    return "".join(char for char in number.upper() if char.isalnum())


def names_in(order: KnownOrder) -> list[str]:
    return [str(item.get("name", "")) for item in order.items]


def goods_named(said: str, orders: Sequence[KnownOrder]) -> frozenset[str]:
    """Return the names of the items that a text speaks of: by a word of theirs, else by a word that means the same."""
    spoken = [word for word in dict.fromkeys(words(said)) if len(word) >= _LEAST_STEM and word.isalpha()]
    names = list(dict.fromkeys(name for order in orders for name in names_in(order)))
    same = frozenset(name for name in names if any(_is_of(word, name) for word in spoken))
    if same or len(names) < 2:
        return same
    centre = intents.weights_shipped().centre
    vectors = [intents.centred(intents.read(name).vector, centre) for name in names]
    meant: set[str] = set()
    for word in spoken[-_COMPARED:]:
        around = intents.centred(intents.read(word).vector, centre)
        near = sorted(
            ((float(vector @ around), name) for vector, name in zip(vectors, names, strict=True)), reverse=True
        )
        if near[0][0] >= _NEAR and near[0][0] - near[1][0] >= _NEARER:
            meant.add(near[0][1])
    return frozenset(meant)


def _is_of(word: str, name: str) -> bool:
    length = max(_LEAST_STEM, len(word) - 2)
    return any(word[:length] == part[:length] for part in words(name) if len(part) >= _LEAST_STEM)


def lines_of(orders: Sequence[KnownOrder], language: str = "", *, with_dates: bool = False) -> str:
    """Return a line for each order, every word of it from the look-up."""
    told = orders[:OFFERED]
    return "\n".join(f"- {line_of(order)}{_dates(order, language) if with_dates else ''}" for order in told)


def line_of(order: KnownOrder) -> str:
    names = names_in(order)
    state = str(order.told.get("status_text") or order.told.get("status") or "")
    parts = [f"{order.id}: {' + '.join(name for name in names[:3] if name)}", state, str(order.told.get("total", ""))]
    return " · ".join(part for part in parts if part.strip(": "))


def _dates(order: KnownOrder, language: str) -> str:
    found = [(name, order.told.get(name)) for name in ("shipped_at", "delivered_at", "expected_on")]
    return "".join(f" · {field_name(name, language)} {value}" for name, value in found if value)


def total_of(order: KnownOrder) -> str:
    """Return the digits of what an order cost, as far as they compare with those of an amount."""
    return re.sub(r"\D", "", str(order.told.get("total", "")))
