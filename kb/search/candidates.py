"""Finding a question's candidates in the two indexes, and loading the passages of the chosen ones, within one workspace
and one viewer's rights. A Candidate becomes a Passage once `kb.access` has allowed it.

This module chooses the scan: the planner would use the approximate index and filter afterwards, losing most of a small
workspace's neighbours. So an exact scan computes the distances in a materialised step that no index can serve, and an
approximate scan lets the index continue until enough rows have passed the filter. Both scans and the search by words
are planned each time, so a plan fits the size of the workspace and never outlives the settings it was made under. The
counts, and statements that find rows by id, may stay prepared (`sql.fetch`). Both indexes are searched in one round
trip (`neighbours_and_matches`).

Ranking every passage with a common word makes full text slow, so only rare words fetch passages; the common ones still
help to order them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection
from pgvector import HalfVector

from kb.access import Viewer, condition_on_articles
from kb.article_urls import article_address
from kb.indexing.models import Recipe
from kb.indexing.recipes import active_recipe
from kb.models import Article
from kb.search import common_counts
from kb.search.common_counts import ScopeSize
from kb.search.fusion import Candidate, PartCandidates
from kb.search.lexical_query import MAX_RANKED, LexicalQuery, ScopeStats
from kb.search.passages import Passage
from kb.search.query_preparation import READ_ABROAD, is_foreign
from kb.search.query_terms import Term
from supportbot import sql
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id

# Above this many chunks in scope, the exact scan (about 1 ms per thousand) costs more than the index.
EXACT_UP_TO = 5_000
# The number of rows that the approximate index scans if few rows of a large table qualify, and the breadth of its
# search.
_MAX_SCANNED = 200_000
_EF_SEARCH = 200
# Labels D to A: text, (none), heading, title. A word in the title says more about an article than one in its text.
_LABEL_WEIGHTS = "{0.4, 0.4, 0.6, 1.0}"
# What the two indexes found, in the columns `is_match, id, place, score`.
_NEAR = "SELECT false AS is_match, id, distance AS place, 0::float8 AS score FROM near"
_RANKED = "SELECT true AS is_match, id, -score AS place, score FROM ranked"
# The fields that make up an article's address: reading whole rows of articles and workspaces would take longer than the
# search.
_OF_ARTICLE: Final = ("id", "workspace_id", "external_id", "locale", "audience", "on_help_pages", "url", "slug")
# Chunks of other revisions are skipped, since they are about to be replaced.
_PASSAGES: Final = f"""
SELECT w.slug, c.id, c.revision_number, r.title, c.heading_path, c.text, c.start, c."end", c.page,
       {sql.columns(Article, "a", *_OF_ARTICLE)}
