"""The states of runs and items as text."""

from typing import Final

from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from kb.sources.models import SourceItem, SourceRun
from supportbot.console.display import tag

RunState, Mode, ItemState = SourceRun.State, SourceRun.Mode, SourceItem.State
_RUNS: Final = {
    "": ("", gettext_noop("Not read yet")),
    RunState.QUEUED: ("info", gettext_noop("Starts in a moment")),
    RunState.RUNNING: ("info", gettext_noop("Being read")),
    RunState.UNCONFIRMED: ("warn", gettext_noop("Needs confirmation")),
    RunState.DONE: ("ok", gettext_noop("Up to date")),
    RunState.FAILED: ("bad", gettext_noop("Could not be read")),
    RunState.CANCELLED: ("", gettext_noop("Cancelled")),
}
_ITEMS: Final = {
    ItemState.QUEUED: "", ItemState.READING: "info", ItemState.CUTTING: "info", ItemState.EMBEDDING: "info",
    ItemState.READY: "ok", ItemState.UNCHANGED: "ok", ItemState.FAILED: "bad", ItemState.GONE: "warn",
    ItemState.LEFT_OUT: "",
}  # fmt: skip
_IN_WORK: Final = (ItemState.QUEUED, ItemState.READING, ItemState.CUTTING)


def of_run(state: str, mode: str) -> SafeString:
    kind, words = _RUNS[state]
    if state == RunState.DONE and mode == Mode.CHECK:
        kind, words = "accent", gettext_noop("Checked, not published")
    return tag(kind, gettext(words))


def of_item(item: SourceItem, run: SourceRun | None) -> SafeString:
    """Return an item's state or, after a dry run, the state that it would get."""
    if item.state in _IN_WORK and not (run and run.is_under_way):
        return tag("", gettext("Not processed"))
    is_checked = run is not None and run.mode == Mode.CHECK and item.run_id == run.pk
    if is_checked and item.state == ItemState.READY:
        return tag("accent", str(SourceItem.Outcome(item.outcome).label))
    return tag(_ITEMS[ItemState(item.state)], str(ItemState(item.state).label))
