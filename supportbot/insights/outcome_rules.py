"""Determines the outcome of a conversation from its messages, their authors and their times. Pure.

A conversation counts once its customer has asked a question; courtesies are not questions. It has exactly one ending:
the first whose condition holds. So a conversation that went badly never counts as solved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from supportbot.chat.models import Source
from supportbot.handoff.models import OPEN, Requester, State

CAME_BACK_WITHIN: Final = timedelta(days=7)
REOPENED_AFTER: Final = timedelta(days=1)
HAPPY, UNHAPPY = 4, 2  # out of five: customers are happy at this score or above, and unhappy at this score or below
THANKS: Final = "thanks"


class Ending(StrEnum):
    """The endings, in the order used in charts; `ending_of` has the conditions."""

    CONFIRMED = "confirmed"
    SILENT = "silent"
    PERSON = "person"
    WAITING = "waiting"
    REOPENED = "reopened"
    RECONTACT = "recontact"
    ABANDONED = "abandoned"


ALONE: Final = (Ending.CONFIRMED, Ending.SILENT)  # solved by the assistant
NOT_SOLVED: Final = (Ending.REOPENED, Ending.RECONTACT, Ending.ABANDONED)


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """A public message from a customer, the assistant or an agent."""

    seq: int
    source: str
    at: datetime
    courtesy: str = ""
    is_abstention: bool = False
    author: UUID | None = None
    author_name: str = ""
    message_id: UUID | None = None

    @property
    def asks(self) -> bool:
        return self.source == Source.CUSTOMER and not self.courtesy


@dataclass(frozen=True, slots=True)
class PersonRequest:
    """A request for a person. `joined_at` is the time when the first agent joined."""

    requested_at: datetime
    state: str
    by: str
    joined_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def waited(self) -> timedelta | None:
        """How long the customer waited; None if no agent joined or if an agent reopened the conversation."""
        return None if self.joined_at is None or self.by == Requester.AGENT else self.joined_at - self.requested_at


@dataclass(frozen=True, slots=True)
class Score:
    """A customer's rating of an answer or, without a `message_id`, of the conversation."""

    score: int
    message_id: UUID | None = None
    agent: UUID | None = None  # the agent whose work was rated; None for the assistant


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about a conversation: its messages and requests in order."""

    messages: Sequence[PublicMessage]
    requests: Sequence[PersonRequest] = ()
    scores: Sequence[Score] = ()
    has_failed: bool = False  # whether the last turn failed
    asked_again_at: Sequence[datetime] = ()  # when the same customer started other conversations with a question
    first_words_at: Sequence[datetime] = ()  # when the model began its answers, in order
    costs: Mapping[str, Decimal] = field(default_factory=dict)  # by currency

    @property
    def questions(self) -> list[PublicMessage]:
        return [one for one in self.messages if one.asks]

    @property
    def helpers(self) -> list[PublicMessage]:
        return [one for one in self.messages if one.source == Source.AGENT]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A conversation as it counts in the figures. Times are in seconds from the first question."""

    ending: Ending
    asked_at: datetime
    is_recontact: bool
    is_reopened: bool
    first_response_seconds: float | None
    resolution_seconds: float | None
    agent: UUID | None  # the agent who wrote last
    agent_name: str
    scores: tuple[Score, ...]
    requests: tuple[PersonRequest, ...]
    costs: Mapping[str, Decimal]


def outcome_of(facts: Facts) -> Outcome | None:
    """Return the outcome of a conversation; None if it contains no question."""
    questions, helpers = facts.questions, facts.helpers
    if not questions:
        return None
    asked_at, ending = questions[0].at, ending_of(facts)
    last = helpers[-1] if helpers else None
    return Outcome(
        ending=ending,
        asked_at=asked_at,
        is_recontact=has_come_back(facts),
        is_reopened=was_reopened(facts),
        first_response_seconds=_seconds(asked_at, _first_word(facts, asked_at)),
        resolution_seconds=_seconds(asked_at, _resolved_at(facts, ending)),
        agent=last.author if last else None,
        agent_name=last.author_name if last else "",
        scores=tuple(_attributed(score, facts) for score in facts.scores),
        requests=tuple(facts.requests),
        costs=facts.costs,
    )


