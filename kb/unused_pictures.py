"""Deletes pictures that nobody uses: uploaded, and never saved in a text.

A picture in any revision stays, since every revision can be restored, and so does one in a text that a person has typed
and not saved. What is kept in a browser alone is not known here: that is what the days are for.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from kb.models import Picture, PictureUse, Revision, Unsaved
from kb.pictures import digests_in

UNUSED_DAYS: Final = 30
AT_ONCE: Final = 500  # the rest has its turn the next day
_DIGEST: Final = r"(?=([0-9a-f]{40}))"  # at each place, since other hexadecimal digits may be before it


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
        # `note_uses` and a new upload of the same picture lock it, too: what they did is seen once it is locked here.
        found = Picture.objects.filter(pk__in=chosen)
        locked = list(found.select_for_update(skip_locked=True).values_list("pk", flat=True))
        still_unused = list(unused.filter(pk__in=locked).values_list("pk", flat=True))
        Picture.objects.filter(pk__in=still_unused).delete()
    return len(still_unused)


def _named_in_texts() -> Iterator[str]:
    """Yield the pictures that a text names; a text may be older than its picture, and then has no `PictureUse`."""
    revisions = Revision.objects.filter(body__contains="/pictures/").order_by().values_list("body", flat=True)
    for body in revisions.iterator(chunk_size=50):
        yield from digests_in(body)
    for values in Unsaved.objects.values_list("values", flat=True).iterator(chunk_size=50):
        yield from re.findall(_DIGEST, str(values))
