"""Curated answers: articles that are given word for word to customers who ask one of their questions. A customer's
question counts as one of these if it means nearly the same as that question and shares its words. Meaning alone would
confuse "Do you ship to Norway?" with "Do you ship to Sweden?" (a similarity of .95 with the packaged model). So a word
that neither the phrasings nor the answer contain makes it a different question, unless nearly all other words agree.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import connection
from pgvector import HalfVector

from kb.access import condition_on_articles
from kb.article_urls import article_address
from kb.models import Article, Phrasing
from kb.phrasings import MAX_ANSWER
from kb.search.candidates import Scope
from kb.search.passages import Curated
from supportbot.language.detection import base_language
from supportbot.language.words import content_stems

# Fitted by hand on pairs of help-centre questions: equal meanings score 0.95 and above, other topics below 0.93.
_SIMILAR: Final = 0.93
_NEARLY_ALL: Final = 2 / 3
SOME: Final = 1 / 3
_LOOKED_AT: Final = 5


def curated_answer(question: str, vector: Sequence[float] | None, scope: Scope) -> Curated | None:
    """Return the curated answer to a question; None if it has none."""
    for article_id, similarity, is_same in _nearest(question, vector, scope):
        article = Article.objects.select_related("workspace", "live_revision").get(pk=article_id)
        if article.live_revision is None or len(article.live_revision.body) > MAX_ANSWER:
            continue  # it has become too long for a curated answer; search quotes from it instead
        if is_same or ((similarity or 0.0) >= _SIMILAR and _shares_words(question, article)):
            return _curated(article)
    return None


def _nearest(question: str, vector: Sequence[float] | None, scope: Scope) -> list[tuple[UUID, float | None, bool]]:
    """Return (article, similarity, whether a phrasing is the question itself) of the nearest phrasings."""
    readable, parameters = condition_on_articles(scope.workspace_id, scope.viewer)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT p.article_id, CASE WHEN p.recipe_id = %s THEN 1 - (p.embedding <=> %s::halfvec) END AS similarity,
                   lower(p.text) = lower(%s) AS is_same
            FROM kb_phrasing p JOIN kb_article a ON a.id = p.article_id WHERE p.workspace_id = %s AND {readable}
            ORDER BY is_same DESC, similarity DESC NULLS LAST, p.id LIMIT %s
            """,
            [
                scope.recipe.pk,
                None if vector is None else HalfVector(list(vector)).to_text(),
                " ".join(question.split()),
                scope.workspace_id,
                *parameters,
                _LOOKED_AT,
            ],
        )
        rows: list[tuple[UUID, float | None, bool]] = cursor.fetchall()
    return rows


def _shares_words(question: str, article: Article) -> bool:
    language = base_language(article.locale)
    assert article.live_revision is not None, "a readable article is live"
    phrasings = list(Phrasing.objects.filter(article=article).values_list("text", flat=True))
    terms = content_stems(question, language)
    known = content_stems("\n".join([*phrasings, article.live_revision.title, article.live_revision.body]), language)
    shared = max((overlap(terms, content_stems(text, language)) for text in phrasings), default=0.0)
    return shared >= _NEARLY_ALL or (shared >= SOME and terms <= known)


def overlap(one: set[str], other: set[str]) -> float:
    """Return the share of words that two texts have in common; below `SOME`, they are never treated as the same
    question.
    """
    return len(one & other) / (len(one | other) or 1)


def _curated(article: Article) -> Curated:
    live = article.live_revision
    assert live is not None, "a readable article is live"
    return Curated(article.pk, article.external_id, live.title, article_address(article), live.number, live.body)
