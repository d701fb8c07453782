"""The state of a conversation about actions, rebuilt from its messages in every turn. Pure, apart from `intents`.

The messages are the only memory. Each message from the customer opens an intent, fills in an open one, corrects or
withdraws the last one, or is unrelated. The assistant's messages show whether an intent is still open (the assistant
asked a question) or settled (it showed a card or refused).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Literal

from supportbot.builtin import intents
from supportbot.builtin.actions.corrections import MOST_WORDS, corrected, is_further, names_another_record
from supportbot.builtin.actions.limits_in_words import takes_day
from supportbot.builtin.actions.message_reading import (
    given_in,
    is_another,
    is_question_instead,
    is_short,
    is_try,
    names_record,
    plain,
    request_after_refusal,
    requests_in,
    with_stated_reason,
)
from supportbot.builtin.actions.replaced_numbers import meant_in
from supportbot.builtin.actions.slots import Intent, OrderRef, is_option, request_words, slots_in
from supportbot.builtin.actions.submitted_forms import read_form
from supportbot.builtin.actions.tool_fields import OF_WORDS, field_of_kind, fields_of, kind_of, missing_in, required_by
from supportbot.builtin.intents import DetectedIntent
from supportbot.builtin.phrases import IntentPhrase, denies_order, field_title, only_asks, phrase_in
from supportbot.language.order_numbers import order_numbers_in, placed_order_numbers
from supportbot.llm.types import ChatMessage, ModelRequest, ToolSpec

Outcome = Literal[
    "nothing", "advanced", "ambiguous", "left_alone", "withdrawn", "use_card", "undo", "recorded", "not_done",
]  # fmt: skip
UNDO_TOOL: Final = "undo_last"  # offered when something can be undone
RECORD_TOOL: Final = "recorded_actions"  # offered when something was requested in this conversation
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
_SURE: Final = 0.5  # minimum probability of a yes or a no
_PATIENCE: Final = 4  # messages about other topics after which an open intent is forgotten


@dataclass
class DialogueState:
    """The state of the dialogue after each message. `outcome` is the effect of the customer's newest message."""

    tools: Sequence[ToolSpec]
    locale: str = ""
    is_after_deed: bool = False  # something was prepared or done in this conversation
    is_answerable: bool = False  # the help pages answer the newest message
    recorded: frozenset[str] = frozenset()  # the actions that were requested in this conversation
    open: list[Intent] = field(default_factory=list)
    settled: list[Intent] = field(default_factory=list)
    candidates: list[str] = field(default_factory=list)  # actions that may have been meant
    outcome: Outcome = "nothing"
    unread: int = 0  # consecutive answers without a value for the question
    has_outcome: bool = False  # the chat has reported the outcome of the settled intents
    has_new_value: bool = False  # the newest message contains a value for an open intent or card
    _asked: IntentPhrase | None = None
    _has_asked: bool = False  # the assistant asked for a value of the open intents
    asked_which: list[str] = field(default_factory=list)  # the latest questions in a row about which record is meant
    _offered: frozenset[str] = frozenset()  # the lines of the offered orders or records
    _last_order: str = ""  # the order number that was named last
    _ambiguous_text: str = ""
    _ambiguous_whole: str = ""
    _may_be_correction: bool = False  # the ambiguous text may only correct the settled intent
    _idle: int = 0
    _answers: int = 0  # the assistant's messages since the customer's newest one
    _since_settled: int = 0  # messages from the customer since an intent was settled, including the newest
    _written_on: date | None = None  # the day of the newest message
    _whole: str = ""  # the full text, because a form may be longer than the part of other texts that is read

    def tool(self, action: str) -> ToolSpec:
        return next(tool for tool in self.tools if tool.name == action)

    def on_user(self, text: str, written_on: date | None = None) -> None:
        """Update the state with a message from the customer."""
        self._written_on, self._whole, self.has_new_value, self._answers = written_on, text, False, 0
        self._since_settled += 1
        if self._take_record(text):
            self.outcome = "advanced"
            return
        # An order's button repeats the order's line, whose items and total describe the order and not the request.
        is_order = self._asked == "which_of_these" and plain(text) in self._offered
        text = (text.partition(":")[0] if is_order else text)[: intents.READ_MOST]
        kind, chance = max(intents.classify(text).kinds.items(), key=lambda entry: entry[1])
        is_plain = chance >= _SURE and self._may_be_plain_reply(text)
        candidates, self.candidates = self.candidates, []
        named = [tool.name for tool in self.tools if tool.title and tool.title.casefold() in text.casefold()]
        pressed = next((tool.name for tool in self.tools if tool.title == plain(text)), "")
        chosen = named or (candidates if kind == "affirm" else [])
        is_after_deed = self.is_after_deed and not (self.open and self._asked)  # "the last one" is an answer
        wants_undo = intents.wants_undo(text, self.tools, is_after_deed=is_after_deed) and not self._is_option(text)
        if self._asks_whether_done(text):
            self._answer_from_records(text)
        elif wants_undo and (intents.wants_undo(text, self.tools) or not self._corrects(text)):
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
                # the customer chose neither option, so the text is the answer requested before that
                self._asked = "other"
            self.outcome = self._detect(text, kind)
        self._last_order = self._newest_order(text)

    def _may_be_plain_reply(self, text: str) -> bool:
        """Return whether a message is short and contains nothing but its wording that could answer a question."""
        is_in_words = is_short(text) and not any(sign.isdigit() for sign in text)
        return is_in_words and not self._is_option(text)  # "no longer needed" may be one of the offered reasons

    def _answer_from_records(self, text: str) -> None:
        """Handle the question whether an action was carried out. If it is about one that was not, offer that one."""
        about = self.action_named(text) or ("" if self.recorded else intents.detect_intent(text, self.tools).action)
        self.outcome = "recorded" if about in ("", *self.recorded) else "not_done"
        if self.outcome == "not_done":
            self._ask_back(text, [about])

    def _asks_whether_done(self, text: str) -> bool:
        """Return whether the customer asks whether an action was carried out. If there were no requests in this
        conversation, the question is only about what it names, such as an order's state, unless it would start an
        action. "Was WF-1001 delivered?" names no action, so it is about the order's state in any case.
        """
        if (self.open and self._asked) or not intents.asks_whether_done(text):
            return False
        action = intents.detect_intent(text, self.tools).action
        is_look_up = bool(action) and self.tool(action).is_read
        if not self.recorded:
            return bool(action) and not is_look_up
        return not (is_look_up and order_numbers_in(text)) or bool(self.action_named(text))

    def action_named(self, text: str) -> str:
        """Return the action that a message is about, whether it requests it or not, and that is not a look-up; "" if
        there is none.
        """
        said = intents.without_records(text)
        return next((one.name for one in self.tools if not one.is_read and intents.names_action(said, one)), "")

    def _newest_order(self, text: str) -> str:
        """Return the order number that was named last; "" if it is unclear which of several the text means."""
        concerned = [self.tool(intent.action) for intent in (*self.open, *self.settled)]
        words = frozenset(word for tool in concerned for word in request_words(tool))
        meant = meant_in(text, self.locale, placed_order_numbers(text), words)
        return "" if meant is None else [self._last_order, *order_numbers_in(meant)][-1]

    @property
    def is_right_after_card(self) -> bool:
        """Return whether the customer's newest message directly follows a card."""
        return self._has_card and self._since_settled == 1

    @property
    def _has_card(self) -> bool:
        return any(not self.tool(intent.action).is_read for intent in self.settled)

    def on_assistant(self, text: str) -> None:
        """Update the state with an answer from the assistant, which asks for more or settles the intent."""
        self._answers += 1
        if self.settled and self._answers > 1:  # the first answer showed the card
            self.has_outcome = True
        phrase = phrase_in(text)
        self._asked = phrase if phrase in _ASKING else None
        self.asked_which = [*self.asked_which, text] if phrase == "which_record" else []
        self._has_asked = bool(self.open) and (self._has_asked or self._asked in _FOR_A_VALUE)
        if denies_order(text):  # a mistyped number must not count for the next request
            self._last_order = ""
        self._offered = frozenset(plain(line[2:]) for line in text.splitlines() if self._asked and line[:2] == "- ")
        if self.outcome == "advanced" and phrase is None and not text.rstrip().endswith("?"):
            self.has_outcome = self.has_outcome and not self.open
            self.open, self.settled = [], self.open or self.settled
            self._since_settled = 0

    def _take_record(self, text: str) -> bool:
        """Accept a record that was chosen with its button or in the form, whatever else its text could mean; return
        whether there was one.
        """
        for at, intent in enumerate(self.open):
            tool, asked = self.tool(intent.action), self._asked_field(intent)
            if asked not in tool.chosen:
                continue
            form = read_form(tool, text, asked=asked, locale=self.locale)
            entered = next((value for name, value in form.items() if name in tool.chosen), None)
            line = plain(text if entered is None else str(entered))
            if entered is not None or line in self._offered:
                self.open[at] = intent.merged_with(Intent(tool.name, text=line, answers=((asked, line),)))
                self._idle, self.unread, self.has_new_value = 0, 0, True
                return True
        return False

    def _detect(self, text: str, kind: str) -> Outcome:
        if self._asks_for_words() and (other := request_after_refusal(self.tools, text, self.open)):
            action, rest = other
            if not (self.tool(action).is_read or names_record(self.tool(action), rest)):
                return self._ask_back(text, [action])  # "no, leave it next door" may still be the answer
            self.open, self._asked, text, kind = [], None, rest, intents.classify(rest).kind
        detected = intents.detect_intent(text, self.tools)
        is_answer = self._asked is not None and (is_short(text) or self._asks_for_words()) and "?" not in text
        if self.open and self._continue(text, is_answer=is_answer, detected=detected):
            return "advanced"
        # A long answer in free text may only sound like a request, and a new request would end the open intent.
        is_story = is_answer and not is_short(text)
        if self._is_correction(text, kind, detected) and self._correct(text):
            return "advanced"
        if self._may_only_name_another_record(text, detected):
            outcome = self._ask_back(text, [self.settled[-1].action, detected.action])
            self._may_be_correction = True
            return outcome
        if not is_story and (requests := requests_in(self.tools, text, detected, self.locale)):
            return self._begin(requests)
        candidates = [detected.action] if detected.action else list(detected.candidates)
        if not self.open and len(candidates) == 1 and self._can_be_looked_up(candidates[0], text):
            return self._begin([(candidates[0], text)])
        return self._ask_back(text, candidates)

    def _can_be_looked_up(self, action: str, text: str) -> bool:
        """Return whether an action is a look-up and the text contains everything it requires, or the order's number if
        it requires nothing. It can then be carried out without asking, because it changes nothing.
        """
        tool = self.tool(action)
        if not tool.is_read:
            return False
        given = slots_in(tool, text, locale=self.locale, written_on=self._written_on)
        if not required_by(tool):
            return given.order is not None and given.order.is_whole
        return not missing_in(tool, given.values)

    def _ask_back(self, text: str, candidates: Sequence[str]) -> Outcome:
        """Ask the customer which action a message is about. If the assistant asked for free text, the message may also
        be the answer to that. If no other action is possible and the help pages answer the message, the customer is not
        asked.
        """
        waiting = next((intent.action for intent in self.open if self._asks_for_words()), "")
        is_new = waiting not in ("", *candidates) and (bool(candidates) or is_question_instead(text, DetectedIntent()))
        self.candidates = [*candidates, *([waiting] if is_new else [])]
        self._ambiguous_text, self._ambiguous_whole, self._may_be_correction = text, self._whole, False
        self._idle += 1
        self.open = [] if self._idle >= _PATIENCE else self.open
        return "ambiguous" if candidates or (is_new and not self.is_answerable) else "nothing"

    def _accept(self, action: str) -> Outcome:
        """Start the action that the customer says they meant. If it is the open action, their earlier text is the
        answer to its question; if it is the settled one, the text may correct it.
        """
        is_settled = bool(self.settled) and self.settled[-1].action == action
        if self._may_be_correction and is_settled and self._correct(self._ambiguous_text):
            return "advanced"
        place = next((at for at, intent in enumerate(self.open) if intent.action == action), None)
        lacking = "" if place is None else self._next_missing(self.open[place])
        if place is None or not self._takes_words(self.open[place], lacking):
            return self._begin([(action, self._ambiguous_text)])
        self._whole = self._ambiguous_whole
        given = self._given(self.tool(action), self._ambiguous_text, lacking)
        self.open[place] = self.open[place].merged_with(given)
        self._idle, self.unread = 0, 0
        return "advanced"

    def _begin(self, requests: Sequence[tuple[str, str]]) -> Outcome:
        begun: list[Intent] = []
        for action, text in requests:
            same = [intent for intent in self.open if intent.action == action and len(requests) == 1]
            known = (same or [Intent(action)])[0]
            intent = known.merged_with(
                slots_in(self.tool(action), text, locale=self.locale, written_on=self._written_on)
            )
            if intent.order is None and self._last_order and is_short(text):
                intent = replace(intent, order=OrderRef(self._last_order))
            begun.append(with_stated_reason(self.tool(action), intent, text))
        self.open, self.settled = begun, []
        self._idle, self.unread, self._has_asked, self.asked_which = 0, 0, False, []
        return "advanced"

    def _continue(self, text: str, *, is_answer: bool, detected: DetectedIntent) -> bool:
        """Return whether the message concerns an open intent, because it adds a value or answers the assistant's
        question.
        """
        new = detected.action
        place = next((at for at, intent in enumerate(self.open) if self._asked_field(intent)), 0)
        intent = self.open[place]
        tool, asked = self.tool(intent.action), self._asked_field(intent)
        form = read_form(tool, self._whole, asked=asked, locale=self.locale)
        if new and not is_answer and not form:
            return False
        sought = asked or self._asked_before(intent)
        given = _of_form(tool, form) if form else self._given(tool, text, sought)
        if given.is_empty and not (asked and (given.days or is_try(text))):
            return False
        if (
            asked
            and not form
            and not self._is_option(text)
            and is_another(self.tools, text, detected, asked=asked, given=given, open_intents=self.open)
        ):
            return False
        if not form and self._asks_for_words() and is_question_instead(text, detected):
            return False
        if asked in tool.chosen:
            given = replace(given, answers=tuple((asked, line) for line in text.splitlines()))
        self.open[place] = intent.merged_with(given)
        shape = fields_of(tool).get(asked, {})
        is_unread = given.is_empty and not any(takes_day(shape, day) for day in given.days)
        self.unread = self.unread + 1 if is_unread and asked not in tool.chosen else 0
        self.has_new_value = not given.is_empty
        self._idle = 0
        return True

    def _given(self, tool: ToolSpec, text: str, asked: str) -> Intent:
        return given_in(tool, text, asked, whole=self._whole, locale=self.locale, written_on=self._written_on)

    def _asks_for_words(self) -> bool:
        """Return whether the assistant asked for free text, which may be long."""
        return any(self._takes_words(intent, self._asked_field(intent)) for intent in self.open)

    def _takes_words(self, intent: Intent, name: str) -> bool:
        shapes = fields_of(self.tool(intent.action))
        is_chosen = name in self.tool(intent.action).chosen
        return name in shapes and not is_chosen and kind_of(name, shapes[name]) in OF_WORDS

    def _asked_before(self, intent: Intent) -> str:
        """Return the missing field for a number or a day that the assistant asked for before the topic changed; "" if
        there is none. A bare figure or day still answers that question.
        """
        tool = self.tool(intent.action)
        name = next(iter(missing_in(tool, intent.values)), "") if self._has_asked else ""
        return name if name and kind_of(name, fields_of(tool)[name]) in ("number", "date") else ""

    def _asked_field(self, intent: Intent) -> str:
        """Return the field that the assistant asked for; "" if the intent already has a value for it."""
        tool = self.tool(intent.action)
        match self._asked:
            case None | "meant":
                return ""
            case "which_of_these" | "order_number":
                return field_of_kind(tool, "order") if intent.order is None or intent.order.is_unclear else ""
            case "amount":
                return intent.first_unclear
            case "which_record":
                return self._asked_record(tool, intent)
        return intent.first_unclear or self._next_missing(intent)

    def _asked_record(self, tool: ToolSpec, intent: Intent) -> str:
        """Return the argument whose records were offered; the newest question names it."""
        missing = [name for name in missing_in(tool, intent.values) if name in tool.chosen]
        question = self.asked_which[-1].partition("\n")[0] if self.asked_which else ""
        titles = {name: field_title(name, fields_of(tool)[name], self.locale).rstrip(" .:?!") for name in missing}
        named = [name for name in missing if titles[name] in question]
        return max(named, key=lambda name: len(titles[name]), default=next(iter(missing), ""))

    def _next_missing(self, intent: Intent) -> str:
        tool = self.tool(intent.action)
        found = {*tool.chosen, field_of_kind(tool, "order")}  # the assistant does not ask for these as values
        return next((name for name in missing_in(tool, intent.values) if name not in found), "")

    def _is_option(self, text: str) -> bool:
        """Return whether the message is, word for word, an option that the assistant offered, or a plain yes or no to
        its question.
        """
        asked = ((self.tool(intent.action), self._asked_field(intent)) for intent in self.open)
        return any(is_option(tool, name, text) for tool, name in asked if name in fields_of(tool))

    def _is_correction(self, text: str, kind: str, detected: DetectedIntent) -> bool:
        """Return whether a message may correct the settled intent: it may if it asks nothing and requests neither a
        different action nor the same action for a different record. A message without letters, such as a bare number,
        may do so only directly after the card.
        """
        if any(sign.isalpha() for sign in text):
            may_correct = kind not in intents.QUESTIONS
        else:
            may_correct = self._since_settled == 1 and "?" not in text
        if not self.settled or self._asked == "meant" or not may_correct:
            return False
        if not detected.action:
            return True
        intent = self.settled[-1]
        tool, given = self.tool(intent.action), self._corrected(text)
        return detected.action == intent.action and not names_another_record(tool, intent, given)

    def _may_only_name_another_record(self, text: str, detected: DetectedIntent) -> bool:
        """Return whether a message after a card or a refusal requests a different action only as long as it names a
        record: "Sorry, I meant WF-20410" looks like a cancellation, but may correct the number. "Annulez WF-20410" does
        not, because the rest of the message is about the action.
        """
        if not detected.action or not self._corrects(text):
            return False
        intent = self.settled[-1]
        if intent.action == detected.action or not names_another_record(
            self.tool(intent.action), intent, self._corrected(text)
        ):
            return False
        return not intents.names_action(intents.without_records(text), self.tool(detected.action))

    def _correct(self, text: str) -> bool:
        """Correct the settled intent if the message names a different order, amount, day or number; return whether it
        does.
        """
        if not self._corrects(text):
            return False
        intent, given = self.settled[-1], self._corrected(text)
        replaces = not (names_another_record(self.tool(intent.action), intent, given) and is_further(text, self.locale))
        self.open, self.settled = [replace(intent.merged_with(given), replaces_card=replaces)], []
        self.has_new_value = True
        return True

    def _corrects(self, text: str) -> bool:
        """Return whether the text clearly contains another value for the settled intent."""
        if not self.settled or self.open or len(text.split()) > MOST_WORDS:
            return False
        given = self._corrected(text)
        return not (given.is_empty or given.unclear)

    def _corrected(self, text: str) -> Intent:
        intent = self.settled[-1]
        tool = self.tool(intent.action)
        return corrected(tool, intent, text, locale=self.locale, written_on=self._written_on)


