"""What is wanted at this point of a conversation, read again from its messages at every turn. Pure but for `intents`.

The messages are the only memory. Each of the customer's is heard in order: it makes a wish, fills in an open one,
corrects the one before, takes it back, or has nothing to do with any. What the assistant said in between tells whether
a wish is still open (we had asked for something) or has gone its way (a card, a refusal).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Literal

from supportbot.builtin import intents
from supportbot.builtin.actions.slots import OrderRef, Wish, field_of_kind, filled_in, given_by, missing_in
from supportbot.builtin.phrases import AroundAWish, phrase_in
from supportbot.language.ordernumbers import order_numbers_in
from supportbot.llm.types import ModelRequest, ToolSpec

Came = Literal["nothing", "moved", "doubted", "left_alone", "withdrawn", "use_card"]
_ASKING: Final = frozenset({"which_of_these", "order_number", "amount", "address", "other", "choice", "meant"})
_SHORT_WORDS: Final = 8
_CORRECTION_WORDS: Final = 24
_SURE: Final = 0.5  # of a yes or a no
_PATIENCE: Final = 4  # messages about other things before an open wish is forgotten
WISHES_MOST: Final = 8
_SENTENCE: Final = re.compile(r"(?<=[.!?;\n])\s+")


@dataclass
class Talk:
    """The state after each message. `came` is what came of the customer's newest one."""

    tools: Sequence[ToolSpec]
    open: list[Wish] = field(default_factory=list)
    gone: list[Wish] = field(default_factory=list)
    doubted: list[str] = field(default_factory=list)  # actions that may have been meant
    came: Came = "nothing"
    _asked: AroundAWish | None = None
    _offered: frozenset[str] = frozenset()  # the orders that we offered, as their lines say
    _spoken_of: str = ""  # the last order number
    _doubted_text: str = ""
    _idle: int = 0

    def tool(self, action: str) -> ToolSpec:
        return next(tool for tool in self.tools if tool.name == action)

    def hear(self, text: str) -> None:
        """Take in a message of the customer."""
        # A button for an order says its line: its goods and its total are the order's, not what is wanted of it.
        text = (text.partition(":")[0] if _plain(text) in self._offered else text)[: intents.READ_MOST]
        said, chance = max(intents.read(text).kinds.items(), key=lambda entry: entry[1])
        is_plain = chance >= _SURE and _is_short(text) and not any(sign.isdigit() for sign in text)
        doubted, self.doubted = self.doubted, []
        named = [tool.name for tool in self.tools if tool.title and tool.title.casefold() in text.casefold()]
        chosen = named or (doubted if said == "affirm" else [])
        if self._asked == "meant" and is_plain and chosen:
            self.came = self._begin([(chosen[0], self._doubted_text)])
        elif said == "negate" and is_plain and self._asked == "meant":
            self.came = "left_alone"
        elif said == "negate" and is_plain and (self.open or self.gone):
            self.came = "left_alone" if self.open else "withdrawn"
            self.open, self.gone = [], []
        elif said == "affirm" and is_plain and self.gone and not self.open:
            self.came = "use_card"
        else:
            self.came = self._hear_wishes(text, said)
        self._spoken_of = [self._spoken_of, *order_numbers_in(text)][-1]

    def heed(self, text: str) -> None:
        """Take in what the assistant said: it asked for more, or the wish has gone its way."""
        phrase = phrase_in(text)
        self._asked = phrase if phrase in _ASKING else None
        self._offered = frozenset(_plain(line[2:]) for line in text.splitlines() if self._asked and line[:2] == "- ")
        if self.came == "moved" and phrase is None and not text.rstrip().endswith("?"):
            self.open, self.gone = [], self.open or self.gone

    def _hear_wishes(self, text: str, said: str) -> Came:
        heard = intents.heard_in(text, self.tools)
        is_answer = self._asked is not None and _is_short(text) and "?" not in text
        if self.open and self._go_on(text, is_answer=is_answer, is_new=bool(heard.wish)):
            return "moved"
        if heard.wish:
            return self._begin(self._parts(text, heard.wish))
        if self.gone and said not in intents.QUESTIONS and self._correct(text):
            return "moved"
        self.doubted, self._doubted_text = list(heard.doubted), text
        self._idle += 1
        self.open = [] if self._idle >= _PATIENCE else self.open
        return "doubted" if self.doubted else "nothing"

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

    def _begin(self, heard: Sequence[tuple[str, str]]) -> Came:
        wishes: list[Wish] = []
        for action, said in heard:
            known = next((wish for wish in self.open if wish.action == action and len(heard) == 1), Wish(action))
            wish = known.with_more(given_by(self.tool(action), said))
            if wish.order is None and self._spoken_of and _is_short(said):
                wish = replace(wish, order=OrderRef(self._spoken_of))
            wishes.append(wish)
        self.open, self.gone, self._idle = wishes, [], 0
        return "moved"

    def _go_on(self, text: str, *, is_answer: bool, is_new: bool) -> bool:
        """Return whether the message is about an open wish: it gives something for it, or answers our question."""
        place = next((at for at, wish in enumerate(self.open) if self._asked_field(wish)), 0)
        wish = self.open[place]
        tool, asked = self.tool(wish.action), self._asked_field(wish)
        form = filled_in(tool, text) if self._asked else {}
        if is_new and not is_answer and not form:
            return False
        given = Wish(tool.name, values=form) if form else given_by(tool, text, asked=asked)
        # Asked again beats searched for: nobody answers "which order?" with a question to the help pages.
        is_try = is_answer and asked in {field_of_kind(tool, "order"), field_of_kind(tool, "address")} - {""}
        if given.is_empty and not is_try:
            return False
        self.open[place] = wish.with_more(given)
        self._idle = 0
        return True

    def _asked_field(self, wish: Wish) -> str:
        """Return the field of the wish that our question was about, "" if it lacks nothing of the kind."""
        tool = self.tool(wish.action)
        match self._asked:
            case None | "meant":
                return ""
            case "which_of_these" | "order_number":
                return field_of_kind(tool, "order") if wish.order is None else ""
            case "amount":
                return wish.unclear
        missing = (name for name in missing_in(tool, wish.values) if name != field_of_kind(tool, "order"))
        return next(missing, "")

    def _correct(self, text: str) -> bool:
        """Return whether the message corrects what a card or a refusal stands for: a new order, amount or address."""
        wish = self.gone[-1]
        given = given_by(self.tool(wish.action), text)
        if given.is_empty or given.unclear or len(text.split()) > _CORRECTION_WORDS:
            return False
        self.open, self.gone = [wish.with_more(given)], []
        return True


def _is_short(text: str) -> bool:
    return len(text.split()) <= _SHORT_WORDS


def _plain(line: str) -> str:
    return " ".join(line.split())


def _parted(text: str, numbers: Sequence[str]) -> list[str]:
    """Return a text parted behind its order numbers, or at the end of a sentence before the next of them."""
    parts: list[str] = []
    for number, following in pairwise(numbers):
        end = text.find(number[-3:]) + 3
        sentence = _SENTENCE.search(text, end, max(end, text.find(following[-3:], end)))
        cut = sentence.end() if sentence else end
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def talk_of(request: ModelRequest, tools: Sequence[ToolSpec]) -> Talk:
    """Return the state of a request's conversation after its newest message."""
    talk = Talk(tools)
    said = [(one.role, one.content) for one in request.messages if one.role in ("user", "assistant") and one.content]
    for role, text in said if said and said[-1][0] == "user" else [*said, ("user", request.question)]:
        if role == "user":
            talk.hear(text)
        else:
            talk.heed(text)
    return talk
