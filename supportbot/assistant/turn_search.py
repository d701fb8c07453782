"""The search of a turn: for a question as written, with corrected spelling, in its context, or in parts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest
from typing import Final

from django.conf import settings

from kb.access import Viewer
from kb.models import Audience
from kb.ports import EarlierMessage
from kb.search import Passage, Retrieval, search
from kb.search.query_preparation import is_long
from supportbot.assistant.turn_limits import PASSAGES
from supportbot.builtin.complaints import reports_order_problem
from supportbot.builtin.intents import courtesy, is_mere_no, says_nothing
from supportbot.builtin.question_rewriting import questions_in, standalone
from supportbot.chat.models import Conversation
from supportbot.language.detection import detect
from supportbot.language.follow_ups import content_words, is_incomplete, is_question
from supportbot.language.normalise import normalised
from supportbot.language.order_numbers import order_numbers_in, without_order_numbers
from supportbot.language.spelling import corrected_spelling, word_counts
from supportbot.language.words import stop_words
from supportbot.llm import types as llm
from supportbot.llm.call_settings import is_remote_configured


@dataclass(frozen=True, slots=True)
class Found:
    """The final search query and its results.

    If a message contains several questions, `parts` has one entry for each. `said` is the question as written. If a
    follow-up was searched for together with the question before it, `own` contains the results for the follow-up alone;
    None if the follow-up contains no topic or the model is remote.
    """

    text: str
    retrieval: Retrieval
    parts: tuple["Found", ...] = ()
    said: str = ""
    own: Retrieval | None = None


# A question with less confidence than this is not about the topics of the pages, whatever was asked earlier.
ON_TOPIC_FROM: Final = 0.1
NOTHING_SOUGHT: Final = Found("", Retrieval(passages=(), confidence=0.0, is_answerable=False, took_ms=0.0))


def viewer_in(conversation: Conversation, language: str) -> Viewer:
    """Return the viewer that a turn searches for."""
    return Viewer(Audience.PUBLIC if conversation.customer.is_anonymous else Audience.SIGNED_IN, language)


def retrieve(
    question: str, viewer: Viewer, earlier_messages: Sequence[EarlierMessage], *, limit: int = PASSAGES
) -> Found:
    """Search for the customer's question in its context. There is no search for courtesies."""
    if not settings.KB_RETRIEVAL:
        return replace(NOTHING_SOUGHT, text=question)
    if courtesy(question) or _asks_no_more(question, earlier_messages):
        return NOTHING_SOUGHT
    return seek(question, viewer, earlier_messages=earlier_messages, limit=limit)


def _asks_no_more(question: str, earlier_messages: Sequence[EarlierMessage]) -> bool:
    """Return whether a message is a "never mind", or a "no" that does not answer a question. A "no" that answers a
    question still needs passages.
    """
    answers = [one.text for one in earlier_messages if not one.is_customer]
    return is_mere_no(question) and not (answers and is_question(answers[-1]))


def search_conversation(
    question: str, *, viewer: Viewer, earlier_messages: Sequence[EarlierMessage], limit: int
) -> Retrieval:
    """Search for a message as a turn does. If the viewer's language is unknown, the message's own language is used."""
    locale = viewer.locale or detect(normalised(question), settings.LANGUAGE_CODE)
    return seek(
        normalised(question), replace(viewer, locale=locale), earlier_messages=earlier_messages, limit=limit
    ).retrieval


def seek(
    question: str, viewer: Viewer, *, earlier_messages: Sequence[EarlierMessage] = (), limit: int = PASSAGES
) -> Found:
    """Search for a question alone and, if that finds no answer, together with the message that it follows up on; a
    question without a topic of its own is searched for in the opposite order.

    Several questions are searched for separately if at least one of them has an answer, because together they match no
    passage well.
    """
    in_parts = _found_in_parts(question, _Search(viewer, limit))
    before = earlier_messages if _may_follow_on(question, earlier_messages, viewer.locale) else ()
    look_up = _Search(viewer, limit, _context(question, before), _asked_before(question, before))
    return in_parts or _found_whole(question, before, look_up)


def _may_follow_on(question: str, earlier_messages: Sequence[EarlierMessage], language: str | None) -> bool:
    """Return whether a question may refer to earlier messages. A complete question in a different language does not."""
    if is_incomplete(question) or not language:
        return True
    questions = (one.text for one in reversed(earlier_messages) if one.is_customer)
    topic = next((text for text in questions if not is_incomplete(text) and not says_nothing(text)), "")
    return not topic or detect(topic, language) == language


def with_passages(sought: Found, also: Sequence[Passage], *, limit: int) -> Found:
    """Return the result with these passages in front, as the result for a single question."""
    passages = (*also, *sought.retrieval.passages)[:limit]
    return Found(sought.text, replace(sought.retrieval, passages=passages, is_answerable=True))


def in_parts(request: llm.ModelRequest, sought: Found) -> llm.ModelRequest:
    """Return the request with a part for each of several questions. Each part contains the sources found for its
    question.
    """
    return replace(request, parts=tuple(_part(request, one, sought.retrieval.passages) for one in sought.parts))