FROM kb_chunk c
JOIN kb_article a ON a.id = c.article_id
JOIN accounts_workspace w ON w.id = a.workspace_id
JOIN kb_revision r ON r.id = a.live_revision_id AND r.number = c.revision_number
WHERE c.id = ANY(%s::uuid[]) AND c.workspace_id = %s AND c.recipe_id = %s"""


@dataclass(frozen=True, slots=True)
class Scope:
    """The articles that a search covers; every query in this file is limited to them."""

    workspace_id: UUID
    recipe: Recipe
    viewer: Viewer
    has_curated: bool = False  # whether any article has curated questions
    synonyms: str = ""  # all groups as they are stored (`kb.synonyms`)
    translated_into: str = ""  # if an article has a translation into this language, only the translation is searched
    without: str = ""  # articles in this language, and those translated into it, are not searched

    def filter(self, *, row_by_row: bool = False) -> tuple[str, list[Any]]:
        """Return the condition on chunk `c` and its parameters: workspace, recipe, and articles the viewer may read.

        All of these articles are read first (a hashed subplan, hence `IS TRUE`). With `row_by_row`, each chunk's
        article is looked up instead, which is faster in a large scope, but only if the viewer may read most articles:
        otherwise, too many chunks are looked up in vain. Neither is a join, which would tempt the planner to use a
        different scan (hence `OFFSET 0`).
        """
        articles, parameters = self.articles()
        if row_by_row:
            is_readable = f"EXISTS (SELECT FROM kb_article a WHERE a.id = c.article_id AND {articles} OFFSET 0)"
        else:
            is_readable = f"(c.article_id IN (SELECT a.id FROM kb_article a WHERE {articles})) IS TRUE"
        condition = f"c.workspace_id = %s AND c.recipe_id = %s AND {is_readable}"
        return condition, [self.workspace_id, self.recipe.pk, *parameters]

    def articles(self) -> tuple[str, list[Any]]:
        """Return the condition on article `a` and its parameters: workspace, rights and languages."""
        readable, own = condition_on_articles(self.workspace_id, self.viewer)
        condition, parameters = readable, own
        page = "coalesce(a.translation_of_id, a.id)"
        # The language of a locale such as fi-FI; "fil" is a different language.
        language = "split_part(a.locale, '-', 1)"
        in_language = f"(SELECT {page} FROM kb_article a WHERE {readable} AND {language} = %s)"
        if self.translated_into:
            condition += f" AND ({language} = %s OR {page} NOT IN {in_language})"
            parameters = [*parameters, self.translated_into, *own, self.translated_into]
        if self.without:
            condition += f" AND a.locale <> '' AND {page} NOT IN {in_language}"
            parameters = [*parameters, *own, self.without]
        return condition, parameters


def open_scope(viewer: Viewer) -> tuple[Scope, list[str]]:
    """Return the scope of a search in the current workspace, and the locales of the articles in it.

    The index of locales is read from one locale to the next, since reading all articles takes longer.
    """
    workspace_id = current_workspace_id()
    readable, parameters = condition_on_articles(workspace_id, viewer)
    statement = f"""
        WITH RECURSIVE used AS (
            (SELECT a.locale FROM kb_article a WHERE {readable} ORDER BY a.locale LIMIT 1)
            UNION ALL
            SELECT (SELECT a.locale FROM kb_article a WHERE {readable} AND a.locale > used.locale
                    ORDER BY a.locale LIMIT 1)
            FROM used WHERE used.locale IS NOT NULL)
        SELECT ARRAY(SELECT locale FROM used WHERE locale IS NOT NULL),
               EXISTS(SELECT FROM kb_phrasing p WHERE p.workspace_id = %s),
               (SELECT json_agg(s.words ORDER BY s.id)::text FROM kb_synonyms s WHERE s.workspace_id = %s),
               {sql.columns(Recipe, "r")}
        FROM kb_recipe r WHERE r.is_active"""
    parameters = [*parameters, *parameters, workspace_id, workspace_id]
    found = sql.fetch(statement, parameters)
    if not found:  # the first search of a new installation
        active_recipe()
        found = sql.fetch(statement, parameters)
    locales, has_curated, groups, *recipe = found[0]
    # If no page is in the language, several translations of one page would crowd out others.
    only = READ_ABROAD if is_foreign(viewer.locale, locales) else ""
    return Scope(workspace_id, sql.loaded(Recipe, recipe), viewer, has_curated, groups or "", only), locales


def scope_stats(scope: Scope, terms: Collection[Term]) -> ScopeStats:
    """Count the chunks in scope and those with each term, cheaply: beyond a limit, the number does not affect any
    decision. In a scope too large for exact scans, common counts may be a minute old.
    """
    counted_by = sql.Statement(*scope.filter())
    queries = list(dict.fromkeys(term.tsquery for term in terms))
    size, counts = common_counts.kept_size(counted_by), common_counts.kept(counted_by, queries)
    missing = [query for query in queries if query not in counts]
    counted: dict[str, int] = {}
    if size is None:
        chunks, counted = _all_counts(scope, missing)
        size = ScopeSize(chunks, reads_most=chunks > EXACT_UP_TO and _reads_most(scope))
        if chunks > EXACT_UP_TO:
            common_counts.keep_size(counted_by, size)
    elif missing:
        counted = _counts(scope, missing, row_by_row=size.reads_most)
    if size.chunks > EXACT_UP_TO:
        common_counts.keep(counted_by, counted)
    counts |= counted
    return ScopeStats(size.chunks, {term.word: counts[term.tsquery] for term in terms}, size.reads_most)


def _all_counts(scope: Scope, queries: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Return how many chunks are in scope, and how many match each query.

    All chunks are counted article by article, so that an index alone is enough once the table has been vacuumed:
    reading 5,000 rows takes longer. `OFFSET 0` keeps the planner from turning this into a join that reads the rows. A
    chunk is in its article's workspace, which a constraint ensures.
    """
    articles, parameters = scope.articles()
    matching = _matching(scope, queries)
    statement = f"""
        SELECT (SELECT count(*) FROM (
                    SELECT FROM kb_article a
                    CROSS JOIN LATERAL (SELECT FROM kb_chunk WHERE article_id = a.id AND recipe_id = %s OFFSET 0) c
                    WHERE {articles} LIMIT %s) n),
               {matching.text}"""
    [(chunks, counts)] = sql.fetch(statement, [scope.recipe.pk, *parameters, EXACT_UP_TO + 1, *matching.values])
    return chunks, dict(zip(queries, counts, strict=True))


