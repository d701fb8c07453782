"""The assistant's turns in a conversation, read from its own records: what it searched for, the passages found, the
model calls, and what the checks withheld.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, gettext_noop, ngettext

from supportbot.chat.answers import Withheld
from supportbot.chat.models import Conversation, Message, Source, Turn
from supportbot.chat.retrieval_trace import RetrievalTrace, traces_of
from supportbot.llm.models import LLMCall
from supportbot.llm.selectors import model_in_words
from supportbot.team_formats import cost

MAX_TURNS: Final = 20
_TURN_LABELS: Final = {
    Turn.State.FAILED: gettext_noop("Could not answer"),
    Turn.State.STOPPED: gettext_noop("Stopped by the customer"),
    Turn.State.SUPERSEDED: gettext_noop("Superseded: an agent took over"),
    Turn.State.RUNNING: gettext_noop("Answering now"),
    Turn.State.PENDING: gettext_noop("About to answer"),
}

CHECK_LABELS: Final = {
    "figure": gettext_noop("a figure that does not appear in any article"),
    "code": gettext_noop("a code that does not appear in any article"),
    "link": gettext_noop("a link that does not appear in any article"),
    "secret": gettext_noop("our instructions, a key or a card number"),
    "disguise": gettext_noop("look-alike letters"),
    "deed": gettext_noop("claims or promises something that is not on record"),
    "listing": gettext_noop("code or commands that do not appear in any article"),
    "cut_off": gettext_noop("cut off mid-sentence"),
    "contradicted": gettext_noop("contradicts the articles"),
    "unconfirmed": gettext_noop("the articles do not support the answer as a whole"),
    "unsupported": gettext_noop("unrelated to the articles"),
    "repeated": gettext_noop("repeated text"),
    "little_support": gettext_noop("little support in the articles"),
}
UNKNOWN_CHECK: Final = gettext_noop("failed a check")


@dataclass(frozen=True, slots=True)
class WithheldSentence:
    """A sentence that the customer never saw. `support` is between 0 and 1, or None if it could not be measured."""

    text: str
    why: str
    support: float | None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call to a model."""

    model: str
    prompt: str
    outcome: str
    tokens: int
    cost: str
    took_ms: int
    first_ms: int | None


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn of the assistant: the question, the passages found, the outcome and the cost."""

    at: datetime
    outcome: str
    question: str
    sources: tuple[str, ...]
    reading: RetrievalTrace | None  # None if the turn never searched, or predates the record
    calls: tuple[ModelCall, ...]

    @property
    def withheld(self) -> tuple[WithheldSentence, ...]:
        return withheld_sentences(self.reading.withheld) if self.reading else ()

    @property
    def confirmation(self) -> str:
        return confirmation_label(self.reading)

    @property
    def summary_line(self) -> str:
        """Return one line with the turn's sources, checks, model and cost."""
        parts = [gettext("From {titles}").format(titles=", ".join(self.sources))] if self.sources else []
        parts += [_passage_count(len(self.reading.passages))] if self.reading and self.reading.query else []
        parts += [gettext("{number} withheld").format(number=len(self.withheld))] if self.withheld else []
        parts += [f"{call.prompt}, {call.model}" for call in self.calls[-1:]]
        return "; ".join([*parts, *(call.cost for call in self.calls[-1:] if call.cost)])


def turn_records(conversation: Conversation, *, most: int = MAX_TURNS) -> list[TurnRecord]:
    """Return the newest turns of a conversation, oldest first."""
    turns = list(Turn.objects.filter(conversation=conversation, kind=Turn.Kind.REPLY).order_by("-id")[:most])
    turns.reverse()
    calls, readings, questions = _calls_by_turn(conversation.pk), traces_of(conversation), _questions_of(turns)
    answers = Message.objects.filter(conversation=conversation, pk__in=[turn.message_id for turn in turns])
    messages = {one.pk: one for one in answers.prefetch_related("citations")}
    return [
        _turn_record(
            turn, questions[turn.pk], messages.get(turn.message_id), readings.get(turn.message_id), calls[turn.pk]
        )
        for turn in turns
    ]


