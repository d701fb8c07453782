"""Measure how chats are affected by months of stored conversations, and by a night that erases half of them.

    python -m bench.retention [--conversations 40000] [--passages 0] [--chats 10] [--turns 3] [--rounds 2] [--whole]

It starts two temporary instances, one empty and one with months of conversations, and measures the same chats with the
paced model server: in the empty instance, in the populated one, and again in the latter while a process erases the
older half of the conversations, as the worker does at night. That process is paused during the other two measurements,
so that all of them can run on the same machine. A real worker delivers the announcements. The ratios compare processor
time, and the delays of the first words and of the whole answer. With `--whole`, the chats go on until everything is
erased; `--conversations 200000 --passages 50000 --whole` takes about an hour. Every tenth conversation has had a
ticket; with `--ticket-every 1`, every one has.
"""

import argparse
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench import processes
from bench.chat import best_of, demo_questions
from bench.chats import ProductChat
from bench.figures import table
from bench.filling import Size, fill
from bench.instance import Instance, temporary_folder, throw_away_instance
from bench.measuring import Load, Reading, Server, measure
from supportbot.embedded.child_processes import spawn, stop

EMPTY: Final = "chats, empty"
ALONE: Final = "chats, populated"
MEANWHILE: Final = "chats during retention"
WHOLE: Final = "chats until its end"
DAYS: Final = 45  # how many of the 90 days with conversations are kept
COMPARED: Final = (
    "cpu_ms_per_turn",
    "added_first_ms_p50",
    "added_first_ms_p99",
    "added_turn_ms_p50",
    "added_turn_ms_p99",
)
_NIGHT: Final = "import django; django.setup(); from supportbot.chat.retention import erase_expired; erase_expired()"
Chats = Callable[[str], Reading]


def main() -> None:
    options = _options()
    with temporary_folder() as folder, processes.paced_model(folder) as model_url, ExitStack() as stack:
        empty = _prepared(stack, model_url)
        empty.import_knowledge(options.vectors)
        filled = _prepared(stack, model_url)  # from here on, the environment variables are those of this instance
        count = _filled(Size(options.conversations, options.passages, options.ticket_every))
        filled.import_knowledge(options.vectors)
        chats = _chats(stack, {EMPTY: empty, ALONE: filled, MEANWHILE: filled, WHOLE: filled}, options)
        with (
            _running(filled.child("worker").command, folder / "worker.log"),
            _running([sys.executable, "-c", _NIGHT], folder / "night.log") as process,
        ):
            night = _Night(process, count)
            readings = list(_readings(night, chats, options))
            result = night.result()
        if process.returncode not in (0, -signal.SIGTERM):
            raise SystemExit(f"The process that erases failed: {(folder / 'night.log').read_text()[-800:]}")
    _show(readings, result, as_json=options.json)


def _prepared(stack: ExitStack, model_url: str) -> Instance:
    return stack.enter_context(throw_away_instance(stack.enter_context(temporary_folder()), model_url))


def _chats(stack: ExitStack, instances: dict[str, Instance], options: argparse.Namespace) -> Chats:
    """Start a web process for each instance; return a function that measures the chats with a given name."""
    questions, numbers = demo_questions(), itertools.count()
    webs = {one: stack.enter_context(one.web(**one.environment())) for one in set(instances.values())}

    def run(name: str) -> Reading:
        instance, number = instances[name], next(numbers)
        # Each run has its own questions, since the vectors of the last run's questions would come from the cache.
        load = Load(options.chats, options.turns, [f"{question} ({number})" for question in questions])
        web = webs[instance]
        instance.forget_counts()
        opened = partial(ProductChat.open, web=web, channel=instance.channel)
        return measure(Server(web.pid, f"{web.origin}/metrics"), opened, load)

    return run


def _readings(night: "_Night", chats: Chats, options: argparse.Namespace) -> Iterator[tuple[str, Reading]]:
    for _ in range(options.rounds):
        night.pause()
        yield EMPTY, chats(EMPTY)
        yield ALONE, chats(ALONE)
        night.go_on()
        yield MEANWHILE, chats(MEANWHILE)
    while options.whole and not night.is_over:
        yield WHOLE, chats(WHOLE)


@dataclass(frozen=True)
class _Result:
    """How many of the `before` conversations the process has erased, and its seconds of work."""

    before: int
    erased: int
    seconds: float
    is_over: bool

    def text(self) -> str:
        over = "everything that was due" if self.is_over else "not all that was due"
        return (
            f"Retention erased {self.erased} of {self.before} conversations, {over}, in {self.seconds:.0f} s: "
            f"{self.erased / self.seconds:.1f} a second."
        )


