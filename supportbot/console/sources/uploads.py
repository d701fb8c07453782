"""Files that were dropped on a page of a source."""

from collections.abc import Iterator

from django.http import HttpRequest

from kb.sources.services import MAX_FILE_BYTES

MOST_FILES = 100  # in one request; a zip file may contain more


def uploaded(request: HttpRequest) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content); of each file, no more is read than a source's limit."""
    paths = request.POST.getlist("path")
    for place, file in enumerate(request.FILES.getlist("files")[:MOST_FILES]):
        path = paths[place] if place < len(paths) else file.name or ""
        yield path, file.read(MAX_FILE_BYTES + 1)
