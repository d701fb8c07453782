"""Retrieval: from a question to the passages that may answer it, best first, with a confidence.

Both indexes are queried for every part of a question: full text for its words, vectors for its meaning. `fusion` merges
the results, and `kb.access` is checked once more: only then does a Candidate become a Passage.

Two kinds of questions are searched twice. A follow-up is also searched together with the conversation before it. A part
of a long message is searched again with relevance feedback: its vector is moved towards the first passages it found,
since customers and articles use different words for the same case. That needs no further embedding.
"""

import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from django.conf import settings

from kb.access import Viewer
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.full_text import configuration
from kb.indexing.models import Recipe
from kb.indexing.recipes import embedder_of
from kb.search import query_preparation
from kb.search.candidates import (
    EXACT_UP_TO,
    PartQuery,
    Scope,
    approximate_neighbours,
    covers,
    exact_neighbours,
    lexical_matches,
    load_passages,
    mean_vector,
    neighbours_and_matches,
    open_scope,
    scope_stats,
    with_similarity,
)
from kb.search.confidence import (
    Calibration,
    Evidence,
    abroad_calibration,
    calibration_set,
    elsewhere_calibration,
    gather_evidence,
)
from kb.search.curated import curated_answer
from kb.search.fusion import (
    DEFAULT,
    Candidate,
    PartCandidates,
    far_neighbour,
    first_passages,
    fuse,
    fuse_by_article,
    fuse_in_context,
    lead,
    nearest,
    ranked,
)
from kb.search.lexical_query import ScopeStats, known_share, plan_lexical_query
from kb.search.passages import Retrieval
from kb.search.query_preparation import READ_ABROAD, is_foreign, without_common_part
from kb.search.query_terms import Term, terms
from kb.search.query_terms import words as words_of
from kb.synonyms import with_synonyms
from supportbot.language.detection import base_language
from supportbot.language.follow_ups import is_short

logger = logging.getLogger(__name__)

Mode = Literal["hybrid", "lexical", "vector"]
Vector = Sequence[float]
# The number of candidates that each index returns, large enough for the two lists to overlap.
OVERFETCH = 60
# The number of top passages that give relevance feedback for a part of a long message.
_FEEDBACK_PASSAGES = 5
# At or above this confidence, a question is considered answerable without the conversation before it.
_STANDS_ALONE = 0.9
# If a passage has this share of the question's words or more, nearer ones in another language are not looked for.
SHARE_OF_WORDS = 0.8
# How much farther away, in cosine, a passage in another language may be and still answer (bench/two_languages.py).
_FARTHER_ELSEWHERE = 0.005


@dataclass(frozen=True, slots=True)
class _RetrievedParts:
    """The results of both indexes for a question, part by part."""

    scope: Scope
    stats: ScopeStats
    asked: Sequence[Vector | None]  # the vectors of the questions
    vectors: Sequence[Vector | None]  # the vectors used for the search
    terms: list[list[Term]]
    parts: list[PartCandidates]
    # The same candidates, with cosines to the questions as asked: the confidence is fitted on these.
    measured: list[PartCandidates]
    is_abroad: bool  # no article is in the question's language

    def evidence(self) -> list[Evidence]:
        """Return the evidence for an answer, for each part separately."""
        found = [
            gather_evidence(words, self.stats, self.scope.viewer.locale, first=first_passages(part), part=measured)
            for words, part, measured in zip(self.terms, self.parts, self.measured, strict=True)
        ]
        if not self.is_abroad:
            return found
        return [
            replace(one, centred=nearest(part), centred_lead=lead(part.by_vector, far_neighbour(self.stats.chunks)))
            for one, part in zip(found, self.parts, strict=True)
        ]


def search(
    query: str,
    *,
    viewer: Viewer,
    limit: int = 8,
    mode: Mode = "hybrid",
    context: str = "",
    asked_before: str = "",
) -> Retrieval:
    """Return up to `limit` passages that the viewer may read, best first.

    `context` is what a follow-up refers to, and `asked_before` the question before this one. A question may be a
    follow-up if it is short, refers back or finds no confident answer on its own. It is then also searched for with the
    context, which costs an embedding unless it finds a confident answer and the previous question is known. The
    confidence is computed for the question alone, since an earlier topic would always be found. Articles that are not
    live never appear, re-indexed or not. If the embedding model is unavailable, a hybrid search uses words only; with
    `KB_LEXICAL_FALLBACK` off, or in mode "vector", it raises EmbeddingUnavailable or RecipeMismatch. A question with
    one of the workspace's synonyms is also searched for in the other words; the more confident result is used.
    """
    began = perf_counter()
    opened = open_scope(viewer)
    scope, _ = opened
    wordings = [query, *with_synonyms(query, scope.synonyms)]
    found = max(
        (
            _search_in_all_languages(
                wording, opened, limit=limit, mode=mode, context=context, asked_before=asked_before
            )
            for wording in wordings
        ),
        key=lambda one: one.confidence,
    )
    curated = None
    if scope.has_curated and mode == "hybrid":
        curated = curated_answer(query, _embed_queries([query], scope.recipe, mode)[0], scope)
    return replace(found, curated=curated, took_ms=(perf_counter() - began) * 1000)