def _counts(scope: Scope, queries: Sequence[str], *, row_by_row: bool) -> dict[str, int]:
    """Return how many chunks in scope match each query. `row_by_row` is passed to `Scope.filter`."""
    matching = _matching(scope, queries, row_by_row=row_by_row)
    [(counts,)] = sql.fetch(f"SELECT {matching.text}", matching.values)
    return dict(zip(queries, counts, strict=True))


def _matching(scope: Scope, queries: Sequence[str], *, row_by_row: bool = False) -> sql.Statement:
    """Return the expression for the numbers of chunks that match the queries, in their order."""
    condition, parameters = scope.filter(row_by_row=row_by_row)
    text = f"""ARRAY(
        SELECT (SELECT count(*) FROM (SELECT FROM kb_chunk c WHERE {condition}
                    AND c.search_vector @@ t.query::tsquery LIMIT %s) n)
        FROM unnest(%s::text[]) WITH ORDINALITY t(query, place) ORDER BY t.place)"""
    return sql.Statement(text, [*parameters, MAX_RANKED + 1, list(queries)])


def _reads_most(scope: Scope) -> bool:
    """Return whether at least half of the workspace's live articles are in scope."""
    articles, parameters = scope.articles()
    statement = f"""
        SELECT count(*) FILTER (WHERE {articles}) * 2 >= count(*)
        FROM kb_article a WHERE a.workspace_id = %s AND a.state = 'live'"""
    [(reads_most,)] = sql.fetch(statement, [*parameters, scope.workspace_id])
    return bool(reads_most)


def covers(scope: Scope, article_id: str | None) -> bool:
    """Return whether an article's passages are in scope."""
    condition, parameters = scope.filter(row_by_row=True)
    statement = f"SELECT EXISTS(SELECT FROM kb_chunk c WHERE c.article_id = %s AND {condition})"
    [(is_covered,)] = sql.fetch(statement, [article_id, *parameters])
    return bool(is_covered)


@dataclass(frozen=True, slots=True)
class PartQuery:
    """One part of a question; the index of vectors is searched for its vector, and the index of words for `words`. For
    each candidate, it is found out which `terms` it contains.
    """

    vector: Sequence[float] | None
    terms: Sequence[Term]
    words: LexicalQuery | None


def neighbours_and_matches(scope: Scope, stats: ScopeStats, part: PartQuery, *, limit: int) -> PartCandidates:
    """Return the neighbours and the `lexical_matches` of the first query, in one round trip.

    The neighbours come from an exact scan, or from the approximate index if the scope is large.
    """
    assert part.vector is not None and part.words is not None, "both indexes are searched"
    words = _word_search(scope, part.words, part.words.queries[0], limit, row_by_row=stats.reads_most)
    if stats.chunks <= EXACT_UP_TO:
        steps = [*_exact_scan(scope, part.vector, limit), *words]
        return _fetched(steps, f"{_NEAR} UNION ALL {_RANKED}", part.vector, part.terms)
    index_scan = _index_scan(scope, part.vector, part.terms, limit, row_by_row=stats.reads_most)
    matches = _described(words, _RANKED, part.vector, part.terms)
    _, near, _, ranked = sql.fetch_each(*index_scan, matches)
    return _candidates([*near, *ranked])


def lexical_matches(
    scope: Scope, part: PartQuery, query: str, *, limit: int, row_by_row: bool = False
) -> Sequence[Candidate]:
    """Return the chunks that match `query`, one of the part's queries, best first.

    At most MAX_RANKED matches are ranked, whichever the index returns first. `row_by_row` is passed to `Scope.filter`.
    """
    assert part.words is not None, "the index of words is searched"
    steps = _word_search(scope, part.words, query, limit, row_by_row=row_by_row)
    return _fetched(steps, _RANKED, part.vector, part.terms).by_words


