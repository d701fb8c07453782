"""The pictures of a site's pages, including those from other hosts: fetched once, and again only if they have changed.

If a picture cannot be fetched for now, the stored one is kept and the page counts as partial, so that the next run
tries again. The text is always read.
"""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urldefrag, urljoin, urlsplit

from django.db.models import QuerySet
from django.utils.translation import gettext

from kb.importing.confinement import reason_in_words
from kb.importing.parsed_document import Document
from kb.importing.pictures import PicturesTaken
from kb.models import Picture
from kb.pictures import as_drawn, drawn_from
from kb.sources.errors import Unreadable
from kb.sources.models import SourcePicture
from kb.sources.ports import Origin
from kb.sources.web.client import Answer, Client
from kb.sources.web.urls import MAX_CHARACTERS
from supportbot.accounts.stored_pictures import StoredPicture, digest_of
from supportbot.errors import InvalidInput

SECONDS_PER_PAGE: Final = 120
LEAST_UNDESCRIBED: Final = 100  # pixels per side: smaller ones without a description are decorations
_ACCEPTED: Final = {"Accept": "image/webp,image/png,image/jpeg,image/gif;q=0.9"}


class _RefusedForNow(InvalidInput):
    """The picture cannot be stored now, but the next run may get it."""


class SitePictures:
    """The pictures of the page that is being read; each address is requested once per time slice."""

    def __init__(self, origin: Origin, client_for: Callable[[str], Client], why_not: Callable[[str], str]) -> None:
        self._origin, self._client_for, self._why_not = origin, client_for, why_not
        self._found: dict[str, StoredPicture | InvalidInput] = {}
        self._failed_for_now: set[str] = set()
        self._decorations: dict[str, bool] = {}
        self._taken: PicturesTaken | None = None
        self._ends_at = 0.0
        self.is_partial = False

    def begin_page(self) -> None:
        self._taken, self.is_partial = None, False
        self._ends_at = time.monotonic() + SECONDS_PER_PAGE

    def of_page(self, base: str) -> PicturesTaken:
        """Return an object that takes the pictures of a page whose relative addresses are resolved against `base`."""
        self._taken = PicturesTaken(
            self._picture,
            name_of=lambda reference: self._name(reference, base),
            least_undescribed=LEAST_UNDESCRIBED,
            is_decoration=self._is_decoration,
        )
        return self._taken

    def given_to(self, document: Document) -> Document:
        return document if self._taken is None else self._taken.given_to(document)

    def _name(self, reference: str, base: str) -> str:
        """Return the full address of a picture; "" for one that is not on the web, or unknown in a dry run."""
        try:
            url = urldefrag(urljoin(base, reference)).url if reference else ""
            is_web = urlsplit(url).scheme in ("http", "https")
        except ValueError:
            return ""
        if not is_web or len(url) > MAX_CHARACTERS:
            return ""
        return "" if self._origin.is_check and self._stored(url) is None else url

    def _picture(self, url: str) -> StoredPicture:
        if url not in self._found:
            self._found[url] = self._found_at(url)
        self.is_partial = self.is_partial or url in self._failed_for_now
        found = self._found[url]
        if isinstance(found, InvalidInput):
            raise found
        return found

    def _found_at(self, url: str) -> StoredPicture | InvalidInput:
        known = self._stored(url)
        if known is not None and self._origin.is_check:
            return known[1]
        try:
            return self._fetched(url, known)
        except _RefusedForNow as refusal:
            self._failed_for_now.add(url)
            return refusal if known is None else known[1]
        except InvalidInput as refusal:
            return refusal

    def _is_decoration(self, url: str) -> bool:
        """Return whether a picture was too small when it was fetched last, and has not changed since."""
        if url not in self._decorations:
            self._decorations[url] = url not in self._found and self._is_still_small(url)
        return self._decorations[url]

    def _is_still_small(self, url: str) -> bool:
        row = self._rows(url).filter(is_small=True).first()
        if row is None or self._origin.is_check:
            return row is not None
        try:
            answer = self._answer(url, row)
            if answer.status == 304 or digest_of(answer.body) == row.file_digest:
                return True
            self._found[url] = self._drawn(url, answer)
        except InvalidInput:  # no newer picture is available
            return True
        return False

    def _fetched(self, url: str, known: tuple[SourcePicture, StoredPicture] | None) -> StoredPicture:
        if urlsplit(url).path.lower().endswith(".svg"):
            raise _refusal(reason_in_words("picture_svg", {}))
        answer = self._answer(url, known[0] if known else None)
        return known[1] if answer.status == 304 and known is not None else self._drawn(url, answer)

    def _drawn(self, url: str, answer: Answer) -> StoredPicture:
        """Return the picture in a response, and store the headers for the next conditional request."""
        drawn = drawn_from(answer.body)
        facts = {
            "etag": answer.headers.get("etag", "")[:300],
            "last_modified": answer.headers.get("last-modified", "")[:100],
            "digest": drawn.digest,
            "file_digest": drawn.file_digest,
            "is_small": min(drawn.width, drawn.height) < LEAST_UNDESCRIBED,
        }
        SourcePicture.objects.update_or_create(source_id=self._origin.source_id, url=url, defaults=facts)
        return drawn

    def _answer(self, url: str, known: SourcePicture | None) -> Answer:
        if time.monotonic() > self._ends_at:
            raise _refused_for_now(gettext("Loading the page's pictures took too long. The next run will try again."))
        self._origin.still_working()
        given = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified} if known else {}
        try:
            if why := self._why_not(url):
                raise _refusal(why)
            answer = self._client_for(url).get(
                url, {**_ACCEPTED, **{name: value for name, value in given.items() if value}}
            )
        except Unreadable as error:
            raise _refused_for_now(error.message) from error
        if answer.status in (200, 304):
            return answer
        text = gettext("The site returned {status}.").format(status=answer.status)
        raise _refused_for_now(text) if answer.status in (429, *range(500, 600)) else _refusal(text)

    def _rows(self, url: str) -> QuerySet[SourcePicture]:
        return SourcePicture.objects.filter(source_id=self._origin.source_id, url=url)

    def _stored(self, url: str) -> tuple[SourcePicture, StoredPicture] | None:
        row = self._rows(url).first()
        picture = Picture.objects.filter(digest=row.digest).first() if row else None
        return None if row is None or picture is None else (row, as_drawn(picture))


def _refusal(why: str) -> InvalidInput:
    return InvalidInput(fields={"picture": [why]})


def _refused_for_now(why: str) -> InvalidInput:
    return _RefusedForNow(fields={"picture": [why]})
