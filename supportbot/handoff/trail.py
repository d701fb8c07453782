"""What the assistant did in a conversation, from its own records.

Answers with what was looked for, the passages that were found and the calls; actions with their audit.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from actions.cards import card_of, reason_of
from actions.models import ActionRequest
from actions.selectors import Step as Taken
from actions.selectors import steps_of
from actions.states import State as ActionState
from supportbot.accounts.models import User
from supportbot.chat.models import Conversation, Message, Source, Turn
from supportbot.chat.readings import Reading, readings_of
from supportbot.handoff.held import HeldBack, held_back, verdict
from supportbot.llm.models import LLMCall
from supportbot.llm.selectors import model_in_words

MOST_TURNS: Final = 20
_ENDED: Final = {
    Turn.State.FAILED: "Could not answer",
    Turn.State.STOPPED: "Stopped by the customer",
    Turn.State.SUPERSEDED: "Silenced: a person took over",
    Turn.State.RUNNING: "Is answering now",
    Turn.State.PENDING: "Is about to answer",
}

STATES: Final = {
    ActionState.PROPOSED: "Proposed",
    ActionState.REFUSED: "Refused by the rules",
    ActionState.AWAITING_CONFIRMATION: "Waits for the customer",
    ActionState.AWAITING_APPROVAL: "Waits for approval",
    ActionState.QUEUED: "Accepted",
    ActionState.EXECUTING: "Being carried out",
    ActionState.UNKNOWN: "Outcome not known",
    ActionState.SUCCEEDED: "Done",
    ActionState.FAILED: "Not done",
    ActionState.CANCELLED: "Withdrawn",
    ActionState.REJECTED: "Rejected",
    ActionState.EXPIRED: "Expired",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at a model."""

    model: str
    prompt: str
    outcome: str
    tokens: int
    cost: str
    took_ms: int
    first_ms: int | None


@dataclass(frozen=True, slots=True)
class Answered:
    """One turn of the assistant's: what was asked, what it found, what came of it, what it cost."""

    at: datetime
    outcome: str
    question: str
    sources: tuple[str, ...]
    reading: Reading | None  # none of a turn that found no time to read, or was of a version that kept nothing of it
    calls: tuple[Call, ...]

    @property
    def held_back(self) -> tuple[HeldBack, ...]:
        return held_back(self.reading.withheld) if self.reading else ()

    @property
    def verdict(self) -> str:
        return verdict(self.reading)

    @property
    def in_short(self) -> str:
        """Return where it came from and what it cost, for one line."""
        told = [f"From {', '.join(self.sources)}"] if self.sources else []
        told += [_counted(len(self.reading.passages))] if self.reading and self.reading.query else []
        told += [f"{len(self.held_back)} held back"] if self.held_back else []
        told += [f"{call.prompt}, {call.model}" for call in self.calls[-1:]]
        return "; ".join([*told, *(call.cost for call in self.calls[-1:] if call.cost)])


@dataclass(frozen=True, slots=True)
class Step:
    state: str
    actor: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Acted:
    """One action request with its way."""

    request: UUID
    title: str
    state: str
    reason: str
    digest: str
    at: datetime
    steps: tuple[Step, ...]


def answers_of(conversation: Conversation, *, most: int = MOST_TURNS) -> list[Answered]:
    """Return the newest turns, oldest first."""
    turns = list(Turn.objects.filter(conversation=conversation, kind=Turn.Kind.REPLY).order_by("-id")[:most])
    turns.reverse()
    calls, readings, questions = _calls_by_turn(conversation.pk), readings_of(conversation), _questions_of(turns)
    messages = {one.pk: one for one in _said_by_assistant(conversation, [turn.message_id for turn in turns])}
    return [
        _answered(
            turn, questions[turn.pk], messages.get(turn.message_id), readings.get(turn.message_id), calls[turn.pk]
        )
        for turn in turns
    ]


def _said_by_assistant(conversation: Conversation, ids: Iterable[UUID]) -> list[Message]:
    found = Message.objects.filter(conversation=conversation, pk__in=list(ids)).prefetch_related("citations")
    return list(found)


def _calls_by_turn(conversation_id: UUID) -> defaultdict[UUID | None, list[LLMCall]]:
    calls: defaultdict[UUID | None, list[LLMCall]] = defaultdict(list)
    for call in LLMCall.objects.filter(conversation_id=conversation_id).order_by("started_at", "id"):
        calls[call.turn_id].append(call)
    return calls