def ending_of(facts: Facts) -> Ending:
    """Return the ending of a conversation. The conditions are also described in docs/console.md."""
    if _is_waiting(facts):
        return Ending.WAITING
    if facts.helpers:
        return Ending.PERSON
    if _was_abandoned(facts):
        return Ending.ABANDONED
    if has_come_back(facts):
        return Ending.RECONTACT
    if was_reopened(facts):
        return Ending.REOPENED
    return Ending.CONFIRMED if _is_confirmed(facts) else Ending.SILENT


def has_come_back(facts: Facts) -> bool:
    """Return whether the customer asked in another conversation within a week of the last question."""
    questions = facts.questions
    return (
        any(questions[-1].at < at <= questions[-1].at + CAME_BACK_WITHIN for at in facts.asked_again_at)
        if questions
        else False
    )


def was_reopened(facts: Facts) -> bool:
    """Return whether the customer asked again in the same conversation after it had been resolved or quiet for a
    day.
    """
    resolved = [one.ended_at for one in facts.requests if one.state == State.RESOLVED and one.ended_at is not None]
    for before, one in zip(facts.messages, facts.messages[1:], strict=False):
        if one.asks and (one.at - before.at >= REOPENED_AFTER or any(before.at <= at < one.at for at in resolved)):
            return True
    return False


def _is_waiting(facts: Facts) -> bool:
    """Return whether a person was requested and no agent has written since then."""
    last = facts.requests[-1] if facts.requests else None
    if last is None or last.state not in OPEN:
        return False
    return last.by != Requester.AGENT and not any(one.at >= last.requested_at for one in facts.helpers)


def _was_abandoned(facts: Facts) -> bool:
    """Return whether no agent joined, the last question has no answer, or the customer was unhappy."""
    nobody_came = any(one.state in (State.EXPIRED, State.RESOLVED) for one in facts.requests)
    is_unhappy = any(one.score <= UNHAPPY for one in facts.scores)
    return nobody_came or is_unhappy or facts.has_failed or not _has_answer(facts)


def _has_answer(facts: Facts) -> bool:
    """Return whether the last question got an answer. A later reply to a courtesy does not count as one."""
    answer: PublicMessage | None = None
    last_message: PublicMessage | None = None
    for one in facts.messages:
        if one.source == Source.ASSISTANT and (last_message is None or last_message.asks):
            answer = one
        elif one.source == Source.CUSTOMER:
            last_message, answer = one, None if one.asks else answer
    return answer is not None and not answer.is_abstention


def _is_confirmed(facts: Facts) -> bool:
    """Return whether the customer gave a rating of 4 or 5, or said thanks after the last answer."""
    has_thanked = any(one.courtesy == THANKS for one in facts.messages if one.seq > facts.questions[-1].seq)
    return has_thanked or any(one.score >= HAPPY for one in facts.scores)


def _first_word(facts: Facts, asked_at: datetime) -> datetime | None:
    answers = (one.at for one in facts.messages if one.source != Source.CUSTOMER)
    return min((at for at in (*facts.first_words_at, *answers) if at >= asked_at), default=None)


def _resolved_at(facts: Facts, ending: Ending) -> datetime | None:
    """Return the time of the last answer, or of a person's last answer if a person helped; None unless the conversation
    ended well.
    """
    if ending not in (*ALONE, Ending.PERSON):
        return None
    if ending == Ending.PERSON:
        return facts.helpers[-1].at
    thanked = [one.seq for one in facts.messages if one.courtesy and one.seq > facts.questions[-1].seq]
    until = min(thanked, default=None)
    answers = [
        one.at for one in facts.messages if one.source == Source.ASSISTANT and (until is None or one.seq < until)
    ]
    return answers[-1] if answers else None


def _attributed(score: Score, facts: Facts) -> Score:
    """Return a rating with the agent whom it rates: the author of the answer or, for a whole conversation, the last
    agent who helped.
    """
    if score.message_id is not None:
        rated = next((one for one in facts.messages if one.message_id == score.message_id), None)
    else:
        rated = facts.helpers[-1] if facts.helpers else None
    return Score(score.score, score.message_id, rated.author if rated and rated.source == Source.AGENT else None)


def _seconds(since: datetime, until: datetime | None) -> float | None:
    return None if until is None else round(max((until - since).total_seconds(), 0.0), 3)