def _search_in_all_languages(
    query: str, opened: tuple[Scope, list[str]], *, limit: int, mode: Mode, context: str, asked_before: str
) -> Retrieval:
    """Return the result of a search. If a passage in another language is about as near as any, the pages that have no
    version in the viewer's language are searched, too.

    Passages in the question's language are usually nearer than others, and only they share words with it. So if a page
    in another language is as near, and no page in the question's language contains most of its words, the page in the
    other language may have the answer. If it is nearer but does not have the answer, no page has it. But the viewer's
    language may differ from the question's language: a person who searches German help pages in English finds English
    pages first. If the nearest of these has a German version, that version may have the answer.
    """
    found, near = _search(query, opened, limit=limit, mode=mode, context=context, asked_before=asked_before)
    (scope, locales), language = opened, base_language(opened[0].viewer.locale or "")
    foreign = next((one for one in near if is_foreign(language, [one.locale])), None)
    own = next((one for one in near if not is_foreign(language, [one.locale])), None)
    if mode != "hybrid" or found.is_abroad or elsewhere_calibration(scope.recipe.name) is None:
        return found
    if foreign is None or _lead_of(own, foreign) > _FARTHER_ELSEWHERE or found.share >= SHARE_OF_WORDS:
        return found
    if not covers(replace(scope, without=language), foreign.article_id):
        return found  # the nearest page has a version in the viewer's language, which may contain the answer
    others = [locale for locale in locales if is_foreign(language, [locale])]
    untranslated = replace(scope, without=language, translated_into=READ_ABROAD)
    other, near = _search(query, (untranslated, others), limit=limit, mode=mode, context="", asked_before="")
    if not near or _lead_of(own, near[0]) > _FARTHER_ELSEWHERE:
        return found
    # `found` keeps its confidence, which also says whether the question is about the pages' topics.
    if other.is_answerable:
        return other
    return found if _lead_of(own, near[0]) > 0 else replace(found, is_answerable=False)


def _lead_of(one: Candidate | None, other: Candidate) -> float:
    """Return how much nearer one passage is than another; a missing passage does not count as nearer."""
    return (one.similarity or 0.0) - (other.similarity or 0.0) if one is not None else 0.0


def _search(
    query: str, opened: tuple[Scope, list[str]], *, limit: int, mode: Mode, context: str, asked_before: str
) -> tuple[Retrieval, Sequence[Candidate]]:
    """Return the result of a search, and the passages nearest to a question that is not split into parts."""
    began, viewer = perf_counter(), opened[0].viewer
    depth = max(OVERFETCH, limit)
    texts = query_preparation.split(query)
    # The terms of question and context are counted together, although the context is not always used.
    in_context = [query_preparation.with_context(context, query)] if context and len(texts) == 1 else []
    (own_terms, *other_terms), stats = _query_terms(opened, [" ".join(texts), *in_context])
    retrieved = _retrieve(texts, own_terms, stats, opened, mode, depth)
    calibration = _calibration(retrieved)
    surest = max(retrieved.evidence(), key=calibration.confidence)
    confidence = calibration.confidence(surest)
    if len(retrieved.parts) > 1:
        parts = [_with_feedback(retrieved, number, depth) for number in range(len(retrieved.parts))]
        scores = fuse_by_article(parts, _article_ids(parts))
    elif in_context and (confidence < _STANDS_ALONE or is_short(query)):
        is_sure = confidence >= _STANDS_ALONE
        weight = DEFAULT.standalone if is_sure else DEFAULT.follow_up
        vectors = _with_question_before(retrieved, asked_before, mode) if is_sure and asked_before else None
        again = _retrieve(in_context, other_terms[0], stats, opened, mode, depth, asked=vectors, is_evidence=False)
        parts = [retrieved.parts[0], again.parts[0]]
        scores = fuse_in_context(parts[0], parts[1], weight)
    else:
        parts = retrieved.parts
        scores = fuse(parts)
    best = _top_scores(scores, parts, viewer.locale, limit)
    passages = load_passages(retrieved.scope, best, _similarities(retrieved.measured, best))
    found = Retrieval(
        passages=passages,
        confidence=confidence if passages else 0.0,
        is_answerable=bool(passages) and confidence >= calibration.threshold,
        took_ms=(perf_counter() - began) * 1000,
        share=surest.best_share,
        is_across=surest.across > 0,
        is_abroad=retrieved.is_abroad,
        parts=len(retrieved.parts),
    )
    return found, retrieved.measured[0].by_vector if len(retrieved.parts) == 1 else []


