"""Pictures in articles: re-encoded, and served from an address that contains the hash of their content.

A picture is shown to readers who may read an article with it on the help pages, and to the workspace's team, who use it
in texts before they are saved.

A picture that was uploaded but is not in any text is deleted after some days. Pictures in any revision are kept, since
every revision can be restored, and so are pictures in unsaved text. Texts kept only in a browser are unknown here, so
pictures are not deleted immediately.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.timezone import now
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from kb.access import Surface, Viewer, readable
from kb.importing.picture_reencoding import reencoded
from kb.models import Article, Picture, PictureUse, Revision, Unsaved
from kb.rendering import PICTURE
from supportbot.accounts.models import Membership, Workspace
from supportbot.accounts.scope import current_workspace_id, workspace_scope
from supportbot.accounts.stored_pictures import ENDINGS, StoredPicture, digest_of
from supportbot.errors import InvalidInput

MAX_PICTURES: Final = 10_000
UNUSED_DAYS: Final = 30
RENEWED_AFTER: Final = timedelta(days=1)  # far below UNUSED_DAYS; saves most uploads a row lock
AT_ONCE: Final = 500  # unused pictures deleted in one run; the others are deleted the next day
_POLICY: Final = "default-src 'none'; sandbox"
_DIGEST: Final = r"(?=([0-9a-f]{40}))"  # a lookahead, since other hexadecimal digits may precede the digest


def add_picture(data: bytes) -> Picture:
    """Re-encode and store the picture in a file; the same picture is stored only once. Raises InvalidInput."""
    return store(drawn_from(data))


def drawn_from(data: bytes) -> StoredPicture:
    """Return the picture in a file, re-encoded; a known or exported file is not decoded again.

    Raises InvalidInput.
    """
    digest = digest_of(data)
    known = Picture.objects.filter(Q(file_digest=digest) | Q(digest=digest)).order_by("pk").first()
    return reencoded(data) if known is None else as_drawn(known)


def as_drawn(stored: Picture) -> StoredPicture:
    return StoredPicture(bytes(stored.content), stored.media_type, stored.width, stored.height, stored.file_digest)


def store(drawn: StoredPicture) -> Picture:
    """Store a re-encoded picture; the same picture is stored only once. Raises InvalidInput if there are too many."""
    known = Picture.objects.filter(digest=drawn.digest)
    # Each upload restarts the waiting time of an unused picture (`delete_unused_pictures`).
    known.filter(created_at__lt=now() - RENEWED_AFTER).update(created_at=now())
    found: Picture | None = known.defer("content").first()
    if found is not None:
        return found
    if Picture.objects.count() >= MAX_PICTURES:
        problem = gettext("There are {number} pictures already, which is the limit.").format(number=MAX_PICTURES)
        raise InvalidInput(fields={"picture": [problem]})
    facts = {name: getattr(drawn, name) for name in ("content", "media_type", "width", "height", "file_digest")}
    made: Picture = Picture.objects.get_or_create(digest=drawn.digest, defaults=facts)[0]
    return made


def address_of(picture: StoredPicture | Picture) -> str:
    """Return the address of a stored picture, or the one that a re-encoded picture will have once it is stored."""
    slug = Workspace.objects.get(pk=current_workspace_id()).slug
    return f"/help/{slug}/pictures/{file_name(picture)}"


def file_name(picture: StoredPicture | Picture) -> str:
    return f"{picture.digest}.{ENDINGS[picture.media_type]}"


def note_uses(texts: Iterable[tuple[Article, str]]) -> None:
    """Record which articles have which pictures in their texts."""
    wanted = {(article.pk, digest) for article, body in texts for digest in digests_in(body)}
    if not wanted:
        return
    known = _kept({digest for _, digest in wanted})
    rows = [PictureUse(article_id=pk, picture_id=known[digest]) for pk, digest in sorted(wanted) if digest in known]
    PictureUse.objects.bulk_create(rows, ignore_conflicts=True)


def _kept(digests: Collection[str]) -> dict[str, UUID]:
    """Return the ids of stored pictures, by digest. The sweep of unused pictures cannot delete them before this
    transaction ends.
    """
    with connection.cursor() as cursor:
        # Django has no FOR KEY SHARE. This lock blocks a deletion, but no new upload of the picture or its use in an
        # article.
        cursor.execute(
            "SELECT digest, id FROM kb_picture WHERE workspace_id = %s AND digest = ANY(%s) ORDER BY id FOR KEY SHARE",
            [current_workspace_id(), list(digests)],
        )
        return dict(cursor.fetchall())


def digests_in(body: str) -> set[str]:
    """Return the digests of the pictures in the text."""
    return {match.group(1) for match in re.finditer(PICTURE, body)}


@require_safe
def help_picture(request: HttpRequest, workspace: str, digest: str, ending: str) -> HttpResponse:
    """One picture; 404 for readers who may not read any article that shows it."""
    found = Workspace.objects.filter(slug=workspace).first()
    if found is None:
        raise Http404
    with workspace_scope(found.pk):
        picture = Picture.objects.filter(digest=digest).defer("content").first()
        if picture is None or ENDINGS[picture.media_type] != ending:
            raise Http404
        if not (_is_public(picture) or _is_of_the_team(request, found)):
            raise Http404
    response = HttpResponse(bytes(picture.content), content_type=picture.media_type)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, max-age=300"
    return response


def _is_public(picture: Picture) -> bool:
    """Return whether the picture is in text that the public may read; drafts do not count."""
    uses = PictureUse.objects.filter(picture=picture).values("article")
    articles = readable(Viewer(surface=Surface.HELP_PAGES)).filter(pk__in=uses)
    return any(
        article.revisions.filter(number__in=article.published_revisions, body__contains=picture.digest).exists()
        for article in articles.only("published_revisions")
    )


def _is_of_the_team(request: HttpRequest, workspace: Workspace) -> bool:
    user = request.user
    return user.is_authenticated and Membership.objects.filter(user=user, workspace=workspace).exists()


def delete_unused_pictures() -> int:
    """Delete the workspace's pictures that no text has used for some days; return how many."""
    old = Picture.objects.filter(created_at__lt=now() - timedelta(days=UNUSED_DAYS))
    unused = old.exclude(pk__in=PictureUse.objects.values("picture")).order_by("created_at", "pk")
    candidates = dict(unused.values_list("digest", "pk"))
    if not candidates:
        return 0
    for digest in _named_in_texts():
        candidates.pop(digest, None)
    chosen = list(candidates.values())[:AT_ONCE]
    with transaction.atomic():
        # `note_uses` and a new upload of the same picture also lock it, so once it is locked here, their changes are
        # visible.
        found = Picture.objects.filter(pk__in=chosen)
        locked = list(found.select_for_update(skip_locked=True).values_list("pk", flat=True))
        still_unused = list(unused.filter(pk__in=locked).values_list("pk", flat=True))
        Picture.objects.filter(pk__in=still_unused).delete()
    return len(still_unused)


def _named_in_texts() -> Iterator[str]:
    """Yield the pictures that texts refer to; a text that is older than its picture has no `PictureUse`."""
    revisions = Revision.objects.filter(body__contains="/pictures/").order_by().values_list("body", flat=True)
    for body in revisions.iterator(chunk_size=50):
        yield from digests_in(body)
    for values in Unsaved.objects.values_list("values", flat=True).iterator(chunk_size=50):
        yield from re.findall(_DIGEST, str(values))


urls = [
    path(f"help/<slug:workspace>/pictures/<slug:digest>.{ending}", help_picture, {"ending": ending})
    for ending in ENDINGS.values()
]
