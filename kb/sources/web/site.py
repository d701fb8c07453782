"""A website as a source: from its start address or sitemap, page by page, as its robots.txt allows."""

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.utils.translation import gettext

from kb.errors import InvalidDocument
from kb.importing.loaders.file_reading import read as read_file
from kb.importing.loaders.format_detection import format_of
from kb.importing.loaders.markdown import document_of
from kb.importing.loaders.page_encoding import decode
from kb.importing.parsed_document import Document, Failure
from kb.sources.errors import SourceUnreadable, TooBusy, Unreadable
from kb.sources.models import SourceItem
from kb.sources.ports import Fetched, ItemGone, ItemSkipped, Known, Origin, Place, Read, RetryLater, Unchanged
from kb.sources.web.client import AGENT, Answer, Client
from kb.sources.web.page import Page, read_page
from kb.sources.web.pictures import SitePictures
from kb.sources.web.robots import Robots, parse_robots
from kb.sources.web.shared_boilerplate import ENOUGH_PAGES, Frame, frame_of_json, learnt
from kb.sources.web.sitemap import MAX_PARTS, is_sitemap, parse_sitemap
from kb.sources.web.urls import is_page_of_key, one_spelling, scope_of, shape, without_sessions
from kb.validation import MAX_EXTERNAL_ID_CHARACTERS, MAX_URL_CHARACTERS, check_locale
from supportbot.outbound.targets import address_problem

MAX_DEPTH: Final = 10
MAX_LISTED: Final = 100_000  # addresses of one source, more than a source ever reads
SAMPLE: Final = 8  # pages read to learn the boilerplate that pages share
MOST_SAMPLED: Final = 40  # addresses tried to find these pages
MOST_TRIES: Final = 3  # attempts to fetch each of these pages
LONGEST_PAUSES: Final = timedelta(seconds=10)  # for all of these pages together, since a time slice lasts half a minute
MAX_HTML_BYTES: Final = 8_000_000
_ENDINGS: Final = {
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "text/markdown": ".md",
    "text/plain": ".txt",
}


