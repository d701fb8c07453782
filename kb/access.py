"""Who may read which article. Search, pages and API all use this one rule.

The viewer does not decide the workspace: every query already runs inside `workspace_scope`. The rule exists twice, as a
predicate on an object and as a queryset in SQL; a test checks that they agree.
"""

from dataclasses import dataclass

from django.db.models import QuerySet

from kb.models import Article, Audience, State

# From the widest to the narrowest: each audience may read its own articles and those before it.
_ORDER = (Audience.PUBLIC, Audience.SIGNED_IN, Audience.INTERNAL)


@dataclass(frozen=True, slots=True)
class Viewer:
    """A reader: `audience` is a right, `locale` only a preference (other languages stay reachable)."""

    audience: str = Audience.PUBLIC
    locale: str | None = None

    def __post_init__(self) -> None:
        if self.audience not in _ORDER:
            raise ValueError(f"unknown audience {self.audience!r}; it is one of {', '.join(_ORDER)}")

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences whose articles this viewer may read."""
        return tuple(str(audience) for audience in _ORDER[: _ORDER.index(Audience(self.audience)) + 1])


def may_read(viewer: Viewer, article: Article) -> bool:
    return article.state == State.LIVE and article.audience in viewer.audiences


def is_wider(audience: str, than: str) -> bool:
    """Return whether `audience` includes more people than `than`."""
    return _ORDER.index(Audience(audience)) < _ORDER.index(Audience(than))


def readable(viewer: Viewer) -> QuerySet[Article]:
    """Return the articles of this workspace that the viewer may read."""
    return Article.objects.filter(state=State.LIVE, audience__in=viewer.audiences)
