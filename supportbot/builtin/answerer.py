"""The built-in answer to one request: a quotation, a courtesy, a wish passed on, or an honest "not found". Pure.

Whether there is an answer at all was decided by search (`is_answerable`). What the customer wants done comes before the
quotation: it is called for as a model would call for it.
"""

from typing import Final

import orjson

from supportbot.builtin import conversation
from supportbot.builtin.actions.next_step import Reply, next_step
from supportbot.builtin.intents import courtesy, is_surely, wants_person
from supportbot.builtin.phrases import Phrase, is_offer_of_a_person, say
from supportbot.builtin.pieces import Piece
from supportbot.builtin.quoting import lead_to, quoted, to_quote
from supportbot.builtin.ranking import ranked
from supportbot.language.detection import base_language, detect
from supportbot.language.followups import asks
from supportbot.llm.types import ModelRequest, ToolCall

HUMAN_TOOL: Final = "request_human"
REASON_MOST: Final = 200
NAMED_MOST: Final = 120  # characters of a question that is repeated


def reply_to(request: ModelRequest) -> Reply:
    """Return what to answer, whatever the purpose."""
    if request.purpose == "rewrite":
        return Reply(conversation.standalone(request.question, request.messages))
    if request.purpose == "summarise":
        return Reply(conversation.summary(request.messages, base_language(request.locale)))
    language = detect(request.question, base_language(request.locale))
    if _asks_for_a_person(request):
        return _to_a_person(request, language)
    if (step := next_step(request, language)) is not None:
        return step
    if kind := courtesy(request.question):  # "the second one" is unclear only where nothing was asked
        return Reply(say(kind, language))
    otherwise: Phrase = "no_person" if is_surely("contact", request.question) else "not_found"
    return Reply(_answer(request, language) or say(otherwise, language))


def quotation_for(request: ModelRequest) -> str:
    """Return what the sources say to the question, whoever was to answer it; "" if there is nothing to quote."""
    return _answer(request, detect(request.question, base_language(request.locale)))


def _asks_for_a_person(request: ModelRequest) -> bool:
    if wants_person(request.question):
        return True
    answers = [message.content for message in request.messages if message.role == "assistant"]
    return bool(answers) and is_offer_of_a_person(answers[-1]) and is_surely("affirm", request.question)


def _to_a_person(request: ModelRequest, language: str) -> Reply:
    if HUMAN_TOOL not in {tool.name for tool in request.tools}:
        return Reply(say("no_person", language))
    reason = orjson.dumps({"reason": request.question[:REASON_MOST]}).decode()
    return Reply(say("to_person", language), (ToolCall("builtin-1", HUMAN_TOOL, reason),))


def _answer(request: ModelRequest, language: str) -> str:
    """Return what the sources say, each of several questions answered or named; "" if none of them is answered."""
    told: list[Piece] = []
    texts: list[str] = []
    missing: list[str] = []
    found = [(part, to_quote(ranked(part)) if part.is_answerable else []) for part in request.parts or (request,)]
    for part, chosen in found:
        fresh = [entry for entry in chosen if entry.piece not in told]
        told += [entry.piece for entry in fresh]
        texts += [quoted(entry, part.sought, language) for entry in fresh]
        if (lead := lead_to(fresh, language)) and lead not in texts:
            texts.insert(-len(fresh), lead)
        # What another question leans on was found with that one.
        is_answered = any(part.question in other.sought for other, pieces in found if pieces)
        if not chosen and not is_answered and asks(part.question):
            missing.append(_nothing_on(part.question, language))
    # What was found comes first, whichever was asked first.
    return "\n\n".join([*texts, *missing]) if texts else ""


def _nothing_on(question: str, language: str) -> str:
    return say("nothing_on", language, question=" ".join(question.split()).rstrip("?!. ")[:NAMED_MOST])
