"""One question in, the passages that may answer it out, best first, and how sure one may be of them.

Both indexes are asked for every part of a question: full text for its words, vectors for its meaning. What they found
is put in order by `kb.search.fusion` and read once more through `kb.access`; only that makes a Candidate a Passage.

Two kinds of questions are asked twice. A follow-up is also asked with what was said before it. A part of a long message
is asked again from a place between itself and the first passages it found: what a customer tells of a case is in other
words than what an article says of it, and its nearest passages know those words. It costs no embedding.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal
from uuid import UUID

from django.conf import settings

from kb.access import Viewer, readable
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.lexical import Term, configuration, terms
from kb.indexing.lexical import words as words_of
from kb.indexing.recipes import active_recipe, embedder_of
from kb.models import Chunk, Recipe
from kb.search import questions
from kb.search.candidates import (
    EXACT_UP_TO,
    Scope,
    Survey,
    by_words,
    direction,
    measured,
    nearest_by_index,
    nearest_exactly,
    survey,
    words_found,
)
from kb.search.confidence import Calibration, Evidence, calibration_set
from kb.search.fusion import DEFAULT, Candidate, Found, fused, fused_by_article, in_context, lead, ordered, preferring
from kb.search.lexical_query import known_share, rarity, word_query
from kb.search.passages import Retrieval, passages_of
from supportbot.accounts.scope import current_workspace_id
from supportbot.language.detection import base_language
from supportbot.language.followups import is_short

logger = logging.getLogger(__name__)

Mode = Literal["hybrid", "lexical", "vector"]
Vector = Sequence[float]
# What each index hands over, for the two lists to overlap enough.
DEPTH = 60
# The passages that a part of a long message is drawn towards.
_DRAWN_TO = 5
# From this confidence on a question is taken to find its answer without what was said before.
_STANDS_ALONE = 0.9
# An answer is made of the first few passages; words found further down do not help it.
FIRST_PASSAGES = 5
_COMPARED = 10


@dataclass(frozen=True, slots=True)
class _Look:
    """A question as both indexes answered it, part by part."""

    scope: Scope
    counted: Survey
    vectors: Sequence[Vector | None]
    said: list[list[Term]]
    parts: list[Found]

    def evidence(self) -> list[Evidence]:
        """Return what speaks for an answer, for every part by itself."""
        return [
            gathered(self.scope, words, self.counted, first=ordered(fused([part])), part=part)
            for words, part in zip(self.said, self.parts, strict=True)
        ]


def search(query: str, *, viewer: Viewer, limit: int = 8, mode: Mode = "hybrid", context: str = "") -> Retrieval:
    """Return up to `limit` passages the viewer may read, best first.

    `context` is what was said before the question. What may be a follow-up, since it is short, points back or finds no
    sure answer by itself, is searched for with it too, which costs an embedding; the confidence stays that of the
    question alone, since a former topic would always be found. Articles that are not live never appear, re-indexed or
    not. Without the embedding model a hybrid search goes by words alone; it raises EmbeddingUnavailable or
    RecipeMismatch if `KB_LEXICAL_FALLBACK` is off, or for mode "vector".
    """
    began = perf_counter()
    depth = max(DEPTH, limit)
    look = _look(questions.parts(query), viewer, mode, depth)
    calibration = _calibration(look)
    surest = max(look.evidence(), key=calibration.confidence)
    confidence = calibration.confidence(surest)
    if len(look.parts) > 1:
        drawn = [_drawn(look, number, depth) for number in range(len(look.parts))]
        scores = fused_by_article(drawn, _articles(drawn))
    elif context and (confidence < _STANDS_ALONE or is_short(query)):
        weight = DEFAULT.leaning if confidence < _STANDS_ALONE else DEFAULT.standing
        with_context = _look([questions.after(context, query)], viewer, mode, depth)
        scores = in_context(look.parts[0], with_context.parts[0], weight)
    else:
        scores = fused(look.parts)
    passages = passages_of(look.scope, _best(look.scope, scores, limit), _similarities(look.parts))
    return Retrieval(
        passages=passages,
        confidence=confidence if passages else 0.0,
        is_answerable=bool(passages) and confidence >= calibration.threshold,
        took_ms=(perf_counter() - began) * 1000,
        share=surest.best_share,
        is_across=surest.across > 0,
    )


def evidence_for(query: str, *, viewer: Viewer, mode: Mode = "hybrid") -> list[Evidence]:
    """Return the evidence that `search` would judge its confidence by, a row a part of the question; for fitting."""
    return _look(questions.parts(query), viewer, mode, DEPTH).evidence()


def _look(asked: Sequence[str], viewer: Viewer, mode: Mode, depth: int) -> _Look:
    recipe = active_recipe()
    vectors = _vectors(asked, recipe, mode)
    scope = Scope(current_workspace_id(), recipe, viewer)
    spoken, counted = _spoken(scope, " ".join(asked))
    said = [_said_in(text, spoken) for text in asked]
    parts = [
        _found(scope, counted, vector, words if mode != "vector" else [], depth)
        for vector, words in zip(vectors, said, strict=True)
    ]
    if len(parts) == 1:  # a long message tells of persons and places too, which no article has to know
        parts = [replace(parts[0], known=known_share(said[0], counted))]
    return _Look(scope, counted, vectors, said, parts)


def _drawn(look: _Look, number: int, depth: int) -> Found:
    """Return what a part of a long message finds from nearer to its own first passages."""
    part, vector = look.parts[number], look.vectors[number]
    towards = direction(look.scope, ordered(fused([part]))[:_DRAWN_TO]) if vector is not None else []
    if vector is None or not towards:
        return part
    length = math.hypot(*vector) or 1.0
    drawn = [value / length + DEFAULT.drawn * step for value, step in zip(vector, towards, strict=True)]
    return Found(_nearest(look.scope, look.counted, drawn, depth), measured(look.scope, drawn, part.worded))


def _vectors(asked: Sequence[str], recipe: Recipe, mode: Mode) -> Sequence[Vector | None]:
    if mode == "lexical":
        return [None] * len(asked)
    try:
        embedder = embedder_of(recipe)
        return [embedder.query(text) for text in asked]
    except (EmbeddingUnavailable, RecipeMismatch) as error:
        if mode == "vector" or not settings.KB_LEXICAL_FALLBACK:
            raise
        logger.warning("search goes by words alone: %s", error.code)
        return [None] * len(asked)


def _spoken(scope: Scope, query: str) -> tuple[list[Term], Survey]:
    """Return the telling words of the whole question, counted in scope."""
    locales = readable(scope.viewer).order_by().values_list("locale", flat=True).distinct()
    preferred = [scope.viewer.locale] if scope.viewer.locale else []
    known = list(dict.fromkeys(configuration(locale) for locale in (*preferred, *sorted(locales))))
    spoken = terms(query, known)
    return spoken, survey(scope, spoken)


def _said_in(text: str, spoken: Sequence[Term]) -> list[Term]:
    said = set(words_of(text))
    return [term for term in spoken if term.word in said]


def _found(scope: Scope, counted: Survey, vector: Vector | None, spoken: Sequence[Term], depth: int) -> Found:
    near = [] if vector is None else _nearest(scope, counted, vector, depth)
    return Found(near, _worded(scope, counted, vector, spoken, depth))


def _nearest(scope: Scope, counted: Survey, vector: Vector, depth: int) -> list[Candidate]:
    scan = nearest_exactly if counted.chunks <= EXACT_UP_TO else nearest_by_index
    return scan(scope, vector, limit=depth)


def _worded(
    scope: Scope, counted: Survey, vector: Vector | None, spoken: Sequence[Term], depth: int
) -> list[Candidate]:
    plan = word_query(spoken, counted)
    found: list[Candidate] = []
    for query in plan.queries if plan else ():
        found = by_words(scope, query, plan.weights if plan else (), vector, limit=depth)
        if len(found) >= depth:
            break
    return found


def _articles(parts: Sequence[Found]) -> dict[UUID, UUID]:
    keys = {candidate.chunk_id for part in parts for candidate in (*part.worded, *part.near)}
    found = dict(Chunk.objects.filter(pk__in=keys).values_list("pk", "article_id"))
    return {key: found.get(key, key) for key in keys}  # a passage that has just been replaced is an article of its own


def _best(scope: Scope, scores: Mapping[UUID, float], limit: int) -> dict[UUID, float]:
    """Return the `limit` best scores, those in the viewer's language raised first."""
    if scope.viewer.locale:
        languages = dict(Chunk.objects.filter(pk__in=list(scores)).values_list("pk", "article__locale"))
        scores = preferring(scores, languages, scope.viewer.locale)
    return {key: scores[key] for key in ordered(scores)[:limit]}


