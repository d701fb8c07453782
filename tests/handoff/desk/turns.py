"""Turns of the assistant."""

from uuid import uuid4

from supportbot.chat.answers import Answer, CitedSpan
from supportbot.chat.models import Conversation
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.llm.models import LLMCall

FOUND = RetrievalTrace(
    "return <i>boots</i>", (TracedPassage(str(uuid4()), "Returns", "Worn <b>boots</b>", 3, 3.25, 0.91),)
)


def answer_turn(conversation: Conversation, text: str, reading: RetrievalTrace | None = FOUND) -> None:
    """Let the assistant answer the question, as a runner does."""
    claim = claim_turn("test", only=conversation.pk)
    assert claim is not None
    span = CitedSpan(uuid4(), "r", "Returns", "/help/r/", 1, 0, 5, "quote")
    finish_turn(claim, Answer(text, (span,), by="model"), reading)
    LLMCall.objects.create(
        purpose="answer", provider="openai", model="scripted", prompt_version="answer-2", duration_ms=812,
        conversation_id=conversation.pk, turn_id=claim.turn_id, input_tokens=400, output_tokens=30,
        cost="0.00120000", currency="EUR", outcome="done",
    )  # fmt: skip
