"""Daily sums: stored ones match the conversations, and are recomputed when these change."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils.timezone import localtime, now

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import start_conversation
from supportbot.chat.tasks import retain
from supportbot.console.conversations.overview_figures import Trend, _trend, quality
from supportbot.console.conversations.reporting_period import span_of
from supportbot.handoff.models import Ticket
from supportbot.insights import stored_daily_sums
from supportbot.insights.daily_sums import added, figures_from
from supportbot.insights.models import DailySums
from supportbot.insights.outcome_rules import Ending
from supportbot.insights.stored_daily_sums import GROUPINGS, by_value, stored_total, sums_by_day, whole_days
from supportbot.insights.tasks import roll_up, roll_up_today
from supportbot.llm.models import LLMCall
from supportbot.widget.models import Rating

pytestmark = pytest.mark.django_db


def noon(days_ago: int) -> datetime:
    return localtime().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def talk(days_ago: int, *sources: str, customer: Customer | None = None, text: str = "Where is it?") -> Conversation:
    began = noon(days_ago)
    made = start_conversation((customer or Customer.objects.create()).pk)
    for seq, source in enumerate(sources, start=10):
        at = began + timedelta(seconds=7.3 * (seq - 10))
        Message.objects.create(conversation=made, seq=seq, source=source, text=text, created_at=at)
    Conversation.objects.filter(pk=made.pk).update(created_at=began, last_event_at=began)
    return made


@pytest.fixture
def talks(workspace: Workspace, bob: User) -> list[Conversation]:
    """Conversations with each ending, over three weeks."""
    returning = Customer.objects.create()
    made = [talk(day, "customer", "assistant") for day in (1, 1, 3, 15, 18)]
    made += [talk(2, "customer"), talk(16, "customer", "assistant", text="Wo ist mein Paket geblieben, bitte?")]
    made += [talk(5, "customer", "assistant", customer=returning), talk(4, "customer", "assistant", customer=returning)]
    helped = talk(2, "customer")
    Message.objects.create(
        conversation=helped, seq=20, source="agent", text="Here.", author=bob, author_name="Bob", created_at=noon(1)
    )
    Ticket.objects.create(
        conversation=helped, reason="no_answer", requested_by="assistant", state="resolved", ended_at=noon(1)
    )
    Rating.objects.create(conversation=made[0], score=5)
    Rating.objects.create(conversation=helped, score=2)
    LLMCall.objects.create(
        conversation_id=made[0].pk, purpose="answer", provider="p", model="m", cost="0.5", currency="EUR", duration_ms=1
    )
    return [*made, helped]


@pytest.fixture(autouse=True)
def days_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store the sums of the days that these tests look at; those of half a year take three times as long."""
    monkeypatch.setattr(stored_daily_sums, "ROLLED_UP_DAYS", 60)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every workspace counts as busy."""
    monkeypatch.setattr(stored_daily_sums, "LIVE_UP_TO", 0)


def test_stored_sums_match_the_conversations(talks: list[Conversation], monkeypatch: pytest.MonkeyPatch) -> None:
    days = span_of(28).days
    live = {by: by_value(sums_by_day(days, by)) for by in GROUPINGS}
    monkeypatch.setattr(stored_daily_sums, "LIVE_UP_TO", 0)
    roll_up()
    for by in GROUPINGS:
        stored = by_value(sums_by_day(days, by))
        assert {name: figures_from(sums) for name, sums in stored.items()} == {
            name: figures_from(sums) for name, sums in live[by].items()
        }, by
        assert added(stored.values()).total == len(talks), by


@pytest.mark.long
def test_the_overview_reads_stored_days(talks: list[Conversation], busy: None) -> None:
    roll_up()
    Message.objects.all().delete()  # stored days do not need the messages
    shown = quality(28, sees_cost=True)
    assert shown["figures"][0].value == str(len(talks))
    assert sum(sum(counts) for _, counts in shown["ends"]["table"]) == len(talks)


@pytest.mark.long
def test_only_changed_days_are_computed_again(talks: list[Conversation], busy: None) -> None:
    roll_up()
    assert stored_daily_sums.roll_up_all() == 0
    DailySums.objects.update(computed_at=now() - timedelta(hours=21))
    old = talks[3]  # 15 days ago, so that no later chat counts as coming back
    Message.objects.create(conversation=old, seq=90, source="agent", text="At last.", author_name="Bob")
    Conversation.objects.filter(pk=old.pk).update(last_event_at=now())
    assert 8 <= stored_daily_sums.roll_up_all() <= 10  # the days of the last week, and the one with a new event
    days = whole_days(sums_by_day(span_of(28).days))
    assert days[noon(15).date()].endings == {Ending.PERSON: 1}


def test_today_is_at_most_minutes_behind(workspace: Workspace, busy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    today = span_of(7).days[-1]

    def seen() -> int:
        return whole_days(sums_by_day(span_of(7).days))[today].total

    def ask() -> None:
        made = talk(0, "customer")
        Conversation.objects.filter(pk=made.pk).update(created_at=now(), last_event_at=now())

    ask()
    assert seen() == 1
    ask()
    assert seen() == 1
    DailySums.objects.update(computed_at=now() - timedelta(minutes=4))
    assert seen() == 1  # nobody waits for the sums, since a worker computes them
    roll_up_today()
    assert seen() == 2
    ask()
    roll_up_today()
    assert seen() == 2  # a moment ago
    DailySums.objects.update(computed_at=now() - timedelta(minutes=16))
    assert seen() == 3  # no worker is running
    Conversation.objects.update(last_event_at=now() - timedelta(hours=1))
    DailySums.objects.update(computed_at=now() - timedelta(minutes=4))
    assert stored_daily_sums.roll_up_today_everywhere() == 0  # nothing has happened


def test_a_page_computes_a_few_missing_days_itself(talks: list[Conversation], busy: None) -> None:
    quality(90, sees_cost=False)
    assert DailySums.objects.filter(by="").count() == stored_daily_sums.SUMMED_AT_ONCE


def test_a_small_workspace_stores_nothing(talks: list[Conversation]) -> None:
    roll_up()
    quality(28, sees_cost=False)
    assert not DailySums.objects.exists()


def shown_total(by: str = "") -> int:
    return added(by_value(sums_by_day(span_of(28).days, by)).values()).total


@pytest.mark.one_in(2)
@pytest.mark.parametrize("live_up_to", [0, 2_000])
def test_figures_outlive_the_conversations_that_retention_erases(
    talks: list[Conversation], workspace: Workspace, live_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = quality(28, sees_cost=True)["figures"]
    monkeypatch.setattr(stored_daily_sums, "LIVE_UP_TO", live_up_to)
    Workspace.objects.filter(pk=workspace.pk).update(keep_conversations_days=2)
    back = talks[3]  # begun 15 days ago, and used again today
    Conversation.objects.filter(pk=back.pk).update(last_event_at=now())
    retain()
    assert Conversation.objects.count() <= 5 and Conversation.objects.filter(pk=back.pk).exists()
    for _ in range(2):
        after = quality(28, sees_cost=True)
        assert [one.value for one in after["figures"]] == [one.value for one in before]
        assert [shown_total(by) for by in GROUPINGS] == [len(talks)] * len(GROUPINGS)
        DailySums.objects.update(computed_at=now() - timedelta(hours=21))
        roll_up()


@pytest.mark.long
def test_a_past_period_that_retention_erased_is_still_compared_with(talks: list[Conversation]) -> None:
    roll_up()
    Workspace.objects.update(keep_conversations_days=9)
    roll_up()
    span = span_of(14)
    assert stored_total(span.before().days[:-1]) == 3
    retain()
    assert stored_total(span.before().days[:-1]) == 3
    sums = whole_days(sums_by_day(span.days))
    assert _trend(span, sums, figures_from(added(sums.values()))) == Trend(len(talks) - 3, 3, None)


@pytest.mark.long
def test_days_of_another_time_zone_are_not_read(talks: list[Conversation], busy: None, settings: Any) -> None:
    DailySums.objects.create(day=noon(3).date(), timezone="Asia/Tokyo", total=99, sums={})
    roll_up()
    assert whole_days(sums_by_day(span_of(7).days))[noon(3).date()].total == 1
