"""The errors of model calls. They tell callers what can still be done, and this package whether the provider did its
work.

A call to a provider has three possible outcomes. It happened: no error. It did not happen: ProviderRefused. We do not
know, and it may have been charged: ProviderUnclear.
"""

from enum import StrEnum

from django.utils.translation import gettext_noop

from supportbot.errors import SupportBotError
from supportbot.llm.types import Usage


class LlmError(SupportBotError):
    code = "model_error"
    status = 503
    default_message = gettext_noop("The assistant cannot answer right now.")


class ModelUnavailable(LlmError):
    """Every route for this purpose has failed or is disabled."""

    code = "model_unavailable"


class DeadlineExceeded(LlmError):
    """The deadline of the whole call has passed, with no time left for another route."""

    code = "model_deadline"
    status = 504
    default_message = gettext_noop("The assistant took too long to answer.")


class BudgetExceeded(LlmError):
    """The workspace's budget for today is used up, and no free route serves this purpose."""

    code = "model_budget"
    default_message = gettext_noop("Today's budget for the assistant is used up.")


class ModelMisconfigured(LlmError):
    """The settings do not specify a usable model. The message names the setting to change."""

    code = "model_misconfigured"
    status = 500


class ConnectionInUse(LlmError):
    code = "connection_in_use"
    status = 409
    default_message = gettext_noop("A release uses this connection.")


class Reason(StrEnum):
    """Why an attempt failed: a closed list for logs, call records and `Restarted`."""

    UNREACHABLE = "unreachable"
    CUT = "cut"
    STALLED = "stalled"
    DEADLINE = "deadline"
    GARBAGE = "garbage"
    TOO_LARGE = "too_large"  # the answer is too large
    TOO_LONG = "too_long"  # the request exceeds the model's context
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    SERVER_ERROR = "server_error"
    REJECTED = "rejected"
    NOT_AUTHORISED = "not_authorised"
    NOT_FOUND = "not_found"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET = "budget"


# Reasons that a retry a moment later may fix. A stall is excluded because it has already used up the time for a retry.
WORTH_A_RETRY = frozenset({Reason.UNREACHABLE, Reason.CUT, Reason.RATE_LIMITED, Reason.SERVER_ERROR, Reason.GARBAGE})


class ProviderError(LlmError):
    """One attempt at one provider failed. `detail` is for the operator and is never shown to a customer.

    `usage` is what the attempt consumed despite failing, if known.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        retry_after_seconds: float | None = None,
        status: int | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__()
        self.reason = reason
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.http_status = status
        self.usage = usage

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason.value


class ProviderRefused(ProviderError):
    """Nothing was generated, and nothing will be charged."""

    code = "provider_refused"


class ProviderUnclear(ProviderError):
    """Something may have been generated and charged; how much is unknown."""

    code = "provider_unclear"