def evidence_for(query: str, *, viewer: Viewer, mode: Mode = "hybrid") -> list[Evidence]:
    """Return the evidence that `search` bases its confidence on, one row per part of the question; for fitting."""
    opened, texts = open_scope(viewer), query_preparation.split(query)
    (query_terms,), stats = _query_terms(opened, [" ".join(texts)])
    return _retrieve(texts, query_terms, stats, opened, mode, OVERFETCH).evidence()


def _with_question_before(retrieved: _RetrievedParts, before: str, mode: Mode) -> Sequence[Vector | None] | None:
    """Return the vector midway between a question and the one before it; None if either has no vector.

    That is enough for a question that finds an answer on its own, since its context hardly counts.
    """
    own, (other,) = retrieved.asked[0], _embed_queries([query_preparation.clean(before)], retrieved.scope.recipe, mode)
    if own is None or other is None:
        return None
    lengths = math.hypot(*own) or 1.0, math.hypot(*other) or 1.0
    return [[one / lengths[0] + two / lengths[1] for one, two in zip(own, other, strict=True)]]


def _retrieve(
    queries: Sequence[str],
    query_terms: Sequence[Term],
    stats: ScopeStats,
    opened: tuple[Scope, list[str]],
    mode: Mode,
    depth: int,
    *,
    asked: Sequence[Vector | None] | None = None,
    is_evidence: bool = True,
) -> _RetrievedParts:
    """Return the candidates of both indexes for each query. `query_terms` are the terms of all queries; `asked` are
    their vectors, if they are known. Without `is_evidence`, it is not found out which terms each candidate contains,
    which takes a quarter of the time.
    """
    scope, locales = opened
    if asked is None:
        asked = _embed_queries(queries, scope.recipe, mode)
    abroad = is_foreign(scope.viewer.locale, locales)
    vectors = [vector and without_common_part(vector, scope.recipe.name) for vector in asked] if abroad else asked
    terms_by_part = [_terms_in(text, query_terms) for text in queries]
    parts = [
        _retrieve_part(scope, stats, _part_query(vector, words, stats, mode, is_evidence=is_evidence), depth)
        for vector, words in zip(vectors, terms_by_part, strict=True)
    ]
    if len(parts) == 1:  # a long message also mentions people and places, which no article needs to contain
        parts = [replace(parts[0], known_share=known_share(terms_by_part[0], stats))]
    measured = [_measured(scope, *pair) for pair in zip(asked, parts, strict=True)] if abroad else parts
    return _RetrievedParts(scope, stats, asked, vectors, terms_by_part, parts, measured, abroad)


def _measured(scope: Scope, vector: Vector | None, part: PartCandidates) -> PartCandidates:
    """Return the candidates with their cosines to a vector, the nearest first."""
    if vector is None or not part.by_vector:
        return part
    near = with_similarity(scope, vector, part.by_vector)
    return replace(part, by_vector=sorted(near, key=lambda candidate: -(candidate.similarity or 0.0)))


def _with_feedback(retrieved: _RetrievedParts, number: int, depth: int) -> PartCandidates:
    """Return the candidates for a part of a long message after moving its vector towards its first passages."""
    part, vector = retrieved.parts[number], retrieved.vectors[number]
    feedback = mean_vector(retrieved.scope, ranked(fuse([part]))[:_FEEDBACK_PASSAGES]) if vector is not None else []
    if vector is None or not feedback:
        return part
    length = math.hypot(*vector) or 1.0
    expanded = [value / length + DEFAULT.feedback * step for value, step in zip(vector, feedback, strict=True)]
    return PartCandidates(
        _vector_candidates(retrieved.scope, retrieved.stats, expanded, depth),
        with_similarity(retrieved.scope, expanded, part.by_words),
    )


def _embed_queries(queries: Sequence[str], recipe: Recipe, mode: Mode) -> Sequence[Vector | None]:
    if mode == "lexical":
        return [None] * len(queries)
    try:
        embedder = embedder_of(recipe)
        return [embedder.query(text) for text in queries]
    except (EmbeddingUnavailable, RecipeMismatch) as error:
        if mode == "vector" or not settings.KB_LEXICAL_FALLBACK:
            raise
        logger.warning("search uses words only: %s", error.code)
        return [None] * len(queries)


