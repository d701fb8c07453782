"""The overview: the endings of conversations, waiting times, daily limits, and the rights to see them."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.timezone import localtime, now
from pytest_django import Settings
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionPolicy, ActionRequest
from actions.models import LedgerEntry as Entry
from kb.models import Article
from kb.services import Change, create_article, publish
from supportbot import team_formats
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Conversation, Message, Turn
from supportbot.chat.services import start_conversation
from supportbot.console.charts import lines
from supportbot.console.conversations.overview_figures import parts_of
from supportbot.console.display import duration_in_words
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.llm.models import LLMCall
from supportbot.releases.selectors import live_release
from supportbot.widget.models import Rating
from supportbot.widget.services import end_conversation, stop_waiting
from tests.console.conftest import Enter, Sample, logged_in
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
ANSWERED = (("customer", 0), ("assistant", 2))


def read(answer: Any) -> LexborHTMLParser:
    return LexborHTMLParser(answer.content.decode())


def noon(days_ago: int = 0) -> datetime:
    """Return a time that is on this day in the workspace's time zone, in summer and winter time."""
    return localtime().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def talk(
    *said: tuple[str, int],
    began: datetime | None = None,
    customer: Customer | None = None,
    unknown: bool = False,
    scores: tuple[int, ...] = (),
) -> Conversation:
    """Store a conversation: who wrote how many seconds after its start."""
    began = began or noon()
    made = start_conversation((customer or Customer.objects.create()).pk)
    for seq, (source, seconds) in enumerate(said, start=10):
        at = began + timedelta(seconds=seconds)
        is_none = unknown and source == "assistant"
        Message.objects.create(
            conversation=made, seq=seq, source=source, text="x", is_abstention=is_none, created_at=at
        )
    last = began + timedelta(seconds=max((seconds for _, seconds in said), default=0))
    Conversation.objects.filter(pk=made.pk).update(created_at=began, last_event_at=last)
    for score in scores:
        Rating.objects.create(conversation=made, score=score, message_id=None if score > 3 else made.pk)
    made.refresh_from_db()
    return made


def plain_spaces(text: str) -> str:
    """Return the text with normal spaces between a number and its unit."""
    return text.replace("\xa0", " ")


def figures(tree: LexborHTMLParser) -> dict[str, tuple[str, str]]:
    found = {}
    for item in tree.css(".figures a"):
        label, value, note = (plain_spaces(part.text(strip=True)) for part in item.css(".lbl, b, .muted"))
        found[label] = value, note
    return found


def ended(tree: LexborHTMLParser) -> dict[str, int]:
    """Return today's row of the table without its zeros."""
    names = [cell.text(strip=True) for cell in tree.css(".ends thead th")][1:]
    counts = [int(cell.text()) for cell in tree.css_first(".ends tbody tr").css("td")[1:]]
    return {name: count for name, count in zip(names, counts, strict=True) if count}


@pytest.fixture
def shown(enter: Enter, workspace: Workspace) -> Iterator[Any]:
    """Read the overview as an agent, with this filter."""
    agent = enter("agent")
    return lambda query="": read(agent.get(f"/admin/{query}"))


def test_a_conversation_without_objection_counts_as_answered(shown: Any) -> None:
    talk(*ANSWERED)
    talk()  # opened without a question
    talk(("system", 0))
    assert ended(shown()) == {"Silent": 1}


def test_only_a_good_rating_counts_as_solved_and_a_bad_one_outweighs_it(shown: Any) -> None:
    talk(*ANSWERED, scores=(5,))
    talk(*ANSWERED, scores=(5, 1))
    talk(*ANSWERED, scores=(3,))
    assert ended(shown()) == {"Confirmed": 1, "Silent": 1, "Abandoned": 1}


def test_a_conversation_without_an_answer_is_not_a_success(shown: Any) -> None:
    talk(*ANSWERED, unknown=True)
    talk(("customer", 0))
    failed = talk(*ANSWERED)
    Turn.objects.create(conversation=failed, state="done")
    Turn.objects.create(conversation=failed, state="failed")
    mended = talk(*ANSWERED)
    Turn.objects.create(conversation=mended, state="failed")
    Turn.objects.create(conversation=mended, state="done")
    assert ended(shown()) == {"Silent": 1, "Abandoned": 3}


