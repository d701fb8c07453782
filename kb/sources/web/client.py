"""Fetches from a site. Redirects are followed here, and each step is checked like a first call; size and time are
limited.
"""

import codecs
import re
import time
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
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
_IN_TYPE: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_IN_PAGE: Final = re.compile(rb"<meta[^>]{0,300}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
# The encodings that browsers use instead, by the Encoding Standard.
_AS_BROWSERS: Final = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030"}
FALLBACK: Final = "cp1252"


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


class Client:
    """Fetches politely: at most one call at a time, and `delay_seconds` between two."""

    def __init__(self, *, delay_seconds: float, allows_private: bool) -> None:
        self.delay_seconds = delay_seconds
        self._networks = PRIVATE if allows_private else ()
        self._asked_at = 0.0

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return an address's response. Raises Unreadable, or Unreachable if there is no answer."""
        seen = [url]
        while True:
            answer = self._step(seen, headers or {})
            if answer.status not in REDIRECTS:
                return answer
            target = _target(answer)
            if target in seen or len(seen) > MAX_REDIRECTS:
                raise Unreadable(gettext("It redirects in a loop: {path}").format(path=" → ".join([*seen[:4], "…"])))
            seen.append(target)

    def _step(self, seen: Sequence[str], headers: Mapping[str, str]) -> Answer:
        try:
            return self._once(seen[-1], headers)
        except Unreachable as error:
            if len(seen) == 1:
                raise
            # The site responds; only this redirect leads somewhere that must not or cannot be fetched.
            raise Unreadable(
                gettext("It redirects to {url}. {problem}").format(url=seen[-1], problem=error.message)
            ) from error

    def _once(self, url: str, headers: Mapping[str, str]) -> Answer:
        pause = self._asked_at + self.delay_seconds - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        asked = Request(
            "GET",
            url,
            {**_HEADERS, **headers},
            timeout_seconds=SECONDS,
            max_bytes=MAX_BYTES,
            returns_redirects=True,
            private_networks=self._networks,
        )
        try:
            response = request(asked)
        except NoAnswer as error:
            problem = Unreadable if error.status else Unreachable
            raise problem(gettext("The site {problem}.").format(problem=error.why)) from error
        except OutboundError as error:
            raise Unreachable(gettext("It was not fetched: {problem}.").format(problem=error.why)) from error
        finally:
            self._asked_at = time.monotonic()
        return Answer(url, response.status, response.headers, response.body)


def _target(answer: Answer) -> str:
    """Return the target of a redirect, with its session parameters, which some sites require once."""
    target = urldefrag(urljoin(answer.url, answer.headers.get("location", "").strip())).url
    if not one_spelling(target):
        raise Unreadable(
            gettext("It returned a redirect ({status}) without a valid target.").format(status=answer.status)
        )
    return target


def _wait(value: str) -> timedelta:
    """Return the seconds to wait by a Retry-After header, which contains seconds or a date."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:6]))
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return USUAL_PATIENCE
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(until - datetime.now(UTC), timedelta(seconds=1))


def decode(body: bytes, content_type: str) -> str:
    """Return the text; valid UTF-8 is read as UTF-8, whatever is declared, since text in other encodings is hardly ever
    valid UTF-8.
    """
    for mark, encoding in ((BOM_UTF8, "utf-8-sig"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, errors="replace")
    declared = [_IN_TYPE.search(content_type), _IN_PAGE.search(body[:4_096])]
    names = [found.group(1) for found in declared if found]
    known = [name for found in names if (name := _known(found if isinstance(found, str) else found.decode("ascii")))]
    for encoding in ("utf-8", *known):
        try:
            # These encodings use only ASCII bytes, so any text in them would pass for UTF-8.
            if encoding == "utf-8" and known and known[0] in ("iso2022_jp", "hz", "utf-7"):
                continue
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode(known[0] if known and known[0] != "utf-8" else FALLBACK, errors="replace")


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return ""
    # Other codecs, such as base64, do not turn bytes into text.
    return _AS_BROWSERS.get(found, found) if codecs.lookup(found)._is_text_encoding else ""