class _Night:
    """A process that erases conversations and can be paused, and its speed."""

    def __init__(self, process: "subprocess.Popen[bytes]", count: Callable[[], int]) -> None:
        self._process, self._count = process, count
        self._before, self._began = count(), time.monotonic()
        self._seconds = 0.0  # of work before the last pause
        self._ended: float | None = None
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def is_over(self) -> bool:
        return self._ended is not None

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        self._seconds = self._worked()
        self._began = math.inf

    def go_on(self) -> None:
        self._began = time.monotonic()
        self._process.send_signal(signal.SIGCONT)

    def result(self) -> "_Result":
        return _Result(self._before, self._before - self._count(), self._worked(), is_over=self.is_over)

    def _worked(self) -> float:
        return self._seconds + max(0.0, (self._ended or time.monotonic()) - self._began)

    def _wait(self) -> None:
        self._process.wait()
        self._ended = time.monotonic()


def _filled(size: Size) -> Callable[[], int]:
    """Fill the workspace, set its retention, and return a function that counts its conversations."""
    import django

    django.setup()
    from kb.indexing.recipes import active_recipe
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.chat.models import Conversation
    from supportbot.insights.stored_daily_sums import roll_up_workspace

    workspace = Workspace.objects.get()

    def count() -> int:
        with workspace_scope(workspace.pk):
            return Conversation.objects.count()

    with workspace_scope(workspace.pk):
        took = fill(workspace.pk, size, active_recipe())
    # The sums of all days, as earlier nights would have left them: otherwise the process would first compute those.
    roll_up_workspace(workspace)
    sys.stderr.write(f"Filled in {took:.0f} s.\n")
    Workspace.objects.update(keep_conversations_days=DAYS)
    return count


@contextmanager
def _running(command: Any, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = spawn(command, output=output, environment=dict(os.environ), folder=processes.ROOT)
    try:
        yield process
    finally:
        stop(process, (signal.SIGTERM, 20.0))


def _show(readings: list[tuple[str, Reading]], result: _Result, *, as_json: bool) -> None:
    rows = {name: best_of(name, readings) for name in (EMPTY, ALONE, MEANWHILE)}
    if until_the_end := [reading for name, reading in readings if name == WHOLE]:
        rows[WHOLE] = {"name": WHOLE, **_together(until_the_end).figures()}  # of all turns, not the lowest ones
    compared = [
        ("filled / empty", ALONE, EMPTY),
        ("during / filled", MEANWHILE, ALONE),
        ("whole / filled", WHOLE, ALONE),
    ]
    ratios = [_ratio(name, rows[over], rows[under]) for name, over, under in compared if over in rows]
    columns = [*rows.values(), *ratios]
    if as_json:
        lines = [json.dumps(column) for column in (*columns, {"name": "retention", **asdict(result)})]
        sys.stdout.write("\n".join(lines) + "\n")
        return
    figures = [
        {"": key, **{column["name"]: column.get(key, "") for column in columns}} for key in rows[EMPTY] if key != "name"
    ]
    sys.stdout.write(f"{table(figures)}\n\n{result.text()}\n")


def _together(readings: list[Reading]) -> Reading:
    return Reading(
        sum(one.cpu_seconds for one in readings),
        sum(one.vector_seconds for one in readings),
        [turn for one in readings for turn in one.turns],
    )


def _ratio(name: str, row: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, **{key: round(row[key] / (base[key] or 1), 2) for key in COMPARED}}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=40_000)
    parser.add_argument("--passages", type=int, default=0, help="number of passages in addition to the demo's")
    parser.add_argument("--ticket-every", type=int, default=10, help="1: a ticket for every conversation")
    parser.add_argument("--chats", type=int, default=10, help="number of concurrent chats")
    parser.add_argument("--turns", type=int, default=3, help="measured turns per chat, after one warm-up turn")
    parser.add_argument("--rounds", type=int, default=2, help="repeats; the lowest value of each figure is shown")
    parser.add_argument("--whole", action="store_true", help="chat until the older half is erased")
    parser.add_argument(
        "--vectors", type=Path, default=None, help="a file in which to keep the vectors of the articles"
    )
    parser.add_argument("--json", action="store_true", help="JSON Lines instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