def test_a_person_helped_only_if_a_person_wrote(shown: Any, bob: User) -> None:
    talk(*ANSWERED, ("agent", 60), scores=(1,))
    waiting, expired, returned = talk(*ANSWERED), talk(*ANSWERED), talk(*ANSWERED)
    for conversation in (waiting, expired, returned):
        handoff.request(conversation.pk, reason="customer_asked", by="customer")
    Ticket.objects.filter(conversation=expired).update(state="expired", ended_at=now())
    Ticket.objects.filter(conversation=returned).update(state="returned", ended_at=now())
    note = talk(*ANSWERED)
    Message.objects.create(conversation=note, seq=30, source="agent", text="A note", audience="staff")
    assert ended(shown()) == {"A person helped": 1, "Waiting for a person": 1, "Silent": 2, "Abandoned": 1}


def test_a_customer_who_asks_again_in_a_new_chat_came_back(shown: Any) -> None:
    customer = Customer.objects.create()
    talk(*ANSWERED, began=noon(8), customer=customer, scores=(5,))  # more than a week before the next chat
    talk(*ANSWERED, began=noon() - timedelta(hours=1), customer=customer, scores=(5,))
    talk(*ANSWERED, began=noon(), customer=customer)
    page = shown()
    assert ended(page) == {"Silent": 1, "Came back": 1}
    assert figures(page)["Not solved"] == ("33%", "1 conversation")


@pytest.mark.long
def test_later_events_of_a_chat_do_not_hide_a_customer_who_came_back(shown: Any) -> None:
    customer = Customer.objects.create()
    first = talk(*ANSWERED, customer=customer)
    Conversation.objects.filter(pk=first.pk).update(last_event_at=noon() + timedelta(hours=3))  # a refund's outcome
    talk(began=noon() + timedelta(minutes=30), customer=customer)  # opened without a question
    assert ended(shown()) == {"Silent": 1}
    talk(*ANSWERED, began=noon() + timedelta(hours=1), customer=customer)
    assert ended(shown()) == {"Silent": 1, "Came back": 1}


@pytest.mark.long
def test_a_customer_who_requested_a_person_who_never_wrote_was_not_helped(shown: Any, bob: User) -> None:
    left, helped = talk(*ANSWERED), talk(*ANSWERED)
    for conversation in (left, helped):
        ticket = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    handoff.claim(ticket.pk, agent=bob)
    for conversation in (left, helped):
        end_conversation(conversation.pk)
    assert ended(shown()) == {"Abandoned": 2}


@pytest.mark.long
def test_days_are_in_the_workspaces_time_zone_and_older_ones_are_left_out(shown: Any) -> None:
    midnight = localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    talk(*ANSWERED, began=midnight - timedelta(days=13))
    talk(*ANSWERED, began=midnight - timedelta(days=13, seconds=1))
    assert figures(shown())["Conversations"][0] == "1"
    assert figures(shown("?days=90"))["Conversations"][0] == "2"
    assert figures(shown("?days=7"))["Conversations"][0] == "0"
    rows = shown().css(".ends tbody tr")
    assert (len(rows), visible_text(rows[-1], " ")[-13:]) == (14, "0 1 0 0 0 0 0")


def test_an_unsupported_period_is_refused_with_a_message(enter: Enter, workspace: Workspace) -> None:
    answer = enter("agent").get("/admin/?days=5")
    assert answer.status_code == 400
    assert "Choose one of 7, 14, 28, 90." in answer.content.decode()


@pytest.mark.long
def test_a_trend_needs_thirty_conversations(shown: Any) -> None:
    for _ in range(30):
        talk(*ANSWERED, began=noon(20))
    for number in range(29):
        talk(*ANSWERED, began=noon(2), unknown=number < 3)
    told = figures(shown())
    assert told["Conversations"] == ("29", "2.1 a day")
    assert told["Not solved"] == ("10%", "3 conversations")
    for _ in range(7):
        talk(*ANSWERED, began=noon(2))
    told = figures(shown())
    assert told["Conversations"] == ("36", "2.6 a day, 20% more")
    assert "20% more" in shown().css_first(".figures").text()  # on one line, whatever the width
    assert told["Not solved"] == ("8%", "8.3 points worse, 3 conversations")
    assert told["Solved by the assistant"] == ("92%", "0% confirmed, 92% silent")


@pytest.mark.long
def test_an_unfinished_day_is_compared_with_the_same_part_of_another(shown: Any) -> None:
    fortnight_ago = localtime() - timedelta(days=14)
    customers = [Customer.objects.create() for _ in range(30)]
    for customer in customers:
        talk(*ANSWERED, began=noon(18), customer=customer)
        talk(*ANSWERED, began=fortnight_ago + timedelta(seconds=30))  # later in the day than it is now
        # They came back only after the compared days, which does not count: the newest days lack a full week, too.
        talk(*ANSWERED, began=noon(13), customer=customer)
    told = figures(shown("?days=14"))
    assert told["Conversations"] == ("30", "2.1 a day, as before")
    assert told["Not solved"] == ("0%", "unchanged, 0 conversations")


