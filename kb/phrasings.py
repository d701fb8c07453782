"""The questions that an article answers word for word, stored with their vectors (`kb.search.curated`)."""

import logging
from collections.abc import Sequence
from typing import Final, NoReturn

from django.db.models import Q
from django.utils.translation import gettext

from kb.documents import check_storable
from kb.errors import EmbeddingUnavailable, InvalidDocument, RecipeMismatch
from kb.indexing.recipes import active_recipe, embedder_of
from kb.models import Article, Phrasing

logger = logging.getLogger(__name__)
MAX_PHRASINGS: Final = 20
MAX_PHRASING: Final = 300
MAX_ANSWER: Final = 2_000
_AT_ONCE: Final = 200


def check_phrasings(text: str, *, body: str) -> tuple[str, ...]:
    """Return the phrasings in a text with one per line. Raises InvalidDocument."""
    lines = [" ".join(line.split()) for line in check_storable("phrasings", text).splitlines()]
    found = tuple(dict.fromkeys(line for line in lines if line))
    if len(found) > MAX_PHRASINGS or any(len(line) > MAX_PHRASING for line in found):
        _refuse(gettext("Use at most {number} lines of {characters} characters.").format(
            number=MAX_PHRASINGS, characters=MAX_PHRASING
        ))  # fmt: skip
    if found and len(body) > MAX_ANSWER:
        _refuse(gettext("Shorten the text to {limit} characters: it is given as a whole.").format(limit=MAX_ANSWER))
    return found


def set_phrasings(article: Article, phrasings: Sequence[str]) -> None:
    """Replace an article's phrasings; those that stay keep their vectors."""
    Phrasing.objects.filter(article=article).exclude(text__in=phrasings).delete()
    known = set(Phrasing.objects.filter(article=article).values_list("text", flat=True))
    Phrasing.objects.bulk_create(
        [Phrasing(article=article, text=text) for text in phrasings if text not in known], ignore_conflicts=True
    )


def phrasings_of(article: Article) -> list[str]:
    return list(Phrasing.objects.filter(article=article).order_by("pk").values_list("text", flat=True))


def embed_phrasings() -> int:
    """Give the workspace's phrasings their vectors of the active recipe, if there is a model; return how many."""
    recipe = active_recipe()
    waiting = Phrasing.objects.filter(Q(embedding=None) | ~Q(recipe=recipe))
    rows = list(waiting[:_AT_ONCE])
    try:
        for row in rows:
            row.embedding, row.recipe = embedder_of(recipe).query(row.text), recipe
    except (EmbeddingUnavailable, RecipeMismatch) as error:
        logger.info("kb: phrasings wait for their vectors: %s", error.code)
        return 0
    Phrasing.objects.bulk_update(rows, ["embedding", "recipe"])
    return len(rows)


def _refuse(problem: str) -> NoReturn:
    raise InvalidDocument(problem, fields={"phrasings": [problem]})