def _answered(
    turn: Turn, question: str, message: Message | None, reading: Reading | None, calls: Iterable[LLMCall]
) -> Answered:
    sources = [citation.title for citation in message.citations.all()] if message else []
    return Answered(
        at=turn.started_at or turn.created_at,
        outcome=_ENDED.get(Turn.State(turn.state)) or _outcome(message, reading),
        question=question,
        sources=tuple(dict.fromkeys(sources)),
        reading=reading,
        calls=tuple(_call(call) for call in calls),
    )


def _counted(passages: int) -> str:
    return "1 passage found" if passages == 1 else f"{passages or 'no'} passages found"


def _outcome(message: Message | None, reading: Reading | None) -> str:
    if message is None or not message.is_abstention:
        return "Answered"
    return "Lost to the checks" if reading and reading.withheld else "Did not know"


def _questions_of(turns: Sequence[Turn]) -> dict[UUID, str]:
    """Return what each turn of one conversation was asked, by one statement for all."""
    spans = {turn.pk: (turn.from_seq or 0, turn.through_seq or 0) for turn in turns}
    said = Message.objects.filter(
        conversation__in={turn.conversation_id for turn in turns},
        source=Source.CUSTOMER,
        seq__gt=min((first for first, _ in spans.values()), default=0),
        seq__lte=max((last for _, last in spans.values()), default=0),
    )
    asked = list(said.order_by("seq").values_list("seq", "text"))
    return {
        turn: "\n".join(text for seq, text in asked if first < seq <= last) for turn, (first, last) in spans.items()
    }


def _call(call: LLMCall) -> Call:
    return Call(
        model=model_in_words(call.provider, call.model),
        prompt=call.prompt_version or call.purpose,
        outcome=call.get_outcome_display(),
        tokens=call.input_tokens + call.output_tokens,
        cost=_cost(call.cost, call.currency),
        took_ms=call.duration_ms,
        first_ms=call.time_to_first_token_ms,
    )


def _cost(cost: Decimal | None, currency: str) -> str:
    """Return a price in words; empty where none is known, which is not the same as nothing."""
    if cost is None:
        return ""
    return f"{cost.normalize():f} {currency}".strip() if cost else "free of charge"


def actions_of(conversation_id: UUID, *, most: int | None = None) -> list[Acted]:
    """Return the conversation's newest action requests, or all, with their audited steps, oldest first."""
    newest = ActionRequest.objects.filter(conversation_id=conversation_id).order_by("-id")[:most]
    return [acted(request) for request in reversed(newest)]


def acted(request: ActionRequest) -> Acted:
    """Return a request with every step it has taken."""
    reason = reason_of(request, "en")
    taken = list(steps_of(request.pk))
    names = names_of_actors(one.actor for one in taken)
    return Acted(
        request=request.pk,
        title=card_of(request, "en").title,
        state=STATES[ActionState(request.state)],
        reason=reason["text"] if reason else "",
        digest=request.digest,
        at=request.created_at,
        steps=tuple(Step(STATES[one.state], names[one.actor], one.at, _why(one, request)) for one in taken),
    )


def _why(step: Taken, request: ActionRequest) -> str:
    """Return the code of a step's reason, or what a colleague gave as theirs."""
    if step.state is not ActionState.REJECTED:
        return step.reason_code
    facts = request.reason_facts
    given = {"the customer was told": facts.get("words"), "only for the team": facts.get("note")}
    return "; ".join(f"{reader}: {words}" for reader, words in given.items() if words) or step.reason_code


def names_of_actors(actors: Iterable[str]) -> dict[str, str]:
    """Return who took each step, in words, in one statement for all: records hold ids, never names."""
    told = set(actors)
    people = {f"user:{one.pk}": one.display_name for one in User.objects.filter(pk__in=_ids_of_people(told))}
    return {actor: people.get(actor) or _in_words(actor) for actor in told}


def _ids_of_people(actors: Iterable[str]) -> list[str]:
    return [who for kind, _, who in (actor.partition(":") for actor in actors) if kind == "user"]


def _in_words(actor: str) -> str:
    kind, _, who = actor.partition(":")
    named = {
        "customer": "the customer",
        "policy": "the rules",
        "system": "the system",
        "operator": f"operator {who}",
        "user": "somebody who has left",
    }
    return named.get(kind, actor)