def test_figures_without_conversations_are_empty(shown: Any) -> None:
    told = figures(shown())
    assert told["Conversations"] == ("0", "0 a day")
    assert told["Solved by the assistant"] == ("–", "none yet")
    assert told["Time to resolution"] == ("–", "none yet")
    assert told["Satisfied"] == ("–", "no ratings yet")
    assert told["First response after"] == ("–", "no answers yet")


def test_the_time_to_resolution_includes_the_time_of_people(shown: Any) -> None:
    for seconds in (10, 112, 4000):
        talk(("customer", 0), ("assistant", 1), ("customer", seconds - 1), ("assistant", seconds))
    talk(("customer", 0), ("assistant", 99_999), unknown=True)
    talk(("customer", 0), ("agent", 480))
    called = talk(("customer", 0), ("assistant", 2))  # nobody on the team has written yet
    handoff.request(called.pk, reason="customer_asked", by="customer")
    assert figures(shown())["Time to resolution"] == (
        "4 min 56 s",
        "9 in 10 within 49 min 4 s, including the time people took",
    )


def test_the_first_response_is_that_of_the_call_that_answered(shown: Any) -> None:
    asked = noon()
    for first_ms in (300, 1300, 2300):
        conversation = talk(("customer", 0), ("assistant", 3))
        turn = Turn.objects.create(conversation=conversation, state="done", created_at=asked)
        at = {"conversation_id": conversation.pk, "turn_id": turn.pk, "purpose": "answer", "duration_ms": 9}
        for seconds, first in ((0, 50), (1, first_ms - 1000 if first_ms > 1000 else 0)):
            started = asked + timedelta(seconds=seconds) if first_ms > 1000 else asked - timedelta(seconds=1 - seconds)
            LLMCall.objects.create(
                **at, started_at=started, time_to_first_token_ms=first or first_ms, provider="p", outcome="done"
            )
    told = Turn.objects.create(conversation=conversation, state="done", kind="explain", created_at=asked)
    explained = at | {"turn_id": told.pk}  # about the result of an action, so nobody was waiting for an answer
    LLMCall.objects.create(**explained, started_at=asked, time_to_first_token_ms=9000, provider="p", outcome="done")
    value, note = figures(shown())["First response after"]
    assert (value, note) == ("1.3 s", "19 in 20 within 2.2 s")


def test_the_wait_for_a_person_starts_with_the_request(shown: Any, bob: User) -> None:
    for minutes in (2, 4, 30):
        conversation = talk(*ANSWERED)
        ticket = handoff.request(conversation.pk, reason="customer_asked", by="customer")
        handoff.claim(ticket.pk, agent=bob)
        handoff.release(ticket.pk, agent=bob)  # only the first agent counts
        conversation.events.filter(event="handoff.joined").update(created_at=noon() + timedelta(minutes=minutes))
        Ticket.objects.filter(pk=ticket.pk).update(created_at=noon())
    handoff.request(talk(*ANSWERED).pk, reason="customer_asked", by="customer")
    told = shown().css_first(".thirds figure")
    assert "3 requests were answered: half within 4 min, 9 in 10 within 24 min 48 s." in visible_text(told)
    assert [cell.text() for cell in told.css("tbody tr")[0].css("td")][1:] == ["3", "4 min", "24 min 48 s"]
    assert told.css_first("svg") is None  # three chats are too few for a chart


def test_a_withdrawn_request_is_not_answered_by_the_agent_of_the_next_one(shown: Any, bob: User) -> None:
    conversation = talk(*ANSWERED)
    first = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    stop_waiting(conversation.pk)
    Ticket.objects.filter(pk=first.pk).update(created_at=now() - timedelta(days=2))
    second = handoff.request(conversation.pk, reason="customer_asked", by="customer")
    handoff.claim(second.pk, agent=bob)
    handoff.resolve(second.pk, agent=bob)
    handoff.reopen(second.pk, agent=bob)  # without a customer's request
    assert "1 request was answered" in visible_text(shown().css_first(".thirds figure"))


