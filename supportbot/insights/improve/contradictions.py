"""Finds live articles that contradict each other: two sentences about the same thing with different figures.

If each of two sentences names something that the other does not ("to Austria", "to Switzerland"), they are about
different things. Code blocks are ignored.

This rule was measured on sentences that share three fifths of their stems. In the 62 articles of examples/knowledge
(483 sentences with figures and no contradictions), it removes 1 of 2 wrong pairs; in a help centre of 414 articles, 6
of 20 pairs. With and without it, the same 17 false statements in examples/evaluation/twins.jsonl are found. With the
slightly higher share `ALIKE`, no wrong pair is left in the 62 articles, and the 17 statements are still found; with a
share of .65, 16 are found, and with .7, 14.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from django.db.models import Count, Max, QuerySet

from kb.models import Article, Audience, State
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotFound
from supportbot.insights.models import Handled
from supportbot.language.detection import base_language
from supportbot.language.figure_vocabulary import units_of
from supportbot.language.figures import Figure, figures_read_in, without_figures
from supportbot.language.sentences import sentences_of
from supportbot.language.words import content_stems

KIND: Final = "contradicting"
MOST_ARTICLES: Final = 400
MOST: Final = 50
ALIKE: Final = 0.62  # minimum share of stems, without figures, that both sentences have
LEAST_STEMS: Final = 3
CODE: Final = "```"
FEW_ARTICLES: Final = 100  # number of articles that can be compared within about a second
MOST_KNOWN: Final = 50  # number of workspaces whose pairs a process caches
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence with figures in a live article, and its topic."""

    article: UUID
    title: str
    text: str
    stems: frozenset[str]
    names: frozenset[str]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sentences that cannot both be true; `subject` identifies the pair until one of them changes."""

    subject: UUID
    one: Statement
    other: Statement


# by workspace: the articles' fingerprint and their pairs
_known: dict[UUID, tuple[tuple[Any, ...], list[Contradiction]]] = {}


def contradictions() -> list[Contradiction]:
    """Return pairs of sentences from different live articles that nobody has dismissed, most similar first."""
    handled = set(Handled.objects.filter(kind=KIND).values_list("subject", flat=True))
    return [pair for pair in _found() if pair.subject not in handled][:MOST]


def contradiction_with(subject: UUID) -> Contradiction:
    """Return the pair with this `subject`. Raises NotFound if it has been dealt with or if one of its sentences has
    changed.
    """
    found = next((pair for pair in contradictions() if pair.subject == subject), None)
    if found is None:
        raise NotFound()
    return found


def contradictions_if_quick() -> list[Contradiction] | None:
    """Return the result of `contradictions`, or None if this process would first have to compare many articles, which
    takes seconds.
    """
    is_quick = _is_known(_articles()) or _articles().count() <= FEW_ARTICLES
    return contradictions() if is_quick else None


def _articles() -> QuerySet[Article]:
    rows: QuerySet[Article] = Article.objects.filter(state=State.LIVE).exclude(audience=Audience.INTERNAL)
    return rows


def _mark(articles: QuerySet[Article]) -> tuple[Any, ...]:
    """Return a fingerprint that changes with every change to the articles."""
    return tuple(articles.aggregate(number=Count("pk"), newest=Max("updated_at")).values())


def _is_known(articles: QuerySet[Article]) -> bool:
    held = _known.get(current_workspace_id())
    return held is not None and held[0] == _mark(articles)


def _found() -> list[Contradiction]:
    """Return all pairs. Each process compares the articles again after a change."""
    articles, workspace_id = _articles(), current_workspace_id()
    mark, held = _mark(articles), _known.get(workspace_id)
    if held is not None and held[0] == mark:
        return held[1]
    by_language: defaultdict[str, list[Statement]] = defaultdict(list)
    for article in articles.select_related("live_revision").order_by("pk")[:MOST_ARTICLES]:
        by_language[base_language(article.locale)] += _statements(article)
    found = [pair for statements in by_language.values() for pair in pairs(statements)]
    while len(_known) >= MOST_KNOWN:
        _known.pop(next(iter(_known)), None)
    _known[workspace_id] = (mark, found)
    return found


def _statements(article: Article) -> Iterator[Statement]:
    live, language = article.live_revision, base_language(article.locale)
    for sentence in sentences_of(live.body) if live else ():
        text = " ".join(sentence.split())
        if not text.startswith(CODE) and (figures := figures_read_in(text, language)):
            stems = frozenset(content_stems(without_figures(text), language))
            if len(stems) >= LEAST_STEMS:
                yield Statement(article.pk, live.title if live else "", text, stems, _names_in(text, language), figures)


def _names_in(text: str, language: str) -> frozenset[str]:
    """Return the capitalised words after the first word, without units: names and, in German, all nouns."""
    capitalised = [word for word in _WORD.findall(text)[1:] if word[:1].isupper() and not word.isupper()]
    return frozenset(name for word in capitalised if not units_of(name := word.casefold(), language))


def pairs(statements: Sequence[Statement]) -> Iterator[Contradiction]:
    """Yield pairs of statements from different articles that say nearly the same but have different figures with the
    same unit.
    """
    by_stem: defaultdict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(statements):
        near = {other for stem in one.stems for other in by_stem[stem]}
        for other in sorted(near):
            if is_contradiction(statements[other], one):
                key = "\0".join(sorted((statements[other].text, one.text)))
                yield Contradiction(uuid5(NAMESPACE_OID, key), statements[other], one)
        for stem in one.stems:
            by_stem[stem].append(place)


def is_contradiction(one: Statement, other: Statement) -> bool:
    """Return whether two statements are from different articles, agree in their words and disagree in a figure."""
    if one.article == other.article:
        return False
    if one.names - other.names and other.names - one.names:
        return False
    shared = len(one.stems & other.stems) / len(one.stems | other.stems)
    return shared >= ALIKE and differs(one.figures, other.figures)


def differs(ours: Sequence[Figure], theirs: Sequence[Figure]) -> bool:
    """Return whether both sides have figures with the same unit but different values."""
    return bool(differing(ours, theirs))


def differing(ours: Sequence[Figure], theirs: Sequence[Figure]) -> list[Figure]:
    """Return our figures that have a different value, with the same unit, on the other side."""
    lost, new = without(ours, theirs), without(theirs, ours)
    return [one for one in lost if any(_units(one) & _units(other) for other in new)]


def corresponding(ours: Sequence[Figure], theirs: Sequence[Figure]) -> list[tuple[Figure, Figure]]:
    """Return our differing figures in order, each with the other side's figure that has the same unit. Return [] if a
    differing figure on either side has no counterpart.
    """
    wrong, left = differing(ours, theirs), differing(theirs, ours)
    found = []
    for one in wrong:
        other = next((other for other in left if _units(one) & _units(other)), None)
        if other is None:
            return []
        left.remove(other)
        found.append((one, other))
    return [] if left else found


def without(figures: Sequence[Figure], others: Sequence[Figure]) -> list[Figure]:
    """Return those figures that equal none of the others."""
    return [one for one in figures if not any(one.readings & other.readings for other in others)]


def _units(figure: Figure) -> set[str]:
    return {unit for unit, _ in figure.readings if unit}