def _part(request: llm.ModelRequest, found: Found, passages: Sequence[Passage]) -> llm.ModelRequest:
    own = {passage.chunk_id for passage in found.retrieval.passages}
    sources = (source for source, one in zip(request.sources, passages, strict=True) if one.chunk_id in own)
    is_answerable = found.retrieval.is_answerable
    return replace(
        request, question=found.said, looked_up=found.text, sources=tuple(sources), is_answerable=is_answerable
    )


@dataclass(frozen=True, slots=True)
class _Search:
    viewer: Viewer
    limit: int
    context: str = ""
    asked_before: str = ""

    def __call__(self, text: str) -> Retrieval:
        return search(text, viewer=self.viewer, limit=self.limit, context=self.context, asked_before=self.asked_before)


def _context(question: str, earlier_messages: Sequence[EarlierMessage]) -> str:
    """Return the text that a follow-up refers to: the last answer or, without one, the customer's last message."""
    others = [one for one in earlier_messages if one.text.strip() and one.text.strip() != question.strip()]
    answers = [one.text for one in others if not one.is_customer]
    return (answers or [one.text for one in others] or [""])[-1]


def _asked_before(question: str, earlier_messages: Sequence[EarlierMessage]) -> str:
    """Return the customer's last question; "" if it is long, because then only its parts have vectors."""
    questions = (
        one.text for one in reversed(earlier_messages) if one.is_customer and one.text.strip() != question.strip()
    )
    last = next((text for text in questions if is_long(text) or not says_nothing(text)), "")
    return "" if is_long(last) else last


def _found_in_parts(question: str, look_up: _Search) -> Found | None:
    """Return the results for each of several questions; None if there is only one question or none has an answer."""
    questions = questions_in(question)
    if len(questions) == 1:
        return None
    found = [replace(_found(part.sought, look_up), said=part.said) for part in questions]
    if not any(one.retrieval.is_answerable for one in found):
        return None
    in_turn = chain.from_iterable(zip_longest(*(one.retrieval.passages for one in found)))
    passages = {passage.chunk_id: passage for passage in in_turn if passage is not None}
    together = Retrieval(
        passages=tuple(islice(passages.values(), look_up.limit)),
        confidence=max(one.retrieval.confidence for one in found),
        is_answerable=True,
        took_ms=sum(one.retrieval.took_ms for one in found),
    )
    return Found("\n".join(one.text for one in found), together, tuple(found))


def _found_whole(question: str, earlier_messages: Sequence[EarlierMessage], look_up: _Search) -> Found:
    whole, is_bare = standalone(question, tuple(map(_as_chat_message, earlier_messages))), is_incomplete(question)
    tried: list[Found] = []
    for text in dict.fromkeys((whole, question) if is_bare else (question, whole)):
        found = _found(text, look_up)
        if tried and not is_bare and tried[0].retrieval.confidence < ON_TOPIC_FROM:
            # These passages belong to the earlier question: they help a model to understand this one, but do not answer
            # it.
            own = tried[0].retrieval.confidence
            return replace(found, retrieval=replace(found.retrieval, is_answerable=False, confidence=own))
        if found.retrieval.is_answerable or found.retrieval.curated:
            return found if text == question else _with_own(found, question, tried, look_up)
        tried.append(found)
    return max(tried, key=lambda one: one.retrieval.confidence)


def _with_own(found: Found, question: str, tried: Sequence[Found], look_up: _Search) -> Found:
    """Return the result for a follow-up with the earlier question, and add the results for the follow-up alone."""
    if is_remote_configured() or not content_words(question):
        return found
    alone = replace(look_up, context="", asked_before="")
    return replace(found, own=tried[0].retrieval if tried else alone(question))


def _as_chat_message(message: EarlierMessage) -> llm.ChatMessage:
    return llm.ChatMessage("user" if message.is_customer else "assistant", message.text)


def _found(text: str, look_up: _Search) -> Found:
    """Search for a text, and again with corrected spelling if a word looks like a typo of a word in the results.

    Long messages are not corrected: they name their subject more than once, and each part would need another vector.
    """
    found = look_up(text)
    if is_long(text):
        return Found(text, found)
    plain = _without_unknown_order(text, found.passages)
    if plain != text:
        text, found = plain, look_up(plain)
    corrected = _corrected(text, found.passages, look_up.viewer.locale or "")
    if corrected == text:
        return Found(text, found)
    again = look_up(corrected)
    return Found(corrected, again) if again.confidence > found.confidence else Found(text, found)


def _without_unknown_order(text: str, passages: Sequence[Passage]) -> str:
    """Return a report of a problem with an order without the order's number if no passage contains it, because it only
    makes the report less like the page about the problem. A mere question about the order is about nothing else.
    """
    numbers = [number.casefold() for number in order_numbers_in(text)]
    is_known = any(number in passage.text.casefold() for number in numbers for passage in passages)
    return without_order_numbers(text) if numbers and not is_known and reports_order_problem(text) else text


def _corrected(text: str, passages: Sequence[Passage], language: str) -> str:
    """Return the text with typos corrected to words in the passages; unchanged if the language has no stop words.

    A stop word never counts as a typo.
    """
    usual = stop_words(language)
    if not usual:
        return text
    known = word_counts(" ".join(f"{one.title} {one.text}" for one in passages if one.locale[:2] in ("", language)))
    known.update(usual)
    return corrected_spelling(text, known)
