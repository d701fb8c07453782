"""Which of a customer's orders is meant: by its number, its place in time or in a list, or what is in it. Pure.

The orders come from the look-up that a turn makes; an order number goes on as the customer wrote it when none of their
own matches, so that the answer to a stranger's order is the same as to none.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from supportbot.llm.extractive.words import STOP_WORDS, likeness, stem, words
from supportbot.llm.types import ChatMessage
from supportbot.llm.wishes.goods import same_goods
from supportbot.llm.wishes.phrases import date_name
from supportbot.llm.wishes.values import order_numbers_in

OFFERED: Final = 5
_LIKE: Final = 0.6

Kind = Literal["number", "last", "oldest", "place", "other", "words"]
# "My last refund" is no order, and may well be of an older one.
_LAST: Final = re.compile(
    r"\b(?:last|latest|most recent|newest|recent|letzte\w*|neueste\w*|jüngste\w*|aktuelle\w*|vorhin|just (?:ordered"
    r"|placed|bought)|eben bestellt|gerade bestellt)\b"
    r"(?! (?:week|month|year|time|night|\w*day|woche|monat|jahr|mal|tage|refund|return|cancellation"
    r"|(?:rück)?erstattung|rückzahlung|rücksendung|stornierung))",
    re.IGNORECASE,
)
_OLDEST: Final = re.compile(r"\b(?:oldest|very first|älteste\w*|allererste\w*)\b", re.IGNORECASE)
_OTHER: Final = re.compile(
    r"\b(?:the|my|that|die|meine|den|das|der)\s(?:other|andere[nrs]?)\b|\bdie andere\b|\bthe other\b", re.IGNORECASE
)
_PLACES: Final = (
    r"\b(?:first|1st|erste\w*)\b", r"\b(?:second|2nd|zweite\w*)\b", r"\b(?:third|3rd|dritte\w*)\b",
    r"\b(?:fourth|4th|vierte\w*)\b", r"\b(?:fifth|5th|fünfte\w*)\b",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderRef:
    """How a customer names an order. `text` is the number, or the words; `place` counts from 0."""

    kind: Kind
    text: str = ""
    place: int = 0
    is_whole: bool = False


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
    def status(self) -> str:
        return str(self.told.get("status_text") or self.told.get("status") or "")

    @property
    def is_told_by_a_line(self) -> bool:
        """Whether state and dates say all of it: nothing was paid back, and nothing is asked for."""
        return not self.told.get("asked_for") and re.search("[1-9]", str(self.told.get("refunded", ""))) is None


def reference_in(text: str, *, is_asked: bool = False, was_offered: bool = False) -> OrderRef | None:
    """Return how the text names an order, None if it does not; places ("the second") only count in an offered list."""
    numbers = order_numbers_in(text, is_asked=is_asked)
    if numbers:
        return OrderRef("number", numbers[0].text, is_whole=numbers[0].is_whole)
    if _OTHER.search(text):
        return OrderRef("other")
    if was_offered:
        for place, pattern in enumerate(_PLACES):
            if re.search(pattern, text, re.IGNORECASE):
                return OrderRef("place", place=place)
    if _LAST.search(text):
        return OrderRef("last")
    return OrderRef("oldest") if _OLDEST.search(text) else None


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
    ref: OrderRef | None, about: Sequence[str], orders: Sequence[KnownOrder], before: str = ""
) -> list[KnownOrder]:
    """Return the orders that may be meant: one if it is clear, none if a number is nobody's of these."""
    if ref is None:
        named = [order for order in orders if items_named(about, order) or _has_status(about, order)]
        return named or list(orders)
    if ref.kind == "number":
        return [order for order in orders if _is_number(ref.text, order.id)]
    if ref.kind == "last":
        return list(orders[:1])
    if ref.kind == "oldest":
        return list(orders[-1:])
    if ref.kind == "place":
        return list(orders[ref.place : ref.place + 1])
    return [order for order in orders if order.id != before]


def _is_number(said: str, known: str) -> bool:
    plain, other = _plain(said), _plain(known)
    digits, tail = re.sub(r"\D", "", plain), re.sub(r"\D", "", other)
    return plain == other or (plain.isdigit() and len(digits) >= 3 and digits == tail)


def _plain(number: str) -> str:
    return "".join(char for char in number.upper() if char.isalnum())


def _has_status(about: Sequence[str], order: KnownOrder) -> bool:
    states = [stem(word) for word in words(order.status) if len(word) > 3 and word not in STOP_WORDS]
    return any(likeness(stem(word), state) == 1.0 for word in about for state in states)


def items_named(about: Sequence[str], order: KnownOrder) -> list[Mapping[str, Any]]:
    """Return the items of an order that the words speak of."""
    return [item for item in order.items if _speaks_of(about, str(item.get("name", "")))]


def _speaks_of(about: Sequence[str], name: str) -> bool:
    parts = [word for word in words(name) if len(word) > 2 and not word.isdigit()]
    return any(
        same_goods(word, part) or likeness(stem(word), stem(part)) >= _LIKE for word in about for part in parts
    ) or any(same_goods(word, " ".join(words(name))) for word in about)


def states_of(orders: Sequence[KnownOrder], language: str) -> str:
    """Return where some orders are, a line each, every value of it from the look-up."""
    return "\n".join(f"- {_line(order)}{_dates(order, language)}" for order in orders[:OFFERED])


def _dates(order: KnownOrder, language: str) -> str:
    found = [
        (date_name(name, language), order.told.get(name)) for name in ("shipped_at", "delivered_at", "expected_on")
    ]
    return "".join(f" · {name} {value}" for name, value in found if value)


def lines_of(orders: Sequence[KnownOrder]) -> str:
    """Return a list to choose from, every word of it from the look-up."""
    return "\n".join(f"- {_line(order)}" for order in orders[:OFFERED])


def _line(order: KnownOrder) -> str:
    names = [str(item.get("name", "")) for item in order.items]
    parts = [
        f"{order.id}: {' + '.join(name for name in names[:3] if name)}",
        order.status,
        str(order.told.get("total", "")),
    ]
    return " · ".join(part for part in parts if part.strip(": "))
