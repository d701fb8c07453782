"""The state of a conversation about actions, rebuilt from its messages at every turn. Pure but for `intents`.

The messages are the only memory. Each customer message opens an intent, fills in an open one, corrects the last one,
withdraws it, or concerns none. The assistant's messages in between show whether an intent is still open (the assistant
asked for something) or settled (a card, a refusal).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Final, Literal

from supportbot.builtin import intents
from supportbot.builtin.actions.bounds import takes_day
from supportbot.builtin.actions.corrections import MOST_WORDS, corrected, is_further, names_another_record
from supportbot.builtin.actions.parts import Shape
from supportbot.builtin.actions.slots import (
    OF_WORDS,
    Intent,
    OrderRef,
    field_of_kind,
    fields_of,
    is_option,
    kind_of,
    missing_in,
    read_form,
    slots_in,
    whole_text,
)
from supportbot.builtin.actions.stated_reasons import says_why
from supportbot.builtin.intents import DetectedIntent
from supportbot.builtin.phrases import IntentPhrase, denies_order, only_asks, phrase_in
from supportbot.language.follow_ups import begins_like_question, is_question
from supportbot.language.order_numbers import order_numbers_in
from supportbot.llm.types import ChatMessage, ModelRequest, ToolSpec

Outcome = Literal["nothing", "advanced", "ambiguous", "left_alone", "withdrawn", "use_card", "undo"]
UNDO_TOOL: Final = "undo_last"  # offered once something can be undone
_ASKING: Final = frozenset(
    {
        "which_of_these",
        "which_record",
        "order_number",
        "amount",
        "address",
        "other",
        "choice",
        "date",
        "several",
        "entries",
        "parts",
        "cannot_read",
        "meant",
    }
)
_FOR_A_VALUE: Final = frozenset({"other", "date", "entries", "parts", "cannot_read"})
_NO_TRY: Final = ("thanks", "greeting")  # said in between, not instead of an answer
_MAY_HAVE_WORDS: Final = (*OF_WORDS, "list", "address", "object", "objects", "items")  # that any words may be part of
_SHORT_WORDS: Final = 8
_SURE: Final = 0.5  # of a yes or a no
_PATIENCE: Final = 4  # messages about other things before an open intent is forgotten
INTENTS_MOST: Final = 8
_TELLING: Final = 3  # words of a part that is more than "please" or "thanks"
_SENTENCE: Final = re.compile(r"(?<=[.!?;\n])\s+")
_CLAUSE: Final = re.compile(r"[,.;:!?–—]+\s+|\s+-\s+|\n+")


@dataclass
class DialogueState:
    """The state after each message. `outcome` is what the customer's newest one led to."""

    tools: Sequence[ToolSpec]
    locale: str = ""
    is_after_deed: bool = False  # something was prepared or done in this conversation
    is_answerable: bool = False  # the pages answer the newest message
    open: list[Intent] = field(default_factory=list)
    settled: list[Intent] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)  # actions that may have been meant
    outcome: Outcome = "nothing"
    unread: int = 0  # answers in a row without a value for what was asked
    has_new_value: bool = False  # the newest message gave one for an open intent or an open card
    _asked: IntentPhrase | None = None
    _has_asked: bool = False  # for a value of the open intents
    asked_which: list[str] = field(default_factory=list)  # the newest questions in a row which record is meant
    _offered: frozenset[str] = frozenset()  # the lines of the orders or records that were offered
    _last_order: str = ""  # the number named last
    _ambiguous_text: str = ""
    _ambiguous_whole: str = ""
    _idle: int = 0
    _written_on: date | None = None  # the newest message
    _whole: str = ""  # its text: that of a form may be longer than what is read of other texts

    def tool(self, action: str) -> ToolSpec:
        return next(tool for tool in self.tools if tool.name == action)

    def on_user(self, text: str, written_on: date | None = None) -> None:
        """Take in a customer message."""
        self._written_on, self._whole, self.has_new_value = written_on, text, False
        if self._take_record(text):
            self.outcome = "advanced"
            return
        # An order's button repeats its line. Its items and total describe the order, not the request.
        is_order = self._asked == "which_of_these" and _plain(text) in self._offered
        text = (text.partition(":")[0] if is_order else text)[: intents.READ_MOST]
        kind, chance = max(intents.classify(text).kinds.items(), key=lambda entry: entry[1])
        is_plain = chance >= _SURE and _is_short(text) and not any(sign.isdigit() for sign in text)
        is_plain = is_plain and not self._is_option(text)  # "no longer needed" may be a reason on offer
        candidates, self.candidates = self.candidates, []
        named = [tool.name for tool in self.tools if tool.title and tool.title.casefold() in text.casefold()]
        pressed = next((tool.name for tool in self.tools if tool.title == _plain(text)), "")
        chosen = named or (candidates if kind == "affirm" else [])
        is_after_deed = self.is_after_deed and not (self.open and self._asked)  # "the last one" is an answer
        wants_undo = intents.wants_undo(text, self.tools, is_after_deed=is_after_deed) and not self._is_option(text)
        if wants_undo and (intents.wants_undo(text, self.tools) or not self._corrects(text)):
            self.outcome, self.open, self.settled = "undo", [], []
        elif self._asked == "meant" and pressed:
            self.outcome = self._accept(pressed)
        elif self._asked == "meant" and is_plain and chosen:
            self.outcome = self._accept(chosen[0])
        elif kind == "negate" and is_plain and self._asked == "meant":
            self.outcome = "advanced" if self.open else "left_alone"  # the open question is asked again
        elif kind == "negate" and is_plain and (self.open or self.settled) and not self._corrects(text):
            self.outcome = "left_alone" if self.open else "withdrawn"
            self.open, self.settled = [], []
        elif kind == "affirm" and is_plain and self._has_card and not self.open:
            self.outcome = "use_card"
        else:
            is_for_words = self._asked == "meant" and any(intent.action in candidates for intent in self.open)
            if is_for_words and not only_asks(text) and not intents.detect_intent(text, self.tools).action:
                self._asked = "other"  # neither of the choices: the words that were asked for before
            self.outcome = self._detect(text, kind)
        self._last_order = [self._last_order, *order_numbers_in(text)][-1]

    @property
    def _has_card(self) -> bool:
        return any(not self.tool(intent.action).is_read for intent in self.settled)

    def on_assistant(self, text: str) -> None:
        """Take in an answer of the assistant: it asked for more, or settled the intent."""
        phrase = phrase_in(text)
        self._asked = phrase if phrase in _ASKING else None
        self.asked_which = [*self.asked_which, text] if phrase == "which_record" else []
        self._has_asked = bool(self.open) and (self._has_asked or self._asked in _FOR_A_VALUE)
        if denies_order(text):  # a mistyped number is not what the next request is about
            self._last_order = ""
        self._offered = frozenset(_plain(line[2:]) for line in text.splitlines() if self._asked and line[:2] == "- ")
        if self.outcome == "advanced" and phrase is None and not text.rstrip().endswith("?"):
            self.open, self.settled = [], self.open or self.settled

    def _take_record(self, text: str) -> bool:
        """Take the record that was chosen with its button or in the form, whatever its words would mean otherwise."""
        for at, intent in enumerate(self.open):
            tool, asked = self.tool(intent.action), self._asked_field(intent)
            if asked not in tool.chosen:
                continue
            form = read_form(tool, text, asked=asked)
            entered = next((value for name, value in form.items() if name in tool.chosen), None)
            line = _plain(text if entered is None else str(entered))
            if entered is not None or line in self._offered:
                self.open[at] = intent.merged_with(Intent(tool.name, text=line, answers=(line,)))
                self._idle, self.unread, self.has_new_value = 0, 0, True
                return True
        return False

    def _detect(self, text: str, kind: str) -> Outcome:
        if self._asks_for_words() and (other := self._wish_after_a_no(text)):
            action, rest = other
            if not (self.tool(action).is_read or _names_record(self.tool(action), rest)):
                return self._ask_back(text, [action])  # "no, leave it next door" may still be the answer
            self.open, self._asked, text, kind = [], None, rest, intents.classify(rest).kind
        detected = intents.detect_intent(text, self.tools)
        is_answer = self._asked is not None and (_is_short(text) or self._asks_for_words()) and "?" not in text
        if self.open and self._continue(text, is_answer=is_answer, detected=detected):
            return "advanced"
        # A long answer in free text may only sound like a request: begun at once, that would end the open one.
        is_story = is_answer and not _is_short(text)
        if self._is_correction(text, kind, detected) and self._correct(text):
            return "advanced"
        if not is_story and (requests := self._requests(text, detected)):
            return self._begin(requests)
        return self._ask_back(text, [detected.action] if detected.action else list(detected.candidates))

    def _ask_back(self, text: str, candidates: Sequence[str]) -> Outcome:
        """Let the customer say which action a message is for. Where any words were asked for, it may also be these,
        which alone is no reason to ask if the pages answer it.
        """
        waiting = next((intent.action for intent in self.open if self._asks_for_words()), "")
        is_new = waiting not in ("", *candidates) and (bool(candidates) or _is_question_instead(text, DetectedIntent()))
        self.candidates = [*candidates, *([waiting] if is_new else [])]
        self._ambiguous_text, self._ambiguous_whole = text, self._whole
        self._idle += 1
        self.open = [] if self._idle >= _PATIENCE else self.open
        return "ambiguous" if candidates or (is_new and not self.is_answerable) else "nothing"

    def _accept(self, action: str) -> Outcome:
        """Begin the action that the customer says they meant. If it is the open one, their text is the answer."""
        place = next((at for at, intent in enumerate(self.open) if intent.action == action), None)
        lacking = "" if place is None else self._next_missing(self.open[place])
        if place is None or not self._takes_words(self.open[place], lacking):
            return self._begin([(action, self._ambiguous_text)])
        self._whole = self._ambiguous_whole
        given = self._given(self.tool(action), self._ambiguous_text, lacking)
        self.open[place] = self.open[place].merged_with(given)
        self._idle, self.unread = 0, 0
        return "advanced"

    def _requests(self, text: str, detected: DetectedIntent) -> list[tuple[str, str]]:
        """Return the requests that a message clearly makes, as (action, words).

        Each of two requests in one message looks less certain than on its own, so it is enough that each part, with its
        own order, is clearly a request.
        """
        if detected.action:
            return self._parts(text, detected.action)
        numbers = order_numbers_in(text) if detected.candidates else []
        if len(numbers) < 2:
            return []
        parts = _split_at_orders(text, numbers)[:INTENTS_MOST]
        sure = [(intents.detect_intent(part, self.tools).action, part) for part in parts]
        return sure if all(action and not self.tool(action).is_read for action, _ in sure) else []

    def _parts(self, text: str, best: str) -> list[tuple[str, str]]:
        """Return a message's requests as (action, words); each further one must name an order of its own."""
        numbers = order_numbers_in(text)
        if len(numbers) < 2 or self.tool(best).is_read:
            return [(best, text)]
        found: list[tuple[str, str]] = []
        for part in _split_at_orders(text, numbers)[:INTENTS_MOST]:
            if intents.classify(part).kind in ("denies", *intents.QUESTIONS):
                continue
            likeliest = intents.score_intents(part, self.tools)[0]
            action = likeliest.action if likeliest.is_worth_asking else (found[-1][0] if found else best)
            found += [] if self.tool(action).is_read else [(action, part)]
        return found or [(best, text)]

    def _begin(self, requests: Sequence[tuple[str, str]]) -> Outcome:
        begun: list[Intent] = []
        for action, text in requests:
            same = [intent for intent in self.open if intent.action == action and len(requests) == 1]
            known = (same or [Intent(action)])[0]
            intent = known.merged_with(
                slots_in(self.tool(action), text, locale=self.locale, written_on=self._written_on)
            )
            if intent.order is None and self._last_order and _is_short(text):
                intent = replace(intent, order=OrderRef(self._last_order))
            begun.append(self._with_stated_reason(intent, text))
        self.open, self.settled = begun, []
        self._idle, self.unread, self._has_asked, self.asked_which = 0, 0, False, []
        return "advanced"

    def _with_stated_reason(self, intent: Intent, text: str) -> Intent:
        """Return a request with its words as the reason that it needs, if they give one."""
        tool = self.tool(intent.action)
        name = field_of_kind(tool, "reason")
        if name not in missing_in(tool, intent.values) or not says_why(tool, text):
            return intent
        return replace(intent, values=intent.values | {name: whole_text(fields_of(tool)[name], text)})

    def _continue(self, text: str, *, is_answer: bool, detected: DetectedIntent) -> bool:
        """Return whether the message concerns an open intent: it adds a value or answers the assistant's question."""
        new = detected.action
        place = next((at for at, intent in enumerate(self.open) if self._asked_field(intent)), 0)
        intent = self.open[place]
        tool, asked = self.tool(intent.action), self._asked_field(intent)
        form = read_form(tool, self._whole, asked=asked)
        if new and not is_answer and not form:
            return False
        sought = asked or self._asked_before(intent)
        given = Intent(tool.name, values=form) if form else self._given(tool, text, sought)
        if given.is_empty and not (asked and (given.days or self._is_try(text))):
            return False
        if asked and not form and self._is_another(detected, text, asked, given):
            return False
        if not form and self._asks_for_words() and _is_question_instead(text, detected):
            return False
        if asked in tool.chosen:
            given = replace(given, answers=tuple(text.splitlines()))
        self.open[place] = intent.merged_with(given)
        shape = fields_of(tool).get(asked, {})
        is_unread = given.is_empty and not any(takes_day(shape, day) for day in given.days)
        self.unread = self.unread + 1 if is_unread and asked not in tool.chosen else 0
        self.has_new_value = not given.is_empty
        self._idle = 0
        return True

    def _given(self, tool: ToolSpec, text: str, asked: str) -> Intent:
        """Return what a message says for an intent. Where any words are asked for, they may be more than what is read
        of a message otherwise.
        """
        given = slots_in(tool, text, asked=asked, locale=self.locale, written_on=self._written_on)
        if asked not in given.values or kind_of(asked, fields_of(tool)[asked]) not in OF_WORDS:
            return given
        return replace(given, values=given.values | {asked: whole_text(fields_of(tool)[asked], self._whole)})

    def _asks_for_words(self) -> bool:
        """Return whether the assistant asked for any words, of which there may be many."""
        return any(self._takes_words(intent, self._asked_field(intent)) for intent in self.open)

    def _takes_words(self, intent: Intent, name: str) -> bool:
        shapes = fields_of(self.tool(intent.action))
        is_chosen = name in self.tool(intent.action).chosen
        return name in shapes and not is_chosen and kind_of(name, shapes[name]) in OF_WORDS

    def _wish_after_a_no(self, text: str) -> tuple[str, str] | None:
        """Return the action that surely is requested behind a "no" or "never mind", and its words; None if it is open
        or in doubt: "No, please ring twice" is an answer.
        """
        no, *rest = _CLAUSE.split(text, maxsplit=1)
        if not rest or not intents.is_mere_no(no):
            return None
        action = intents.detect_intent(rest[0], self.tools).action
        return (action, rest[0]) if action and all(intent.action != action for intent in self.open) else None

    def _is_another(self, detected: DetectedIntent, text: str, asked: str, given: Intent) -> bool:
        """Return whether a message requests another action, or may do so, instead of answering: it has not the value
        that was asked for, and it names a record for that action. Digits without one are a mistyped answer; words alone
        are enough where it surely is a request and they cannot be part of the answer. An answer in free text may name a
        record, too: only a sure request ends it, or a few words for which the field is too short.
        """
        other = next(iter([detected.action] if detected.action else detected.candidates), "")
        if not other or any(intent.action == other for intent in self.open) or self._is_option(text):
            return False
        fields = fields_of(self.tool(given.action))
        kind = kind_of(asked, fields[asked]) if asked in fields else "text"
        is_answered = given.order is not None if kind == "order" else asked in given.values
        if _names_record(self.tool(other), text):
            is_sure = bool(detected.action) or (_is_short(text) and not _fits(fields.get(asked, {}), text))
            return is_sure if kind in _MAY_HAVE_WORDS else not is_answered
        has_digits = any(sign.isdigit() for sign in text)
        return bool(detected.action) and kind not in _MAY_HAVE_WORDS and not is_answered and not has_digits

    def _is_try(self, text: str) -> bool:
        """Return whether a message without a readable value is still meant as an answer: the question is then asked
        again, because the help pages know nothing about it.
        """
        if _is_short(text):
            is_courtesy = intents.courtesy(text) in _NO_TRY and not any(sign.isdigit() for sign in text)
            return not is_question(text) and not is_courtesy
        is_like_question = is_question(text) or intents.classify(text).kind in intents.QUESTIONS
        return not is_like_question and len(text.split()) <= MOST_WORDS

    def _asked_before(self, intent: Intent) -> str:
        """Return the missing number or day that was asked for before something else came up, "" if there is none: it
        is still the one that a bare figure or day is for.
        """
        tool = self.tool(intent.action)
        name = next(iter(missing_in(tool, intent.values)), "") if self._has_asked else ""
        return name if name and kind_of(name, fields_of(tool)[name]) in ("number", "date") else ""

    def _asked_field(self, intent: Intent) -> str:
        """Return the field that the assistant asked for, "" if the intent does not lack it."""
        tool = self.tool(intent.action)
        match self._asked:
            case None | "meant":
                return ""
            case "which_of_these" | "order_number":
                return field_of_kind(tool, "order") if intent.order is None else ""
            case "amount":
                return intent.unclear
            case "which_record":
                return next((name for name in missing_in(tool, intent.values) if name in tool.chosen), "")
        return self._next_missing(intent)

    def _next_missing(self, intent: Intent) -> str:
        tool = self.tool(intent.action)
        found = {*tool.chosen, field_of_kind(tool, "order")}  # not asked for as values
        return next((name for name in missing_in(tool, intent.values) if name not in found), "")

    def _is_option(self, text: str) -> bool:
        """Return whether the message is an option of what the assistant asked for: word for word, or yes or no."""
        asked = ((self.tool(intent.action), self._asked_field(intent)) for intent in self.open)
        return any(is_option(tool, name, text) for tool, name in asked if name in fields_of(tool))

    def _is_correction(self, text: str, kind: str, detected: DetectedIntent) -> bool:
        """Return whether a message may correct the settled intent: it asks nothing, and requests no other action and
        nothing about another record.
        """
        if not self.settled or self._asked == "meant" or kind in intents.QUESTIONS:
            return False
        if not detected.action:
            return True
        intent = self.settled[-1]
        tool, given = self.tool(intent.action), self._corrected(text)
        return detected.action == intent.action and not names_another_record(tool, intent, given)

    def _correct(self, text: str) -> bool:
        """Return whether the message corrects the settled intent: another order, amount, day or number."""
        if not self._corrects(text):
            return False
        intent, given = self.settled[-1], self._corrected(text)
        replaces = not (names_another_record(self.tool(intent.action), intent, given) and is_further(text, self.locale))
        self.open, self.settled = [replace(intent.merged_with(given), replaces_card=replaces)], []
        self.has_new_value = True
        return True

    def _corrects(self, text: str) -> bool:
        """Return whether a text plainly gives another value for the settled intent."""
        if not self.settled or self.open or len(text.split()) > MOST_WORDS:
            return False
        given = self._corrected(text)
        return not (given.is_empty or given.unclear)

    def _corrected(self, text: str) -> Intent:
        intent = self.settled[-1]
        tool = self.tool(intent.action)
        return corrected(tool, intent, text, locale=self.locale, written_on=self._written_on)