def _calls_by_turn(conversation_id: UUID) -> defaultdict[UUID | None, list[LLMCall]]:
    calls: defaultdict[UUID | None, list[LLMCall]] = defaultdict(list)
    for call in LLMCall.objects.filter(conversation_id=conversation_id).order_by("started_at", "id"):
        calls[call.turn_id].append(call)
    return calls


def _turn_record(
    turn: Turn, question: str, message: Message | None, reading: RetrievalTrace | None, calls: Iterable[LLMCall]
) -> TurnRecord:
    sources = [citation.title for citation in message.citations.all()] if message else []
    return TurnRecord(
        at=turn.started_at or turn.created_at,
        outcome=_turn_label(turn) or _outcome(message, reading),
        question=question,
        sources=tuple(dict.fromkeys(sources)),
        reading=reading,
        calls=tuple(_call(call) for call in calls),
    )


def _passage_count(passages: int) -> str:
    if not passages:
        return gettext("no passages found")
    return ngettext("{number} passage found", "{number} passages found", passages).format(number=passages)


def _turn_label(turn: Turn) -> str:
    """Return a turn's outcome as text, or "" if it has an answer."""
    label = _TURN_LABELS.get(Turn.State(turn.state))
    return gettext(label) if label else ""


def _outcome(message: Message | None, reading: RetrievalTrace | None) -> str:
    if message is None or not message.is_abstention:
        return gettext("Answered")
    return gettext("Withheld by the checks") if reading and reading.withheld else gettext("No answer found")


def _questions_of(turns: Sequence[Turn]) -> dict[UUID, str]:
    """Return the question of each turn. All turns belong to one conversation; one query is used."""
    spans = {turn.pk: (turn.from_seq or 0, turn.through_seq or 0) for turn in turns}
    messages = Message.objects.filter(
        conversation__in={turn.conversation_id for turn in turns},
        source=Source.CUSTOMER,
        seq__gt=min((first for first, _ in spans.values()), default=0),
        seq__lte=max((last for _, last in spans.values()), default=0),
    )
    questions = list(messages.order_by("seq").values_list("seq", "text"))
    return {
        turn: "\n".join(text for seq, text in questions if first < seq <= last) for turn, (first, last) in spans.items()
    }


def _call(call: LLMCall) -> ModelCall:
    return ModelCall(
        model=model_in_words(call.provider, call.model),
        prompt=call.prompt_version or call.purpose,
        outcome=str(call.get_outcome_display()),
        tokens=call.input_tokens + call.output_tokens,
        cost=_cost(call.cost, call.currency),
        took_ms=call.duration_ms,
        first_ms=call.time_to_first_token_ms,
    )


def _cost(amount: Decimal | None, currency: str) -> str:
    """Return a price as text, or "" if it is unknown. Unknown does not mean free."""
    if amount is None:
        return ""
    return cost(amount, currency) if amount else gettext("free of charge")


def withheld_sentences(withheld: Sequence[Withheld]) -> tuple[WithheldSentence, ...]:
    """Return an answer's withheld sentences, with readable reasons."""
    return tuple(WithheldSentence(one.text.strip(), check_label(one.code), one.score) for one in withheld)


def check_label(code: str) -> str:
    """Return a check's readable name."""
    return gettext(CHECK_LABELS.get(code, UNKNOWN_CHECK))


def confirmation_label(reading: RetrievalTrace | None) -> str:
    """Return whether the articles confirm an answer, as text; "" if it makes no claim."""
    return confirmation_of(reading.is_confirmed if reading else None)


def confirmation_of(is_confirmed: bool | None) -> str:
    """Return a verdict of the checks as text; "" if there is none."""
    if is_confirmed is None:
        return ""
    return gettext("Confirmed by our articles") if is_confirmed else gettext("Not confirmed by our articles")
