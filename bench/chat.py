"""Measure what a chat turn costs, compared with a bare relay of the same stream.

    python -m bench.chat [--chats 40] [--turns 3] [--rounds 2] [--vectors FILE] [--json]

One run starts the paced model server, the bare relay and a temporary instance, and measures, one after another: the
bare relay with a frame per token, the bare relay with 30 ms windows, the product without retrieval, and the product
with the demo's articles. README.md explains the figures.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from bench import processes
from bench.chats import BareChat, ProductChat
from bench.counts import count_turn
from bench.figures import table
from bench.instance import KNOWLEDGE, Instance, temporary_folder, throw_away_instance
from bench.measuring import Load, Reading, Server, measure

BARE: Final = "bare relay"
WINDOWED: Final = "bare relay, 30 ms windows"
PLAIN: Final = "product, no retrieval"
WHOLE: Final = "product, retrieval"
Named = tuple[str, Reading]


def main() -> None:
    options = _options()
    load = Load(options.chats, options.turns, demo_questions())
    with (
        temporary_folder() as folder,
        processes.paced_model(folder) as model_url,
        throw_away_instance(folder, model_url) as instance,
    ):
        instance.import_knowledge(options.vectors)
        readings: list[Named] = []
        for _ in range(options.rounds):
            readings += measure_bare(folder, model_url, load)
            readings += measure_product(instance, load)
        lateness = json.load(urlopen(f"{model_url}/lateness"))
        counts = count_turn(instance, load.questions)
    rows = compared([best_of(name, readings) for name in (BARE, WINDOWED, PLAIN, WHOLE)])
    show(rows, counts, lateness, as_json=options.json)


def demo_questions() -> list[str]:
    """Return English questions that the demo's articles answer."""
    rows = [json.loads(line) for line in (KNOWLEDGE.parent / "evaluation" / "questions.jsonl").read_text().splitlines()]
    return [row["question"] for row in rows if row["locale"] == "en"]


def measure_bare(folder: Path, model_url: str, load: Load) -> Iterator[Named]:
    with processes.bare_relay(folder, model_url) as (pid, url):
        for name, path in ((BARE, "/"), (WINDOWED, "/windowed")):
            yield name, measure(Server(pid), partial(BareChat.open, url=url + path), load)


def measure_product(instance: Instance, load: Load) -> Iterator[Named]:
    for name, retrieval in ((PLAIN, "0"), (WHOLE, "1")):
        with instance.web(KB_RETRIEVAL=retrieval) as web:
            instance.forget_counts()
            server = Server(web.pid, f"{web.origin}/metrics")
            yield name, measure(server, partial(ProductChat.open, web=web, channel=instance.channel), load)


def best_of(name: str, readings: Sequence[Named]) -> dict[str, Any]:
    """Return the lowest value of each figure (other work on the machine can only raise it), and all problems."""
    rounds = [reading.figures() for named, reading in readings if named == name]
    least = {key: min(figures[key] for figures in rounds) for key in rounds[0]}
    return {"name": name, **least, "problems": sum(figures["problems"] for figures in rounds)}


def compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows, each with its overhead compared with the first row, the bare relay."""
    bare = rows[0]
    return [
        row
        | {
            "cpu_over_bare": round(row["cpu_ms_per_turn"] / bare["cpu_ms_per_turn"], 2),
            "first_ms_over_bare": round(row["added_first_ms_p50"] - bare["added_first_ms_p50"], 1),
            "p99_ms_over_bare": round(row["added_turn_ms_p99"] - bare["added_turn_ms_p99"], 1),
        }
        for row in rows
    ]


def show(
    rows: list[dict[str, Any]], counts: list[dict[str, Any]], lateness: dict[str, float], *, as_json: bool
) -> None:
    if as_json:
        noise = {"name": "lateness of the model server", "ms_p50": lateness["p50"], "ms_p99": lateness["p99"]}
        text = "\n".join(json.dumps(row) for row in [*rows, *counts, noise])
    else:
        late = f"Tokens left the model server {lateness['p50']} ms late (p50), {lateness['p99']} ms (p99)."
        text = f"{table(_turned(rows))}\n\nOne turn with retrieval, counted:\n{table(counts)}\n\n{late}"
    sys.stdout.write(text + "\n")


def _turned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Transpose the table: one row per figure and one column per server, so that it fits a terminal."""
    return [{"": key, **{row["name"]: row[key] for row in rows}} for key in rows[0] if key != "name"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=40, help="number of concurrent chats")
    parser.add_argument("--turns", type=int, default=3, help="measured turns per chat, after one warm-up turn")
    parser.add_argument("--rounds", type=int, default=2, help="repeats; the lowest value of each figure is shown")
    parser.add_argument("--vectors", type=Path, help="a file in which to keep the vectors of the demo's articles")
    parser.add_argument("--json", action="store_true", help="JSON Lines instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
