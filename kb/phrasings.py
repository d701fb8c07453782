"""The questions that an article answers word for word, stored with their vectors (`kb.search.curated`)."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NoReturn
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.errors import EmbeddingUnavailable, InvalidDocument, RecipeMismatch
from kb.indexing.recipes import active_recipe, embedder_of
from kb.models import Article, Phrasing, State
from kb.revisions import announce_changes
from kb.validation import check_storable

logger = logging.getLogger(__name__)
MAX_PHRASINGS: Final = 20
MAX_PHRASING: Final = 300
MAX_ANSWER: Final = 2_000
_AT_ONCE: Final = 200
_GIVEN_UP_AFTER: Final = 3  # failures; each may take as long as the model's time-out


def check_phrasings(text: str, *, body: str) -> tuple[str, ...]:
    """Return the phrasings in a text that has one per line. Raises InvalidDocument."""
    lines = [" ".join(line.split()) for line in check_storable("phrasings", text).splitlines()]
    found = tuple(dict.fromkeys(line for line in lines if line))
    if len(found) > MAX_PHRASINGS or any(len(line) > MAX_PHRASING for line in found):
        _refuse(gettext("Use at most {number} lines, each of at most {characters} characters.").format(
            number=MAX_PHRASINGS, characters=MAX_PHRASING
        ))  # fmt: skip
    if found and len(body) > MAX_ANSWER:
        text = gettext("Shorten the text to at most {limit} characters: it is quoted in full.")
        _refuse(text.format(limit=MAX_ANSWER))
    return found


@transaction.atomic
def set_phrasings(article: Article, phrasings: Sequence[str]) -> None:
    """Replace the phrasings of an article that the caller has locked; unchanged phrasings keep their vectors.

    New phrasings get their vectors from a worker (`embed_phrasings`); until then, each matches only questions in
    exactly its words.
    """
    before = phrasings_of(article)
    if set(before) == set(phrasings):
        return
    Phrasing.objects.filter(article=article).exclude(text__in=phrasings).delete()
    missing = [Phrasing(article=article, text=text) for text in phrasings if text not in before]
    Phrasing.objects.bulk_create(missing, ignore_conflicts=True)
    moment = now()
    Article.objects.filter(pk=article.pk).update(former_phrasings=before, phrasings_at=moment, updated_at=moment)
    if article.is_live:
        announce_changes([article])


def phrasings_of(article: Article) -> list[str]:
    return list(Phrasing.objects.filter(article=article).order_by("pk").values_list("text", flat=True))


def phrasings_by_article(articles: Iterable[Article]) -> Mapping[UUID, list[str]]:
    """Return the phrasings of each of these articles, by their ids."""
    found: dict[UUID, list[str]] = {article.pk: [] for article in articles}
    for article_id, text in Phrasing.objects.filter(article__in=found).order_by("pk").values_list("article_id", "text"):
        found[article_id].append(text)
    return found


def answered_elsewhere(article: Article, phrasings: Iterable[str]) -> list[Phrasing]:
    """Return the phrasings of other live articles that are the same questions as `phrasings`, ignoring case and the
    punctuation at the end. A question can have only one article as its answer.
    """
    wanted = {text.casefold().rstrip("?!. ") for text in phrasings}
    spelled = {f"{text}{sign}" for text in wanted for sign in ("", "?", " ?", ".", "!")}
    others = Phrasing.objects.filter(article__state=State.LIVE).exclude(article=article).alias(lower=Lower("text"))
    return list(others.filter(lower__in=spelled).select_related("article__latest_revision").order_by("pk"))


def phrasings_waiting(article: Article) -> int:
    """Return how many of an article's phrasings have no vector of the active recipe yet."""
    return _waiting().filter(article=article).count()


def phrasing_vectors(texts: Iterable[str]) -> dict[str, Sequence[float]]:
    """Return the vectors of these phrasings, or of only some if the model stops responding; stored vectors are
    reused.
    """
    recipe, wanted = active_recipe(), list(texts)
    rows = Phrasing.objects.filter(text__in=wanted, recipe=recipe, embedding__isnull=False)
    found: dict[str, Sequence[float]] = {row.text: row.embedding or () for row in rows.only("text", "embedding")}
    try:
        for text in wanted:
            if text not in found:
                found[text] = embedder_of(recipe).query(text)
    except (EmbeddingUnavailable, RecipeMismatch) as error:
        logger.info("kb: phrasings are tried without vectors: %s", error.code)
    return found


def fill_phrasings(articles: Iterable[Article], vectors: Mapping[str, Sequence[float]]) -> None:
    """Store vectors of the active recipe that are already known for articles' phrasings."""
    recipe = active_recipe()
    rows = list(_waiting().filter(article__in=articles, text__in=list(vectors)))
    for row in rows:
        row.embedding, row.recipe = list(vectors[row.text]), recipe
    Phrasing.objects.bulk_update(rows, ["embedding", "recipe"])


def embed_phrasings(article_id: UUID | None = None) -> int:
    """Compute the missing vectors of an article's or the whole workspace's phrasings, and store each one as soon as it
    is computed; return their number.

    Must not be called inside a transaction, since embedding takes long.
    """
    recipe, done, failed = active_recipe(), 0, 0
    waiting = _waiting() if article_id is None else _waiting().filter(article=article_id)
    # In random order: text that the model refuses must not delay the others forever.
    for row in waiting.order_by("?")[:_AT_ONCE]:
        try:
            vector = embedder_of(recipe).query(row.text)
        except (EmbeddingUnavailable, RecipeMismatch) as error:
            logger.info("kb: a phrasing waits for its vector: %s", error.code)
            failed += 1
            if failed == _GIVEN_UP_AFTER:
                break
            continue
        done += Phrasing.objects.filter(pk=row.pk).update(embedding=vector, recipe=recipe)
    return done


def _waiting() -> QuerySet[Phrasing]:
    rows: QuerySet[Phrasing] = Phrasing.objects.filter(Q(embedding=None) | ~Q(recipe=active_recipe()))
    return rows


def _refuse(problem: str) -> NoReturn:
    raise InvalidDocument(problem, fields={"phrasings": [problem]})
