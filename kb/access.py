"""The rules about who may read which article and who may write to which collection. Search, the pages and the API use
them.

The workspace does not come from the viewer: every query already runs inside `workspace_scope`. The rule for reading
exists three times: as a predicate on an object, as a queryset, and as an SQL condition for searches; tests check that
they agree.

Everyone who may write articles may write to a collection until it has named writers. From then on, only these people
and the workspace's admins may; an API key that does not act as a person may not. The right belongs to the collection,
never to single articles. The rows of permissions are queried instead of calling `has_perm`, which is true for every
superuser.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext

from kb.models import (
    WRITE,
    Article,
    Audience,
    Collection,
    CollectionGroupPermission,
    CollectionUserPermission,
    State,
)
from supportbot.accounts.models import Membership, User
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotAllowed

# Audiences from the widest to the narrowest: each may read its own articles and those of the audiences before it.
_ORDER = (Audience.PUBLIC, Audience.SIGNED_IN, Audience.INTERNAL)


class Surface(StrEnum):
    """The places where articles are read; each has a switch on the article."""

    ASSISTANT = "assistant"
    HELP_PAGES = "help_pages"
    HELP_ANSWER = "help_answer"  # the assistant's answer on a help page
    ALL = "all"  # regardless of the switches, for editors


_SWITCHES: Final[dict[Surface, tuple[str, ...]]] = {
    Surface.ASSISTANT: ("for_assistant",),
    Surface.HELP_PAGES: ("on_help_pages",),
    Surface.HELP_ANSWER: ("for_assistant", "on_help_pages"),
    Surface.ALL: (),
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """A reader: `audience` and `surface` are rights, `locale` only a preference (other languages stay reachable)."""

    audience: str = Audience.PUBLIC
    locale: str | None = None
    surface: Surface = Surface.ASSISTANT
    without: frozenset[UUID] = frozenset()  # articles to leave out while a change is tried out

    def __post_init__(self) -> None:
        if self.audience not in _ORDER:
            raise ValueError(f"unknown audience {self.audience!r}; it is one of {', '.join(_ORDER)}")

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences whose articles this viewer may read."""
        return tuple(str(audience) for audience in _ORDER[: _ORDER.index(Audience(self.audience)) + 1])


def may_read(viewer: Viewer, article: Article) -> bool:
    is_on = all(getattr(article, switch) for switch in _SWITCHES[viewer.surface])
    is_here = article.state == State.LIVE and article.pk not in viewer.without
    return is_here and article.audience in viewer.audiences and is_on


def is_wider(audience: str, than: str) -> bool:
    """Return whether `audience` includes more people than `than`."""
    return _ORDER.index(Audience(audience)) < _ORDER.index(Audience(than))


def condition_on_articles(workspace_id: UUID, viewer: Viewer) -> tuple[str, list[Any]]:
    """Return the rule of `readable` as an SQL condition on the article aliased `a`, with its parameters."""
    condition = "a.workspace_id = %s AND a.state = 'live' AND a.audience = ANY(%s)"
    condition += "".join(f" AND a.{switch}" for switch in _SWITCHES[viewer.surface])
    if not viewer.without:
        return condition, [workspace_id, list(viewer.audiences)]
    return f"{condition} AND a.id <> ALL(%s)", [workspace_id, list(viewer.audiences), list(viewer.without)]


def readable(viewer: Viewer) -> QuerySet[Article]:
    """Return the articles of this workspace that the viewer may read."""
    switched_on = dict.fromkeys(_SWITCHES[viewer.surface], True)
    rows: QuerySet[Article] = Article.objects.filter(state=State.LIVE, audience__in=viewer.audiences, **switched_on)
    return rows.exclude(pk__in=viewer.without) if viewer.without else rows


def check_may_write(person: User | None, *collections: Collection | None) -> None:
    """Raise NotAllowed, naming the collection, unless the person may write to all `collections`; `None` entries are
    skipped.
    """
    closed = restricted_collections(person)
    for collection in collections:
        if collection is not None and collection.pk in closed:
            raise NotAllowed(
                gettext("Only selected writers may write to the collection {name}.").format(name=collection.name)
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


def _is_admin(person: User) -> bool:
    here = Membership.objects.filter(user=person, workspace_id=current_workspace_id(), user__is_active=True)
    return here.filter(role=Membership.Role.ADMIN).exists()
