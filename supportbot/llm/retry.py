"""The only place that decides whether to retry a provider. The gateway does the waiting and retrying."""

import random
from collections.abc import Callable

from supportbot.llm.breaker import Breaker
from supportbot.llm.call_settings import Limits
from supportbot.llm.errors import WORTH_A_RETRY, ProviderError, Reason

PAUSE_SECONDS = 0.25
# Refusing a request's content says nothing about the provider's health; a rate limit does.
_HEALTHY_REFUSALS = frozenset({Reason.REJECTED, Reason.TOO_LARGE, Reason.TOO_LONG})


def pause_before_retry(
    error: ProviderError, *, attempt: int, limits: Limits, jitter: Callable[[], float] = random.random
) -> float | None:
    """Return the seconds to wait before try `attempt + 1`, or None to give up on this provider. `attempt` counts from
    1.

    A Retry-After above the cap means giving up, because a customer is waiting and another route may be available.
    """
    if attempt > limits.retries or error.reason not in WORTH_A_RETRY:
        return None
    if error.retry_after_seconds is None:
        return PAUSE_SECONDS * attempt * (1 + jitter())
    if error.retry_after_seconds > limits.retry_after_most_seconds:
        return None
    # Jitter only adds time, so refused requests do not all return at once.
    return error.retry_after_seconds + PAUSE_SECONDS * jitter()


def pause_after(error: ProviderError, *, tries: int, has_begun: bool, breaker: Breaker, limits: Limits) -> float | None:
    """Update the breaker. Return the seconds until the next try, or None to give up on this provider."""
    if error.reason in _HEALTHY_REFUSALS:
        breaker.succeeded()
    else:
        breaker.failed()
    # An open breaker admits one probe at a time, which is not retried at once.
    if has_begun or breaker.is_open:
        return None
    return pause_before_retry(error, attempt=tries, limits=limits)
