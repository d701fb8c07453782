"""Collections of articles: finding them by name, and their named writers. `kb.access` says who may write to one."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Lower
from django.utils.text import slugify

from kb.errors import CollectionMissing
from kb.models import WRITE, Collection, CollectionUserPermission
from kb.validation import check_name
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.translation import in_all_languages, msgid, text_in

_DEFAULT_NAME = msgid("General")


def default_collection() -> Collection | None:
    """Return the collection for articles that do not specify one; None if it does not exist yet. It keeps its name if
    the workspace's language changes.

    If several collections have the default name in some language, the one with the English name is returned, since
    older versions always used it, or else the one with the name in the workspace's language. Any other collection with
    such a name may have been created for other articles and writers.
    """
    names = {name.lower() for name in in_all_languages(_DEFAULT_NAME)}
    rank = Case(
        When(lower=_DEFAULT_NAME.lower(), then=Value(0)),
        When(lower=_default_name_here().lower(), then=Value(1)),
        default=Value(2),
    )
    return Collection.objects.annotate(lower=Lower("name")).filter(lower__in=names).order_by(rank, "id").first()


def default_name() -> str:
    """Return the name of the default collection or, if it does not exist yet, the name that it will get in the
    workspace's language.
    """
    found = default_collection()
    return found.name if found else _default_name_here()


def _default_name_here() -> str:
    return text_in(Workspace.objects.get(pk=current_workspace_id()).locale, _DEFAULT_NAME)


def collection_named(name: str) -> Collection:
    """Return the collection with this name, created if needed. Raises InvalidDocument for an invalid name."""
    return get_or_create_collection(name)[0]


def collection_with_id(collection_id: UUID) -> Collection:
    """Return a collection; raises CollectionMissing, which names the field, since the id comes from input."""
    collection = Collection.objects.filter(pk=collection_id).first()
    if collection is None:
        raise CollectionMissing(fields={"collection": [CollectionMissing.default_message]})
    return collection


def get_or_create_collection(name: str) -> tuple[Collection, bool]:
    """Return the collection with this name, and whether it was just created. Raises InvalidDocument."""
    name = check_name(name)
    found = Collection.objects.filter(name__iexact=name).order_by("id").first()
    return (found, False) if found else _create(name)


def _create(name: str) -> tuple[Collection, bool]:
    slug = slugify(name, allow_unicode=True)[:70] or "collection"
    if Collection.objects.filter(slug=slug).exclude(name=name).exists():
        # "C" and "C++" have the same slug, so the second name gets a suffix, which is always the same for this name.
        slug = f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    made: tuple[Collection, bool] = Collection.objects.get_or_create(slug=slug, defaults={"name": name})
    return made


def writers_of(collection: Collection) -> list[User]:
    """Return a collection's named writers, sorted by user name. If there are none, everyone who may write articles may
    write to it.
    """
    rows = CollectionUserPermission.objects.filter(content_object=collection, permission__codename=WRITE)
    return list(User.objects.filter(pk__in=rows.values("user")).order_by("username"))


@transaction.atomic
def set_writers(collection: Collection, people: Iterable[User]) -> None:
    """Set who, besides the admins, may write to a collection; an empty set opens it to everyone again."""
    from guardian.shortcuts import (  # imports models, so only after the apps are ready
        assign_perm,
        remove_perm,
    )

    wanted, present = set(people), set(writers_of(collection))
    for person in wanted - present:
        assign_perm(f"kb.{WRITE}", person, collection)
    for person in present - wanted:
        remove_perm(f"kb.{WRITE}", person, collection)
