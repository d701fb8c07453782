"""Files dropped on the page of a source."""

from collections.abc import Iterator

from django.http import HttpRequest

from kb.sources.services import MAX_FILE_BYTES

MOST_FILES = 100  # files in one request; a zip file may contain more


def uploaded(request: HttpRequest) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content); files are read only up to the size limit of a source."""
    paths = request.POST.getlist("path")
    for place, file in enumerate(request.FILES.getlist("files")[:MOST_FILES]):
        path = paths[place] if place < len(paths) else file.name or ""
        yield path, file.read(MAX_FILE_BYTES + 1)
