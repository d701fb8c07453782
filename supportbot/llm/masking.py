"""Replaces personal data in requests to a remote model with placeholders, and restores it in the answer. In texts that
are kept, the data is replaced with its kind. Pure.

Within a request, each value has one placeholder, such as `[EMAIL_1]`, across all messages and spellings. Data in the
request's sources is public and is not replaced. Invariant: only values from the request itself are restored.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import count
from typing import Final

from supportbot.language.personal_data import Kind, Personal, personal_data_in, replaced
from supportbot.llm.types import ChatMessage, ModelEvent, ModelRequest, TextDelta, ToolCall

_NOTE: Final = (
    "Marks such as [EMAIL_1] or [PHONE_1] stand for data of the customer that you do not see. Where you need the data, "
    "in an answer or in a tool's arguments, write the mark exactly as it stands."
)
# Placeholders as models write them: some models escape brackets and underscores, as in Markdown.
_MARK: Final = re.compile(r"\\?\[(?P<kind>EMAIL|CARD|IBAN|PHONE)\\?_(?P<number>\d{1,5})\\?\]", re.IGNORECASE)
_LONGEST: Final = 20
# JSON escapes look like letters to the recogniser: the "n" of "\\nalice@example.com" is not part of the address.
_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")
_SECRET: Final = re.compile(r"\b(?:sk|pk|vs|whsec|ghp|xox[bp])[_-][\w-]{8,}|\beyJ[\w-]{10,}(?:\.[\w-]+){1,2}")
_NUMBER: Final = re.compile(r"(?<![\w.])\+?\d(?:[ ()./-]{0,3}\d){6,22}(?![\w.]*\d)")
_ACCOUNT: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_MASKS: Final[dict[Kind, str]] = {"EMAIL": "[e-mail]", "CARD": "[card]", "IBAN": "[account]", "PHONE": "[number]"}


@lru_cache(maxsize=512)  # the same page supports many answers
def _named_in(title: str, text: str) -> frozenset[tuple[Kind, str]]:
    """Return the kind and key of each piece of personal data that a page contains, such as the shop's own address."""
    return frozenset((one.kind, one.key) for one in personal_data_in(f"{title}\n{text}"))


class Placeholders:
    """The placeholders of one request."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._marks: dict[tuple[Kind, str], str] = {}
        self._values: dict[str, str] = {}
        self._public = {one for source in request.sources for one in _named_in(source.title, source.text)}
        self._numbers: dict[Kind, Iterator[int]] = {}
        # A placeholder that the customer typed stands for nothing.
        self._taken = {mark for message in request.messages for mark in _marks_in(message.content)}
        self.request = self._hidden()

    def with_lean_instructions(self) -> ModelRequest:
        """Return the request, including its lean instructions. `request` leaves them out, because few servers need them
        and hiding personal data in them takes as long as in all messages together.
        """
        lean = ChatMessage("system", self._hide(self._request.lean_instructions))
        return replace(self.request, lean_instructions=self._explained((lean,))[0].content if lean.content else "")

    def restored(self, text: str) -> str:
        """Return a model's complete text with the original values in place of the placeholders."""
        if not self._values or "[" not in text:
            return text
        return _MARK.sub(lambda match: self._values.get(_name(match), match[0]), text)

    def open_end(self, text: str) -> int:
        """Return where an unfinished placeholder at the end of the text starts, or the text's length if there is
        none.
        """
        place = text.rfind("[", max(len(text) - _LONGEST, 0))
        if place < 0 or not self._may_become_one(text[place:]):
            place = len(text)
        return place - text.endswith("\\", 0, place)

    def _may_become_one(self, text: str) -> bool:
        """Return whether the text is the beginning of a placeholder but not a whole one."""
        bare = text.replace("\\", "").upper()
        return any(mark.startswith(bare) and mark != bare for mark in self._values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def _hidden(self) -> ModelRequest:
        messages = tuple(map(self._hide_in, self._request.messages))
        return replace(self._request, messages=self._explained(messages), lean_instructions="")

    def _explained(self, messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
        return _with_note(messages) if self._values else messages

    def _hide_in(self, message: ChatMessage) -> ChatMessage:
        content = self._hide_in_json(message.content) if message.role == "tool" else self._hide(message.content)
        calls = tuple(replace(call, arguments=self._hide_in_json(call.arguments)) for call in message.tool_calls)
        return replace(message, content=content, tool_calls=calls)

    def _hide(self, text: str) -> str:
        return self._replaced(text, personal_data_in(text))

    def _hide_in_json(self, text: str) -> str:
        return self._replaced(text, personal_data_in(_ESCAPE.sub(lambda match: " " * len(match[0]), text)))

    def _replaced(self, text: str, found: Iterable[Personal]) -> str:
        return replaced(text, [one for one in found if (one.kind, one.key) not in self._public], self._mark_of)

    def _mark_of(self, one: Personal) -> str:
        mark = self._marks.get((one.kind, one.key))
        if mark is None:
            numbered = (f"[{one.kind}_{number}]" for number in self._numbers.setdefault(one.kind, count(1)))
            mark = next(name for name in numbered if name not in self._taken)
            self._marks[one.kind, one.key] = mark
            self._values[mark] = one.text
        return mark


class Restoring:
    """Restores values while an answer streams, even if a placeholder arrives in pieces."""

    def __init__(self, placeholders: Placeholders | None) -> None:
        self._placeholders = placeholders  # if None or empty, everything passes unchanged
        self._held = ""  # the end of the text so far, if it may be the beginning of a placeholder

    def take(self, event: ModelEvent) -> Iterator[ModelEvent]:
        """Yield the events that can be passed on after `event`."""
        if not self._placeholders:
            yield event
        elif isinstance(event, TextDelta):
            yield from self._text(event.text, self._placeholders)
        else:
            yield from self._rest()
            if isinstance(event, ToolCall):
                event = replace(event, arguments=self._placeholders.restored(event.arguments))
            yield event

    def _text(self, text: str, placeholders: Placeholders) -> Iterator[ModelEvent]:
        text = self._held + text
        open_end = placeholders.open_end(text)
        self._held, text = text[open_end:], text[:open_end]
        if text:
            yield TextDelta(placeholders.restored(text))

    def _rest(self) -> Iterator[ModelEvent]:
        """Yield the text that was held back but did not become a placeholder."""
        if self._held:
            yield TextDelta(self._held)
        self._held = ""


def _with_note(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Return the messages with an instruction that explains the placeholders."""
    first, *rest = messages
    if first.role != "system":
        return (ChatMessage("system", _NOTE), *messages)
    return (replace(first, content=_noted(first.content)), *rest)


def _noted(instructions: str) -> str:
    return f"{instructions}\n\n{_NOTE}"


def _marks_in(text: str) -> set[str]:
    return {_name(match) for match in _MARK.finditer(text)}


def _name(match: re.Match[str]) -> str:
    return f"[{match['kind'].upper()}_{int(match['number'])}]"


def redact(text: str) -> str:
    """Return the text with addresses, keys, and account, card and phone numbers replaced by their kind."""
    text = _SECRET.sub("[secret]", text)
    text = replaced(text, personal_data_in(text), lambda one: _MASKS[one.kind])
    return _NUMBER.sub("[number]", _ACCOUNT.sub("[account]", text))
