"""What the two indexes hold near a question: candidates, inside one workspace and what one viewer may read.

The scan is chosen here and never by the planner: left alone it takes the approximate index with a filter behind it,
which loses most of a small workspace's neighbours. So an exact scan computes the distances in a materialised step that
no index can serve, and an approximate one lets the index go on until enough rows have passed the filter. Statements are
planned afresh each time (Django prepares none on the server), so a plan never outlives the settings it was made under.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from pgvector import HalfVector

from kb.access import Viewer, readable
from kb.indexing.lexical import Term
from kb.models import Recipe
from kb.search.fusion import Candidate

# Above this many chunks in scope the exact scan (about 1 ms a thousand) costs more than the index.
EXACT_UP_TO = 5_000
# So many rows are ranked by their words at most; more common words only help to order them.
MOST_RANKED = 2_000
# How far the approximate index goes on for a small share of a large table, and how broadly it looks around.
_MOST_SCANNED = 200_000
_BREADTH = 200
# Labels D to A: text, (none), heading, title. A word in the title says more of an article than one in passing.
_LABEL_WEIGHTS = "{0.4, 0.4, 0.6, 1.0}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a search looks; every query of this file is bounded by it."""

    workspace_id: UUID
    recipe: Recipe
    viewer: Viewer

    def filter(self) -> tuple[str, list[Any]]:
        """Return the condition on chunk `c` and its parameters: workspace, recipe, and articles the viewer may read.

        The articles are a hashed subplan (that is what `IS TRUE` is for) and no join, which would tempt the planner to
        leave the scan it was given.
        """
        articles, parameters = readable(self.viewer).order_by().values("pk").query.sql_with_params()
        condition = f"c.workspace_id = %s AND c.recipe_id = %s AND (c.article_id IN ({articles})) IS TRUE"
        return condition, [self.workspace_id, self.recipe.pk, *parameters]


@dataclass(frozen=True, slots=True)
class Survey:
    """How large the scope is and how many of its chunks hold each word, both counted up to a limit only."""

    chunks: int
    counts: dict[str, int]


def survey(scope: Scope, terms: Sequence[Term]) -> Survey:
    """Count the chunks in scope and those of each term, cheaply: past a limit a number changes no decision."""
    condition, parameters = scope.filter()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT (SELECT count(*) FROM (SELECT FROM kb_chunk c WHERE {condition} LIMIT %s) n),
                   ARRAY(SELECT (SELECT count(*) FROM (SELECT FROM kb_chunk c WHERE {condition}
                                     AND c.search_vector @@ t.query::tsquery LIMIT %s) n)
                         FROM unnest(%s::text[]) WITH ORDINALITY t(query, place) ORDER BY t.place)
            """,
            [*parameters, EXACT_UP_TO + 1, *parameters, MOST_RANKED + 1, [term.tsquery for term in terms]],
        )
        chunks, counts = cursor.fetchone()
    return Survey(chunks, dict(zip((term.word for term in terms), counts, strict=True)))


def by_words(
    scope: Scope, query: str, weights: Sequence[tuple[str, float]], vector: Sequence[float] | None, *, limit: int
) -> list[Candidate]:
    """Return the chunks that match `query`, those with the weightiest words first; `weights` are (tsquery, weight).

    At most MOST_RANKED matches are looked at, whichever the index hands over first.
    """
    condition, parameters = scope.filter()
    columns = ([query for query, _ in weights], [weight for _, weight in weights])
    with connection.cursor() as cursor:
        # ts_rank of one word grows with its occurrences and levels off, flag 1 tempers long passages: with the word's
        # rarity as weight the sum behaves like BM25, which PostgreSQL does not have.
        cursor.execute(
            f"""
            WITH hit AS MATERIALIZED (
                SELECT c.id, c.search_vector FROM kb_chunk c
                WHERE {condition} AND c.search_vector @@ %s::tsquery LIMIT %s),
            ranked AS MATERIALIZED (
                SELECT hit.id, sum(w.weight * ts_rank(%s::real[], hit.search_vector, w.query::tsquery, 1)) AS score
                FROM hit, unnest(%s::text[], %s::float8[]) AS w(query, weight)
                GROUP BY hit.id ORDER BY score DESC, hit.id LIMIT %s)
            SELECT ranked.id, 1 - (c.embedding <=> %s::halfvec), ranked.score
            FROM ranked JOIN kb_chunk c ON c.id = ranked.id ORDER BY ranked.score DESC, ranked.id
            """,
            [
                *parameters,
                query,
                MOST_RANKED,
                _LABEL_WEIGHTS,
                *columns,
                limit,
                None if vector is None else _text(vector),
            ],
        )
        return [Candidate(*row) for row in cursor.fetchall()]


def nearest_exactly(scope: Scope, vector: Sequence[float], *, limit: int) -> list[Candidate]:
    """Return the chunks nearest to `vector` by cosine, from all in scope; their scores are similarities."""
    condition, parameters = scope.filter()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH measured AS MATERIALIZED (
                SELECT c.id, c.embedding <=> %s::halfvec AS distance FROM kb_chunk c
                WHERE {condition} AND c.embedding IS NOT NULL)
            SELECT id, 1 - distance FROM measured ORDER BY distance, id LIMIT %s
            """,
            [_text(vector), *parameters, limit],
        )
        return [Candidate(*row) for row in cursor.fetchall()]