def _similarities(parts: Sequence[Found]) -> dict[UUID, float | None]:
    """Return how near each passage is to the part of the question it is nearest to."""
    found: dict[UUID, float | None] = {}
    for candidate in (candidate for part in parts for candidate in (*part.worded, *part.near)):
        if candidate.similarity is not None:
            found[candidate.chunk_id] = max(candidate.similarity, found.get(candidate.chunk_id) or -1.0)
    return found


def _calibration(look: _Look) -> Calibration:
    recipe = look.scope.recipe
    fitted = calibration_set(recipe.calibration, recipe.name)
    # Without neighbours (no model, or nothing embedded yet) similarities say nothing, not "far away".
    return fitted.full if any(part.near for part in look.parts) else fitted.words_only


def gathered(
    scope: Scope,
    terms: Sequence[Term],
    survey: Survey,
    *,
    first: Sequence[UUID],
    part: Found,
) -> Evidence:
    """Return the evidence for one part of a question; `first` are its best passages."""
    weights = [rarity(survey.counts[term.word], survey.chunks) for term in terms]
    rows = words_found(scope, first[:FIRST_PASSAGES], terms)
    found = [hits for _, hits in rows]
    return Evidence(
        similarity=part.near[0].similarity or 0.0 if part.near else 0.0,
        lead=lead(part.near),
        best_share=max((_share(weights, row) for row in found), default=0.0),
        joint_share=_share(weights, [any(column) for column in zip(*found, strict=True)]),
        known_share=known_share(terms, survey),
        overlap=_overlap(part.near, part.worded),
        length=math.log1p(len(terms)),
        across=float(_is_across(scope.viewer.locale, [locale for locale, _ in rows])),
    )


def _is_across(asked: str | None, found: Sequence[str]) -> bool:
    """Say whether all passages are in another language than the question; unknown ones count as its own."""
    languages = {base_language(locale) for locale in found}
    return bool(asked and languages) and base_language(asked or "") not in languages and "" not in languages


def _share(weights: Sequence[float], hits: Sequence[bool]) -> float:
    """Return the share of the weights that is hit; a question without telling words has none of them found."""
    total = sum(weights)
    return sum(weight for weight, hit in zip(weights, hits, strict=False) if hit) / total if total else 0.0


def _overlap(near: Sequence[Candidate], worded: Sequence[Candidate]) -> float:
    """Return which share of the nearest passages both indexes put first; chance agrees on one, rarely on several."""
    first = {candidate.chunk_id for candidate in worded[:_COMPARED]}
    return sum(candidate.chunk_id in first for candidate in near[:_COMPARED]) / _COMPARED
