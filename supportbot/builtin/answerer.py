"""The built-in answer to one request: a quotation, a courtesy, a wish passed on, or an honest "not found". Pure.

Whether there is an answer at all was decided by search (`is_answerable`). What the customer wants done comes before the
quotation (`wishes`): it is called for as a model would call for it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from supportbot.builtin import conversation
from supportbot.builtin.choice import choose
from supportbot.builtin.phrases import Phrase, is_offer_of_a_person, say
from supportbot.builtin.scoring import rank
from supportbot.builtin.units import Unit, units_of
from supportbot.language.detection import base_language, detect
from supportbot.llm.extractive.person import accepts, asks_how_to_reach, wants_person
from supportbot.llm.extractive.smalltalk import courtesy_in
from supportbot.llm.types import ModelRequest, ToolCall
from supportbot.llm.wishes.answering import next_step

HUMAN_TOOL = "request_human"
PIECE_CHARACTERS = 32
REASON_MOST = 200


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    tool_calls: tuple[ToolCall, ...] = ()


def reply_to(request: ModelRequest) -> Reply:
    """Return what to answer, whatever the purpose."""
    if request.purpose == "rewrite":
        return Reply(conversation.standalone(request.question, request.messages))
    if request.purpose == "summarise":
        return Reply(conversation.summary(request.messages, base_language(request.locale)))
    language = detect(request.question, base_language(request.locale))
    courtesy = courtesy_in(request.question)
    if courtesy is not None:
        return Reply(say(courtesy, language))
    if _asks_for_a_person(request):
        return _to_a_person(request, language)
    step = next_step(request, language)
    if step is not None:
        return Reply(step.text, step.calls)
    otherwise: Phrase = "no_person" if asks_how_to_reach(request.question) else "not_found"
    return Reply(_quotation(request, language) or say(otherwise, language))


def pieces(text: str) -> Iterator[str]:
    """Yield `text` in small pieces that end between words."""
    piece = ""
    for word in re.findall(r"\S+\s*", text):
        piece += word
        if len(piece) >= PIECE_CHARACTERS:
            yield piece
            piece = ""
    if piece:
        yield piece


def _asks_for_a_person(request: ModelRequest) -> bool:
    if wants_person(request.question):
        return True
    answers = [message.content for message in request.messages if message.role == "assistant"]
    return bool(answers) and is_offer_of_a_person(answers[-1]) and accepts(request.question)


def _to_a_person(request: ModelRequest, language: str) -> Reply:
    if HUMAN_TOOL not in {tool.name for tool in request.tools}:
        return Reply(say("no_person", language))
    reason = orjson.dumps({"reason": request.question[:REASON_MOST]}).decode()
    return Reply(say("to_person", language), (ToolCall("builtin-1", HUMAN_TOOL, reason),))


def _quotation(request: ModelRequest, language: str) -> str:
    """Return the sentences that answer, each with the number of its source; empty if there is nothing to quote."""
    if not request.is_answerable:
        return ""
    if request.parts:
        return "\n\n".join(filter(None, (_quotation(part, language) for part in request.parts)))
    units = [unit for source in request.sources for unit in units_of(source)]
    ranked = rank(request.sought, units, language=language, nearness=request.nearness, newest=request.question)
    chosen = choose(ranked, units)
    return "".join(_laid_out(chosen)).strip()


def _laid_out(chosen: list[Unit]) -> Iterator[str]:
    """Sentences run on, lists and rows stand on lines of their own."""
    previous: Unit | None = None
    listed = Counter((unit.source.number, unit.block) for unit in chosen if unit.is_listed)
    for unit in chosen:
        text = _cells(unit.text) if unit.kind in ("header", "row") else unit.text
        cited = f"{text} [{unit.source.number}]"
        is_led = previous is not None and previous.text.endswith(":")
        is_alone = unit.kind == "item" and not is_led and listed[unit.source.number, unit.block] == 1
        if (unit.is_listed and not is_alone) or unit.kind == "row":
            yield f"\n{unit.mark or '-'} {cited}"
        elif unit.kind == "header" or (previous is not None and previous.kind != "sentence"):
            yield f"\n{cited}"
        else:
            yield f" {cited}"
        previous = unit


def _cells(row: str) -> str:
    """Return a row as it is read aloud: "Switzerland: 4 to 6 · €14.90"."""
    first, *others = [cell.strip() for cell in row.split("|") if cell.strip()] or [""]
    joint = " " if first.endswith((":", "?")) else ": "
    return f"{first}{joint}{' · '.join(others)}" if others else first