def nearest_by_index(scope: Scope, vector: Sequence[float], *, limit: int) -> list[Candidate]:
    """Like `nearest_exactly` through the approximate index, for scopes too large to measure whole."""
    condition, parameters = scope.filter()
    dimensions = int(scope.recipe.dimensions)
    with transaction.atomic(), connection.cursor() as cursor:
        # Sorting is made dear, so that the order can only come from the index, whose expression this repeats.
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('enable_sort', 'off', true), "
            "set_config('hnsw.max_scan_tuples', %s, true), set_config('hnsw.ef_search', %s, true)",
            [str(_MOST_SCANNED), str(max(_BREADTH, limit))],
        )
        cursor.execute(
            f"""
            WITH near AS MATERIALIZED (
                SELECT c.id, c.embedding::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance
                FROM kb_chunk c WHERE vector_dims(c.embedding) = {dimensions} AND {condition}
                ORDER BY c.embedding::halfvec({dimensions}) <=> %s::halfvec({dimensions}) LIMIT %s)
            SELECT id, 1 - distance FROM near ORDER BY distance, id
            """,
            [_text(vector), *parameters, _text(vector), limit],
        )
        found = [Candidate(*row) for row in cursor.fetchall()]
        cursor.execute("SELECT set_config('enable_sort', 'on', true)")  # the caller's transaction may go on
    return found


def direction(scope: Scope, chunk_ids: Sequence[UUID]) -> list[float]:
    """Return the mean direction of these chunks' vectors; empty if none of them has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT avg(l2_normalize(c.embedding))::text FROM kb_chunk c
            WHERE c.workspace_id = %s AND c.recipe_id = %s AND c.id = ANY(%s)
            """,
            [scope.workspace_id, scope.recipe.pk, list(chunk_ids)],
        )
        (found,) = cursor.fetchone()
    return [] if found is None else json.loads(found)


def measured(scope: Scope, vector: Sequence[float], chosen: Sequence[Candidate]) -> list[Candidate]:
    """Return the same candidates in the same order with their cosine to another vector."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, 1 - (c.embedding <=> %s::halfvec) FROM kb_chunk c
            WHERE c.workspace_id = %s AND c.id = ANY(%s)
            """,
            [_text(vector), scope.workspace_id, [candidate.chunk_id for candidate in chosen]],
        )
        found = dict(cursor.fetchall())
    return [replace(candidate, similarity=found.get(candidate.chunk_id)) for candidate in chosen]


def words_found(scope: Scope, chunk_ids: Sequence[UUID], terms: Sequence[Term]) -> list[tuple[str, list[bool]]]:
    """Return a row a chunk in the order given: its locale, and which of `terms` it holds; titles and headings count."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, a.locale, ARRAY(SELECT coalesce(c.search_vector @@ t.query::tsquery, false)
                               FROM unnest(%s::text[]) WITH ORDINALITY t(query, place) ORDER BY t.place)
            FROM kb_chunk c JOIN kb_article a ON a.id = c.article_id WHERE c.workspace_id = %s AND c.id = ANY(%s)
            """,
            [[term.tsquery for term in terms], scope.workspace_id, list(chunk_ids)],
        )
        found = {key: (locale, hits) for key, locale, hits in cursor.fetchall()}
    return [found[key] for key in chunk_ids if key in found]


def _text(vector: Sequence[float]) -> str:
    return HalfVector(list(vector)).to_text()
