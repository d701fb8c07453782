"""An HTTP client for sites. It follows redirects and checks each step like a first call; size and time are limited."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urldefrag, urljoin

from django.utils.translation import gettext

from kb.sources.errors import Unreachable, Unreadable
from kb.sources.web.urls import one_spelling
from supportbot.outbound.errors import NoAnswer, OutboundError
from supportbot.outbound.http import REDIRECTS, Request, request
from supportbot.outbound.ip_addresses import PRIVATE

AGENT: Final = "supportbot"  # our name in robots.txt
MAX_REDIRECTS: Final = 5
MAX_BYTES: Final = 20 * 1024 * 1024
SECONDS: Final = 30.0
_HEADERS: Final = {
    "User-Agent": "SupportBot/1.0 (reads help pages; robots.txt: supportbot)",
    "Accept": "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5",
}
MOST_PATIENCE: Final = timedelta(hours=1)
USUAL_PATIENCE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Answer:
    """An address's response after redirects; `url` is the final address."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def patience(self) -> timedelta | None:
        """How long a busy server asks us to wait; None if it is not busy."""
        if self.status not in (429, 503):
            return None
        return min(_wait(self.headers.get("retry-after", "")), MOST_PATIENCE)

    @property
    def retry_after(self) -> timedelta | None:
        """How long a busy server asks us to wait; None if it is not busy or does not say how long."""
        return self.patience if "retry-after" in self.headers else None


class Client:
    """A polite client: at most one call at a time, with `delay_seconds` between calls."""

    def __init__(self, *, delay_seconds: float, allows_private: bool) -> None:
        self.delay_seconds = delay_seconds
        self._networks = PRIVATE if allows_private else ()
        self._asked_at = 0.0

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return an address's response. Raises Unreadable, or Unreachable if there is no response."""
        seen = [url]
        while True:
            answer = self._step(seen, headers or {})
            if answer.status not in REDIRECTS:
                return answer
            target = _target(answer)
            if target in seen or len(seen) > MAX_REDIRECTS:
                raise Unreadable(
                    gettext("The address redirects in a loop: {path}").format(path=" → ".join([*seen[:4], "…"]))
                )
            seen.append(target)

    def _step(self, seen: Sequence[str], headers: Mapping[str, str]) -> Answer:
        try:
            return self._once(seen[-1], headers)
        except Unreachable as error:
            if len(seen) == 1:
                raise
            # The site responds; only this redirect leads somewhere that must not or cannot be fetched.
            raise Unreadable(
                gettext("The address redirects to {url}. {problem}").format(url=seen[-1], problem=error.message)
            ) from error

    def _once(self, url: str, headers: Mapping[str, str]) -> Answer:
        pause = self._asked_at + self.delay_seconds - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        outgoing = Request(
            "GET",
            url,
            {**_HEADERS, **headers},
            timeout_seconds=SECONDS,
            max_bytes=MAX_BYTES,
            returns_redirects=True,
            private_networks=self._networks,
            unpacks_gzip=True,
        )
        try:
            response = request(outgoing)
        except NoAnswer as error:
            problem = Unreadable if error.status else Unreachable
            raise problem(gettext("The site could not be read: {problem}.").format(problem=error.why)) from error
        except OutboundError as error:
            raise Unreachable(gettext("The address was not fetched: {problem}.").format(problem=error.why)) from error
        finally:
            self._asked_at = time.monotonic()
        return Answer(url, response.status, response.headers, response.body)


def _target(answer: Answer) -> str:
    """Return the target of a redirect, with its session parameters, which some sites require once."""
    target = urldefrag(urljoin(answer.url, answer.headers.get("location", "").strip())).url
    if not one_spelling(target):
        raise Unreadable(
            gettext("The address returned a redirect ({status}) without a valid target.").format(status=answer.status)
        )
    return target


def _wait(value: str) -> timedelta:
    """Return the seconds to wait according to a Retry-After header, which contains seconds or a date."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:6]))
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return USUAL_PATIENCE
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(until - datetime.now(UTC), timedelta(seconds=1))
