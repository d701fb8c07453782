#!/usr/bin/env python3
"""Measure how many planted faults the shipped gates stop, and how many harmless edits.

    python -m bench.planted [--only WORDS] [--json]

A temporary installation has the demo's articles, its shop, and as gates the suites that come with SupportBot. Forty
faults (`planted_changes.py`) are planted one at a time, then twenty harmless edits; each is undone before the next. The
live release is strict and answers with a scripted server that reads its prompt (`planted_model.py`). Articles and rules
are judged as when somebody saves them in the console, releases as by *Evaluate*. Goal: at least 38 of the faults
refused, at most one of the harmless edits.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.planted_changes import FAULTS, HARMLESS, Archived, Change, Changed, Draft, Facts, New, Words
from bench.planted_model import LIAR, READER, Learnt, Server
from bench.processes import ROOT, serving
from bench.scratch import installation

KNOWLEDGE: Final = ROOT / "examples" / "knowledge"
SUITES: Final = ("demo", "shop", "security", "languages")
SECRET: Final = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IG9mIHRoZSB0ZXN0cyE="
IDENTITY: Final = "identity-secret-of-at-least-32-bytes"


_MARK: Final = re.compile(r"^\s*(?:[-*>#]+|\d+\.)\s+")  # the mark of a list item, a quotation or a heading


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--only", default="", help="plant only changes with this text in their name")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    from supportbot.embedded.free_ports import free_port

    shop_port, model_port = free_port(), free_port()
    os.environ["SHOP_PORT"] = str(shop_port)
    os.environ.update(SUPPORTBOT_LOG_LEVEL="ERROR", KB_EMBEDDER="packaged")
    with installation(), _shop(shop_port), _model(model_port) as server:
        _plant(server, model_port, chosen)


def _plant(server: Server, model_port: int, chosen: argparse.Namespace) -> None:
    from django.conf import settings

    from bench.planted_demo import Demo
    from supportbot.accounts.scope import workspace_scope

    demo = Demo(KNOWLEDGE, SUITES, shop=f"http://127.0.0.1:{os.environ['SHOP_PORT']}", secret=SECRET)
    with workspace_scope(demo.workspace.pk):
        demo.set_up(model=f"http://127.0.0.1:{model_port}/v1", liar=LIAR)
        began = time.monotonic()
        _learn(server, demo)
        # After `_learn`: once there is a model, the built-in answerer only stands in for it, and fewer cases are
        # played.
        settings.OPENAI_BASE_URL = f"http://127.0.0.1:{model_port}/v1"
        settings.OPENAI_API_KEY, settings.OPENAI_MODEL = "bench", READER
        demo.go_live()
        for name, report in demo.live.items():
            _note(
                f"live, {name}: {report.get('passed', report)} of {report.get('cases')}, failed {report.get('failed')}"
            )
        _note(f"ready after {time.monotonic() - began:.0f} s")
        results = [
            _asked(demo, change, is_fault=is_fault)
            for changes, is_fault in ((FAULTS, True), (HARMLESS, False))
            for change in changes
            if chosen.only in name_of(change)
        ]
    _tell(results, as_json=chosen.json)


def _learn(server: Server, demo: Any) -> None:
    """Teach the server the right answers, which are the current answers of the built-in answerer."""
    for played in demo.played_without_a_model():
        for reply in played.replies:
            calls = tuple((call.name, _asked_for(call.arguments)) for call in reply.calls if call.end != "rejected")
            text = re.sub(r"\s*\[\d+\]", "", reply.text)
            said = tuple(part for line in text.splitlines() for part in _sentences(_MARK.sub("", line)) if part.strip())
            known = Learnt(said, calls, reply.is_abstention)
            server.learnt[" ".join(reply.said.split())] = known


def _asked_for(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that the customer gave, without those that the action adds."""
    return {name: value for name, value in arguments.items() if name not in ("amount", "currency")}


def _sentences(line: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ])", line)


def _asked(demo: Any, change: Change, *, is_fault: bool) -> dict[str, Any]:
    began = time.monotonic()
    reasons = demo.refusal(change)
    row = {
        "name": name_of(change),
        "is_fault": is_fault,
        "refused": bool(reasons),
        "why": reasons[:3],
        "seconds": round(time.monotonic() - began, 1),
    }
    mark = "" if row["refused"] is is_fault else "  <-- wrong"
    _note(f"{row['name']}: {'refused' if reasons else 'let through'} {row['why']}{mark}")
    return row


def _note(words: str) -> None:
    sys.stderr.write(f"# {words}\n")
    sys.stderr.flush()


def name_of(change: Change) -> str:
    match change:
        case Words(article, old, new):
            return f"article {article}: {old[:40] or 'everything'} -> {new[:40].strip()}"
        case Facts(article, changes):
            return f"article {article}: {dict(changes)}"
        case Archived(article):
            return f"article {article}: archived"
        case New(title, _):
            return f"article {title}: new"
        case Draft(name, _):
            return f"release: {name}"
        case Changed(action, rules):
            return f"rules of {action}: {dict(rules)}"


def _tell(results: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in results:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    for is_fault, words in ((True, "planted faults"), (False, "harmless edits")):
        rows = [row for row in results if row["is_fault"] is is_fault]
        refused = [row for row in rows if row["refused"]]
        took = sum(row["seconds"] for row in rows)
        sys.stdout.write(f"{words}: {len(refused)} of {len(rows)} refused, {took:.0f} s\n")
        for row in rows:
            if row["refused"] is not is_fault:
                said = "refused" if row["refused"] else "let through"
                sys.stdout.write(f"  {said}: {row['name']} {'; '.join(row['why'])}\n")


@contextmanager
def _shop(port: int) -> Iterator[None]:
    folder = Path(os.environ["DATA_DIR"]) / "shop"
    folder.mkdir()
    variables = {
        "SHOP_DATA_DIR": str(folder),
        "SHOP_PLATFORM_URL": "http://127.0.0.1:1",
        "SHOP_CHANNEL_KEY": "pk_bench",
        "SHOP_IDENTITY_SECRET": IDENTITY,
        "SHOP_WEBHOOK_SECRET": SECRET,
        "DJANGO_SETTINGS_MODULE": "shop.settings",
    }
    command = [sys.executable, str(ROOT / "examples" / "shop" / "manage.py"), "serve"]
    with serving(command, port, folder / "shop.log", SHOP_PORT=str(port), **variables):
        yield


@contextmanager
def _model(port: int) -> Iterator[Server]:
    from aiohttp import web

    server, loop, is_up = Server(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        runner = web.AppRunner(server.application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        is_up.set()

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(serve(), loop)
    is_up.wait(30)
    yield server
    loop.call_soon_threadsafe(loop.stop)


if __name__ == "__main__":
    main()