class Site:
    is_deliberate = False
    is_remote = True

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.start = one_spelling(origin.address)
        config = origin.config
        self._depth = int(config.get("depth", MAX_DEPTH))
        self._scope = scope_of(
            origin.memory.get("home", self.start),
            config.get("sections", []),
            config.get("include", []),
            config.get("exclude", []),
        )
        self.is_complete = bool(origin.memory.get("is_sitemap", False))
        self._client = Client(delay_seconds=origin.delay_seconds, allows_private=origin.allows_private)
        self._robots: Robots | None = None
        self._rules_elsewhere: dict[str, Robots | str] = {}  # rules of other hosts, or why they cannot be read
        self._frame = frame_of_json(origin.memory.get("frame"))
        # An operator's --allow-private is for the site itself, not for the addresses that its pages refer to.
        self._client_elsewhere = Client(delay_seconds=origin.delay_seconds, allows_private=False)
        self._pictures = SitePictures(origin, self._client_for, self._why_no_picture)
        self._paused = timedelta()  # in total, while the sample is fetched
        self._at_hand: dict[str, Answer] = {}  # pages of the sample, already fetched
        self._alike: dict[str, set[str]] = {}

    # --- Where to begin

    def places(self) -> Iterable[Place]:
        answer = self._first()
        if is_sitemap(answer.url, answer.content_type, answer.body):
            self._begin_at_sitemap(answer)
            urls = list(self._in_sitemap(answer))
            if not urls:  # without this, all pages would seem to be gone
                raise SourceUnreadable(self._why_empty(answer))
            self._learn_frame(urls)
            yield from (Place(key) for key in (*urls, *self._keys_spelled_otherwise(urls)))
            return
        self._begin_at_page(answer)
        page = _page(answer)
        self._at_hand[one_spelling(answer.url)] = answer
        listed = [url for address in self._rules().sitemaps for url in self._in_sitemap_at(address)]
        self._learn_frame([one_spelling(answer.url), *page.links, *listed])
        yield Place(one_spelling(answer.url))
        yield from (Place(url, 1) for url in listed)

    def _first(self) -> Answer:
        if not self.start:
            raise SourceUnreadable(gettext("This is not the address of a web page."))
        if not self._rules().allows(self.start):
            raise SourceUnreadable(gettext("The site's robots.txt does not allow this address to be read."))
        try:
            answer = self._client.get(self.start)
        except Unreadable as error:
            raise SourceUnreadable(error.message) from error
        if (patience := answer.patience) is not None:
            raise TooBusy(_busy(answer), patience)
        if answer.status != 200:
            raise SourceUnreadable(gettext("The address returned HTTP status {status}.").format(status=answer.status))
        return answer

    def _keys_spelled_otherwise(self, listed: Sequence[str]) -> list[str]:
        """Return the keys of articles that the sitemap still lists, but whose addresses an earlier version spelled
        differently. They are fetched like the listed addresses, because they would otherwise seem to be gone.
        """
        known = SourceItem.objects.filter(source_id=self.origin.source_id, imported_at__isnull=False, archived_at=None)
        others = set(known.values_list("key", flat=True)) - set(listed)
        alike: dict[str, list[str]] = {}
        for url in listed if others else ():
            alike.setdefault(without_sessions(url), []).append(url)
        pages = {key: alike.get(without_sessions(one_spelling(key)), []) for key in sorted(others)}
        return [key for key, urls in pages.items() if any(is_page_of_key(url, key) for url in urls)]

    def _why_empty(self, sitemap: Answer) -> str:
        found = parse_sitemap(sitemap.body)
        others = [url for url in (*found.pages, *found.parts) if one_spelling(url)]
        if not others:
            return gettext("The sitemap lists no pages.")
        text = gettext("The sitemap lists no pages of {site} that the settings include. It lists, for example, {url}.")
        return text.format(site=urlsplit(self.origin.memory["home"]).netloc, url=others[0][:300])

    def _begin_at_page(self, answer: Answer) -> None:
        """Begin at the start address. If it redirects, for example to the page of a language or to a different host,
        the site begins where the redirect leads.
        """
        self._move_to(one_spelling(answer.url))
        self.origin.memory["is_sitemap"] = self.is_complete = False

    def _begin_at_sitemap(self, answer: Answer) -> None:
        parts = urlsplit(answer.url)
        self._move_to(f"{parts.scheme}://{parts.netloc}/")
        self.origin.memory["is_sitemap"] = self.is_complete = True

    def _move_to(self, home: str) -> None:
        if urlsplit(home).netloc != urlsplit(self.origin.memory.get("home", self.start)).netloc:
            self._robots = None  # another host has its own rules
        self.origin.memory["home"] = home
        config = self.origin.config
        self._scope = scope_of(home, config.get("sections", []), config.get("include", []), config.get("exclude", []))

    def _in_sitemap_at(self, address: str) -> Iterator[str]:
        """Yield the pages of a sitemap named in robots.txt; an unreadable one is skipped."""
        try:
            answer = self._client.get(address) if one_spelling(address) else None
        except Unreadable:
            return
        if answer is not None and answer.status == 200:
            yield from self._in_sitemap(answer)

    def _in_sitemap(self, answer: Answer) -> Iterator[str]:
        waiting, seen, fetched = list[str](), set[str](), 0
        for body in self._bodies(answer.body, waiting):
            found = parse_sitemap(body)
            for page in found.pages:
                url = self._scope.at_home(one_spelling(page))
                if url and url not in seen and self._scope.holds(url):
                    seen.add(url)
                    yield url
                if len(seen) >= MAX_LISTED:
                    return
            fresh = found.parts[: MAX_PARTS - fetched]
            waiting += fresh
            fetched += len(fresh)

    def _bodies(self, first: bytes, waiting: list[str]) -> Iterator[bytes]:
        """Yield the bodies of sitemaps one at a time, since each may have the maximum size of a response."""
        yield first
        while waiting:
            if (part := self._part(waiting.pop(0))) is not None:
                yield part.body

    def _part(self, address: str) -> Answer | None:
        try:
            answer = self._client.get(address)
        except Unreadable as error:
            if self.is_complete:  # if the sitemap were skipped, its pages would seem to be gone
                raise SourceUnreadable(error.message) from error
            return None
        if answer.status != 200 and self.is_complete:
            raise SourceUnreadable(
                gettext("The sitemap {url} returned {status}.").format(url=address, status=answer.status)
            )
        return answer if answer.status == 200 else None

    def _learn_frame(self, urls: Iterable[str]) -> None:
        """Read some pages to learn the boilerplate that they share, and keep them so that they are not fetched again.
        If there are too few, the pages that they link to are read, too.
        """
        pages: list[tuple[str, str]] = []
        waiting = deque(urls)
        seen = set[str]()
        while waiting and len(pages) < SAMPLE and len(seen) < MOST_SAMPLED:
            url = self._scope.at_home(waiting.popleft())
            if url in seen or not (self._scope.holds(url) and self._rules().allows(url)):
                continue
            seen.add(url)
            try:
                answer = self._at_hand.get(url) or self._sampled(url)
                if answer.status == 200 and _is_html(answer):
                    self._at_hand[url] = answer
                    page = _page(answer)
                    pages.append((page.title, page.body))
                    waiting += page.links if page.is_followed and not self.is_complete else ()
            except InvalidDocument:
                continue
            except TooBusy:  # the run itself waits as long as the site asks; if need be, it reads without the frame
                break
        if len(pages) >= ENOUGH_PAGES:
            self._frame = learnt(pages)
            self.origin.memory["frame"] = self._frame.as_json()

    def _sampled(self, url: str) -> Answer:
        """Return a page for the sample, after a short pause if the site asks for one. Raises TooBusy if it asks for a
        longer one.
        """
        tries = 0
        while True:
            answer, tries = self._client.get(url), tries + 1
            if (patience := answer.retry_after) is None:
                return answer
            self._paused += patience
            if tries == MOST_TRIES or self._paused > LONGEST_PAUSES:
                raise TooBusy(_busy(answer), patience)
            self.origin.still_working()
            time.sleep(patience.total_seconds())

    def _rules(self) -> Robots:
        """Return the site's rules, fetched once per time slice."""
        if self._robots is None:
            self._robots = self._fetched_rules()
            self._client.delay_seconds = max(self._client.delay_seconds, self._robots.delay_seconds)
        return self._robots

    def _client_for(self, url: str) -> Client:
        return self._client if self._is_here(url) else self._client_elsewhere

    def _is_here(self, url: str) -> bool:
        home = str(self.origin.memory.get("home", self.start))
        return urlsplit(url).netloc == urlsplit(home).netloc

    def _why_no_picture(self, url: str) -> str:
        """Return why a picture may not be fetched, or "" if it may. Raises Unreadable if its host's rules cannot be
        read.
        """
        if self._is_here(url):
            return "" if self._rules().allows(url) else _forbidden()
        if problem := address_problem(url):
            return gettext("The address was not fetched: {problem}.").format(problem=problem)
        parts = urlsplit(url)
        host = f"{parts.scheme}://{parts.netloc}"
        if host not in self._rules_elsewhere:
            try:
                self._rules_elsewhere[host] = self._rules_at(host)
            except SourceUnreadable as error:  # remembered, since the host's other pictures would wait just as long
                self._rules_elsewhere[host] = error.message
        rules = self._rules_elsewhere[host]
        if isinstance(rules, str):
            raise Unreadable(rules)
        return "" if rules.allows(url) else _forbidden()

    def _fetched_rules(self) -> Robots:
        parts = urlsplit(self.origin.memory.get("home", self.start))
        return self._rules_at(f"{parts.scheme}://{parts.netloc}")

    def _rules_at(self, host: str) -> Robots:
        if not self.origin.config.get("robots", True):
            return Robots()
        try:
            answer = self._client_for(host).get(f"{host}/robots.txt")
        except Unreadable as error:
            raise SourceUnreadable(error.message) from error
        if (patience := answer.retry_after) is not None and self._is_here(host):
            raise TooBusy(_busy(answer), patience)
        if answer.status >= 500 or answer.status == 429:  # by RFC 9309, everything then counts as forbidden
            raise SourceUnreadable(
                gettext("The site's robots.txt returned {status}. Try again later.").format(status=answer.status)
            )
        return parse_robots(decode(answer.body, "text/plain"), AGENT) if answer.status == 200 else Robots()

    # --- One page

    def wants(self, key: str) -> bool:
        return self._scope.holds(key) and self._rules().allows(key)

    def fetch(self, known: Known, folder: Path) -> Fetched | Unchanged | ItemGone | ItemSkipped | RetryLater:
        if not self._scope.holds(known.key):
            return ItemSkipped(gettext("The settings of the source exclude this page."))
        if not self._rules().allows(known.key):
            return ItemSkipped(_forbidden())
        given = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
        answer = self._at_hand.pop(known.key, None) or self._client.get(
            known.key, {name: value for name, value in given.items() if value}
        )
        if (patience := answer.patience) is not None:
            return RetryLater(patience, _busy(answer))
        if answer.status == 304:
            return Unchanged()
        if answer.status in (404, 410):
            return ItemGone(gettext("The page no longer exists ({status}).").format(status=answer.status))
        if answer.status != 200:
            raise Unreadable(_refused(answer.status))
        return self._moved(known, answer) or self._as_file(known, answer, folder)

    def _moved(self, known: Known, answer: Answer) -> ItemSkipped | None:
        target = self._scope.at_home(one_spelling(answer.url))
        if answer.url == known.key or is_page_of_key(target, known.key):
            return None
        if not self._scope.holds(target):
            return ItemSkipped(gettext("The page redirects to another site: {url}").format(url=target))
        return ItemSkipped(gettext("The page redirects to {url}").format(url=target), (Place(target, known.depth),))

    def _as_file(self, known: Known, answer: Answer, folder: Path) -> Fetched | ItemSkipped:
        ending = ".html" if _is_html(answer) else _ENDINGS.get(answer.content_type, "")
        if not ending:
            return ItemSkipped(
                gettext("The content is {type}, not a web page.").format(type=answer.content_type or "?")
            )
        if ending == ".html" and len(answer.body) > MAX_HTML_BYTES:
            raise Unreadable(gettext("The page is larger than {most} MB.").format(most=MAX_HTML_BYTES // 1_000_000))
        file = folder / f"page{ending}"
        file.write_bytes(answer.body)
        facts = {
            "type": answer.headers.get("content-type", ""),
            "robots": answer.headers.get("x-robots-tag", ""),
        }
        return Fetched(
            file,
            f"page{ending}",
            etag=answer.headers.get("etag", "")[:300],
            last_modified=answer.headers.get("last-modified", "")[:100],
            facts=facts,
        )

    def read(self, known: Known, fetched: Fetched) -> Read | ItemSkipped:
        if fetched.name.endswith(".html"):
            return self._read_page(known, fetched)
        if _is_noindex(fetched.facts.get("robots", "")):
            return ItemSkipped(gettext("The page asks not to be indexed (noindex)."))
        name = name_of(known.key)
        return Read([
            replace(item, url=_own_address(known.key)) if isinstance(item, Document) else item
            for item in read_file(fetched.file, format_of(fetched.file, fetched.name), name, known.key)
        ])  # fmt: skip

    def _read_page(self, known: Known, fetched: Fetched) -> Read | ItemSkipped:
        body = fetched.file.read_bytes()
        text = decode(body, fetched.facts.get("type", ""))
        self._pictures.begin_page()
        page = read_page(text, known.key, self._frame, fetched.facts.get("robots", ""), self._pictures.of_page)
        found = self._found(page, known.depth)
        if not page.is_indexed:
            return ItemSkipped(gettext("The page asks not to be indexed (noindex)."), found)
        canonical = self._scope.at_home(page.canonical)
        if self._is_copy(canonical, known.key):
            target = Place(canonical, known.depth)
            return ItemSkipped(gettext("The page is a copy of {url}").format(url=canonical), (target, *found))
        if page.is_index:
            return ItemSkipped(gettext("The page only lists other pages."), found)
        items: list[Document | Failure] = [self._pictures.given_to(item) for item in _documents(page, known.key)]
        return Read(items, found, is_partial=self._pictures.is_partial)

    def _is_copy(self, canonical: str, key: str) -> bool:
        """Return whether a page declares another page of the site to be its original. The home page does not count,
        since some sites declare it on every page.
        """
        is_other = bool(canonical) and not is_page_of_key(canonical.rstrip("/"), key.rstrip("/"))
        return is_other and self._scope.holds(canonical) and urlsplit(canonical).path not in ("", "/")

    def _found(self, page: Page, depth: int) -> tuple[Place, ...]:
        if self.is_complete or depth >= self._depth or not page.is_followed:
            return ()
        urls = dict.fromkeys(self._scope.at_home(url) for url in page.links)
        return tuple(Place(url, depth + 1) for url in urls if self._scope.holds(url) and self._is_new(url))

    def _is_new(self, url: str) -> bool:
        """Return whether an address is worth fetching, rather than one of endlessly many similar ones."""
        if not self._alike:
            for key in SourceItem.objects.filter(source_id=self.origin.source_id).values_list("key", flat=True):
                self._alike.setdefault(shape(key)[0], set()).add(key)
        alike, most = shape(url)
        known = self._alike.setdefault(alike, set())
        if alike and url not in known and len(known) >= most:
            return False
        known.add(url)
        return True


def _page(answer: Answer) -> Page:
    """Return a page, including its boilerplate."""
    text = decode(answer.body[:MAX_HTML_BYTES], answer.headers.get("content-type", ""))
    return read_page(text, one_spelling(answer.url), Frame())


def _busy(answer: Answer) -> str:
    return gettext("The site is busy ({status}).").format(status=answer.status)


def _forbidden() -> str:
    return gettext("The site's robots.txt does not allow this page to be read.")


def name_of(url: str) -> str:
    """Return the id of a page's article: its address without the scheme, shortened if it is too long for an id."""
    name = url.partition("://")[2].rstrip("/")
    if len(name) <= MAX_EXTERNAL_ID_CHARACTERS:
        return name
    return f"{name[: MAX_EXTERNAL_ID_CHARACTERS - 17]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _documents(page: Page, key: str) -> Iterator[Document]:
    facts = {"title": page.title} if page.title else {}
    document = document_of(facts, page.body, name_of(key))
    yield replace(document, origin=key, url=_own_address(key), locale=_locale(page.locale))


def _own_address(url: str) -> str:
    return url if len(url) <= MAX_URL_CHARACTERS else ""


def _locale(language_tag: str) -> str | None:
    try:
        return check_locale(language_tag) if language_tag else None
    except InvalidDocument:
        return None


def _is_html(answer: Answer) -> bool:
    if answer.content_type:
        return answer.content_type in ("text/html", "application/xhtml+xml")
    return answer.body[:1_000].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _is_noindex(header: str) -> bool:
    return bool({word.strip() for word in header.lower().split(",")} & {"noindex", "none"})


def _refused(status: int) -> str:
    if status in (401, 403):
        return gettext("The site refused access ({status}): it requires a login or blocks automated readers.").format(
            status=status
        )
    return gettext("The site returned {status}.").format(status=status)