def _is_question_instead(text: str, detected: DetectedIntent) -> bool:
    """Return whether a message may be a question of its own, although any words would be an answer: a part
    begins like one, and none after it tells more. "When nobody is home, put it behind the shed?" asks nothing.

    Counted on 34 notes for a driver and 30 other messages, all like questions or behind a "no", before this rule and
    with it (most are rows in tests/builtin): notes taken at once 17 and 24, asked about 0 and 9, dropped 17 and 1;
    others taken for the note, which a card then shows, 6 and 4.
    """
    parts = [part for part in _CLAUSE.split(text) if part.strip()]
    told = [part for part in parts[1:] if len(part.split()) >= _TELLING and not begins_like_question(part)]
    if not any(map(begins_like_question, parts)) or told:
        return False
    message = intents.classify(text)
    may_request = "?" in text and bool(detected.candidates)
    return may_request or (message.kind in intents.QUESTIONS and ("?" in text or message.is_clearly_no_request))


def _names_record(tool: ToolSpec, text: str) -> bool:
    """Return whether a text has a number in the form of one that the action needs."""
    found = slots_in(tool, text)
    numbers = (name for name, shape in fields_of(tool).items() if kind_of(name, shape) == "pattern")
    is_whole = found.order is not None and found.order.is_whole
    return is_whole or any(sign.isdigit() for name in numbers for sign in str(found.values.get(name, "")))


