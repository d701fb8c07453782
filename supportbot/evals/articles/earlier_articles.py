"""Copies of articles as they were before a change.

During a trial, search finds the copies instead of the changed articles; the copies are then rolled back. No article is
changed or locked, so saving one never waits for a search.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from kb.indexing.recipes import active_recipe
from kb.models import Article, Phrasing, Revision
from kb.models import State as ArticleState
from kb.phrasings import phrasing_vectors, phrasings_by_article, phrasings_of
from kb.revisions import add_revisions, publish_articles
from kb.validation import ArticleText
from supportbot.evals.articles.answer_preview import PreviewQuestion, State, Vectors, fill_vectors, vectors_of
from supportbot.ids import uuid7
from supportbot.language.detection import base_language
from supportbot.language.words import content_stems

MOST: Final = 60  # maximum number of articles whose former text is restored; the others keep their current text
READ_AT_ONCE: Final = 50  # texts read at a time, because all texts of an import could fill the memory
SECONDS: Final = 60.0  # time limit for making vectors; texts that get none in time are found only by their words
MARGIN: Final = timedelta(minutes=1)  # allows for differences between the machines' clocks
READ_BY: Final = ("audience", "locale", "for_assistant")
Facts = Mapping[str, Any]  # in their stored form, as JSON


@dataclass(frozen=True, slots=True)
class FormerState:
    """An article's former state: its text (None if nobody could read it), phrasings, audience and language."""

    article: Article
    wording: ArticleText | None
    phrasings: tuple[str, ...]
    facts: Mapping[str, Any]


def facts_of(articles: Sequence[Article]) -> dict[str, Facts]:
    """Return the facts that answers from these articles depend on, by id: the number of the live revision, the audience
    and so on.
    """
    phrasings = phrasings_by_article(articles)
    live = {one.pk: one.live_revision for one in articles if one.state == ArticleState.LIVE}
    return {
        str(one.pk): _facts(one, shown.number if (shown := live.get(one.pk)) else None, phrasings[one.pk])
        for one in articles
    }


def facts_before(article: Article, at: datetime) -> Facts:
    """Return the facts about an article before a change at this time. Only its text and phrasings are known from that
    time; the audience and language are the current ones.
    """
    since = at - MARGIN
    is_text_older = article.published_at is not None and article.published_at < since
    if article.state == ArticleState.ARCHIVED or is_text_older:
        number = article.live_revision.number if article.live_revision else None
    else:
        number = _former_number(article)
    is_changed = article.phrasings_at is not None and article.phrasings_at >= since
    return _facts(article, number, article.former_phrasings or () if is_changed else phrasings_of(article))


def _facts(article: Article, revision: int | None, phrasings: Sequence[str]) -> Facts:
    read = {name: getattr(article, name) for name in READ_BY}
    return {**read, "revision": revision, "phrasings": list(phrasings)}


def former_state(
    articles: Sequence[Article], facts: Mapping[str, Facts], questions: Sequence[PreviewQuestion]
) -> State:
    """Return the state in which these articles are as described by `facts`, which are given by id.

    Articles that nobody could read are hidden. If there are more than `MOST` others, only those that share the most
    words with the questions are restored. An article without facts keeps its current state.
    """
    return state_with(articles, facts, nearest_articles(articles, facts, questions))


def state_with(articles: Sequence[Article], facts: Mapping[str, Facts], restored: Sequence[Article]) -> State:
    """Return the same state as `former_state`, with the text restored only for the articles in `restored`."""
    former = _former(restored, facts)
    ends = perf_counter() + SECONDS
    vectors: dict[str, Sequence[float]] = {}
    for one in former:
        if one.wording is not None and perf_counter() < ends:
            vectors |= vectors_of(one.wording)
    phrasings = phrasing_vectors(text for one in former for text in one.phrasings)
    copied = {uuid7().hex: one for one in former if one.wording is not None}
    names = {name: one.article.external_id for name, one in copied.items()}
    unread = (one.pk for one in articles if str(one.pk) in facts and not _was_read(one, facts))
    hidden = frozenset((*unread, *(one.article.pk for one in former)))
    return State(partial(_copy, copied, vectors, phrasings), hidden, names)


