"""Who may write in a collection: everybody who may write knowledge, until somebody is named for it.

From then on only the people named and the workspace's admins write there; a program whose key acts as nobody does not.
The right hangs on the collection, never on single articles. Rows are asked for, not `has_perm`: that one says yes to
every superuser.
"""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.text import slugify

from kb.documents import check_name
from kb.models import WRITE, Collection, CollectionGroupPermission, CollectionUserPermission
from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotAllowed

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


def check_may_write(person: User | None, *collections: Collection | None) -> None:
    """Raise NotAllowed, naming the collection, unless the person may write in all of them; None is nowhere."""
    closed = closed_to(person)
    for collection in collections:
        if collection is not None and collection.pk in closed:
            raise NotAllowed(f"Only the people named for the collection {collection.name} may write in it.")


def closed_to(person: User | None) -> frozenset[UUID]:
    """Return the ids of the scope's collections that have writers of their own, of whom the person is none."""
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
    """Return the people named for a collection, by user name; none means everybody who may write knowledge."""
    rows = CollectionUserPermission.objects.filter(content_object=collection, permission__codename=WRITE)
    return list(User.objects.filter(pk__in=rows.values("user")).order_by("username"))


@transaction.atomic
def name_writers(collection: Collection, people: Iterable[User]) -> None:
    """Let exactly these people write in a collection, besides the admins; nobody named opens it again."""
    from guardian.shortcuts import (  # asks for the models' tables: not before the apps are ready
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