@pytest.mark.long
def test_daily_limits_show_what_is_spent_and_reserved(shown: Any, sample: Sample) -> None:
    entry = {"request": sample.request, "action": "refund_order", "customer_id": sample.customer.pk, "currency": "EUR"}
    Entry.objects.create(**entry, amount=Decimal("1900.5"), day=localtime().date())
    assert visible_text(shown().css_first("#h-money")) == "Money moved or reserved by the assistant"
    limit = shown().css_first("section[aria-labelledby=h-money] .use")
    assert visible_text(limit, " ").startswith("Refund an order €1,900.50 of €2,000.00")
    assert "near" in limit.css_first("progress").attributes["class"]
    Entry.objects.update(status="released")
    assert shown().css_first(".use .num").text().strip() == "€0.00 of €2,000.00"
    ActionPolicy.objects.update(is_enabled=False)
    assert shown().css(".use") == []


def test_the_export_has_a_row_for_each_conversation(enter: Enter, workspace: Workspace) -> None:
    talk(*ANSWERED, scores=(5,))
    talk(*ANSWERED, unknown=True)
    Customer.objects.update(name="=cmd()")
    answer = enter("agent").get("/admin/results.csv?days=7")
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    told = [(row["day"], row["ending"], row["assistant_scores"], row["costs"]) for row in rows]
    today = localtime().date().isoformat()
    assert told == [(today, "confirmed", "5", ""), (today, "abandoned", "", "")]
    assert "attachment" in answer["Content-Disposition"]


def test_conversations_and_amounts_need_their_rights(enter: Enter, sample: Sample) -> None:
    def seen(role: str) -> tuple[int, bool, list[str]]:
        tree = read(enter(role).get("/admin/"))
        now_of = [row.css_first("a").text() for row in tree.css("section[aria-labelledby=h-now] li")]
        return len(figures(tree)), tree.css_first("#h-money") is not None, now_of

    assert seen("editor") == (0, False, ["Articles live"])
    assert seen("agent") == (6, True, ["Waiting for a person", "Requests waiting", "Articles live"])
    assert seen("supervisor")[2][-1] == "Spent today"
    editor = logged_in(User.objects.get(username__startswith="editor"))
    assert editor.get("/admin/results.csv").status_code == 403


def test_the_former_address_of_the_export_leads_to_the_current_one(enter: Enter) -> None:
    agent = enter("agent")
    assert agent.get("/admin/overview.csv?days=7").headers["Location"] == "/admin/results.csv?days=7"
    assert agent.get("/admin/overview.csv", follow=True)["Content-Disposition"].startswith("attachment")
    assert enter("editor").get("/admin/overview.csv", follow=True).status_code == 403


def test_conversations_of_other_workspaces_are_not_counted(shown: Any, stranger: Any) -> None:
    talk(*ANSWERED)
    assert figures(read(stranger.get("/admin/")))["Conversations"][0] == "0"


def test_large_numbers_have_one_format() -> None:
    day = noon().date()
    assert [tick.label for tick in lines([day], {"Half": {day: Decimal(1500)}}).ticks] == ["0", "1,000", "2,000"]
    assert team_formats.number(Decimal("2987.50")) == "2,987.5"


def test_a_line_connects_the_days_with_a_value() -> None:
    days = [noon(back).date() for back in (2, 1, 0)]
    chart = lines(days, {"Half": {days[0]: Decimal(1), days[2]: Decimal(4)}})
    [line] = chart.lines
    assert [dot.words.partition(": ")[2] for dot in line.dots] == ["1", "4"]
    assert line.dots[0].x < line.dots[1].x
    assert line.dots[0].y > line.dots[1].y >= chart.ticks[-1].y
    assert line.points.count(",") == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"), (1.26, "1.3 s"), (51.6, "52 s"), (60, "1 min"), (112, "1 min 52 s"), (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_a_duration_is_readable(seconds: float, words: str) -> None:
    assert duration_in_words(timedelta(seconds=seconds)) == words
    assert duration_in_words(None) == "–"


def test_the_navigation_counts_only_pending_work(enter: Enter, sample: Sample) -> None:
    def counts(role: str) -> list[str]:
        links = read(enter(role).get("/admin/ask/")).css(".rail ul a")
        return [link.text(separator=" ", strip=True) for link in links if link.css(".count")]

    assert counts("supervisor") == []
    handoff.request(sample.conversation.pk, reason="customer_asked", by="customer")
    ActionRequest.objects.update(state="awaiting_approval")
    assert counts("agent") == ["Desk 1 waiting"]
    assert counts("admin") == ["Desk 1 waiting", "Approvals 1 to decide"]
    assert counts("editor") == []