def exact_neighbours(
    scope: Scope, vector: Sequence[float], terms: Sequence[Term] = (), *, limit: int
) -> Sequence[Candidate]:
    """Return the chunks in scope nearest to `vector` by cosine, from an exact scan."""
    return _fetched(_exact_scan(scope, vector, limit), _NEAR, vector, terms).by_vector


def approximate_neighbours(
    scope: Scope, vector: Sequence[float], terms: Sequence[Term] = (), *, limit: int, row_by_row: bool = False
) -> Sequence[Candidate]:
    """Like `exact_neighbours`, through the approximate index: for scopes too large for an exact scan. `row_by_row` is
    passed to `Scope.filter`.
    """
    _, near, _ = sql.fetch_each(*_index_scan(scope, vector, terms, limit, row_by_row=row_by_row))
    return _candidates(near).by_vector


def _index_scan(
    scope: Scope, vector: Sequence[float], terms: Sequence[Term], limit: int, *, row_by_row: bool
) -> list[sql.Statement]:
    """Return the statement that scans the approximate index, between those that change and reset the settings."""
    # Sorting is disabled, so that the order can only come from the index, whose expression the scan repeats.
    before = (
        "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('enable_sort', 'off', true), "
        "set_config('hnsw.max_scan_tuples', %s, true), set_config('hnsw.ef_search', %s, true)"
    )
    return [
        sql.Statement(before, [str(_MAX_SCANNED), str(max(_EF_SEARCH, limit))]),
        _described(_approximate_scan(scope, vector, limit, row_by_row=row_by_row), _NEAR, vector, terms),
        sql.Statement("SELECT set_config('enable_sort', 'on', true)", []),  # the caller's transaction may continue
    ]


def _exact_scan(scope: Scope, vector: Sequence[float], limit: int) -> list[sql.Statement]:
    condition, parameters = scope.filter()
    measured = f"""
        measured AS MATERIALIZED (
            SELECT c.id, c.embedding <=> %s::halfvec AS distance FROM kb_chunk c
            WHERE {condition} AND c.embedding IS NOT NULL)"""
    near = "near AS MATERIALIZED (SELECT * FROM measured ORDER BY distance, id LIMIT %s)"
    return [sql.Statement(measured, [_text(vector), *parameters]), sql.Statement(near, [limit])]


def _approximate_scan(scope: Scope, vector: Sequence[float], limit: int, *, row_by_row: bool) -> list[sql.Statement]:
    condition, parameters = scope.filter(row_by_row=row_by_row)
    dimensions = int(scope.recipe.dimensions)
    near = f"""
        near AS MATERIALIZED (
            SELECT c.id, c.embedding::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance
            FROM kb_chunk c WHERE vector_dims(c.embedding) = {dimensions} AND {condition}
            ORDER BY c.embedding::halfvec({dimensions}) <=> %s::halfvec({dimensions}) LIMIT %s)"""
    return [sql.Statement(near, [_text(vector), *parameters, _text(vector), limit])]


def _word_search(
    scope: Scope, words: LexicalQuery, query: str, limit: int, *, row_by_row: bool = False
) -> list[sql.Statement]:
    condition, parameters = scope.filter(row_by_row=row_by_row)
    hit = f"""
        hit AS MATERIALIZED (
            SELECT c.id, c.search_vector FROM kb_chunk c
            WHERE {condition} AND c.search_vector @@ %s::tsquery LIMIT %s)"""
    # ts_rank of one word grows with its occurrences and levels off, and flag 1 penalises long passages: weighted by
    # rarity, the sum behaves like BM25, which PostgreSQL does not have.
    ranked = """
        ranked AS MATERIALIZED (
            SELECT hit.id, sum(w.weight * ts_rank(%s::real[], hit.search_vector, w.query::tsquery, 1)) AS score
            FROM hit, unnest(%s::text[], %s::float8[]) AS w(query, weight)
            GROUP BY hit.id ORDER BY score DESC, hit.id LIMIT %s)"""
    columns = ([word for word, _ in words.weights], [weight for _, weight in words.weights])
    return [
        sql.Statement(hit, [*parameters, query, MAX_RANKED]),
        sql.Statement(ranked, [_LABEL_WEIGHTS, *columns, limit]),
    ]


def _fetched(
    steps: Sequence[sql.Statement], found: str, vector: Sequence[float] | None, terms: Sequence[Term]
) -> PartCandidates:
    return _candidates(sql.fetch_planned(*_described(steps, found, vector, terms)))


