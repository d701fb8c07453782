"""The customers' questions that a change to an article may affect: those whose answers quoted the article, and the
recent ones that are nearest to its text in meaning.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

import numpy as np
from django.db.models import OuterRef, Subquery
from django.utils.timezone import now

from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.recipes import active_recipe, embedder_of
from kb.indexing.vector_cache import passage_vectors
from kb.validation import ArticleText
from supportbot.builtin.intents import courtesy
from supportbot.chat.models import Audience, Citation, Message, Source
from supportbot.evals.articles.answer_preview import VectorMaker, vectors_of
from supportbot.language.normalise import normalised

Vectors = Callable[[Sequence[str]], Mapping[str, Sequence[float]]]
DAYS: Final = 60
MAX_READ: Final = 150  # questions compared by meaning
MAX_QUOTING: Final = 12
MAX_NEAREST: Final = 24
MAX_CHARACTERS: Final = 400


def questions_about(article_id: UUID | None, wording: ArticleText) -> list[str]:
    """Return the customers' questions that a new text may affect, starting with those answered from its article."""
    quoting = questions_quoting(article_id) if article_id is not None else []
    recent = [question for question in recent_questions() if question not in quoting]
    return [*quoting, *nearest(recent, wording)]


def questions_quoting(article_id: UUID) -> list[str]:
    """Return recent customers' questions whose answers quoted an article, newest first."""
    return list(questions_quoting_any([article_id]))


def questions_quoting_any(article_ids: Collection[UUID]) -> dict[str, UUID]:
    """Return the newest customers' questions whose answers quoted one of these articles, each with the article's id."""
    questions = Message.objects.filter(
        conversation=OuterRef("message__conversation"), source=Source.CUSTOMER, seq__lt=OuterRef("message__seq")
    ).order_by("-seq")
    rows = Citation.objects.filter(article_id__in=article_ids, message__created_at__gte=now() - timedelta(days=DAYS))
    found = rows.annotate(asked=Subquery(questions.values("text")[:1])).order_by("-message__created_at")
    quoted: dict[str, UUID] = {}
    for text, article_id in found.values_list("asked", "article_id")[:MAX_READ]:
        for question in _distinct([text], 1):
            quoted.setdefault(question, article_id)
    return dict(list(quoted.items())[:MAX_QUOTING])


def recent_questions() -> list[str]:
    """Return the questions that customers asked in the last `DAYS` days, newest first, without greetings and thanks."""
    rows = Message.objects.filter(
        source=Source.CUSTOMER, audience=Audience.EVERYONE, created_at__gte=now() - timedelta(days=DAYS)
    )
    texts = rows.order_by("-created_at").values_list("text", flat=True)[: MAX_READ * 2]
    return _distinct([text for text in texts if not courtesy(text)], MAX_READ)


def _distinct(texts: Iterable[str | None], most: int) -> list[str]:
    cleaned = (normalised(text)[:MAX_CHARACTERS].strip() for text in texts if text)
    return list(dict.fromkeys(text for text in cleaned if text))[:most]


def vectors_of_questions(questions: Sequence[str]) -> dict[str, Sequence[float]]:
    """Return the vectors of customers' questions. They are cached only in this process's memory."""
    recipe = active_recipe()
    # read the recipe only once, since it could be switched between two reads
    maker = VectorMaker(recipe.name, embedder_of(recipe))
    return {question: _vector(maker, question) for question in questions}


@lru_cache(maxsize=1_024)
def _vector(maker: VectorMaker, question: str) -> Sequence[float]:
    return tuple(maker.embedder.query(question))


def nearest(questions: Sequence[str], wording: ArticleText, vectors: Vectors = vectors_of_questions) -> list[str]:
    """Return the 24 questions nearest to a text in meaning, nearest first; [] without an embedding model."""
    if not questions:
        return []
    try:
        embedder_of(active_recipe())
        about = [*passage_vectors([wording.title]).values(), *vectors_of(wording).values()]
        question_vectors = vectors(questions)
    except (EmbeddingUnavailable, RecipeMismatch):
        return []
    cosines = np.array([question_vectors[question] for question in questions]) @ np.array(about).T
    near = dict(zip(questions, cosines.max(axis=1).tolist(), strict=True))
    return sorted(near, key=lambda question: -near[question])[:MAX_NEAREST]