def nearest_articles(
    articles: Sequence[Article], facts: Mapping[str, Facts], questions: Sequence[PreviewQuestion]
) -> Sequence[Article]:
    """Return at most `MOST` articles to restore for these questions: first those that someone could read, then by the
    number of words that they share with a question.
    """
    known = [one for one in articles if str(one.pk) in facts]
    if len(known) <= MOST:
        return known
    shared = dict(_shared_words(known, facts, questions))
    return sorted(known, key=lambda one: (not _was_read(one, facts), -shared[one.pk]))[:MOST]


def texts_at(articles: Sequence[Article], facts: Mapping[str, Facts]) -> dict[UUID, ArticleText]:
    """Return the texts that articles had according to `facts`. Articles that nobody could read are left out."""
    numbers = {one.pk: facts[str(one.pk)]["revision"] for one in articles if str(one.pk) in facts}
    rows = Revision.objects.filter(article__in=list(numbers), number__in=[one for one in set(numbers.values()) if one])
    return {row.article_id: ArticleText(row.title, row.body) for row in rows if row.number == numbers[row.article_id]}


def _former(articles: Sequence[Article], facts: Mapping[str, Facts]) -> list[FormerState]:
    texts, known = texts_at(articles, facts), [one for one in articles if str(one.pk) in facts]
    return [_as_it_was(one, texts.get(one.pk), facts[str(one.pk)]) for one in known]


def _was_read(article: Article, facts: Mapping[str, Facts]) -> bool:
    return facts[str(article.pk)]["revision"] is not None


def _as_it_was(article: Article, wording: ArticleText | None, facts: Facts) -> FormerState:
    return FormerState(article, wording, tuple(facts["phrasings"]), {name: facts[name] for name in READ_BY})


def _former_number(article: Article) -> int | None:
    live = article.live_revision
    return max((one for one in article.published_revisions if live is not None and one < live.number), default=None)


def _shared_words(
    articles: Sequence[Article], facts: Mapping[str, Facts], questions: Sequence[PreviewQuestion]
) -> Iterator[tuple[UUID, int]]:
    """Yield each article's id and the largest number of words that its former and current text share with any
    question.
    """
    wanted = [content_stems(one.question, base_language(one.locale)) for one in questions]
    for at in range(0, len(articles), READ_AT_ONCE):
        some = articles[at : at + READ_AT_ONCE]
        was, live = texts_at(some, facts), _live_texts(some)
        for one in some:
            joined = "\n".join(text.title + text.body for text in (was.get(one.pk), live.get(one.pk)) if text)
            words = content_stems("\n".join((joined, *facts[str(one.pk)]["phrasings"])), base_language(one.locale))
            yield one.pk, max((len(words & some_words) for some_words in wanted), default=0)


def _live_texts(articles: Sequence[Article]) -> dict[UUID, ArticleText]:
    rows = Revision.objects.filter(pk__in=[one.live_revision_id for one in articles if one.live_revision_id])
    return {row.article_id: ArticleText(row.title, row.body) for row in rows}


def _copy(copied: Mapping[str, FormerState], vectors: Vectors, phrasings: Vectors) -> None:
    copies = {name: _copy_of(one, name) for name, one in copied.items()}
    Article.objects.bulk_create(copies.values())
    add_revisions([(copies[name], one.wording) for name, one in copied.items() if one.wording])
    publish_articles(list(copies.values()))
    fill_vectors(vectors)
    recipe = active_recipe()
    rows = [
        Phrasing(
            article=copies[name],
            text=text,
            embedding=list(phrasings[text]) if text in phrasings else None,
            recipe=recipe,
        )
        for name, one in copied.items()
        for text in one.phrasings
    ]
    Phrasing.objects.bulk_create(rows)


def _copy_of(former: FormerState, name: str) -> Article:
    kept = {field: getattr(former.article, field) for field in ("collection_id", "category", "url", "on_help_pages")}
    return Article(external_id=name, **kept, **former.facts)
