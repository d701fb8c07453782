"""Rewriting a follow-up and summing up a conversation, by what was said, word for word. Pure."""

import re
from collections.abc import Sequence
from functools import reduce

from supportbot.builtin.phrases import say
from supportbot.language.detection import detect
from supportbot.llm.extractive.smalltalk import courtesy_in
from supportbot.llm.extractive.words import terms, words
from supportbot.llm.types import ChatMessage

# How many meaningful words a question may have and still lean on what was said before: bare, after "and", with "it".
BARE_TERMS_MOST = 1
ELLIPTIC_TERMS_MOST = 2
CONNECTED_TERMS_MOST = 3
POINTING_TERMS_MOST = 4
QUOTE_MOST = 300
_CONNECTING = ("and ", "but ", "or ", "what about", "how about", "und ", "aber ", "oder ", "was ist mit", "wie ist es")
# How a question begins that has left out what it is about: "at what temperature?", "for how long?", "wie lange?"
_ELLIPTIC = re.compile(
    r"(?:and |but |or |so |und |aber |oder |ok(?:ay)?,? |also )*"
    r"(?:at|for|in|with|to|from|by|on|per|until|after|under|since|outside|within"
    r"|bei|für|nach|mit|ab|bis|in|aus|von|zu|unter|über|seit|ohne|innerhalb|außerhalb"
    r"|how (?:long|much|many|often|far|soon|so)|what (?:about|if|temperature|time|for)|when|why|where|which one"
    r"|wie (?:lange|viel|viele|oft|weit|schnell|hoch|teuer)|wann|warum|wieso|wo|wohin|welche[rsnm]?|womit|wofür)\b",
    re.IGNORECASE,
)
# A follow-up that names one thing in another's place: its preposition tells which.
_IN_ITS_PLACE = re.compile(
    r"(?:and|but|or|so|und|aber|oder|what about|how about|was ist mit)\s+"
    r"(to|in|from|for|with|by|at|on|nach|aus|für|mit|bei|per|von)\b",
    re.IGNORECASE,
)
_WHERE_TO = "(?:nach|in)"  # some countries take the one in German, some the other
# "It" and "das" that stand for a thing: no "is there", no article before a noun.
_POINTS_BACK = re.compile(
    r"\b(?:it|them)\b|\b(?:that|this|those|these|one)\b(?=\W*$)|(?<!ibt )(?<!eht )\bes\b"
    r"|\b(?:dies|davon|dafür|damit|dabei|[Dd]as|[Dd]ie|[Dd]en|ihn)\b(?=\W*$| [a-zäöü])"
)
_IS_CLAUSE = re.compile(
    r"\b(?:i|you|we|is|are|does|do|can|costs?|takes?|ich|sie|wir|man|du|ihr|ist|sind|gibt|kann|kostet|dauert|haben)\b",
    re.IGNORECASE,
)
QUESTIONS_MOST = 3
_NEXT_QUESTION = re.compile(
    r"(?<=\?)\s+|\n+|,?(?<!\s)\s+(?:and|und)\s+"
    r"(?=(?:how|what|when|where|which|who|why|can|could|do|does|is|are|will|wie|was|wann|wo|wohin|welche[rsnm]?|wer"
    r"|warum|kann|können|könnt|gibt|ist|sind|muss|müssen|liefert|liefern|nehmt|nehmen|habt|haben)\b)",
    re.IGNORECASE,
)
_POINTING_ENGLISH = {"it", "that", "this", "they", "them", "those", "these", "one", "there"}
_POINTING_GERMAN = {"es", "das", "dies", "diese", "dieser", "dieses", "die", "den", "sie", "ihn", "dort", "davon"}


def standalone(question: str, messages: Sequence[ChatMessage]) -> str:
    """Return the question with the words it leans on: one that leans gets the customer's previous question in front."""
    earlier = [text for text in _said_by_customer(messages) if text.strip() != question.strip()]
    if not earlier or not _leans(question) or courtesy_in(question):
        return question
    return reduce(_carried_on, [*(text[:QUOTE_MOST] for text in _topic(earlier)), question])


