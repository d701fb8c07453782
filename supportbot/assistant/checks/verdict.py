"""The verdict on each sentence, and whether the sources support an answer as a whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from supportbot.assistant.checks.evidence import Support
from supportbot.language.sentences import without_markers

Author = Literal["model", "builtin"]
Strictness = Literal["strict", "balanced", "open"]
STRICTNESS: Final[tuple[Strictness, ...]] = ("strict", "balanced", "open")
# Mean support of the claims, weighted by their telling words. On 97 faithful and 29 unfaithful answers of two models
# (docs/decisions/checks-by-harm.md) this leaves one in twelve of the first and catches six in seven of the others.
CONFIRMED_FROM: Final = 0.7
MAX_WEIGHT: Final = 30  # one endless sentence does not outweigh the others


@dataclass(frozen=True, slots=True)
class Sentence:
    """One checked sentence: the text to show, with renumbered markers and trailing blanks, or why it is withheld."""

    raw: str  # as the model wrote it
    shown: str
    support: Support
    is_claim: bool = True
    is_recorded: bool = False  # the ledger or a look-up says so
    is_regret: bool = False  # says that something is not known, cannot be done or was not
    withheld: str = ""
    cited: tuple[int, ...] = ()
    needs_second_look: bool = False

    @property
    def words(self) -> str:
        return without_markers(self.raw)

    @property
    def needs_ground(self) -> bool:
        """Whether it is shown and only the sources can support it."""
        return self.is_claim and not self.is_recorded and not self.withheld


def is_confirmed(sentences: Sequence[Sentence]) -> bool | None:
    """Return whether the sources support the claims of an answer taken together; None for an answer without claims.

    What the ledger or a look-up says counts as confirmed.
    """
    mean = mean_support(sentences)
    if mean is None:
        return True if any(one.is_recorded for one in sentences) else None
    return mean >= CONFIRMED_FROM


def mean_support(sentences: Sequence[Sentence]) -> float | None:
    """Return the mean support of the claims, weighted by content words, without those that could not be compared."""
    claims = [one.support for one in sentences if one.needs_ground]
    weighed = [(claim.score, min(claim.weight, MAX_WEIGHT)) for claim in claims if claim.score is not None]
    total = sum(weight for _, weight in weighed)
    return sum(score * weight for score, weight in weighed) / total if total else None
