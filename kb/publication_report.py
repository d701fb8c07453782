"""A report for commands that publish articles: how the answers to customers' questions changed, as compared by a
worker.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from kb.database_time import database_now
from kb.ports import afterwards

MOST_ASKED: Final = 500  # articles in one report
WAIT_SECONDS: Final = 600.0
REPORT_HELP: Final = gettext_noop("wait until a worker has compared the answers to customers' questions")
_LOOK_EVERY: Final = 1.0
_OPEN: Final = ("waiting", "running")


def report_after(article_ids: Sequence[UUID], *, since: datetime, waits: bool) -> dict[str, Any] | None:
    """Return what publishing these articles from `since` until now has changed; None if there are no articles. With
    `waits`, wait up to ten minutes for the result. `since` is a time on the database's clock (`database_now`).

    Nothing is compared here: if no worker is running, the state stays "waiting".
    """
    if not article_ids:
        return None
    ids, until = list(article_ids)[:MOST_ASKED], database_now()
    ends = time.monotonic() + WAIT_SECONDS
    report = afterwards(ids, since, until)
    while waits and report["state"] in _OPEN and time.monotonic() < ends:
        time.sleep(_LOOK_EVERY)
        report = afterwards(ids, since, until)
    return report


def in_words(report: dict[str, Any]) -> str:
    """Return a report as text."""
    if report["state"] in _OPEN:
        words = gettext("A worker is comparing the answers to customers' questions, before and after: {address}")
        return words.format(address=report["address"])
    if report["state"] == "none":
        return gettext("No answers to customers' questions were compared.")
    counts = gettext(
        "Customers' questions: {worse} worse, {changed} changed, {better} better, {same} the same. Contradictions: "
        "{contradictions}. Repeated in other articles: {duplicates}. Failed gate cases: {broken}."
    )
    numbers = {name: report[name] for name in ("worse", "changed", "better", "same", "contradictions", "duplicates")}
    return f"{counts.format(**numbers, broken=len(report['broken']))} {report['address']}"
