"""Rewriting a follow-up and summing up a conversation, by what was said, word for word. Pure."""

from collections.abc import Sequence

from supportbot.llm.extractive.language import detect
from supportbot.llm.extractive.phrases import say
from supportbot.llm.extractive.smalltalk import courtesy_in
from supportbot.llm.extractive.words import terms, words
from supportbot.llm.types import ChatMessage

# How many meaningful words a question may have and still lean on what was said before: bare, after "and", with "it".
BARE_TERMS_MOST = 1
CONNECTED_TERMS_MOST = 3
POINTING_TERMS_MOST = 4
QUOTE_MOST = 300
_CONNECTING = ("and ", "but ", "or ", "what about", "how about", "und ", "aber ", "oder ", "was ist mit", "wie ist es")
_POINTING_ENGLISH = {"it", "that", "this", "they", "them", "those", "these", "one", "there"}
_POINTING_GERMAN = {"es", "das", "dies", "diese", "dieser", "dieses", "die", "den", "sie", "ihn", "dort", "davon"}


def standalone(question: str, messages: Sequence[ChatMessage]) -> str:
    """Return the question with the words it leans on: one that leans gets the customer's previous question in front."""
    earlier = [text for text in _said_by_customer(messages) if text.strip() != question.strip()]
    if not earlier or not _leans(question) or courtesy_in(question):
        return question
    return f"{earlier[-1][:QUOTE_MOST]} {question}"


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
