"""Measure what the widget costs a shop's page, compared with deep-chat, the lightest of the other chat elements.

    python -m bench.widget [--deep-chat FOLDER] [--rounds 3] [--json]

Both run in Chromium on an empty page of another origin, with the same compression. deep-chat is fetched once by `npm
pack` (which needs Node), unless `--deep-chat` is a folder that contains its `deepChat.bundle.js`. deep-chat has no
server to talk to, while the widget requests a ticket and opens a socket, so the widget's figures after opening include
more.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench import processes
from bench.figures import table
from bench.instance import Instance, Web, temporary_folder, throw_away_instance
from bench.page_server import page_server
from tests.browser.program import launch_options

DEEP_CHAT: Final = "deep-chat@2.4.2"
BUNDLE: Final = "deepChat.bundle.js"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SETTLE_MS: Final = 800
_WATCH: Final = """
window.blocked = 0; window.slowest = 0;
new PerformanceObserver(list => { for (const task of list.getEntries()) window.blocked += task.duration - 50; })
  .observe({type: "longtask", buffered: true});
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.slowest = Math.max(window.slowest, entry.duration);
}).observe({type: "event", durationThreshold: 16, buffered: true});
"""


@dataclass(frozen=True)
class Subject:
    """A chat element, and how to open it and type into it."""

    name: str
    body: str
    open: Callable[[Page], None]
    field: str


class Bytes:
    """The bytes that the page has fetched so far."""

    def __init__(self, session: CDPSession) -> None:
        self.total = self.requests = 0
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add)

    def _add(self, loaded: dict[str, Any]) -> None:
        self.total += loaded["encodedDataLength"]
        self.requests += 1


def main() -> None:
    options = _options()
    with (
        temporary_folder() as folder,
        processes.paced_model(folder) as model,
        throw_away_instance(folder, model) as instance,
        instance.web() as web,
        sync_playwright() as playwright,
        page_server(options.deep_chat or fetched(folder)) as pages,
    ):
        channel = channel_for(instance, pages.origin)
        browser = playwright.chromium.launch(**launch_options())
        rows = [
            measure(browser, pages.origin, pages.with_body(subject.body), subject, options.rounds)
            for subject in (ours(web, channel), deep_chat())
        ]
        browser.close()
    show(rows, as_json=options.json)


def channel_for(instance: Instance, origin: str) -> str:
    made = json.loads(instance.manage("channel_create", "page", "--origin", origin, "--json"))
    return str(made["channel"])


def ours(web: Web, channel: str) -> Subject:
    tag = f'<script async src="{web.origin}/widget/v1.js" data-channel="{channel}"></script>'
    return Subject("this widget", tag, lambda page: page.locator("support-bot button").first.click(), "textarea")


def deep_chat() -> Subject:
    tag = f'<script type="module" src="/{BUNDLE}"></script><deep-chat></deep-chat>'
    return Subject(DEEP_CHAT, tag, lambda page: page.locator("deep-chat #text-input").click(), "#text-input")


def fetched(folder: Path) -> Path:
    """Return a folder with deep-chat's bundle, fetched from the npm registry."""
    subprocess.run(["npm", "pack", "--silent", DEEP_CHAT], cwd=folder, check=True, capture_output=True)
    with tarfile.open(next(folder.glob("deep-chat-*.tgz"))) as archive:
        archive.extract(f"package/dist/{BUNDLE}", folder, filter="data")
    return folder / "package" / "dist"


def measure(browser: Browser, origin: str, path: str, subject: Subject, rounds: int) -> dict[str, Any]:
    """Return the figures of one element: bytes and requests of the first round, and the shortest time of all rounds."""
    readings = [one_visit(browser, f"{origin}{path}", subject) for _ in range(rounds)]
    first, times = readings[0], ("blocked_ms", "slowest_event_ms")
    least = {name: statistics.median_low([reading[name] for reading in readings]) for name in times}
    return {"name": subject.name, **first, **least}


def one_visit(browser: Browser, url: str, subject: Subject) -> dict[str, Any]:
    with visit(browser) as (page, loaded):
        page.goto(url, wait_until="networkidle")
        page.wait_for_timeout(SETTLE_MS)
        at_load = {"load_kb": round(loaded.total / 1000, 1), "load_requests": loaded.requests}
        subject.open(page)
        page.locator(subject.field).first.press_sequentially("Where is my order?")
        page.wait_for_timeout(SETTLE_MS)
        found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
        return {
            **at_load,
            "open_kb": round(loaded.total / 1000, 1),
            "open_requests": loaded.requests,
            "blocked_ms": round(page.evaluate("window.blocked")),
            "slowest_event_ms": round(page.evaluate("window.slowest")),
            "axe_rules_broken": len(found),
        }


@contextmanager
def visit(browser: Browser) -> Iterator[tuple[Page, Bytes]]:
    """Open the page as a new visitor with empty caches."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(_WATCH)
    yield page, Bytes(context.new_cdp_session(page))
    context.close()


def show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in rows)
        return
    turned = [{"": key, **{row["name"]: row[key] for row in rows}} for key in rows[0] if key != "name"]
    sys.stdout.write(f"{table(turned)}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep-chat", type=Path, metavar="FOLDER", help=f"a folder with {BUNDLE}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="JSON Lines instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
