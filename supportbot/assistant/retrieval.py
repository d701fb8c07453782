"""What is searched for, for a turn: a question as it stands, with what it leans on, or as it was meant to be spelt."""

from collections.abc import Sequence
from typing import Final

from django.conf import settings

from kb.access import Viewer
from kb.models import Audience
from kb.search import Passage, Retrieval, search
from supportbot.assistant.guardrails.everyday import EVERYDAY
from supportbot.assistant.limits import PASSAGES
from supportbot.chat.models import Conversation
from supportbot.llm import types as llm
from supportbot.llm.extractive.conversation import is_incomplete, standalone
from supportbot.llm.extractive.spelling import counted, respelled
from supportbot.llm.extractive.words import ENGLISH, GERMAN, stem

_OWN: Final = {"en": ENGLISH, "de": GERMAN}


def retrieve(
    conversation: Conversation, question: str, said_before: Sequence[llm.ChatMessage], language: str
) -> tuple[str, Retrieval]:
    """Search for the question; a follow-up is asked with what it leans on, where it has no topic or finds nothing.

    Returns what was asked in the end and what was found.
    """
    audience = Audience.PUBLIC if conversation.customer.is_anonymous else Audience.SIGNED_IN
    viewer = Viewer(audience=audience, locale=language)
    if not settings.KB_RETRIEVAL:
        return question, Retrieval(passages=(), confidence=0.0, is_answerable=False, took_ms=0.0)
    whole = standalone(question, said_before)
    tried = []
    for text in dict.fromkeys((whole, question) if is_incomplete(question) else (question, whole)):
        tried.append(_found(text, viewer))
        if tried[-1][1].is_answerable:
            return tried[-1]
    return max(tried, key=lambda one: one[1].confidence)


def _found(text: str, viewer: Viewer) -> tuple[str, Retrieval]:
    """Search for a text; where a word of it looks like a slip of one that was found, for what was meant."""
    found = search(text, viewer=viewer, limit=PASSAGES)
    meant = _meant(text, found.passages, viewer.locale or "")
    if meant == text:
        return text, found
    again = search(meant, viewer=viewer, limit=PASSAGES)
    return (meant, again) if again.confidence > found.confidence else (text, found)


def _meant(text: str, passages: Sequence[Passage], language: str) -> str:
    """Return a text with its slips put right by the passages that are near it, in English and German."""
    if language not in _OWN:
        return text
    known = counted(" ".join(f"{one.title} {one.text}" for one in passages if one.locale[:2] in ("", language)))
    known.update(_OWN[language])
    others = frozenset[str]().union(*(words for name, words in _OWN.items() if name != language)) - _OWN[language]
    return respelled(text, known, usual=EVERYDAY.difference(map(stem, others)))
