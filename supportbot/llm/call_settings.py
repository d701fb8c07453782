"""The settings for model calls: their limits, with times in seconds, and whether a model server is configured."""

from dataclasses import dataclass

from django.conf import settings

from supportbot.llm.types import Purpose

DEADLINE_SECONDS = 30.0
FIRST_TOKEN_SECONDS = 10.0
GAP_SECONDS = 10.0
VERIFY_DEADLINE_SECONDS = 3.0
HISTORY_TOKENS = 3_000
# The part of a remote route's time that is reserved for its fallback, so the call can still get an answer in time.
FALLBACK_SHARE = 0.1
MAX_FALLBACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of a call and the maximum number of tries.

    `gap_seconds` is the longest silence between two signs of life. A Retry-After is respected up to
    `retry_after_most_seconds`. A remote model reads at most about `history_tokens` tokens of earlier messages.
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
        return min(MAX_FALLBACK_SECONDS, self.deadline_seconds * FALLBACK_SHARE)


def limits(purpose: Purpose = "answer") -> Limits:
    """Return the limits for a purpose. A setting that is missing keeps its default."""
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


def is_remote_configured() -> bool:
    """Return whether a key, an address or a model is set, each of which implies a server."""
    return bool(settings.OPENAI_API_KEY or settings.OPENAI_BASE_URL or settings.OPENAI_MODEL)
