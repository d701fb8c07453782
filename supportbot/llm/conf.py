"""The limits of a model call, as the operator set them. Times are in seconds."""

from dataclasses import dataclass

from django.conf import settings

from supportbot.llm.types import Purpose

DEADLINE_SECONDS = 30.0
FIRST_TOKEN_SECONDS = 10.0
GAP_SECONDS = 10.0
VERIFY_DEADLINE_SECONDS = 3.0
HISTORY_TOKENS = 3_000
# Kept back from a remote route that has a fallback, so that the whole call still ends usefully within its deadline.
FALLBACK_SHARE = 0.1
FALLBACK_SECONDS_MOST = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take and how often it is tried.

    `gap_seconds` is between two signs of life; a Retry-After is obeyed up to `retry_after_most_seconds`. What was said
    before the newest question costs a remote model about `history_tokens` at most.
    """

    deadline_seconds: float = DEADLINE_SECONDS
    first_token_seconds: float = FIRST_TOKEN_SECONDS
    gap_seconds: float = GAP_SECONDS
    retries: int = 1
    retry_after_most_seconds: float = 3.0
    breaker_failures: int = 5
    probe_every_seconds: float = 10.0
    history_tokens: int = HISTORY_TOKENS

    @property
    def fallback_seconds(self) -> float:
        return min(FALLBACK_SECONDS_MOST, self.deadline_seconds * FALLBACK_SHARE)


def limits(purpose: Purpose = "answer") -> Limits:
    """Return the limits in force for a purpose; a setting that is missing keeps its default."""
    deadline = float(getattr(settings, "MODEL_DEADLINE_SECONDS", DEADLINE_SECONDS))
    if purpose == "verify":
        deadline = min(deadline, float(getattr(settings, "LLM_VERIFY_DEADLINE_SECONDS", VERIFY_DEADLINE_SECONDS)))
    return Limits(
        deadline_seconds=deadline,
        first_token_seconds=float(getattr(settings, "LLM_FIRST_TOKEN_SECONDS", min(FIRST_TOKEN_SECONDS, deadline))),
        gap_seconds=float(getattr(settings, "LLM_GAP_SECONDS", min(GAP_SECONDS, deadline))),
        retries=int(getattr(settings, "LLM_RETRIES", 1)),
        history_tokens=int(getattr(settings, "LLM_HISTORY_TOKENS", HISTORY_TOKENS)),
    )
