"""The articles as they were before a change, as copies beside them.

A trial hides the changed articles and finds the copies, which are rolled back: no article is changed or locked, so
whoever saves one waits for no search.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Final

from kb.documents import ArticleText
from kb.indexing.recipes import active_recipe
from kb.models import Article, Phrasing, Revision
from kb.models import State as ArticleState
from kb.phrasings import phrasing_vectors, phrasings_of
from kb.revisions import add_revisions, publish_articles
from supportbot.evals.articles.rehearsal import Asked, State, Vectors, fill_vectors, vectors_of
from supportbot.ids import uuid7
from supportbot.language.detection import base_language
from supportbot.language.words import content_stems

MOST: Final = 60  # articles; the others stay as they are now
SECONDS: Final = 60.0  # for vectors; what has none by then is found by its words
MARGIN: Final = timedelta(minutes=1)  # between the clocks of the machines


@dataclass(frozen=True, slots=True)
class Former:
    """What an article was: its text, None if nobody could read it, and its phrasings."""

    article: Article
    wording: ArticleText | None
    phrasings: tuple[str, ...]


def former_state(articles: Sequence[Article], since: datetime, asked: Sequence[Asked]) -> State:
    """Return the state before these articles changed, for these questions.

    Of more than `MOST` articles, those are put back that share the most words with a question.
    """
    former = _nearest([_former(article, since - MARGIN) for article in articles], asked)
    ends = perf_counter() + SECONDS
    vectors: dict[str, Sequence[float]] = {}
    for one in former:
        if one.wording is not None and perf_counter() < ends:
            vectors |= vectors_of(one.wording)
    said = phrasing_vectors(text for one in former for text in one.phrasings)
    copied = {uuid7().hex: one for one in former if one.wording is not None}
    names = {name: one.article.external_id for name, one in copied.items()}
    hidden = frozenset(one.article.pk for one in former)
    return State(partial(_copy, copied, vectors, said), hidden, names)


def _former(article: Article, since: datetime) -> Former:
    is_text_older = article.published_at is not None and article.published_at < since
    revision = article.live_revision if is_text_older else _former_revision(article)
    wording = ArticleText(revision.title, revision.body) if revision else None
    is_changed = article.phrasings_at is not None and article.phrasings_at >= since
    phrasings = article.former_phrasings or () if is_changed else phrasings_of(article)
    return Former(article, wording, tuple(phrasings))


def _former_revision(article: Article) -> Revision | None:
    if article.state == ArticleState.ARCHIVED:
        return article.live_revision
    live = article.live_revision
    earlier = [number for number in article.published_revisions if live is not None and number < live.number]
    return Revision.objects.filter(article=article, number=max(earlier)).first() if earlier else None


def _nearest(former: Sequence[Former], asked: Sequence[Asked]) -> Sequence[Former]:
    if len(former) <= MOST:
        return former
    wanted = [content_stems(one.question, base_language(one.locale)) for one in asked]

    def shared(one: Former) -> int:
        live = one.article.live_revision
        said = "\n".join(text.title + text.body for text in (one.wording, live) if text)
        words = content_stems("\n".join((said, *one.phrasings)), base_language(one.article.locale))
        return max((len(words & some) for some in wanted), default=0)

    return sorted(former, key=lambda one: -shared(one))[:MOST]


def _copy(copied: Mapping[str, Former], vectors: Vectors, said: Vectors) -> None:
    copies = {name: _copy_of(one.article, name) for name, one in copied.items()}
    Article.objects.bulk_create(copies.values())
    add_revisions([(copies[name], one.wording) for name, one in copied.items() if one.wording])
    publish_articles(list(copies.values()))
    fill_vectors(vectors)
    recipe = active_recipe()
    rows = [
        Phrasing(article=copies[name], text=text, embedding=list(said[text]) if text in said else None, recipe=recipe)
        for name, one in copied.items()
        for text in one.phrasings
    ]
    Phrasing.objects.bulk_create(rows)


def _copy_of(article: Article, name: str) -> Article:
    kept = ("collection_id", "locale", "audience", "category", "url", "on_help_pages", "for_assistant")
    return Article(external_id=name, **{field: getattr(article, field) for field in kept})