def _fits(shape: Shape, text: str) -> bool:
    """Return whether a field of text takes the whole text; other fields take any words."""
    return kind_of("", shape) != "text" or whole_text(shape, text) == _plain(text)


def _is_short(text: str) -> bool:
    return len(text.split()) <= _SHORT_WORDS


def _plain(line: str) -> str:
    return " ".join(line.split())


def _split_at_orders(text: str, numbers: Sequence[str]) -> list[str]:
    """Return a text split after its order numbers, or at the end of a sentence before the next number."""
    parts: list[str] = []
    for number, following in pairwise(numbers):
        end = text.find(number[-3:]) + 3
        sentence = _SENTENCE.search(text, end, max(end, text.find(following[-3:], end)))
        cut = sentence.end() if sentence else end
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def follow_dialogue(request: ModelRequest, tools: Sequence[ToolSpec]) -> DialogueState:
    """Return the state of a request's conversation after its newest message."""
    may_undo = UNDO_TOOL in {tool.name for tool in request.tools}
    is_answerable = request.is_answerable and bool(request.sources)
    dialogue = DialogueState(tools, request.locale, is_after_deed=may_undo, is_answerable=is_answerable)
    said = [one for one in request.messages if one.role in ("user", "assistant") and one.content]
    if not said or said[-1].role != "user":
        said.append(ChatMessage("user", request.question))
    for message in said:
        if message.role == "user":
            dialogue.on_user(message.content, message.written_on)
        else:
            dialogue.on_assistant(message.content)
    return dialogue
