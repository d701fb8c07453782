"""What a night's retention costs those who chat meanwhile, in a database with months of conversations.

    python -m bench.retention [--conversations 40000] [--chats 10] [--turns 3] [--rounds 2] [--json]

It fills a temporary instance, and has a process erase the older half of the conversations, as the worker does at night,
while chats with the paced model server are measured. In between, the same chats are measured while that process is
stopped, so that both see the same machine. A real worker delivers the announcements. `ratio` compares the two: what is
added to the first words and to the whole answer, and processor time.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench import processes
from bench.chat import best_of, demo_questions
from bench.chats import ProductChat
from bench.figures import table
from bench.instance import Instance, Web, temporary_folder, throw_away_instance
from bench.measuring import Load, Reading, Server, measure
from supportbot.embedded.child_processes import spawn, stop

ALONE: Final = "chats alone"
MEANWHILE: Final = "chats during retention"
DAYS: Final = 45  # of the 90 that are filled
COMPARED: Final = ("cpu_ms_per_turn", "added_first_ms_p50", "added_first_ms_p99", "added_turn_ms_p99")
_NIGHT: Final = "import django; django.setup(); from supportbot.chat.retention import erase_expired; erase_expired()"


def main() -> None:
    options = _options()
    load = Load(options.chats, options.turns, demo_questions())
    with (
        temporary_folder() as folder,
        processes.paced_model(folder) as model_url,
        throw_away_instance(folder, model_url) as instance,
    ):
        count = _filled(options.conversations)
        instance.import_knowledge(options.vectors)
        with instance.web() as web, _running(instance.child("worker").command, folder / "worker.log"):
            measured = partial(_measured, instance, web, load)
            alone, meanwhile = list[tuple[str, Reading]](), list[tuple[str, Reading]]()
            with _running([sys.executable, "-c", _NIGHT], folder / "night.log") as process:
                night = _Night(process, count)
                for _ in range(options.rounds):
                    night.pause()
                    alone.append((ALONE, measured()))
                    night.go_on()
                    meanwhile.append((MEANWHILE, measured()))
                rate, is_over = night.rate(), night.is_over
            if process.returncode not in (0, -signal.SIGTERM):
                raise SystemExit(f"The night's process failed: {(folder / 'night.log').read_text()[-800:]}")
    rows = [best_of(ALONE, alone), best_of(MEANWHILE, meanwhile)]
    _show(rows, rate, is_over=is_over, as_json=options.json)


class _Night:
    """A process that erases, with pauses, and how fast it does."""

    def __init__(self, process: "subprocess.Popen[bytes]", count: Callable[[], int]) -> None:
        self._process, self._count = process, count
        self._before, self._began = count(), time.monotonic()
        self._seconds = 0.0  # of its work before the last pause
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

    def rate(self) -> float:
        """Return the number of conversations that it has erased a second."""
        return (self._before - self._count()) / self._worked()

    def _worked(self) -> float:
        return self._seconds + max(0.0, (self._ended or time.monotonic()) - self._began)

    def _wait(self) -> None:
        self._process.wait()
        self._ended = time.monotonic()


def _filled(conversations: int) -> Any:
    """Fill the workspace, limit what it keeps, and return a function that counts its conversations."""
    import django

    django.setup()
    from bench.filling import Size, fill
    from kb.indexing.recipes import active_recipe
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.chat.models import Conversation

    workspace = Workspace.objects.get()

    def count() -> int:
        with workspace_scope(workspace.pk):
            return Conversation.objects.count()

    with workspace_scope(workspace.pk):
        sys.stderr.write(f"Filled in {fill(workspace.pk, Size(conversations, 0), active_recipe()):.0f} s.\n")
    Workspace.objects.update(keep_conversations_days=DAYS)
    return count


def _measured(instance: Instance, web: Web, load: Load) -> Reading:
    instance.forget_counts()
    return measure(
        Server(web.pid, f"{web.origin}/metrics"), partial(ProductChat.open, web=web, channel=instance.channel), load
    )


@contextmanager
def _running(command: Any, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = spawn(command, output=output, environment=dict(os.environ), folder=processes.ROOT)
    try:
        yield process
    finally:
        stop(process, (signal.SIGTERM, 20.0))


def _show(rows: list[dict[str, Any]], rate: float, *, is_over: bool, as_json: bool) -> None:
    alone, meanwhile = rows
    ratio = {"name": "ratio", **{key: round(meanwhile[key] / (alone[key] or 1), 2) for key in COMPARED}}
    if as_json:
        text = "\n".join(
            json.dumps(row) for row in (*rows, ratio, {"name": "erased a second", "value": round(rate, 1)})
        )
    else:
        figures = [
            {"": key, **{row["name"]: row.get(key, "") for row in (*rows, ratio)}} for key in alone if key != "name"
        ]
        over = ", and was over before the chats: choose more conversations" if is_over else ""
        text = f"{table(figures)}\n\nRetention erased {rate:.1f} conversations a second{over}."
    sys.stdout.write(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=40_000)
    parser.add_argument("--chats", type=int, default=10, help="at once")
    parser.add_argument("--turns", type=int, default=3, help="measured in each chat, after one to warm up")
    parser.add_argument("--rounds", type=int, default=2, help="repeats; the least of each figure is shown")
    parser.add_argument("--vectors", type=Path, default=None, help="a file to keep the vectors of the articles in")
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