def _of_form(tool: ToolSpec, form: dict[str, Any]) -> Intent:
    """Return the values of a submitted form. An order number in it replaces one from an earlier message."""
    number = form.get(field_of_kind(tool, "order"))
    return Intent(tool.name, OrderRef(str(number)) if number else None, form)


def _recorded(request: ModelRequest) -> frozenset[str]:
    found = next((tool.parameters for tool in request.tools if tool.name == RECORD_TOOL), None)
    return frozenset(found["properties"]["action"]["enum"]) if found else frozenset()


def follow_dialogue(request: ModelRequest, tools: Sequence[ToolSpec]) -> DialogueState:
    """Return the state of a request's conversation after its newest message."""
    may_undo = UNDO_TOOL in {tool.name for tool in request.tools}
    is_answerable = request.is_answerable and bool(request.sources)
    dialogue = DialogueState(
        tools, request.locale, is_after_deed=may_undo, is_answerable=is_answerable, recorded=_recorded(request)
    )
    messages = [one for one in request.messages if one.role in ("user", "assistant") and one.content]
    if not messages or messages[-1].role != "user":
        messages.append(ChatMessage("user", request.question))
    for message in messages:
        if message.role == "user":
            dialogue.on_user(message.content, message.written_on)
        else:
            dialogue.on_assistant(message.content)
    return dialogue
