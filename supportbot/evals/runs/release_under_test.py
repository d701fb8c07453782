"""The release under test in a run or replay: the given one, or else the live one."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.utils.translation import gettext

from supportbot.errors import NotFound
from supportbot.evals.errors import ReleaseChangedMeanwhile
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, release_with_id, using


@contextmanager
def under(release_id: UUID | None, digest: str) -> Iterator[None]:
    """Use this release for answers within this block. Raises NoSuchRelease, and ReleaseChangedMeanwhile if its content
    has changed.
    """
    if release_id is None:
        yield
        return
    release = release_with_id(release_id)
    if not release.is_about(digest):
        raise ReleaseChangedMeanwhile()
    with using(release):
        yield


def given_or_live(release: Release | None) -> Release:
    """Return the release that answers: the given one, or else the live one."""
    return live_release() if release is None else release


def release_numbered(number: str) -> Release:
    """Return the release with this number. Raises NotFound."""
    found: Release | None = None
    if number.isdecimal():
        found = Release.objects.filter(number=int(number[:9])).first()
    if found is None:
        raise NotFound(gettext("There is no release {name}.").format(name=number))
    return found
