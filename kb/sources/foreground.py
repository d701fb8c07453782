"""Carrying out an entire run in one process, for commands."""

import time
from collections.abc import Mapping
from typing import Any

from django.core.management.base import OutputWrapper
from django.utils.timezone import now
from django.utils.translation import gettext

from kb.database_time import database_now
from kb.publication_report import in_words as comparison_in_words
from kb.publication_report import report_after
from kb.sources import run_worker, runs
from kb.sources.models import ACTIVE, SITE, Source, SourceItem, SourceRun
from kb.sources.runs import Mode
from kb.sources.selectors import changed_articles
from kb.sources.services import SourceChanges, add_source, change_source, delete_source
from kb.sources.web.urls import one_spelling
from kb.terminal_progress import ProgressLine

MOST_ITEMS_LISTED = 500
_WAIT_SECONDS = 0.5


def follow(source: Source, mode: str, out: OutputWrapper, *, asks_gates: bool = False) -> dict[str, Any]:
    """Read a source until its run is over, and return the result; workers may also continue it. A run already under
    way, perhaps left by a killed process, is continued. Raises SourceBusy if that run has a different mode.
    """
    started = time.monotonic()
    begun = SourceRun.objects.filter(source=source, state__in=ACTIVE, mode=mode, asks_gates=asks_gates).first()
    run = begun or runs.begin(source, mode, asks_gates=asks_gates)
    with ProgressLine(out, gettext("reading {name}").format(name=source.name)) as progress:
        while run.is_under_way:
            if not run_worker.serve(run.workspace_pk, run.pk) and _is_waiting(run):
                time.sleep(_WAIT_SECONDS)
            items = SourceItem.objects.filter(run=run)
            progress(items.exclude(state=SourceItem.State.QUEUED).count(), items.count())
            run.refresh_from_db()
    return _facts(run) | {"took_ms": round((time.monotonic() - started) * 1000)}


def is_web_address(path: str) -> bool:
    return path.startswith(("http://", "https://"))


def read_site(address: str, options: Mapping[str, Any], out: OutputWrapper) -> dict[str, Any]:
    """Read the site at an address, adding a source for it if there is none. A source added for a dry run is deleted
    afterwards.

    Raises InvalidSource.
    """
    known = Source.objects.filter(kind=SITE, address=one_spelling(address)).first()
    private = True if options["allow_private"] else None
    if known is None:
        changes = SourceChanges(
            address=address,
            collection=options["collection"] or None,
            publishes=not options["draft"],
            allows_private=private,
        )
        source = add_source(SITE, changes)
    else:
        source = change_source(known, SourceChanges(allows_private=private)) if private else known
    mode, since = Mode.CHECK if options["dry_run"] else Mode.SYNC, database_now()
    facts = follow(source, mode, out, asks_gates=options["gate"])
    changed = changed_articles(source) if mode == Mode.SYNC else []
    if comparison := report_after(changed, since=since, waits=options.get("report", False)):
        facts["comparison"] = comparison
    if known is None and options["dry_run"]:
        delete_source(source, archives=False)
    return {"name": source.name, "source": str(source.pk)} | facts


def _is_waiting(run: SourceRun) -> bool:
    """Return whether a run was postponed or is held by another worker."""
    run.refresh_from_db()
    moment = now()
    return run.is_under_way and any(until is not None and until > moment for until in (run.due_at, run.lease_until))


def _facts(run: SourceRun) -> dict[str, Any]:
    names = ("new", "changed", "unchanged", "gone", "broken", "left_out", "embedded")
    counts = {name: run.counts.get(name, 0) for name in names}
    remarks = SourceItem.objects.filter(run=run).exclude(reason="").order_by("key")
    items = [{"key": item.key, "outcome": item.outcome, "reason": item.reason} for item in remarks[:MOST_ITEMS_LISTED]]
    facts = {"state": run.state, "reason": run.reason, **counts, "limit": run.counts.get("limit"), "items": items}
    return facts | ({"new_categories": run.counts.get(run_worker.NEW_CATEGORIES, [])} if run.mode == Mode.CHECK else {})


def in_words(facts: dict[str, Any]) -> str:
    """Return the result of a run as text."""
    hidden = ("items", "name", "source", "new_categories", "comparison")
    counts = {name: value for name, value in facts.items() if name not in hidden and value != ""}
    width = max(len(name) for name in counts)
    lines = [f"{name:<{width}}  {value}" for name, value in counts.items() if value is not None]
    lines += [f"{item['key']}: {item['outcome']}, {item['reason']}" for item in facts["items"]]
    if names := facts.get("new_categories"):
        lines.append(gettext("New categories: {names}.").format(names=", ".join(names)))
    if comparison := facts.get("comparison"):
        lines.append(comparison_in_words(comparison))
    if facts["state"] == "unconfirmed":
        lines.append(
            gettext(
                "At least a third of the source is gone, so nothing was archived. If that is correct, run the command "
                "again with --archive-lost."
            )
        )
    return "\n".join(lines)