def _described(
    steps: Sequence[sql.Statement], found: str, vector: Sequence[float] | None, terms: Sequence[Term]
) -> sql.Statement:
    """Return the statement that runs the steps of a search and describes what was found, with the terms that each chunk
    contains.

    Articles are joined last, so that the planner does not choose a different scan because of the join. `OFFSET 0` keeps
    the planner from unpacking a chunk's words again for each term.
    """
    text = f"""
        WITH {", ".join(step.text for step in steps)}
        SELECT found.is_match, c.id::text,
               1 - CASE WHEN found.is_match THEN c.embedding <=> %s::halfvec ELSE found.place END,
               found.score, c.article_id::text, a.locale,
               ARRAY(SELECT coalesce(unpacked.words @@ t.query, false)
                     FROM (SELECT strip(c.search_vector) AS words OFFSET 0) unpacked,
                          unnest(%s::tsquery[]) WITH ORDINALITY t(query, place) ORDER BY t.place)::text
        FROM ({found}) found JOIN kb_chunk c ON c.id = found.id JOIN kb_article a ON a.id = c.article_id
        ORDER BY found.is_match, found.place, found.id
        """
    last = [None if vector is None else _text(vector), [term.tsquery for term in terms]]
    return sql.Statement(text, [*(value for step in steps for value in step.values), *last])


def _candidates(rows: Sequence[tuple[Any, ...]]) -> PartCandidates:
    by_vector = [Candidate(*columns) for is_match, *columns in rows if not is_match]
    return PartCandidates(by_vector, [Candidate(*columns) for is_match, *columns in rows if is_match])


def mean_vector(scope: Scope, chunk_ids: Sequence[str]) -> list[float]:
    """Return the mean of these chunks' normalised vectors; empty if none of them has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT avg(l2_normalize(c.embedding))::text FROM kb_chunk c
            WHERE c.workspace_id = %s AND c.recipe_id = %s AND c.id = ANY(%s::uuid[])
            """,
            [scope.workspace_id, scope.recipe.pk, list(chunk_ids)],
        )
        (found,) = cursor.fetchone()
    return [] if found is None else json.loads(found)


def with_similarity(scope: Scope, vector: Sequence[float], chosen: Sequence[Candidate]) -> list[Candidate]:
    """Return the same candidates in the same order, with their cosine to a different vector."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id::text, 1 - (c.embedding <=> %s::halfvec) FROM kb_chunk c
            WHERE c.workspace_id = %s AND c.id = ANY(%s::uuid[])
            """,
            [_text(vector), scope.workspace_id, [candidate.chunk_id for candidate in chosen]],
        )
        found = dict(cursor.fetchall())
    return [replace(candidate, similarity=found.get(candidate.chunk_id)) for candidate in chosen]


def load_passages(
    scope: Scope, scores: Mapping[str, float], similarities: Mapping[str, float | None]
) -> tuple[Passage, ...]:
    """Return the passages among these chunks that the viewer may read now, best first."""
    readable, parameters = condition_on_articles(scope.workspace_id, scope.viewer)
    statement = f"{_PASSAGES} AND {readable}"
    rows = sql.fetch(statement, [list(scores), scope.workspace_id, scope.recipe.pk, *parameters])
    workspace = Workspace(pk=scope.workspace_id, slug=rows[0][0] if rows else "")
    found = [_passage(row, workspace, scores, similarities) for _, *row in rows]
    return tuple(sorted(found, key=lambda passage: (-passage.score, passage.chunk_id)))


def _passage(
    row: Sequence[Any], workspace: Workspace, scores: Mapping[str, float], similarities: Mapping[str, float | None]
) -> Passage:
    key, number, title, heading, text, start, end, page, *others = row
    article = sql.loaded(Article, others, *_OF_ARTICLE)
    article.workspace = workspace
    return Passage(
        article_id=article.pk,
        external_id=article.external_id,
        title=title,
        url=article_address(article),
        locale=article.locale,
        revision=number,
        heading=heading,
        text=text,
        start=start,
        end=end,
        score=scores[str(key)],
        similarity=similarities.get(str(key)),
        chunk_id=key,
        page=page,
    )


def _text(vector: Sequence[float]) -> str:
    return _vector_text(tuple(vector))


@lru_cache(maxsize=64)  # both indexes are searched with the same vector
def _vector_text(vector: tuple[float, ...]) -> str:
    return orjson.dumps(HalfVector(list(vector)).to_list()).decode()  # `to_text` takes six times as long
