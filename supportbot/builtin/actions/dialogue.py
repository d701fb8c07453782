"""What is wanted at this point of a conversation, read again from its messages at every turn. Pure but for `intents`.

The messages are the only memory. Each of the customer's is heard in order: it makes a wish, fills in an open one,
corrects the one before, takes it back, or has nothing to do with any. What the assistant said in between tells whether
a wish is still open (we had asked for something) or has gone its way (a card, a refusal).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from supportbot.builtin import intents
from supportbot.builtin.actions.slots import (
    Given,
    Kind,
    OrderRef,
    field_of_kind,
    fields_of,
    filled_in,
    given_by,
    kind_of,
    required_by,
)
from supportbot.builtin.phrases import AroundAWish as Phrase
from supportbot.builtin.phrases import phrase_in
from supportbot.language.ordernumbers import order_numbers_in
from supportbot.language.words import words
from supportbot.llm.types import ModelRequest, ToolSpec

# The kind of field that a question of ours was about; None where it named one by its own name.
_ASKS: Final[dict[Phrase, Kind | None]] = {
    "which_of_these": "order", "order_number": "order", "amount": "amount", "address": "address",
    "address_part": "address", "other": None, "choice": None,
}  # fmt: skip
_PLAIN_KINDS: Final = frozenset({"choice", "count", "pattern", "text"})
_SHORT_WORDS: Final = 8
_SURE: Final = 0.5  # of a yes or a no
_PATIENCE: Final = 4  # messages about other things before an open wish is forgotten
WISHES_MOST: Final = 8
_SENTENCE: Final = re.compile(r"(?<=[.!?;\n])\s+")
CLAUSE: Final = re.compile(r"[.!?;:,()\n–—]+(?=\s|$)|\s[–—(-]\s?|[()]")


@dataclass(frozen=True, slots=True)
class Wish:
    """One action that is wanted, as far as it is known; `said` is what the customer said of it."""

    action: str
    order: OrderRef | None = None
    values: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    unclear: str = ""
    previous: str = ""  # the order number it was not

    def with_given(self, given: Given, said: str) -> "Wish":
        """Return the wish with what a further text gives; parts of an address add up."""
        values = dict(self.values)
        for name, value in given.values.items():
            known = values.get(name)
            values[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        is_clear_now = self.unclear in given.values
        previous = self.order.number if given.order and self.order and self.order.number else self.previous
        unclear = given.unclear or ("" if is_clear_now else self.unclear)
        return replace(self, order=given.order or self.order, values=values, unclear=unclear, previous=previous,
                       said=f"{self.said}\n{said}".strip())  # fmt: skip


@dataclass
class Talk:
    """The state after each message. `answers` is what to say to a yes or a no that leads to no call."""

    tools: Sequence[ToolSpec]
    open: list[Wish] = field(default_factory=list)
    gone: list[Wish] = field(default_factory=list)
    doubted: list[str] = field(default_factory=list)  # actions that may have been meant
    asked: Phrase | None = None
    spoken_of: str = ""
    answers: Phrase | None = None
    withdraws: bool = False
    is_moved: bool = False  # the newest message changed what is wanted
    _doubted_text: str = ""
    _offered: frozenset[str] = frozenset()  # the orders that we offered, as their lines say
    _idle: int = 0

    def tool(self, action: str) -> ToolSpec:
        return next(tool for tool in self.tools if tool.name == action)

    def hear(self, text: str) -> None:
        """Take in a message of the customer."""
        text = self._chosen(text)[: intents.READ_MOST]
        self.answers, self.withdraws, self.is_moved = None, False, False
        said, chance = max(intents.read(text).kinds.items(), key=lambda entry: entry[1])
        is_short = chance >= _SURE and len(text.split()) <= _SHORT_WORDS and not any(sign.isdigit() for sign in text)
        if self.asked == "meant" and is_short and self._answer_what_was_meant(said, text):
            return
        if said == "negate" and is_short and (self.open or self.gone):
            self.answers, self.withdraws = "left_alone", bool(self.gone) and not self.open
            self.open, self.gone = [], []
        elif said == "affirm" and is_short and self.gone and not self.open:
            self.answers = "use_card"
        else:
            self._hear_wishes(text, said)
        numbers = order_numbers_in(text)
        self.spoken_of = numbers[-1] if numbers else self.spoken_of

    def heed(self, text: str) -> None:
        """Take in what the assistant said: it asked for more, or the wish has gone its way."""
        phrase = phrase_in(text)
        self.asked = phrase if phrase in _ASKS or phrase == "meant" else None
        self._offered = frozenset(_plain(line[2:]) for line in text.splitlines() if self.asked and line[:2] == "- ")
        self.doubted = self.doubted if phrase == "meant" else []
        asks_itself = phrase is None and text.rstrip().endswith("?")
        if self.is_moved and not asks_itself and phrase is None:
            self.open, self.gone = [], self.open or self.gone

    def _chosen(self, text: str) -> str:
        """Return the number of the order whose line the text repeats, as a button says it: its goods and its total are
        the order's, not what is wanted of it."""
        return text.partition(":")[0] if _plain(text) in self._offered else text

    def _answer_what_was_meant(self, said: str, text: str) -> bool:
        """Return whether the message answers our question, whether an action was meant."""
        named = [tool.name for tool in self.tools if tool.title and tool.title.casefold() in text.casefold()]
        chosen = named or (self.doubted if said == "affirm" else [])
        if chosen:
            self._begin([(chosen[0], self._doubted_text)])
        elif said == "negate":
            self.answers = "left_alone"
        self.doubted = []
        return bool(chosen) or said == "negate"

    def _hear_wishes(self, text: str, said: str) -> None:
        self.doubted = []
        heard = intents.heard_in(text, self.tools)
        is_answer = self.asked is not None and len(text.split()) <= _SHORT_WORDS and "?" not in text
        if self.open and self.asked is not None and self._fill_in(text):
            return
        if self.open and (is_answer or not heard.wish) and self._go_on(text):
            return
        if heard.wish:
            self._begin(self._parts(text, heard.wish))
        elif not (self.gone and said not in intents.QUESTIONS and self._correct(text)):
            self.doubted, self._doubted_text = list(heard.doubted), text
            self._idle += 1
            self.open = [] if self._idle >= _PATIENCE else self.open

    def _parts(self, text: str, best: str) -> list[tuple[str, str]]:
        """Return the wishes of a message, each with its words: a further one must name an order of its own."""
        numbers = order_numbers_in(text)
        if len(numbers) < 2 or self.tool(best).is_read:
            return [(best, text)]
        heard: list[tuple[str, str]] = []
        for part in _parted(text, numbers)[:WISHES_MOST]:
            if intents.read(part).kind in ("denies", *intents.QUESTIONS):
                continue
            found = intents.wished_in(part, self.tools)[0]
            action = found.action if found.is_worth_asking else (heard[-1][0] if heard else best)
            heard += [] if self.tool(action).is_read else [(action, part)]
        return heard or [(best, text)]

    def _begin(self, heard: Sequence[tuple[str, str]]) -> None:
        wishes: list[Wish] = []
        for action, said in heard:
            known = next((wish for wish in self.open if wish.action == action and len(heard) == 1), Wish(action))
            wish = known.with_given(given_by(self.tool(action), said), said)
            if wish.order is None and self.spoken_of and len(said.split()) <= _SHORT_WORDS:
                wish = replace(wish, order=OrderRef(self.spoken_of))
            wishes.append(wish)
        self.open, self.gone, self.is_moved, self._idle = wishes, [], True, 0

    def _go_on(self, text: str) -> bool:
        """Return whether the message gave something for an open wish."""
        place = next((at for at, wish in enumerate(self.open) if self._asked_field(wish)), 0)
        wish = self.open[place]
        asked = self._asked_field(wish)
        is_order = bool(asked) and asked == field_of_kind(self.tool(wish.action), "order")
        given = given_by(self.tool(wish.action), text, asked=asked)
        names = is_order and "?" not in text and len(text.split()) <= _SHORT_WORDS
        if given.is_empty and not names:
            return False
        self.open = [*self.open[:place], wish.with_given(given, text), *self.open[place + 1 :]]
        self.is_moved, self._idle = True, 0
        return True

    def _fill_in(self, text: str) -> bool:
        """Return whether the message is a form of ours, filled in; its values stand as they were written."""
        place = next((at for at, wish in enumerate(self.open) if self._asked_field(wish)), 0)
        wish = self.open[place]
        values = filled_in(self.tool(wish.action), text)
        if values:
            wish = wish.with_given(Given(values=values), "")
            self.open = [*self.open[:place], wish, *self.open[place + 1 :]]
            self.is_moved, self._idle = True, 0
        return bool(values)

    def _asked_field(self, wish: Wish) -> str:
        """Return the field of the wish that our question was about, "" if it lacks nothing of the kind."""
        tool = self.tool(wish.action)
        if self.asked is None or self.asked == "meant":
            return ""
        kind = _ASKS[self.asked]
        if kind is None:  # no kind of its own: the first one that is missing was asked for
            missing = (name for name in required_by(tool) if name not in wish.values)
            return next((name for name in missing if kind_of(name, fields_of(tool)[name]) in _PLAIN_KINDS), "")
        name = field_of_kind(tool, kind)
        is_lacking = wish.order is None if kind == "order" else kind == "address" or name not in wish.values
        return name if is_lacking else ""

    def _correct(self, text: str) -> bool:
        """Return whether the message corrects what a card or a refusal stands for: a new order, amount or address."""
        wish = self.gone[-1]
        given = given_by(self.tool(wish.action), text)
        if given.is_empty or given.unclear or len(words(text)) > 3 * _SHORT_WORDS:
            return False
        self.open, self.gone, self.is_moved = [wish.with_given(given, text)], [], True
        return True


def _plain(line: str) -> str:
    return " ".join(line.split())


def _parted(text: str, numbers: Sequence[str]) -> list[str]:
    """Return a text parted behind its order numbers, or at the end of a sentence before the next of them."""
    parts: list[str] = []
    rest = text
    for number, following in pairwise(numbers):
        end = rest.find(number[-3:]) + 3
        sentence = _SENTENCE.search(rest, end, max(end, rest.find(following[-3:], end)))
        parts.append(rest[: sentence.end() if sentence else end])
        rest = rest[len(parts[-1]) :]
    return [*parts, rest]


def talk_of(request: ModelRequest, tools: Sequence[ToolSpec]) -> Talk:
    """Return the state of a request's conversation after its newest message."""
    talk = Talk(tools)
    said = [message for message in request.messages if message.role in ("user", "assistant") and message.content]
    if not said or said[-1].role != "user":
        talk_to = [*((message.role, message.content) for message in said), ("user", request.question)]
    else:
        talk_to = [(message.role, message.content) for message in said]
    for role, text in talk_to:
        if role == "user":
            talk.hear(text)
        else:
            talk.heed(text)
    return talk