def questions_in(text: str) -> tuple[str, ...]:
    """Return the questions of a message that asks several, if each can be meant alone; else the message as it is."""
    parts = [part.strip() for part in _NEXT_QUESTION.split(text)]
    telling = tuple(part for part in parts if terms(part) and not courtesy_in(part))
    is_parted = 1 < len(telling) <= QUESTIONS_MOST
    if not is_parted or any(is_incomplete(part) or _leans_on_another(part) for part in telling):
        return (text,)
    return telling


def _leans_on_another(question: str) -> bool:
    return _POINTS_BACK.search(question) is not None or "they" in words(question)


def is_incomplete(question: str) -> bool:
    """Return whether a question cannot be meant alone: what it is about was said before, and must be searched for."""
    own = len(set(terms(question)))
    said = question.strip()
    if own <= BARE_TERMS_MOST and _POINTS_BACK.search(said):
        return True
    if own and _IS_CLAUSE.search(said):
        return False
    if said.lower().startswith(_CONNECTING):
        return own <= CONNECTED_TERMS_MOST
    return own == 0 or (own <= BARE_TERMS_MOST and _ELLIPTIC.match(said) is not None)


def _carried_on(text: str, follow_up: str) -> str:
    """Return both in one; what the follow-up puts in another's place goes: "to Austria" before "And to Italy?"."""
    named = _IN_ITS_PLACE.match(follow_up)
    if named is not None:
        asked = named[1].lower()
        preposition = _WHERE_TO if asked in ("nach", "in") else asked
        replaced = rf"(?i:\s+{preposition}\s+(?:the\s+|de[rmn]\s+|die\s+|das\s+)?\w+)(?:\s+[A-ZÄÖÜ]\w+)*"
        # The last one: "to send a parcel to Austria" is still about sending.
        for last in list(re.finditer(replaced, text))[-1:]:
            text = text[: last.start()] + text[last.end() :]
    return f"{text} {follow_up}"


def _topic(earlier: Sequence[str]) -> Sequence[str]:
    """Return the last question; where it leans itself, with the one that it leans on."""
    last = earlier[-1]
    if len(earlier) == 1 or not is_incomplete(last):
        return [last]
    whole = next((text for text in reversed(earlier[:-1]) if not is_incomplete(text)), None)
    return [whole, last] if whole is not None else [last]


def summary(messages: Sequence[ChatMessage], locale: str) -> str:
    """Return two or three lines for whoever takes over: what the customer came for, said last, and was answered."""
    said = _said_by_customer(messages)
    language = detect(" ".join(said), locale)
    if not said:
        return say("nothing_said", language)
    lines = [f"{say('wants', language)}: {_quote(said[0])}"]
    if len(said) > 1:
        lines.append(f"{say('last_said', language)}: {_quote(said[-1])}")
    answers = [message.content for message in messages if message.role == "assistant" and message.content.strip()]
    if answers:
        lines.append(f"{say('answered', language)}: {_quote(answers[-1])}")
    return "\n".join(lines)


def _leans(question: str) -> bool:
    own = len(set(terms(question)))
    if question.strip().lower().startswith(_CONNECTING):
        return own <= CONNECTED_TERMS_MOST
    if own <= ELLIPTIC_TERMS_MOST and _ELLIPTIC.match(question.strip()):
        return True
    points = not (_POINTING_ENGLISH | _POINTING_GERMAN).isdisjoint(words(question)[:4])
    return own <= (POINTING_TERMS_MOST if points else BARE_TERMS_MOST)


def _said_by_customer(messages: Sequence[ChatMessage]) -> list[str]:
    return [
        message.content
        for message in messages
        if message.role == "user" and message.content.strip() and not courtesy_in(message.content)
    ]


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= QUOTE_MOST else text[: QUOTE_MOST - 1].rsplit(" ", 1)[0] + "…"
