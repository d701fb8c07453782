"""Before and after: the answers to real questions from the live articles, and the answers with a draft.

The questions are those whose answers quoted the article, and recent ones that are nearest to its text in meaning. The
built-in answerer gives both answers, so a check costs nothing and its result is reproducible.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db.models import OuterRef, Subquery
from django.utils.timezone import now

from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.recipes import active_recipe, embedder_of
from kb.indexing.vector_cache import passage_vectors
from kb.validation import ArticleText
from supportbot.builtin.intents import courtesy
from supportbot.chat.answers import Answer
from supportbot.chat.models import Audience, Citation, Message, Source
from supportbot.evals.articles.answer_preview import Maker, Quoted, vectors_of
from supportbot.language.figures import figures_in
from supportbot.language.normalise import normalised
from supportbot.language.personal_data import without_personal_data
from supportbot.language.sentences import unmarked

Vectors = Callable[[Sequence[str]], Mapping[str, Sequence[float]]]
DAYS: Final = 60
MAX_READ: Final = 150  # questions that are compared by meaning
MAX_QUOTING: Final = 12
MAX_NEAREST: Final = 24
MAX_CHARACTERS: Final = 400
CLEARLY: Final = 0.1  # the smallest difference in confidence that counts


class Outcome(StrEnum):
    WORSE = "worse"
    CHANGED = "changed"
    BETTER = "better"
    SAME = "same"


def outcome_of(before: Quoted, after: Quoted, *changed: str) -> Outcome:
    """Return how a change to these articles, given by their external ids, affects an answer.

    Better: the question is now answered from one of these articles and was not answered before, or search is clearly
    more confident in an answer from one of them that keeps all figures. Worse: the answer is gone, has lost this
    source, or search is clearly less confident. If search is only more confident in another article because this one
    has lost its words, the answer is not better.
    """
    was, is_now = not before.answer.is_abstention, not after.answer.is_abstention
    if _words(before.answer) == _words(after.answer):
        return Outcome.SAME
    if not is_now:
        return Outcome.WORSE
    cited, cites = _cites(before.answer, changed), _cites(after.answer, changed)
    gain = after.confidence - before.confidence
    if (cited and not cites) or (was and gain <= -CLEARLY):
        return Outcome.WORSE
    is_surer = gain >= CLEARLY and _figures(before.answer) <= _figures(after.answer)
    return Outcome.BETTER if cites and (not was or is_surer) else Outcome.CHANGED


def compared_row(question: str, was: Quoted, seen: Quoted, *changed: str) -> dict[str, Any]:
    """Return the stored form of a compared question: its outcome and both answers.

    Personal data is left out, because editors see it and may not read conversations.
    """
    told = without_personal_data(question)
    outcome = str(outcome_of(was, seen, *changed))
    return {"question": told, "outcome": outcome, "before": shown(was), "after": shown(seen)}


def shown(quoted: Quoted) -> str:
    """Return the text of an answer; "" for none."""
    return "" if quoted.answer.is_abstention else quoted.answer.text


def _cites(answer: Answer, external_ids: Collection[str]) -> bool:
    return any(span.external_id in external_ids for span in answer.citations)


def _figures(answer: Answer) -> set[str]:
    text = _words(answer)
    return {text[one.start : one.end].strip(".,;:") for one in figures_in(text)}


def questions_about(article_id: UUID | None, wording: ArticleText) -> list[str]:
    """Return the customers' questions that the text may affect, first those that were answered from its article."""
    quoting = questions_quoting(article_id) if article_id is not None else []
    recent = [question for question in recent_questions() if question not in quoting]
    return [*quoting, *nearest(recent, wording)]


def questions_quoting(article_id: UUID) -> list[str]:
    """Return recent customers' questions whose answers quoted an article, newest first."""
    return list(questions_quoting_any([article_id]))


def questions_quoting_any(article_ids: Collection[UUID]) -> dict[str, UUID]:
    """Return the newest customers' questions whose answers quoted one of these articles, with that article."""
    asked = Message.objects.filter(
        conversation=OuterRef("message__conversation"), source=Source.CUSTOMER, seq__lt=OuterRef("message__seq")
    ).order_by("-seq")
    rows = Citation.objects.filter(article_id__in=article_ids, message__created_at__gte=now() - timedelta(days=DAYS))
    found = rows.annotate(asked=Subquery(asked.values("text")[:1])).order_by("-message__created_at")
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
    """Return the vectors of customers' questions; they are kept only in this process's memory."""
    recipe = active_recipe()
    # read the recipe only once, since it could be switched between two reads
    maker = Maker(recipe.name, embedder_of(recipe))
    return {question: _vector(maker, question) for question in questions}


@lru_cache(maxsize=1_024)
def _vector(maker: Maker, question: str) -> Sequence[float]:
    return tuple(maker.embedder.query(question))


def nearest(questions: Sequence[str], wording: ArticleText, vectors: Vectors = vectors_of_questions) -> list[str]:
    """Return the 24 questions nearest to a text in meaning; empty without an embedding model.

    The passages' vectors are needed anyway to try the text.
    """
    if not questions:
        return []
    try:
        embedder_of(active_recipe())
        about = [*passage_vectors([wording.title]).values(), *vectors_of(wording).values()]
        asked = vectors(questions)
    except (EmbeddingUnavailable, RecipeMismatch):
        return []
    cosines = np.array([asked[question] for question in questions]) @ np.array(about).T
    near = dict(zip(questions, cosines.max(axis=1).tolist(), strict=True))
    return sorted(near, key=lambda question: -near[question])[:MAX_NEAREST]


def _words(answer: Answer) -> str:
    return " ".join(unmarked(answer.text).split()).casefold()
