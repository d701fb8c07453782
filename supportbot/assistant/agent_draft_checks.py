"""Marks doubtful sentences in an agent's draft, using the checks for the assistant's own answers.

Nothing is withheld: agents know more than the articles say, so they decide about the marked sentences themselves.
"""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.evidence import Sentence
from supportbot.assistant.outcome_messages import done_in
from supportbot.assistant.prompts import confidential_text
from supportbot.assistant.sentence_verdicts import LITTLE_SUPPORT
from supportbot.assistant.vectors_for_checks import settle
from supportbot.chat.models import Conversation
from supportbot.handoff.ports import Doubt, GeneratedDraft
from supportbot.language.sentences import sentences_of

LITTLE: Final = "little_support"


def doubts_of(conversation: Conversation, written: GeneratedDraft) -> list[Doubt]:
    """Return the sentences of a draft that would be withheld in an answer or that have little support (see
    `handoff.ports`).
    """
    draft = _checked(conversation, written)
    doubts, start = [], 0
    for raw, sentence in zip(
        sentences_of(written.text), draft.sentences, strict=False
    ):  # trailing white space is not a sentence
        if code := _doubt(sentence):
            first = start + len(raw) - len(raw.lstrip())
            doubts.append(Doubt(first, start + len(raw.rstrip()), code))
        start += len(raw)
    return doubts


def _checked(conversation: Conversation, written: GeneratedDraft) -> CheckedStream:
    request = written.request
    draft = CheckedStream(
        written.passages,
        request.locale,
        tuple(_customer_texts(written)),
        site=settings.BASE_URL,
        done=() if conversation.customer.is_anonymous else done_in(conversation),
        confidential=confidential_text(request.messages[0].content),
        by="builtin" if written.by == "builtin" else "model",
    )
    draft.write(written.text)
    settle(draft)
    if written.is_cut_off:
        draft.break_off()
    draft.finish()
    settle(draft)
    return draft


def _customer_texts(written: GeneratedDraft) -> Iterator[str]:
    return (message.content for message in written.request.messages if message.role == "user")


def _doubt(sentence: Sentence) -> str:
    score = sentence.support.score
    has_little = sentence.needs_ground and score is not None and score < LITTLE_SUPPORT
    return sentence.withheld or (LITTLE if has_little else "")