def _query_terms(opened: tuple[Scope, list[str]], texts: Sequence[str]) -> tuple[list[list[Term]], ScopeStats]:
    """Return the query terms of each text, with the counts of all of them in scope."""
    scope, locales = opened
    preferred = [scope.viewer.locale] if scope.viewer.locale else []
    known = list(dict.fromkeys(configuration(locale) for locale in (*preferred, *sorted(locales))))
    found = terms(texts, known)
    return found, scope_stats(scope, {term.word: term for query_terms in found for term in query_terms}.values())


def _terms_in(text: str, query_terms: Sequence[Term]) -> list[Term]:
    words = set(words_of(text))
    return [term for term in query_terms if term.word in words]


def _part_query(
    vector: Vector | None, query_terms: Sequence[Term], stats: ScopeStats, mode: Mode, *, is_evidence: bool
) -> PartQuery:
    words = plan_lexical_query(query_terms, stats) if mode != "vector" else None
    return PartQuery(vector, query_terms if is_evidence else (), words)


def _retrieve_part(scope: Scope, stats: ScopeStats, part: PartQuery, depth: int) -> PartCandidates:
    if part.vector is None or part.words is None:
        by_vector = [] if part.vector is None else _vector_candidates(scope, stats, part.vector, depth, part.terms)
        return PartCandidates(
            by_vector, _lexical_candidates(scope, stats, part, part.words.queries if part.words else (), depth)
        )
    found = neighbours_and_matches(scope, stats, part, limit=depth)
    others = part.words.queries[1:]
    if others and len(found.by_words) < depth:
        return replace(found, by_words=_lexical_candidates(scope, stats, part, others, depth))
    return found


def _vector_candidates(
    scope: Scope, stats: ScopeStats, vector: Vector, depth: int, query_terms: Sequence[Term] = ()
) -> Sequence[Candidate]:
    if stats.chunks <= EXACT_UP_TO:
        return exact_neighbours(scope, vector, query_terms, limit=depth)
    return approximate_neighbours(scope, vector, query_terms, limit=depth, row_by_row=stats.reads_most)


def _lexical_candidates(
    scope: Scope, stats: ScopeStats, part: PartQuery, queries: Sequence[str], depth: int
) -> Sequence[Candidate]:
    """Return the results of the first query that finds enough, or else of the last one."""
    found: Sequence[Candidate] = []
    for query in queries:
        found = lexical_matches(scope, part, query, limit=depth, row_by_row=stats.reads_most)
        if len(found) >= depth:
            break
    return found


def _article_ids(parts: Sequence[PartCandidates]) -> dict[str, str]:
    return {candidate.chunk_id: candidate.article_id or candidate.chunk_id for candidate in _candidates(parts)}


def _top_scores(
    scores: Mapping[str, float], parts: Sequence[PartCandidates], locale: str | None, limit: int
) -> dict[str, float]:
    """Return the `limit` best scores after boosting passages in the viewer's language; passages in other languages stay
    reachable.
    """
    if locale:
        language = base_language(locale)
        own = {candidate.chunk_id for candidate in _candidates(parts) if base_language(candidate.locale) == language}
        scores = {key: score * DEFAULT.language if key in own else score for key, score in scores.items()}
    return {key: scores[key] for key in ranked(scores)[:limit]}


def _candidates(parts: Sequence[PartCandidates]) -> Iterator[Candidate]:
    for part in parts:
        yield from part.by_words
        yield from part.by_vector


def _similarities(parts: Sequence[PartCandidates], chunk_ids: Collection[str]) -> dict[str, float | None]:
    """Return the similarity of each of these chunks to the part of the question that it matches best."""
    found: dict[str, float | None] = {}
    for candidate in _candidates(parts):
        if candidate.chunk_id in chunk_ids and candidate.similarity is not None:
            found[candidate.chunk_id] = max(candidate.similarity, found.get(candidate.chunk_id) or -1.0)
    return found


def _calibration(retrieved: _RetrievedParts) -> Calibration:
    recipe = retrieved.scope.recipe
    fitted = calibration_set(recipe.calibration, recipe.name)
    # Without neighbours (no model, or nothing embedded yet) a similarity is unknown, not zero.
    if not any(part.by_vector for part in retrieved.parts):
        return fitted.words_only
    if retrieved.scope.without:
        return elsewhere_calibration(recipe.name) or fitted.full
    return (abroad_calibration(recipe.name) if retrieved.is_abroad else None) or fitted.full
