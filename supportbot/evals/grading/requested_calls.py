"""Compares the calls that a conversation led to with those that it should have led to. Pure. The expectation `requests`
and `bench.intents` both use these functions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from actions.registry import code_actions
from supportbot.assistant.tools import REQUEST_HUMAN
from supportbot.builtin.phrases import phrase_in

# The phrases with which the built-in answerer asks for a missing value, by the kind of value.
ASKED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "order": ("which_of_these", "order_number"),
    "address": ("address",),
    "amount": ("amount",),
}
_NO_CARD: Final = ("order_status", REQUEST_HUMAN.name)  # a look-up and a handoff: nothing is proposed

Call = tuple[str, Mapping[str, Any]]  # action, arguments


@dataclass(frozen=True, slots=True)
class Requests:
    """What a conversation should lead to: calls, no call, or a question about the value `asks`, a key of `ASKED_BY`."""

    calls: tuple[Call, ...] = ()
    asks: str = ""

    def are_met(self, made: Sequence[Call], answer: str) -> bool:
        """Return whether exactly these calls were made, with all arguments, or whether the last answer asks the right
        question.
        """
        if self.asks:
            return not proposals(made) and phrase_in(answer) in ASKED_BY[self.asks]
        return all(is_hit and is_exact for _, is_hit, is_exact in self.compared(made))

    def compared(self, made: Sequence[Call]) -> Iterator[tuple[str, bool | None, bool]]:
        """Yield (action, whether it was called, whether its arguments are right) for each request, and (action, None,
        False) for each extra call.
        """
        left = list(made)
        for action, arguments in self.calls:
            same = [call for call in left if call[0] == action]
            best = next((call for call in same if _fits(arguments, call[1])), same[0] if same else None)
            if best is not None:
                left.remove(best)
            yield action, best is not None, best is not None and _fits(arguments, best[1])
        for action, _ in left:
            yield action, None, False


def requestable_actions() -> list[str]:
    """Return the actions that a conversation with only the built-in answerer can lead to."""
    return [*code_actions(), REQUEST_HUMAN.name]


def requests_of(value: Any) -> Requests:
    """Return the requests described by the value of an expectation: a list of `{action, arguments}`, or `{asks}`."""
    if isinstance(value, Mapping):
        return Requests(asks=value["asks"])
    return Requests(tuple((call["action"], call.get("arguments", {})) for call in value))


def proposals(made: Iterable[Call]) -> list[str]:
    """Return the actions of those calls that would show a card."""
    return [action for action, _ in made if action not in _NO_CARD]


def _fits(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Return whether all wanted values were given, but no amount or items that were not wanted."""
    if {"amount", "items"} & given.keys() - wanted.keys():
        return False
    return all(_is_same(name, value, given.get(name)) for name, value in wanted.items())


def _is_same(name: str, wanted: Any, given: Any) -> bool:
    if name == "amount":
        return bool(_figure(wanted) == _figure(given))
    if name == "items" and isinstance(wanted, list) and isinstance(given, list):
        return _are_same_items(wanted, given)
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(given.get(key) == value for key, value in wanted.items())
    return bool(wanted == given)


def _figure(amount: Any) -> Any:
    """Return an amount as a number, so that 12.5 equals "12.50", and any other value unchanged."""
    is_number = isinstance(amount, str | int | float) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(amount))
    return Decimal(str(amount)) if is_number else amount


def _are_same_items(wanted: Sequence[Any], given: Sequence[Any]) -> bool:
    """Return whether both lists contain the same items with the same quantities, in any order."""
    left = [_item(one) for one in given]
    for item in map(_item, wanted):
        if item not in left:
            return False
        left.remove(item)
    return not left


def _item(item: Any) -> Any:
    """Return an item in the format that the tool uses. A case may give only its SKU; the default quantity is 1."""
    item = {"sku": item} if isinstance(item, str) else item
    return {"quantity": 1, **item} if isinstance(item, Mapping) else item
