#!/usr/bin/env python3
"""Measure how fast articles get their vectors, and how much processor time the web process takes meanwhile.

    python -m bench.ingest DOCUMENTS [--seconds 20] [--json]

DOCUMENTS is anything `kb_import` accepts. First, the embedding model alone embeds their passages for some seconds, with
one thread and then with one per core. Then they are imported into a temporary instance while its help pages are
searched five times a second. Prints passages per second, also as a share of the model's own rate times the number of
cores (goal: 0.9) and of that rate times the cores that the web process leaves free; and the searches' median and p95
before and during the import (goal: p95 at most doubled).
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bench.figures import percentile
from bench.idle import NO_MODEL
from bench.instance import Instance, Web, temporary_folder, throw_away_instance
from bench.processes import ROOT, cpu_seconds
from supportbot.installation.cores import usable_cores

PAUSE_SECONDS: Final = 0.2
CALM_SEARCHES: Final = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with temporary_folder() as folder, throw_away_instance(folder, NO_MODEL) as instance:
        found = measure(instance, options.documents, options.seconds)
    words = "".join(f"{name:<24} {value}\n" for name, value in found.items())
    sys.stdout.write(json.dumps(found) if options.json else words)


def measure(instance: Instance, documents: Path, seconds: float) -> dict[str, Any]:
    titles, texts = _texts(documents)
    cores = usable_cores()
    alone, together = _rate(texts, 1, seconds), _rate(texts, cores, seconds)
    with instance.web() as web:
        asked = itertools.cycle(titles)
        calm = list(_searches(instance, web, asked, lambda count: count >= CALM_SEARCHES))
        begun, web_before = time.monotonic(), cpu_seconds(web.pid)
        command = [sys.executable, str(ROOT / "manage.py"), "kb_import", str(documents)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as importing:
            busy = list(_searches(instance, web, asked, lambda _: importing.poll() is not None))
        took = time.monotonic() - begun
        web_cores = (cpu_seconds(web.pid) - web_before) / took
    return {
        "passages": len(texts),
        "import_s": round(took, 1),
        "per_second": round(len(texts) / took, 2),
        "model_one_thread": round(alone, 2),
        "model_all_cores": round(together, 2),
        "cores": cores,
        "share_of_model": round(len(texts) / took / (alone * cores), 3),
        "web_cores": round(web_cores, 3),
        "share_of_cores_left": round(len(texts) / took / (alone * (cores - web_cores)), 3),
        "share_of_all_cores": round(len(texts) / took / together, 3),
        "search_p50_ms": percentile(calm, 50),
        "search_p95_ms": percentile(calm, 95),
        "busy_p50_ms": percentile(busy, 50),
        "busy_p95_ms": percentile(busy, 95),
        "busy_searches": len(busy),
    }


def _texts(documents: Path) -> tuple[list[str], list[str]]:
    """Return the titles of the documents, and the text that is embedded for each of their passages."""
    import django

    django.setup()
    from kb.importing.loaders import load
    from kb.importing.parsed_document import Document
    from kb.indexing.chunking import chunk, embedding_text

    read = [item for item in load([str(documents)]) if isinstance(item, Document)]
    found = [(one.wording.title, one.wording.body) for one in read]
    texts = [embedding_text(title, piece) for title, body in found for piece in chunk(title, body)]
    return [title for title, _ in found], texts


def _rate(texts: Sequence[str], threads: int, seconds: float) -> float:
    """Return how many passages the model alone embeds per second. The first call, which loads it, is not counted."""
    from kb.embedders.packaged import PackagedEmbedder

    embedder = PackagedEmbedder()
    embedder.passages(texts[:1])
    begun = time.monotonic()
    waiting = iter(texts[:: max(1, len(texts) // 1_000)])

    def work(_: int) -> int:
        count = 0
        for text in waiting_together(waiting):
            if time.monotonic() - begun > seconds:
                break
            embedder.passages([text])
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        done = sum(pool.map(work, range(threads)))
    return done / (time.monotonic() - begun)


def waiting_together(texts: Iterator[str]) -> Iterator[str]:
    """Yield the items of an iterator that several threads share: `next` is atomic for a built-in iterator."""
    while (text := next(texts, None)) is not None:
        yield text


def _searches(instance: Instance, web: Web, titles: Iterator[str], is_over: Callable[[int], bool]) -> Iterator[float]:
    """Yield the milliseconds of each search of the help pages except the first, until `is_over` returns True."""
    count = -1
    while not is_over(max(count, 0)):
        instance.forget_counts()  # this many searches from one address exceed the limit per minute
        query = urllib.parse.urlencode({"q": f"{next(titles)} {count}"})
        begun = time.monotonic()
        with urllib.request.urlopen(f"{web.origin}/help/bench/?{query}", timeout=60) as answer:
            answer.read()
        if count >= 0:
            yield (time.monotonic() - begun) * 1_000
        count += 1
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
