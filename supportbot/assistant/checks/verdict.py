"""Whether the sources bear an answer as a whole, and how strictly a workspace takes it. Pure."""

from collections.abc import Sequence
from typing import Final, Literal

from supportbot.assistant.checks.evidence import Support

Strictness = Literal["strict", "balanced", "open"]
STRICTNESS: Final[tuple[Strictness, ...]] = ("strict", "balanced", "open")
# Mean support of the claims, weighted by their telling words. On 97 faithful and 29 unfaithful answers of two models
# (docs/decisions/checks-by-harm.md) this leaves one in twelve of the first and catches six in seven of the others.
CONFIRMED_FROM: Final = 0.7
MOST_WEIGHT: Final = 30  # one endless sentence does not outweigh the others


def confirmed(claims: Sequence[Support], *, has_records: bool) -> bool | None:
    """Return whether the sources bear the claims taken together; None for an answer without one.

    What the ledger or a look-up says is confirmed by it.
    """
    mean = mean_support(claims)
    if mean is None:
        return True if has_records else None
    return mean >= CONFIRMED_FROM


def mean_support(claims: Sequence[Support]) -> float | None:
    """Return the mean support of claims by their telling words; those that nobody could compare count neither way."""
    weighed = [(claim.score, min(claim.weight, MOST_WEIGHT)) for claim in claims if claim.score is not None]
    total = sum(weight for _, weight in weighed)
    return sum(score * weight for score, weight in weighed) / total if total else None
