"""Compares the calls that a conversation led to with those that it should lead to. Pure. `bench.intents` counts with
the same functions as the expectation `requests`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from supportbot.builtin.phrases import phrase_in

# The questions of the built-in answerer for something that is missing, by what they ask for.
ASKED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "order": ("which_of_these", "order_number"),
    "address": ("address",),
    "amount": ("amount",),
}
_NO_CARD: Final = ("order_status", "request_human")  # a look-up and a hand-over: nothing is proposed

Call = tuple[str, Mapping[str, Any]]  # action, arguments


@dataclass(frozen=True, slots=True)
class Requests:
    """What a conversation should lead to: these calls, none, or a question for `asks`, a key of `ASKED_BY`."""

    calls: tuple[Call, ...] = ()
    asks: str = ""

    def are_met(self, made: Sequence[Call], answer: str) -> bool:
        """Return whether exactly these calls were made, with all arguments, or the right question was asked at the end,
        by the last answer.
        """
        if self.asks:
            return not proposals(made) and phrase_in(answer) in ASKED_BY[self.asks]
        return all(is_hit and is_exact for _, is_hit, is_exact in self.compared(made))

    def compared(self, made: Sequence[Call]) -> Iterator[tuple[str, bool | None, bool]]:
        """Yield (action, found, has right arguments) for each request, and (action, None, False) for each extra
        call.
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


def requests_of(value: Any) -> Requests:
    """Return the value of an expectation: a list of `{action, arguments}`, or `{asks}`."""
    if isinstance(value, Mapping):
        return Requests(asks=value["asks"])
    return Requests(tuple((call["action"], call.get("arguments", {})) for call in value))


def proposals(made: Iterable[Call]) -> list[str]:
    """Return the actions of the calls that would show a card."""
    return [action for action, _ in made if action not in _NO_CARD]


def _fits(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Return whether all wanted values were given, and no amount or items that were not wanted."""
    if {"amount", "items"} & given.keys() - wanted.keys():
        return False
    return all(_is_same(value, given.get(name)) for name, value in wanted.items())


def _is_same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, list):
        return isinstance(given, list) and sorted(wanted) == sorted(item["sku"] for item in given)
    if isinstance(wanted, dict):
        return isinstance(given, dict) and all(given.get(name) == value for name, value in wanted.items())
    figures = (wanted, given)
    if all(isinstance(figure, str) and figure.replace(".", "").isdigit() for figure in figures):
        return float(wanted) == float(given)
    return bool(wanted == given)
