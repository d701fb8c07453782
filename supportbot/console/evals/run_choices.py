"""What a person chooses before a run starts: which release answers, which run to compare with, and how many
repetitions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext

from supportbot.accounts.principals import Staff
from supportbot.console.evals.result_rows import rows_of
from supportbot.console.permissions import may
from supportbot.errors import InvalidInput, NotFound
from supportbot.evals.models import Run, Suite
from supportbot.evals.selectors import baseline_for, runs
from supportbot.evals.services import Baseline
from supportbot.evals.suite_formats.own_format import MAX_REPEAT
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, releases
from supportbot.team_formats import labelled

NOTHING: Final = "none"  # compare with no run
Row = TypeVar("Row", Release, Run)
_MOST_RELEASES: Final = 50
_MOST_RUNS: Final = 20


@dataclass(frozen=True, slots=True)
class StartChoices:
    """The choices on a suite's page.

    `lives_run` is the live release's newest run, which new runs are compared with by default.
    """

    live: Release
    releases: list[Release]
    runs: list[dict[str, Any]]
    lives_run: Run | None
    most: int = MAX_REPEAT


def start_choices(suite: Suite, person: Staff, *, hidden: Collection[UUID]) -> StartChoices:
    """Return the choices for this person. Without the right to see other releases, they can choose only the live one.
    The outcome of `hidden` runs is not shown.
    """
    live = live_release()
    shown = rows_of(finished_runs(suite), hidden)
    return StartChoices(live, _releases(live, person), shown, baseline_for(suite, live))


def chosen(suite: Suite, submitted: Mapping[str, str], person: Staff) -> dict[str, Any]:
    """Return a person's choices as arguments for `start_run`. Raises NotFound for a choice that was not offered, and
    InvalidInput for an invalid number of repetitions.
    """
    asked = submitted.get("repeat", "1").strip()
    repeat = int(asked) if asked.isdecimal() and len(asked) < 4 else 0
    if not 1 <= repeat <= MAX_REPEAT:
        told = gettext("Use a whole number from {low} to {high}.").format(low=1, high=MAX_REPEAT)
        raise InvalidInput(fields={"repeat": [labelled(gettext("Runs per case"), told)]})
    offered = _releases(live_release(), person)
    return {
        "repeat": repeat,
        "release": _one_of(offered, submitted["release"]) if submitted.get("release") else None,
        "baseline": _baseline(suite, submitted.get("against", "")),
    }


def _baseline(suite: Suite, against: str) -> Run | Baseline | None:
    if not against:
        return Baseline.LIVE
    return None if against == NOTHING else _one_of(list(finished_runs(suite)), against)


def _one_of(rows: list[Row], key: str) -> Row:
    found = next((row for row in rows if str(row.pk) == key), None)
    if found is None:
        raise NotFound()
    return found


def _releases(live: Release, person: Staff) -> list[Release]:
    """Return the drafts and the newest releases, leaving out the live one."""
    return list(releases().exclude(pk=live.pk)[:_MOST_RELEASES]) if may(person, "releases:read") else []


def finished_runs(suite: Suite) -> QuerySet[Run]:
    """Return a suite's newest finished runs, which other runs can be compared with."""
    return runs().filter(suite=suite, state=Run.State.DONE)[:_MOST_RUNS]
