#!/usr/bin/env python3
"""Measure the recall of vector search with the workspace filter against an exact search, and the cost of a search.

    python -m bench.filtered_recall [--chunks 20000] [--workspaces 20] [--queries 200]

The data is synthetic: clustered unit vectors, whose cosine to their cluster's centre is about .75, as for passages on
one topic. Every workspace has the same clusters, so a query has neighbours in all of them. Both scans are measured,
whichever the search would choose for a scope of that size. Prints one JSON line per scan.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.scratch import installation

DIMENSIONS = 384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--workspaces", type=int, default=20)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    with installation():
        measure(options.chunks, options.workspaces, options.queries)


def measure(chunks: int, workspaces: int, queries: int) -> None:
    import numpy as np

    from kb.access import Viewer
    from kb.indexing.models import Recipe
    from kb.search import candidates
    from supportbot.accounts.scope import workspace_scope

    is_small = chunks // workspaces <= candidates.EXACT_UP_TO
    dice = np.random.default_rng(7)
    vectors = clustered(dice, chunks)
    recipe = Recipe.objects.create(name="bench", model="bench", dimensions=DIMENSIONS, is_active=True)
    ids = fill(vectors, workspaces, recipe)
    asked = [int(row) for row in dice.choice(chunks, queries, replace=False)]
    for scan in (candidates.exact_neighbours, candidates.approximate_neighbours):
        recalls, times = [], []
        for row in asked:
            home = row % workspaces
            vector = noisy(dice, vectors[row])
            own = np.arange(home, chunks, workspaces)
            best = own[np.argsort(-(vectors[own] @ vector))[:10]]
            with workspace_scope(ids[home][0]):
                scope = candidates.Scope(ids[home][0], recipe, Viewer())
                began = time.perf_counter()
                found = scan(scope, vector.tolist(), limit=10)
                times.append((time.perf_counter() - began) * 1000)
            recalls.append(len({f.chunk_id for f in found} & {str(ids[home][1][number]) for number in best}) / 10)
        report(scan.__name__, recalls, times, chosen=(scan is candidates.exact_neighbours) == is_small)


def report(scan: str, recalls: list[float], times: list[float], *, chosen: bool) -> None:
    times.sort()
    facts = {
        "scan": scan,
        "chosen_by_search": chosen,
        "queries": len(recalls),
        "recall10": round(sum(recalls) / len(recalls), 4),
        "worst": min(recalls),
        "p50_ms": round(times[len(times) // 2], 2),
        "p95_ms": round(times[int(len(times) * 0.95)], 2),
    }
    sys.stdout.write(json.dumps(facts) + "\n")


def clustered(dice: Any, chunks: int) -> Any:
    """Return unit vectors in clusters of very different sizes."""
    import numpy as np

    count = max(50, int(chunks**0.5))
    centres = dice.standard_normal((count, DIMENSIONS)).astype("f4")
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    own = dice.zipf(1.3, chunks) % count
    vectors = centres[own] + 0.85 * dice.standard_normal((chunks, DIMENSIONS)).astype("f4") / DIMENSIONS**0.5
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def noisy(dice: Any, vector: Any) -> Any:
    import numpy as np

    asked = vector + 0.45 * dice.standard_normal(DIMENSIONS).astype("f4") / DIMENSIONS**0.5
    return asked / np.linalg.norm(asked)


def fill(vectors: Any, workspaces: int, recipe: Any) -> list[tuple[Any, dict[int, Any]]]:
    """Store row n in workspace n modulo `workspaces`; return each workspace's id and its chunk ids by row."""
    from supportbot.accounts.scope import workspace_scope
    from supportbot.accounts.workspaces import create_workspace

    made = []
    for number in range(workspaces):
        workspace = create_workspace(f"Workspace {number}", slug=f"w{number}")
        with workspace_scope(workspace.pk):
            rows = range(number, len(vectors), workspaces)
            made.append((workspace.pk, store(workspace.pk, rows, vectors, recipe)))
    analyse()
    return made


def store(workspace_id: Any, rows: Sequence[int], vectors: Any, recipe: Any) -> dict[int, Any]:
    """Create live articles with ten chunks each."""
    from pgvector import HalfVector

    from kb.indexing.models import Chunk
    from kb.models import Article
    from kb.services import Change, create_article, publish

    ids: dict[int, Any] = {}
    for at in range(0, len(rows), 10):
        row = publish(create_article(Change(title=f"Article {at}", body=f"Article {at}."), external_id=f"a{at}").pk)
        Chunk.objects.filter(article=row).delete()
        chunks = [
            Chunk(
                article=row,
                recipe=recipe,
                revision_number=1,
                position=position,
                text="x " * random.Random(number).randint(60, 160),
                start=0,
                end=1,
                content_hash=str(number),
                embedding=HalfVector(vectors[number].tolist()),
            )
            for position, number in enumerate(rows[at : at + 10])
        ]
        Chunk.objects.bulk_create(chunks)
        ids.update(zip(rows[at : at + 10], (chunk.pk for chunk in chunks), strict=True))
    assert Article.objects.filter(workspace=workspace_id).count() == (len(rows) + 9) // 10
    return ids


def analyse() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE kb_chunk, kb_article")


if __name__ == "__main__":
    main()
