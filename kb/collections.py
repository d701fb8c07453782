"""Collections of articles: finding them by name, and who may write in them.

Everyone who may write articles may write in a collection until it has named writers. From then on, only these people
and the workspace's admins may; an API key that does not act as a person may not. The right belongs to the collection,
never to single articles. Rows are queried instead of calling `has_perm`, which is true for every superuser.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext

from kb.models import WRITE, Collection, CollectionGroupPermission, CollectionUserPermission
from kb.validation import check_name
from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotAllowed

DEFAULT_NAME = "General"


def default_collection() -> Collection | None:
    """Return the default collection, for articles without one, if it already exists."""
    return Collection.objects.filter(name__iexact=DEFAULT_NAME).order_by("id").first()


def collection_named(name: str) -> Collection:
    """Return the collection with this name, created if needed. Raises InvalidDocument for an invalid name."""
    return get_or_create_collection(name)[0]


def get_or_create_collection(name: str) -> tuple[Collection, bool]:
    """Return the collection with this name, and whether it was just created. Raises InvalidDocument."""
    name = check_name(name)
    found = Collection.objects.filter(name__iexact=name).order_by("id").first()
    return (found, False) if found else _create(name)


def _create(name: str) -> tuple[Collection, bool]:
    slug = slugify(name, allow_unicode=True)[:70] or "collection"
    if Collection.objects.filter(slug=slug).exclude(name=name).exists():
        # "C" and "C++" have the same slug, so the second name gets a suffix, which is always the same.
        slug = f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    made: tuple[Collection, bool] = Collection.objects.get_or_create(slug=slug, defaults={"name": name})
    return made


def check_may_write(person: User | None, *collections: Collection | None) -> None:
    """Raise NotAllowed, naming the collection, unless the person may write in all of them; None is skipped."""
    closed = restricted_collections(person)
    for collection in collections:
        if collection is not None and collection.pk in closed:
            raise NotAllowed(
                gettext("Only its selected writers may write in the collection {name}.").format(name=collection.name)
            )


def restricted_collections(person: User | None) -> frozenset[UUID]:
    """Return the ids of the workspace's collections with named writers that do not include the person."""
    if person is not None and _is_admin(person):
        return frozenset()
    named = CollectionUserPermission.objects.filter(content_object=OuterRef("pk"), permission__codename=WRITE)
    by_group = CollectionGroupPermission.objects.filter(content_object=OuterRef("pk"), permission__codename=WRITE)
    closed: QuerySet[Collection] = Collection.objects.filter(Q(Exists(named)) | Q(Exists(by_group)))
    if person is not None:
        own, groups = named.filter(user=person), by_group.filter(group__user=person)
        closed = closed.exclude(Q(Exists(own)) | Q(Exists(groups)))
    return frozenset(closed.order_by().values_list("pk", flat=True))


def writers_of(collection: Collection) -> list[User]:
    """Return a collection's named writers by user name; none means everyone who may write knowledge."""
    rows = CollectionUserPermission.objects.filter(content_object=collection, permission__codename=WRITE)
    return list(User.objects.filter(pk__in=rows.values("user")).order_by("username"))


@transaction.atomic
def set_writers(collection: Collection, people: Iterable[User]) -> None:
    """Set a collection's writers in addition to the admins; an empty set opens the collection to everyone again."""
    from guardian.shortcuts import (  # imports models, so only after the apps are ready
        assign_perm,
        remove_perm,
    )

    wanted, present = set(people), set(writers_of(collection))
    for person in wanted - present:
        assign_perm(f"kb.{WRITE}", person, collection)
    for person in present - wanted:
        remove_perm(f"kb.{WRITE}", person, collection)


def _is_admin(person: User) -> bool:
    here = Membership.objects.filter(user=person, workspace_id=current_workspace_id(), user__is_active=True)
    return here.filter(role=Membership.Role.ADMIN).exists()
