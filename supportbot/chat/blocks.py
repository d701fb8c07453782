"""Buttons and forms in an answer, and the messages that customers send with them.

A block is identified by its answer's message and its position in that message, counted from 0. Only the blocks of the
newest answer that has any can be used, and only until the customer's next message. The message contains nothing from
the client except values that the form's schema accepts; labels come from the block.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from supportbot.chat.errors import BlockClosed, InvalidValue, UnknownBlock, UnknownOption
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Audience, Conversation, ConversationEvent, Message, Source
from supportbot.chat.services import Receipt, add_customer_message
from supportbot.formats import format_day
from supportbot.language.dates import days_in
from supportbot.language.letter_case import in_fitting_case
from supportbot.language.normalise import visible

_FINAL: Final = "assistant.final"
_WORDS_OF_MANY_LINES: Final = re.compile(r"\s+")
Value = str | int | list[str]
Values = Mapping[str, Value]
Filled = Values | Sequence[Values]  # the values of a form, or the entries of a form that takes several


@dataclass(frozen=True, slots=True)
class BlockRef:
    """Identifies a block by its message and position."""

    message: UUID
    place: int


@transaction.atomic
def choose(conversation_id: UUID, *, block: BlockRef, option: str, client_id: str) -> Receipt:
    """Send a button's label as the customer's message.

    Raises UnknownBlock, UnknownOption, BlockClosed, and the errors of `add_customer_message`.
    """
    return _answer(conversation_id, block, "choices", client_id, lambda found, _: _label(found, option))


@transaction.atomic
def submit(conversation_id: UUID, *, block: BlockRef, values: Filled, client_id: str) -> Receipt:
    """Send a filled-in form as the customer's message: one line per field, in the order of the form, with an empty line
    between entries. Dates are written in the conversation's language.

    Raises UnknownBlock, InvalidValue, BlockClosed, and the errors of `add_customer_message`.
    """
    return _answer(conversation_id, block, "form", client_id, lambda found, locale: _entries(found, values, locale))


def _answer(
    conversation_id: UUID, ref: BlockRef, kind: str, client_id: str, words: Callable[[Mapping[str, Any], str], str]
) -> Receipt:
    conversation = lock_conversation(conversation_id)
    event = _event(conversation, ref)
    text = words(_block(event, ref, kind), conversation.locale)
    messages = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER)
    # A choice or form that is sent again over a new connection does not count twice.
    is_known = messages.filter(client_id=client_id).exists()
    if not is_known and (messages.filter(seq__gt=event.seq).exists() or _has_newer_block(event)):
        raise BlockClosed()
    return add_customer_message(conversation_id, text=text, client_id=client_id)


def _event(conversation: Conversation, ref: BlockRef) -> ConversationEvent:
    message = Message.objects.filter(conversation=conversation, pk=ref.message, source=Source.ASSISTANT).first()
    if message is None:
        raise UnknownBlock()
    event: ConversationEvent = ConversationEvent.objects.get(conversation=conversation, seq=message.seq)
    return event


def _block(event: ConversationEvent, ref: BlockRef, kind: str) -> Mapping[str, Any]:
    blocks: list[Mapping[str, Any]] = event.payload.get("blocks", [])
    if ref.place >= len(blocks) or blocks[ref.place]["type"] != kind:
        raise UnknownBlock()
    return blocks[ref.place]


def _has_newer_block(event: ConversationEvent) -> bool:
    later = ConversationEvent.objects.filter(
        conversation=event.conversation, seq__gt=event.seq, event=_FINAL, audience=Audience.EVERYONE
    )
    kinds = (Q(payload__blocks__contains=[{"type": kind}]) for kind in ("choices", "form"))  # cards need no reply
    exists: bool = later.filter(reduce(or_, kinds)).exists()
    return exists


def _label(block: Mapping[str, Any], option: str) -> str:
    label: str | None = next((one["label"] for one in block["options"] if one["id"] == option), None)
    if label is None:
        raise UnknownOption()
    return label


def _entries(block: Mapping[str, Any], filled: Filled, locale: str) -> str:
    """Return the entries of a form as text. A single entry may also be passed as plain values."""
    bounds: Mapping[str, Any] = block.get("entries", {})
    if isinstance(filled, Mapping):
        if bounds.get("minItems", 1) > 1:
            raise InvalidValue("", f"Enter at least {bounds['minItems']} entries.")
        return _lines(block, filled, "", locale)
    if not bounds:
        raise InvalidValue("", "The form takes one entry.")
    if not bounds["minItems"] <= len(filled) <= bounds["maxItems"]:
        raise InvalidValue("", f"Enter {bounds['minItems']} to {bounds['maxItems']} entries.")
    return "\n\n".join(_lines(block, values, f"{place}.", locale) for place, values in enumerate(filled))


def _lines(block: Mapping[str, Any], values: Values, before: str, locale: str) -> str:
    """Return the lines of an entry. `before` is the prefix for the names of invalid fields."""
    fields: dict[str, Mapping[str, Any]] = {field["name"]: field for field in block["fields"]}
    for name in values:
        if name not in fields:
            raise InvalidValue(f"{before}{name}", "The form has no such field.")
    answers = {name: _checked(f"{before}{name}", field, values.get(name, "")) for name, field in fields.items()}
    for name, field in fields.items():
        if not answers[name] and any(answers[other] for other in field.get("requiredWith", ())):
            raise InvalidValue(f"{before}{name}", "This field is required.")
    lines = [
        f"{field['title']}: {_displayed(field, answers[name], locale)}"
        for name, field in fields.items()
        if answers[name]
    ]
    if not lines:
        first = next(iter(fields))
        raise InvalidValue(f"{before}{first}", "Fill in at least one field.")
    return "\n".join(lines)


def _displayed(field: Mapping[str, Any], answer: str, locale: str) -> str:
    """Return a field's answer as people read it: a date is written in their language if it can be parsed."""
    if field.get("format") != "date":
        return answer
    day = date.fromisoformat(answer)
    text = format_day(day, locale)
    return text if [one.day for one in days_in(text, locale)] == [day] else answer