@pytest.mark.long
def test_a_call_in_progress_does_not_count_as_unknown(enter: Enter, sample: Sample) -> None:
    admin = enter("admin")
    for state in ("awaiting_approval", "queued", "executing"):
        ActionRequest.objects.update(state=state, lease_until=datetime.now(UTC))
    for reason, number in (("in_progress", 0), ("outcome_unknown", 1)):
        ActionRequest.objects.update(state="unknown", reason_code=reason)
        assert f"for approval; {number} with an unknown outcome" in read(admin.get("/admin/")).text()


def test_the_parts_of_a_share_add_up_to_it(shown: Any) -> None:
    talk(*ANSWERED, scores=(5,))
    talk(*ANSWERED)
    talk(*ANSWERED, unknown=True)
    assert figures(shown())["Solved by the assistant"] == ("67%", "34% confirmed, 33% silent")


@pytest.mark.parametrize(
    ("whole", "numbers", "parts"),
    [
        (69, [15, 10], [41, 28]),
        (0, [0, 0], [0, 0]),
        (100, [1, 1, 1], [34, 33, 33]),
        (100, [0, 7], [0, 100]),
        (1, [1, 1], [1, 0]),
    ],
)
def test_parts_are_whole_percentages_by_the_largest_remainder(whole: int, numbers: list[int], parts: list[int]) -> None:
    assert parts_of(whole, numbers) == parts


def test_yesterdays_cost_of_models_is_shown_next_to_todays(
    enter: Enter, workspace: Workspace, settings: Settings
) -> None:
    midnight = now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for before, cost in ((timedelta(0), "0.30"), (timedelta(seconds=1), "1.25"), (timedelta(days=1, seconds=1), "9")):
        LLMCall.objects.create(
            purpose="answer", provider="scripted", model="m", started_at=midnight - before, duration_ms=1,
            cost=Decimal(cost), currency="EUR",
        )  # fmt: skip
    LLMCall.objects.create(
        purpose="answer", provider="scripted", model="m", duration_ms=0, cost=0, outcome="skipped", reason="budget"
    )  # fmt: skip
    client = enter("supervisor")
    rows = read(client.get("/admin/")).css("section[aria-labelledby=h-now] li")
    assert visible_text(rows[-1], " ") == "Spent today 1 model call since midnight UTC; yesterday €1.25 €0.30"
    LLMCall.objects.filter(started_at=midnight).update(cost=None, currency="")  # the built-in answerer costs nothing
    rows = read(client.get("/admin/")).css("section[aria-labelledby=h-now] li")
    assert visible_text(rows[-1], " ").endswith("yesterday €1.25 €0.00")
    LLMCall.objects.filter(currency="EUR").update(currency="USD")  # from before the prices were in euros
    rows = read(client.get("/admin/")).css("section[aria-labelledby=h-now] li")
    assert visible_text(rows[-1], " ").endswith("yesterday US$1.25 US$0.00")
    LLMCall.objects.update(provider="builtin", cost=None, currency="")
    rows = read(client.get("/admin/")).css("section[aria-labelledby=h-now] li")
    assert visible_text(rows[-1], " ") == "Spent today 0 model calls since midnight UTC; yesterday €0.00 €0.00"
    settings.LLM_PRICES = {"currency": "CHF", "per_million_tokens": {"m": {"input": "1", "output": "2"}}}
    rows = read(client.get("/admin/")).css("section[aria-labelledby=h-now] li")
    assert visible_text(rows[-1], " ").endswith("yesterday CHF 0.00 CHF 0.00")


def test_results_by_day_name_the_changes_that_went_live_on_it(enter: Enter, sample: Sample) -> None:
    talk(*ANSWERED, began=noon(2))
    Conversation.objects.filter(pk=sample.conversation.pk).update(created_at=noon(40))
    Article.objects.update(published_at=noon(1))
    first = live_release()

    def went_live(role: str) -> list[tuple[str, str]]:
        rows = read(enter(role).get("/admin/results/?by=day&days=7")).css(".grid-table tbody tr")
        return [(row.css_first("td").text(), visible_text(row.css("td")[-1], " ")) for row in rows]

    title = sample.article.title
    assert went_live("supervisor") == [("0", f"Release {first.number}"), ("0", title), ("1", "")]


def test_many_articles_of_a_day_are_counted(enter: Enter, workspace: Workspace) -> None:
    for place in range(4):
        article = create_article(Change(title=f"Page {place}", body="Text.\n"), external_id=f"page-{place}")
        publish(article.pk)
    row = read(enter("supervisor").get("/admin/results/?by=day&days=7")).css_first(".grid-table tbody tr")
    assert visible_text(row.css("td")[-1], " ") == "4 articles"
