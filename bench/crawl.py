#!/usr/bin/env python3
"""Measure whether search works as well on a crawled help centre as on the same articles imported as Markdown.

    python -m bench.crawl DOCUMENTS QUESTIONS.jsonl [--cache DIR] [--json]

DOCUMENTS is a folder of Markdown files with front matter; QUESTIONS is in the format of `kb_eval`. The folder is
imported into one workspace; then `bench.help_site` serves it in a theme, and a source crawls that site into a second
workspace. Prints both scores, their difference (goal: within .02), and how many articles have exactly the same words.
Embedding takes about 0.3 s per passage.
"""

import argparse
import io
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.help_site import HOME, help_site, pages_of, path_of
from bench.scratch import installation

CACHE: Final = Path(__file__).parent / ".cache"
SCORES: Final = ("hit1", "hit5", "recall10", "mrr10", "ndcg10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["PRIVATE_NETWORKS"] = "127.0.0.0/8"
    with installation():
        found = measure(options.documents, options.questions, options.cache)
    sys.stdout.write(json.dumps(found) if options.json else _table(found))


def measure(documents: Path, questions: Path, cache: Path) -> dict[str, Any]:
    from supportbot.accounts.workspaces import create_workspace

    create_workspace("Markdown", slug="markdown")
    create_workspace("Crawled", slug="crawled")
    cache.mkdir(exist_ok=True)
    vectors = cache / f"{documents.parent.name}.vectors"
    imported = _command("kb_import", str(documents), "--workspace", "markdown", "--vectors", str(vectors))
    _with_vectors(vectors)
    with help_site(pages_of(documents)) as url:
        add = ("source_add", f"{url}{HOME}", "--workspace", "crawled", "--delay", "0")
        crawled = _command(*add)
        host = url.partition("://")[2]
        files = {"markdown": questions, "crawled": _asked_of(questions, host, cache / "crawled.jsonl")}
        scores = {name: _command("kb_eval", str(file), "--workspace", name) for name, file in files.items()}
    counts = {name: crawled[name] for name in ("new", "left_out", "broken", "took_ms")}
    return {"imported": imported["new"], "crawled": counts, "scores": scores, "same_text": _same_texts(host)}


def _with_vectors(file: Path) -> None:
    """Make the source's runs use the cached vectors, so that equal passages are embedded only once."""
    from kb.indexing.vector_file import VectorFile
    from kb.ports import embedder
    from kb.sources import run_worker

    run_worker.sync_articles = partial(run_worker.sync_articles, known=VectorFile(file, embedder().recipe))


def _command(name: str, *args: str) -> dict[str, Any]:
    from django.core.management import call_command

    out = io.StringIO()
    call_command(name, *args, "--json", stdout=out, stderr=sys.stderr)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def _asked_of(questions: Path, host: str, target: Path) -> Path:
    """Write the questions to `target`, with the ids of crawled pages instead of those of imported articles."""

    def named(ids: list[str]) -> list[str]:
        return [f"{host}{path_of(article)}" for article in ids]

    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    for row in rows:
        for key in ("gold", "gold_docs", "exclude", "exclude_docs"):
            if key in row:
                row[key] = named(row[key])
    target.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return target


def _same_texts(host: str) -> dict[str, int]:
    """Return how many crawled articles have the same words as the imported ones, apart from the title."""
    from kb.models import Article
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.language.plain_text import plain

    def words(slug: str) -> dict[str, str]:
        with workspace_scope(Workspace.objects.get(slug=slug).pk):
            rows = Article.objects.values_list("external_id", "live_revision__title", "live_revision__body")
            return {name.rpartition("/")[2]: _plain(plain(body), title) for name, title, body in rows}

    def _plain(text: str, title: str) -> str:
        return "".join(sign for sign in text.replace(title, "", 1).lower() if sign.isalnum())

    crawled, imported = words("crawled"), words("markdown")
    same = sum(crawled.get(name) == text for name, text in imported.items())
    return {"articles": len(imported), "crawled": len(crawled), "same": same}


def _table(found: dict[str, Any]) -> str:
    both = found["scores"]
    rows = [f"{'':<10}{'markdown':>10}{'crawled':>10}{'difference':>12}"]
    for name in SCORES:
        first, second = (_score(both[one], name) for one in ("markdown", "crawled"))
        rows.append(f"{name:<10}{first:>10.3f}{second:>10.3f}{second - first:>+12.3f}")
    facts = {name: found[name] for name in ("imported", "crawled", "same_text")}
    return "\n".join([*rows, *(f"{name}: {value}" for name, value in facts.items()), ""])


def _score(told: dict[str, Any], name: str) -> float:
    return float(told["scores"][name] if "scores" in told else told[name])


if __name__ == "__main__":
    main()
