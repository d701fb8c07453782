"""Finding or making a collection by the name a person gives it."""

import hashlib

from django.utils.text import slugify

from kb.documents import check_name
from kb.models import Collection

DEFAULT_NAME = "General"


def default_collection() -> Collection | None:
    """Return where an article goes for which nobody names a place, if it was made already."""
    return Collection.objects.filter(name__iexact=DEFAULT_NAME).order_by("id").first()


def collection_named(name: str) -> Collection:
    """Return the collection of that name, made if there is none. Raises InvalidDocument for an unusable name."""
    return found_or_made(name)[0]


def found_or_made(name: str) -> tuple[Collection, bool]:
    """Return the collection of that name, and whether it was made just now. Raises InvalidDocument."""
    name = check_name(name)
    found = Collection.objects.filter(name__iexact=name).order_by("id").first()
    return (found, False) if found else _made(name)


def _made(name: str) -> tuple[Collection, bool]:
    slug = slugify(name, allow_unicode=True)[:70] or "collection"
    if Collection.objects.filter(slug=slug).exclude(name=name).exists():
        # "C" and "C++" have the same slug; the second gets one of its own, the same each time.
        slug = f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    made: tuple[Collection, bool] = Collection.objects.get_or_create(slug=slug, defaults={"name": name})
    return made
