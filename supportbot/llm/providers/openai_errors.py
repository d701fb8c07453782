"""Maps every failure of the SDK and its transport to an error of `llm`.

After the first byte, errors come from the transport instead of the SDK, and a refused connection looks like a time-out.
Since their classes do not show the cause, the only distinction made here is whether the answer had begun.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

import aiohttp
import httpx2
import openai

from supportbot.llm.errors import ProviderError, ProviderRefused, ProviderUnclear, Reason
from supportbot.llm.providers.chunks import Garbage, UpstreamError
from supportbot.llm.providers.context_overflow import is_overflow
from supportbot.llm.providers.sse import NotAnEventStream, TooLarge

TRANSPORT_ERRORS = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)
_BY_STATUS = {
    401: Reason.NOT_AUTHORISED,
    403: Reason.NOT_AUTHORISED,
    404: Reason.NOT_FOUND,
    429: Reason.RATE_LIMITED,
}


@contextmanager
def provider_errors() -> Iterator[None]:
    """Within this block, turn errors of the SDK, its transport and the parsers into ProviderRefused or
    ProviderUnclear.
    """
    try:
        yield
    except openai.APIStatusError as error:
        raise _from_status(error) from error
    except openai.APIConnectionError as error:
        raise ProviderUnclear(Reason.UNREACHABLE, type(error.__cause__ or error).__name__) from error
    except openai.OpenAIError as error:
        raise ProviderUnclear(Reason.GARBAGE, type(error).__name__) from error
    except TRANSPORT_ERRORS as error:
        raise ProviderUnclear(Reason.CUT, type(error).__name__) from error
    except TooLarge as error:
        raise ProviderUnclear(Reason.TOO_LARGE, str(error)) from error
    except UpstreamError as error:
        _raise_reported(error)
    except (Garbage, NotAnEventStream) as error:
        raise ProviderUnclear(Reason.GARBAGE, str(error)) from error


def _from_status(error: openai.APIStatusError) -> ProviderError:
    """Return the error for a status.

    Below 500, and for 503, nothing was generated. Any other 5xx may come after the work was done.
    """
    status = error.status_code
    if is_overflow(status, error.message):
        return ProviderRefused(Reason.TOO_LONG, error.message[:200], status=status)
    if status == 429 and error.code == "insufficient_quota":
        return ProviderRefused(Reason.QUOTA, error.message[:200], status=status)
    outcome = ProviderRefused if status < 500 or status == 503 else ProviderUnclear
    reason = _BY_STATUS.get(status, Reason.SERVER_ERROR if status >= 500 else Reason.REJECTED)
    return outcome(reason, error.message[:200], retry_after_seconds=retry_after(error.response), status=status)


def _raise_reported(error: UpstreamError) -> NoReturn:
    if is_overflow(None, str(error)):
        raise ProviderRefused(Reason.TOO_LONG, str(error), status=error.status) from error
    reason = Reason.RATE_LIMITED if error.status == 429 else Reason.SERVER_ERROR
    raise ProviderUnclear(reason, str(error), status=error.status) from error


def retry_after(response: httpx2.Response) -> float | None:
    """Return how many seconds the server asks us to wait, given as a number or a date; None if it gives neither."""
    value = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