def _checked(name: str, field: Mapping[str, Any], value: Value) -> str:
    """Return the value as one line; "" for a field left empty. Raises InvalidValue."""
    if field["type"] == "array":
        return _chosen(name, field, value or [])
    if isinstance(value, list):
        raise InvalidValue(name, "Enter one value.")
    if value == "":
        if field["required"]:
            raise InvalidValue(name, "This field is required.")
        return ""
    if (field["type"] == "integer") != isinstance(value, int):
        raise InvalidValue(name, "Enter a whole number." if field["type"] == "integer" else "Enter text.")
    line = str(value) if isinstance(value, int) else _WORDS_OF_MANY_LINES.sub(" ", visible(value)).strip()
    if not line:
        return _checked(name, field, "")
    if "enum" in field and (value if isinstance(value, int) else line) not in field["enum"]:
        raise InvalidValue(name, "Choose one of the options.")
    if isinstance(value, int):
        if not field.get("minimum", value) <= value <= field.get("maximum", value):
            raise InvalidValue(name, "This number is out of range.")
    elif not field.get("minLength", 0) <= len(line) <= field["maxLength"]:
        raise InvalidValue(name, f"Enter at most {field['maxLength']} characters.")
    elif field.get("format") == "date" and not _is_day(line):
        raise InvalidValue(name, "Enter a date such as 2026-05-31.")
    elif "pattern" in field:
        fitting = in_fitting_case(line, lambda one: re.search(field["pattern"], one, re.ASCII) is not None)
        if fitting is None:
            raise InvalidValue(name, "This does not have the expected format.")
        return fitting
    return line


def _chosen(name: str, field: Mapping[str, Any], value: Value) -> str:
    """Return the options chosen from a list, on one line; raises InvalidValue."""
    options: list[str] = field["items"]["enum"]
    if not isinstance(value, list) or not set(value) <= set(options):
        raise InvalidValue(name, "Choose only from the options.")
    least = max(field["minItems"], 1) if field["required"] else 0
    if not least <= len(set(value)) <= field["maxItems"]:
        raise InvalidValue(name, f"Choose {least} to {field['maxItems']} options.")
    return ", ".join(option for option in options if option in value)


def _is_day(line: str) -> bool:
    # date.fromisoformat also accepts other ISO forms, such as 20260531.
    with suppress(ValueError):
        return date.fromisoformat(line).isoformat() == line
    return False


def shown_blocks(payload: Mapping[str, Any]) -> Iterator[tuple[str, str, list[dict[str, str]]]]:
    """Yield the title, URL and rows of each card and receipt in a message, for text output."""
    for block in payload.get("blocks", ()):
        if block["type"] == "card":
            record = block["record"]
            yield record["title"], record.get("link", ""), record["rows"]
        elif block["type"] == "receipt":
            yield block["title"], block.get("link", {}).get("url", ""), block["rows"]
