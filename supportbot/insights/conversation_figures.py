"""Figures about many conversations: shares, medians, satisfaction and cost. Pure.

`scripts/recompute_overview.py` recomputes them from the REST export without using this code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from supportbot.insights.outcome_rules import ALONE, Ending

HALF, NINE_OF_TEN, NINETEEN_OF_TWENTY = 0.5, 0.9, 0.95
SOLVED: Final = (*ALONE, Ending.PERSON)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and a high percentile of durations; None if there are none."""

    median: timedelta | None
    most: timedelta | None
    number: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures about a set of conversations. Shares are percentages; they are None without conversations or ratings."""

    endings: Mapping[Ending, int]
    resolution: Spread  # of conversations that ended well, including the time that people took
    first_response: Spread
    wait: Spread  # waits for a person
    ratings: int
    satisfied: float | None  # the share of scores of 4 and 5
    assistant_satisfied: float | None
    costs: Mapping[str, Decimal]  # by currency
    recontacts: int

    @property
    def total(self) -> int:
        return sum(self.endings.values())

    def number(self, *endings: Ending) -> int:
        return sum(self.endings.get(ending, 0) for ending in endings)

    def share(self, *endings: Ending) -> float | None:
        return 100 * self.number(*endings) / self.total if self.total else None

    def cost_of_each(self, *endings: Ending) -> Mapping[str, Decimal]:
        """Return the total costs by currency, divided by the number of conversations with these endings; {} if there
        are none.
        """
        shared_by = self.number(*(endings or Ending))
        return {currency: spent / shared_by for currency, spent in self.costs.items()} if shared_by else {}
