"""Waiting for the first page, without waiting for a process that has already given up."""

import time
from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from supportbot.embedded.children import ChildProcess
from supportbot.embedded.steps import last_words
from supportbot.installation.errors import StartRefused

PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1


def wait_for_page(url: str, child: ChildProcess, *, others: Sequence[ChildProcess] = ()) -> None:
    """Return when `url` answers. Raises StartRefused with the log's last words when a child ends, or after a minute."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(url):
        for process in (child, *others):
            if not process.is_alive:
                raise StartRefused(f"{process.name} did not start: {last_words(process.log)} (see {process.log}).")
        if time.monotonic() > deadline:
            raise StartRefused(f"{child.name} does not answer at {url}: see {child.log}.")
        time.sleep(PAUSE_SECONDS)


def _answers(url: str) -> bool:
    opener = build_opener(ProxyHandler({}))  # never through a proxy: this asks our own machine
    try:
        with opener.open(url, timeout=5):
            return True
    except HTTPError as answer:  # the process is there; whether it is well is /readyz's to tell
        return answer.code < 500
    except (URLError, HTTPException, OSError):
        return False
