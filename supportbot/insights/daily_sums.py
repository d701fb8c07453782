"""Daily sums, used to compute the figures for longer periods, for one channel or for all. Pure.

Durations are kept individually, because the median of a period cannot be computed from daily medians.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from supportbot.insights.conversation_figures import HALF, NINE_OF_TEN, NINETEEN_OF_TWENTY, SOLVED, Figures, Spread
from supportbot.insights.outcome_rules import HAPPY, Ending
from supportbot.insights.outcomes import ConversationOutcome

Key = TypeVar("Key")


@dataclass(slots=True)
class Sums:
    """What a group of conversations contributes to the figures. Durations are in seconds."""

    endings: Counter[Ending] = field(default_factory=Counter)
    resolutions: list[float] = field(default_factory=list)  # times to resolution of conversations that ended well
    first_responses: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # waits for a person
    assistant_scores: Counter[int] = field(default_factory=Counter)
    person_scores: Counter[int] = field(default_factory=Counter)
    costs: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # by currency
    recontacts: int = 0

    @property
    def total(self) -> int:
        return self.endings.total()

    @property
    def wait(self) -> Spread:
        return _spread(self.waits, NINE_OF_TEN)

    def add(self, other: "Sums") -> None:
        self.endings += other.endings
        self.resolutions += other.resolutions
        self.first_responses += other.first_responses
        self.waits += other.waits
        self.assistant_scores += other.assistant_scores
        self.person_scores += other.person_scores
        for currency, spent in other.costs.items():
            self.costs[currency] += spent
        self.recontacts += other.recontacts

    def as_json(self) -> dict[str, Any]:
        return {
            "endings": {str(ending): count for ending, count in self.endings.items()},
            "resolutions": _tenths(self.resolutions),
            "first_responses": _tenths(self.first_responses),
            "waits": _tenths(self.waits),
            "assistant_scores": {str(score): count for score, count in self.assistant_scores.items()},
            "person_scores": {str(score): count for score, count in self.person_scores.items()},
            "costs": {currency: f"{spent:f}" for currency, spent in self.costs.items()},
            "recontacts": self.recontacts,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Sums":
        return cls(
            endings=Counter({Ending(ending): count for ending, count in stored["endings"].items()}),
            resolutions=stored["resolutions"],
            first_responses=stored["first_responses"],
            waits=stored["waits"],
            assistant_scores=Counter({int(score): count for score, count in stored["assistant_scores"].items()}),
            person_scores=Counter({int(score): count for score, count in stored["person_scores"].items()}),
            costs=defaultdict(Decimal, {currency: Decimal(spent) for currency, spent in stored["costs"].items()}),
            recontacts=stored["recontacts"],
        )


def sums_of(rows: Iterable[ConversationOutcome], key: Callable[[ConversationOutcome], Key]) -> dict[Key, Sums]:
    """Return the sums of each group of conversations; `key` gives the group of a row. The groups are in the order of
    their first rows.
    """
    groups: dict[Key, Sums] = {}
    for row in rows:
        _count(groups.setdefault(key(row), Sums()), row)
    return groups


def _count(sums: Sums, row: ConversationOutcome) -> None:
    outcome = row.outcome
    sums.endings[outcome.ending] += 1
    sums.recontacts += outcome.is_recontact
    if outcome.ending in SOLVED and outcome.resolution_seconds is not None:
        sums.resolutions.append(outcome.resolution_seconds)
    if outcome.first_response_seconds is not None:
        sums.first_responses.append(outcome.first_response_seconds)
    sums.waits += [one.waited.total_seconds() for one in outcome.requests if one.waited is not None]
    for score in outcome.scores:
        (sums.assistant_scores if score.agent is None else sums.person_scores)[score.score] += 1
    for currency, spent in outcome.costs.items():
        sums.costs[currency] += spent


def added(parts: Iterable[Sums]) -> Sums:
    whole = Sums()
    for part in parts:
        whole.add(part)
    return whole


def figures_from(sums: Sums) -> Figures:
    """Return the figures for several days, computed from their sums."""
    scores = sums.assistant_scores + sums.person_scores
    return Figures(
        endings=sums.endings,
        resolution=_spread(sums.resolutions, NINE_OF_TEN),
        first_response=_spread(sums.first_responses, NINETEEN_OF_TWENTY),
        wait=sums.wait,
        ratings=scores.total(),
        satisfied=satisfied(scores),
        assistant_satisfied=satisfied(sums.assistant_scores),
        costs=dict(sums.costs),
        recontacts=sums.recontacts,
    )


def _tenths(seconds: list[float]) -> list[float]:
    return [round(one, 1) for one in seconds]


def satisfied(scores: Counter[int]) -> float | None:
    """Return the percentage of scores that are 4 or 5; None if there are no scores."""
    good = sum(count for score, count in scores.items() if score >= HAPPY)
    return 100 * good / scores.total() if scores else None


def _spread(seconds: Iterable[float], most: float) -> Spread:
    found = sorted(seconds)  # floats, because timedeltas are slower to create and compare
    if not found:
        return Spread(None, None, 0)
    return Spread(_at(found, HALF), _at(found, most), len(found))


def _at(found: list[float], fraction: float) -> timedelta:
    place = (len(found) - 1) * fraction
    below, above = found[int(place)], found[min(int(place) + 1, len(found) - 1)]
    return timedelta(seconds=below + (above - below) * (place - int(place)))
