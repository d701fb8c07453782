"""Sums by day. If there are few conversations, they are computed directly; otherwise, they are stored and recomputed
after changes.

In a busy workspace, a worker computes today's sums, so they are a few minutes old. If no worker has done so for a
while, a page computes them, which takes seconds on a day with thousands of conversations. Earlier days are recomputed
every night as long as customers can still come back, so later changes to a conversation count the following night.

Sums are kept when conversations are erased: if a past day has lost conversations, its stored sums are used and never
recomputed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.bulk_reads import wide_reads
from supportbot.chat.models import Conversation
from supportbot.insights.daily_sums import Sums, sums_of
from supportbot.insights.models import DailySums
from supportbot.insights.outcome_rules import CAME_BACK_WITHIN
from supportbot.insights.outcomes import ConversationOutcome, begun_in, outcomes

LIVE_UP_TO: Final = 2_000  # up to this number of conversations, a page reads them directly
SUMMED_AT_ONCE: Final = 2  # number of days to compute while someone waits for a page
TODAY_FOR: Final = timedelta(minutes=3)
WITHOUT_WORKER_FOR: Final = timedelta(minutes=15)  # after this time, a page computes today's sums itself
DAY_FOR: Final = timedelta(hours=20)
ROLLED_UP_DAYS: Final = 180  # the longest period on pages, and the period before it
GROUPINGS: Final[Mapping[str, Callable[[ConversationOutcome], str]]] = {
    "": lambda row: "",
    "channel": lambda row: row.channel_name,
    "language": lambda row: row.language,
    "agent": lambda row: row.outcome.agent_name,
    "hour": lambda row: str(row.began_at.hour),
}


def are_many(days: Sequence[date]) -> bool:
    """Return whether there are too many conversations on these days for a page to read."""
    begun = Conversation.objects.filter(created_at__gte=_midnight(days[0]), created_at__lt=_end(days[-1]))
    return begun.order_by()[: LIVE_UP_TO + 1].count() > LIVE_UP_TO


def sums_by_day(days: Sequence[date], by: str = "") -> dict[date, dict[str, Sums]]:
    """Return the sums of each of these days, including days without conversations, by the values of the property `by`.
    Days are whole days in the active time zone. If there are few conversations, they are read directly.
    """
    if are_many(days):
        return stored_sums(days, by)
    found: dict[date, dict[str, Sums]] = {day: {} for day in days}
    end, key = _end(days[-1]), GROUPINGS[by]
    rows = outcomes(begun_in(_midnight(days[0]), end), end)
    for (day, name), sums in sums_of(rows, lambda row: (row.began_at.date(), key(row))).items():
        found[day][name] = sums
    return found | _sums_of_erased(found, by)


def _sums_of_erased(live: Mapping[date, Mapping[str, Sums]], by: str) -> dict[date, dict[str, Sums]]:
    """Return the stored sums of the days that have fewer conversations now than when they were summed."""
    rows = {row.day: row for row in _stored(list(live)).filter(by=by)}
    totals = {day: sum(sums.total for sums in groups.values()) for day, groups in live.items()}
    return {day: _read(row) for day, row in rows.items() if day in totals and row.total > totals[day]}


def stored_sums(days: Sequence[date], by: str = "") -> dict[date, dict[str, Sums]]:
    """Return the stored sums of each of these days by the values of the property `by`.

    The newest days without sums are computed now. If many days have none, as after an upgrade, the hourly task computes
    the others. Today's sums are from the worker's last run.
    """
    found = {row.day: row for row in _stored(days).filter(by=by)}
    behind = [day for day in reversed(days) if day not in found or _is_behind(found[day], WITHOUT_WORKER_FOR)]
    for day in behind[:SUMMED_AT_ONCE]:
        found |= {row.day: row for row in roll_up(day) if row.by == by}
    return {day: _read(found[day]) if day in found else {} for day in days}


def stored_total(days: Sequence[date]) -> int:
    """Return the number of conversations that were started on these days and in which the customer asked a question."""
    return sum(_stored(days).filter(by="").values_list("total", flat=True))


def _read(row: DailySums) -> dict[str, Sums]:
    return {name: Sums.from_json(sums) for name, sums in row.sums.items()}


def roll_up(day: date) -> list[DailySums]:
    """Compute, store and return the sums of a day in the active time zone. If conversations were erased, the stored
    sums are kept.
    """
    with wide_reads():
        rows = outcomes(begun_in(_midnight(day), _end(day)), timezone.now())
    if day < timezone.localdate() and _stored([day]).filter(total__gt=len(rows)).update(computed_at=timezone.now()):
        return list(_stored([day]))
    made = [
        DailySums(
            day=day,
            timezone=timezone.get_current_timezone_name(),
            by=by,
            total=len(rows),
            sums={name: sums.as_json() for name, sums in sums_of(rows, key).items()},
        )
        for by, key in GROUPINGS.items()
    ]
    DailySums.objects.bulk_create(
        made,
        update_conflicts=True,
        unique_fields=["workspace", "timezone", "day", "by"],
        update_fields=["total", "sums", "computed_at"],
    )
    return made


def roll_up_all() -> int:
    """Compute missing and changed days of all workspaces that are busy or delete conversations after some time. Return
    the number of computed days.
    """
    return sum(roll_up_workspace(workspace) for workspace in Workspace.objects.order_by("pk"))


def roll_up_workspace(workspace: Workspace) -> int:
    """Compute missing and changed days if there are many conversations or if they will be erased. Return the number of
    computed days.
    """
    with workspace_scope(workspace.pk), timezone.override(workspace.zone):
        today = timezone.localdate()
        days = [today - timedelta(days=back) for back in reversed(range(1, ROLLED_UP_DAYS))]
        if not are_many(days):  # pages then need stored sums only if conversations will be erased
            days = [] if workspace.keep_conversations_days is None else _since_the_first(days)
        stale = list(_stale(days))
        for day in stale:
            roll_up(day)
        return len(stale)


def _since_the_first(days: Sequence[date]) -> list[date]:
    """Return the days, leaving out those before the first conversation."""
    oldest = Conversation.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return [] if oldest is None else [day for day in days if _end(day) > oldest]


def roll_up_today_everywhere() -> int:
    """Recompute today's sums in all busy workspaces that have new events. Return how many workspaces these were."""
    return sum(_roll_up_today(workspace) for workspace in Workspace.objects.order_by("pk"))


