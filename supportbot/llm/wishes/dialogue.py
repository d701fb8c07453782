"""What is wanted at this point of a conversation, read again from its messages at every turn. Pure.

The messages are the only memory. Each of the customer's is heard in order: it makes a wish, fills in an open one,
corrects the one before, takes it back, or has nothing to do with any. What the assistant said in between tells whether
a wish is still open (we had asked for something) or has gone its way (a card, a refusal).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from supportbot.llm.extractive.person import accepts
from supportbot.llm.types import ModelRequest, ToolSpec
from supportbot.llm.wishes.orders import OrderRef
from supportbot.llm.wishes.phrases import Phrase, phrase_in
from supportbot.llm.wishes.recognise import READ_MOST, WISHES_MOST, Heard, wishes_in
from supportbot.llm.wishes.slips import without_slips
from supportbot.llm.wishes.slots import Given, Kind, field_of_kind, fields_of, given_by, kind_of, required_by
from supportbot.llm.wishes.values import order_numbers_in

# The kind of field that a question of ours was about; None where it named one by its own name.
_ASKS: Final[dict[Phrase, Kind | None]] = {
    "which_order": "order", "which_of_these": "order", "order_number": "order", "amount": "amount",
    "address": "address", "address_part": "address", "which_item": "items", "other": None, "choice": None,
}  # fmt: skip
_PLAIN_KINDS: Final = frozenset({"choice", "count", "pattern", "text"})
_GIVES_UP: Final = re.compile(
    r"(?:ok(?:ay)?|no|nein|oh|actually|well|ach|na|then|dann|please|bitte|sorry|[\s,.!])*"
    r"(?:no(?: thanks?| thank you)?|never ?mind|forget (?:it|about it|that)|leave it|drop it|stop|cancel that"
    r"|don'?t(?: bother)?"
    r"|i(?:'ve| have)? changed my mind|not (?:any ?more|now|needed)|i don'?t want (?:it|that|this|to)(?: any ?more)?"
    r"|nein(?: danke)?|vergiss(?:en sie)? (?:es|das)|egal|lass(?:en sie)?(?: es| das)?(?: (?:gut )?sein)?|doch nicht"
    r"|lieber nicht"
    r"|nicht mehr(?: nötig)?|hat sich erledigt|schon gut|ist erledigt|abbrechen)"
    r"(?:[\s,.!]*(?:please|bitte|thanks?|thank you|danke|then|dann|sorry|trotzdem))*[\s.!]*",
    re.IGNORECASE,
)
_CORRECTS: Final = re.compile(
    r"^(?:no|nope|nein|sorry|oh|oops|wait|actually|i mean|i meant|rather|instead|only|just|not (?:that|this)|wrong"
    r"|the other"
    r"|and|also|make it|it'?s|doch|moment|halt|ich meine|ich meinte|lieber|sondern|nur|falsch|nicht (?:die|das|der)"
    r"|die andere"
    r"|und|auch|es ist|stattdessen)\b",
    re.IGNORECASE,
)
_POINTS_BACK: Final = re.compile(
    r"\b(?:it|this|that|them|this order|that order|the order|es|sie|diese\w*|die bestellung|das paket|ihn|davon"
    r"|dafür)\b",
    re.IGNORECASE,
)
_CARD: Final = re.compile(r"\b(?:card|Karte)\b")
_SHORT_WORDS: Final = 6
_PATIENCE: Final = 4  # messages about other things before an open wish is forgotten


@dataclass(frozen=True, slots=True)
class Wish:
    """One action that is wanted, as far as it is known."""

    action: str
    order: OrderRef | None = None
    values: dict[str, Any] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    unclear: str = ""
    previous: str = ""  # the order number it was not

    def with_given(self, given: Given) -> "Wish":
        """Return the wish with what a further text gives; parts of an address add up."""
        values = dict(self.values)
        for name, value in given.values.items():
            known = values.get(name)
            values[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
        is_clear_now = "amount" in given.values or given.unclear
        previous = self.order.text if given.order and self.order and self.order.kind == "number" else self.previous
        return replace(
            self,
            order=given.order or self.order,
            values=values,
            about=given.about or self.about,
            unclear=given.unclear if is_clear_now else self.unclear,
            previous=previous,
        )


@dataclass
class Talk:
    """The state after each message. `answers` is what to say to a yes or a no that leads to no call."""

    tools: Sequence[ToolSpec]
    open: list[Wish] = field(default_factory=list)
    gone: list[Wish] = field(default_factory=list)
    asked: Phrase | None = None
    spoken_of: str = ""
    has_card: bool = False
    answers: Phrase | None = None
    is_moved: bool = False  # the newest message changed what is wanted
    _idle: int = 0

    def tool(self, action: str) -> ToolSpec:
        return next(tool for tool in self.tools if tool.name == action)

    def hear(self, text: str) -> None:
        """Take in a message of the customer."""
        self.answers, self.is_moved, text = None, False, text[:READ_MOST]
        meant = without_slips(text, self.tools)
        heard = [] if self._gives_up(text) else wishes_in(meant, self.tools)
        if heard:
            self._begin(heard, meant)
        elif self.open:
            self._go_on(text)
        elif self.gone:
            self._correct(text)
        numbers = order_numbers_in(text)
        if numbers:
            self.spoken_of = numbers[-1].text

    def heed(self, text: str) -> None:
        """Take in what the assistant said: it asked for more, or the wish has gone its way."""
        phrase = phrase_in(text)
        self.asked = phrase if phrase in _ASKS else None
        self.has_card = _CARD.search(text) is not None
        asks_itself = phrase is None and text.rstrip().endswith("?")
        if self.is_moved and self.asked is None and not asks_itself and phrase is None:
            self.open, self.gone = [], self.open or self.gone

    def _gives_up(self, text: str) -> bool:
        return bool(self.open or self.gone) and _GIVES_UP.fullmatch(text.strip()) is not None

    def _begin(self, heard: Sequence[Heard], text: str) -> None:
        wishes: list[Wish] = []
        for entry in heard:
            known = next((wish for wish in self.open if wish.action == entry.action), Wish(entry.action))
            tool = self.tool(entry.action)
            wish = known.with_given(given_by(tool, entry.words, wish=entry.clause))
            if wish.order is None and self.spoken_of and _POINTS_BACK.search(entry.clause):
                wish = replace(wish, order=OrderRef("number", self.spoken_of, is_whole="-" in self.spoken_of))
            wishes += _one_for_each_number(wish, tool, entry)
        self.open, self.is_moved, self._idle = wishes[:WISHES_MOST], True, 0

    def _go_on(self, text: str) -> None:
        if _GIVES_UP.fullmatch(text.strip()):
            self.open, self.answers, self.is_moved = [], "left_alone", True
            return
        place = self._waiting()
        wish = self.open[place]
        given = self._given(wish, text)
        if given.is_empty and not self._names_items(given, text):
            self._idle += 1
            self.open = [] if self._idle >= _PATIENCE else self.open
            return
        self.open = [*self.open[:place], wish.with_given(given), *self.open[place + 1 :]]
        self.is_moved, self._idle = True, 0

    def _waiting(self) -> int:
        """Return the place of the wish that our question was about: the first that lacks what was asked."""
        lacking = (place for place, wish in enumerate(self.open) if self._asked_field(wish))
        return next(lacking, 0)

    def _asked_field(self, wish: Wish) -> str:
        """Return the field of the wish that our question was about, "" if it lacks nothing of the kind."""
        tool = self.tool(wish.action)
        if self.asked is None:
            return ""
        kind = _ASKS[self.asked]
        if kind is None:  # no kind of its own: the first one that is missing was asked for
            missing = (name for name in required_by(tool) if name not in wish.values)
            return next((name for name in missing if kind_of(name, fields_of(tool)[name]) in _PLAIN_KINDS), "")
        name = field_of_kind(tool, kind)
        is_lacking = wish.order is None if kind == "order" else kind == "address" or name not in wish.values
        return name if is_lacking else ""

    def _given(self, wish: Wish, text: str) -> Given:
        was_offered = self.asked == "which_of_these"
        given = given_by(self.tool(wish.action), text, asked=self._asked_field(wish), was_offered=was_offered)
        reasons = {"reason"} & given.values.keys()
        if reasons and ("reason" in wish.values or given.order is None):
            return replace(given, values={name: value for name, value in given.values.items() if name != "reason"})
        return given

    def _names_items(self, given: Given, text: str) -> bool:
        is_about_order = self.asked in ("which_order", "which_of_these", "order_number", "which_item")
        return is_about_order and bool(given.about) and "?" not in text and len(text.split()) <= 2 * _SHORT_WORDS

    def _correct(self, text: str) -> None:
        """A card or a refusal stands: a yes is not a click, a no names what should be different."""
        if accepts(text):
            self.answers = "use_card" if self.has_card else None
            return
        if _GIVES_UP.fullmatch(text.strip()):
            self.answers = "decline_on_card" if self.has_card else "left_alone"
            return
        if not (_CORRECTS.match(text.strip()) or len(text.split()) <= _SHORT_WORDS) or "?" in text:
            return
        wish = self.gone[-1]
        given = given_by(self.tool(wish.action), text)
        given = replace(given, values={name: value for name, value in given.values.items() if name != "reason"})
        if given.is_empty and not (_CORRECTS.match(text.strip()) and given.about):
            return
        self.open, self.is_moved = [wish.with_given(given)], True


def _one_for_each_number(wish: Wish, tool: ToolSpec, entry: Heard) -> list[Wish]:
    """Two orders named for one wish are two wishes."""
    numbers = order_numbers_in(entry.words)
    if tool.is_read or len({number.text for number in numbers}) < 2:
        return [wish]
    wanted = [number for number in numbers if not _NOT_THIS.search(entry.words[: number.start])]
    refs = dict.fromkeys(OrderRef("number", number.text, is_whole=number.is_whole) for number in wanted)
    return [replace(wish, order=ref) for ref in refs] or [wish]


_NOT_THIS: Final = re.compile(r"\b(?:not|nicht|except|außer|instead of|statt|anstatt)\s(?:\w+\s){0,2}$", re.IGNORECASE)


def talk_of(request: ModelRequest, tools: Sequence[ToolSpec]) -> Talk:
    """Return the state of a request's conversation after its newest message."""
    talk = Talk(tools)
    said = [message for message in request.messages if message.role in ("user", "assistant") and message.content]
    if not any(message.role == "user" for message in said) or said[-1].role != "user":
        talk_to = [*((message.role, message.content) for message in said), ("user", request.question)]
    else:
        talk_to = [(message.role, message.content) for message in said]
    for role, text in talk_to:
        if role == "user":
            talk.hear(text)
        else:
            talk.heed(text)
    return talk