def _roll_up_today(workspace: Workspace) -> bool:
    with workspace_scope(workspace.pk), timezone.override(workspace.zone):
        today = timezone.localdate()
        if not are_many([today - timedelta(days=ROLLED_UP_DAYS - 1), today]):
            return False
        last = _stored([today]).filter(by="").first()
        if last is not None and not (_is_behind(last, TODAY_FOR) and _has_changed(today, last.computed_at)):
            return False
        roll_up(today)
        return True


def _stale(days: Sequence[date]) -> Iterator[date]:
    computed = dict(_stored(days).filter(by="").values_list("day", "computed_at"))
    for day in days:
        at = computed.get(day)
        if at is None or at < _end(day) or (timezone.now() - at > DAY_FOR and _may_have_changed(day, at)):
            yield day


def _may_have_changed(day: date, since: datetime) -> bool:
    if since < _end(day) + CAME_BACK_WITHIN:
        return True
    return _has_changed(day, since)


def _has_changed(day: date, since: datetime) -> bool:
    return begun_in(_midnight(day), _end(day)).order_by().filter(last_event_at__gte=since).exists()


def _stored(days: Sequence[date]) -> QuerySet[DailySums]:
    if not days:
        return DailySums.objects.none()
    zone = timezone.get_current_timezone_name()
    return DailySums.objects.filter(timezone=zone, day__gte=days[0], day__lte=days[-1])


def _is_behind(row: DailySums, most: timedelta) -> bool:
    """Return whether a day's sums are older than `most` and were computed before the day ended."""
    return row.computed_at < _end(row.day) and timezone.now() - row.computed_at > most


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


def _end(day: date) -> datetime:
    return _midnight(day + timedelta(days=1))


def whole_days(by_day: Mapping[date, Mapping[str, Sums]]) -> dict[date, Sums]:
    """Return the sums of each day from sums that were not grouped by a property."""
    return {day: groups.get("", Sums()) for day, groups in by_day.items()}


def by_value(by_day: Mapping[date, Mapping[str, Sums]]) -> dict[str, Sums]:
    """Return the sums of each value of the property over all days."""
    found: dict[str, Sums] = {}
    for groups in by_day.values():
        for name, sums in groups.items():
            found.setdefault(name, Sums()).add(sums)
    return found
