"""The queue's lists: filters, pages, search, and what each row says."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils.timezone import now, override
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.errors import InvalidInput
from supportbot.handoff.desk import queue_rows
from supportbot.handoff.desk.queue_rows import groups_for, queue_counts, rows_for, search_rows
from supportbot.handoff.desk.ticket_actions import snooze_until
from supportbot.handoff.models import Presence, Ticket
from supportbot.handoff.templatetags import desk
from supportbot.handoff.templatetags.desk import capped, language
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.presence import is_team_online
from tests.handoff.browsing import browser

pytestmark = pytest.mark.django_db


def waiting(name: str, *, summary: str = "", minutes: int = 0, **customer: Any) -> Ticket:
    conversation = start_conversation(Customer.objects.create(name=name, **customer).pk)
    ticket = services.request(conversation.pk, reason="no_answer", by="assistant", summary=summary)
    Ticket.objects.filter(pk=ticket.pk).update(waiting_since=now() - timedelta(minutes=minutes))
    return ticket


def names(groups: list[queue_rows.Group]) -> dict[str, list[str]]:
    return {group.name: [row.who for row in group.rows] for group in groups}


def test_a_row_shows_the_customers_language(bob: User) -> None:
    ticket = waiting("Jonas")
    add_customer_message(ticket.conversation_id, text="Mein Paket ist nicht da, wo ist es?", client_id="1")
    [row] = rows_for([ticket.conversation_id], bob, now())
    assert row.language == "German"
    page = browser(bob).get(f"/desk/tickets/{ticket.pk}/").text
    assert "<dd>German</dd>" in page


@pytest.fixture
def queue(bob: User, noor: User) -> dict[str, Ticket]:
    made = {name: waiting(name, minutes=minutes) for name, minutes in (("Ada", 1), ("Bea", 4), ("Cem", 9), ("Dov", 2))}
    services.claim(made["Ada"].pk, agent=bob)
    services.claim(made["Dov"].pk, agent=noor)
    return made


def test_each_group_lists_its_tickets_oldest_first(queue: dict[str, Ticket], bob: User) -> None:
    assert names(groups_for(bob, now())) == {"mine": ["Ada"], "waiting": ["Cem", "Bea"], "colleagues": ["Dov"]}
    assert names(groups_for(bob, now(), shown="mine")) == {"mine": ["Ada"]}
    assert names(groups_for(bob, now(), shown="waiting")) == {"waiting": ["Cem", "Bea"]}
    assert queue_counts(bob) == {"mine": 1, "waiting": 2, "open": 4, "approvals": 0}


def test_snoozed_tickets_have_a_group_and_ended_ones_only_appear_under_all(queue: dict[str, Ticket], bob: User) -> None:
    services.snooze(queue["Ada"].pk, agent=bob, until=now() + timedelta(hours=1))
    assert names(groups_for(bob, now(), shown="mine")) == {"aside": ["Ada"]}
    services.resolve(queue["Ada"].pk, agent=bob)
    assert "Ada" not in str(names(groups_for(bob, now())))
    assert names(groups_for(bob, now(), shown="all")) == {"all": ["Dov", "Cem", "Bea", "Ada"]}


def test_an_ended_tickets_row_says_how_it_ended(queue: dict[str, Ticket], bob: User) -> None:
    services.resolve(queue["Ada"].pk, agent=bob)
    services.claim(queue["Bea"].pk, agent=bob)
    services.return_to_assistant(queue["Bea"].pk, agent=bob)
    Ticket.objects.filter(pk=queue["Cem"].pk).update(state="expired", ended_at=now())
    for address in ("/desk/?show=all", "/desk/?q=Ada", "/desk/?q=Bea", "/desk/?q=Cem"):
        rows = LexborHTMLParser(browser(bob).get(address).content.decode()).css("[data-ticket]")
        tags = {row.css_first("b").text(): [tag.text().strip() for tag in row.css(".tag")] for row in rows}
        ended = {"Ada": ["Resolved"], "Bea": ["Returned"], "Cem": ["Expired"], "Dov": []}
        assert tags and tags == {name: ended[name] for name in tags}


def test_a_wait_becomes_nearly_late_and_then_late(queue: dict[str, Ticket], bob: User) -> None:
    found = {
        row.who: (row.level, row.since) for row in rows_for([one.conversation_id for one in queue.values()], bob, now())
    }
    assert (found["Cem"], found["Bea"], found["Ada"][0]) == (("late", "9 min"), ("soon", "4 min"), "")


def test_own_tickets_with_new_messages_come_first(bob: User) -> None:
    first, second = waiting("Ada", minutes=9), waiting("Bea", minutes=1)
    for ticket in (first, second):
        services.claim(ticket.pk, agent=bob)
    add_customer_message(second.conversation_id, text="Hello?\nAnybody?", client_id="1")
    shown = rows_for([first.conversation_id, second.conversation_id], bob, now())
    ordered = sorted(shown, key=lambda row: row.rank)
    assert [(row.who, row.is_new, row.what) for row in ordered] == [
        ("Bea", True, "Hello?"), ("Ada", False, "No messages yet"),
    ]  # fmt: skip
    add_agent_message(second.conversation_id, text="Here", author=bob, client_id="2")
    assert not any(row.is_new for row in rows_for([second.conversation_id], bob, now()))


def test_a_wait_counts_from_the_first_unanswered_message(bob: User) -> None:
    ticket = waiting("Ada", minutes=20)
    services.claim(ticket.pk, agent=bob)
    Ticket.objects.filter(pk=ticket.pk).update(claimed_at=now() - timedelta(minutes=15))
    for minutes, text in ((6, "Hello?"), (1, "Anybody?")):
        seq = add_customer_message(ticket.conversation_id, text=text, client_id=text).seq
        Message.objects.filter(seq=seq).update(created_at=now() - timedelta(minutes=minutes))
    (row,) = rows_for([ticket.conversation_id], bob, now())
    assert (row.what, row.since, row.level) == ("Anybody?", "6 min", "late")


def test_a_long_list_is_paginated(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_rows, "ROWS_PER_PAGE", 2)
    for number in range(5):
        waiting(f"C{number}", minutes=10 - number)
    pages = [groups_for(bob, now(), shown="waiting", page=page)[0] for page in (1, 2, 3)]
    assert [[row.who for row in page.rows] for page in pages] == [["C0", "C1"], ["C2", "C3"], ["C4"]]
    assert [bool(page.more) for page in pages] == [True, True, False]


@pytest.mark.parametrize(
    "asked", ["mara", "LINDNER Mara", "mara@mail", "cus_1001", "tight boots", "wf-20418", "home@mail.example boot"]
)
def test_search_finds_by_name_address_id_and_summary(bob: User, asked: str) -> None:
    made = waiting(
        "Mara Lindner", summary="Boots too tight, WF-20418", email="mara@mail.example", external_id="cus_1001"
    )
    Ticket.objects.filter(pk=made.pk).update(contact_email="home@mail.example")
    waiting("Jonas Weber", summary="Parcel not there", email="jonas@mail.example", external_id="cus_1002")
    assert [row.who for row in search_rows(asked, bob, now()).rows] == ["Mara Lindner"]


def test_search_results_are_paginated(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_rows, "ROWS_PER_PAGE", 2)
    for number in range(3):
        waiting(f"Lee & Co {number}")
    client, shown = browser(bob), []
    address = "/desk/?q=Lee+%26+Co"
    while address:
        tree = LexborHTMLParser(client.get(address).content.decode())
        shown += [name.text() for name in tree.css("#queue .q b")]
        more = tree.css_first(".more a")
        address = f"{more.attributes['href']}" if more else ""
    assert sorted(shown) == ["Lee & Co 0", "Lee & Co 1", "Lee & Co 2"]


def test_a_search_ends_at_its_last_page_whatever_page_is_asked_for(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_rows, "ROWS_PER_PAGE", 1)
    monkeypatch.setattr(queue_rows, "MAX_SEARCH_PAGES", 2)
    for number in range(4):
        waiting(f"Lee {number}")
    for page in ("2", "9999"):
        tree = LexborHTMLParser(browser(bob).get("/desk/", {"q": "Lee", "page": page}).content.decode())
        assert [name.text() for name in tree.css("#queue .q b")] == ["Lee 2"]
        assert tree.css_first(".more a") is None


@pytest.mark.long
def test_search_takes_special_characters_literally(queue: dict[str, Ticket], bob: User) -> None:
    agent = browser(bob)
    for asked in ("%", "_", "\0", "   ", "x" * 5_000, "'; DROP TABLE"):
        assert agent.get("/desk/", {"q": asked}).status_code == 200, asked
        assert search_rows(asked, bob, now()).rows == (), asked


def test_an_invalid_page_number_shows_the_first_page_or_none(queue: dict[str, Ticket], bob: User) -> None:
    agent = browser(bob)
    for page in ("0", "-1", "x", "99999999999", "²", "2"):
        assert agent.get("/desk/", {"show": "waiting", "page": page}).status_code == 200, page


def test_a_stranger_finds_nothing(queue: dict[str, Ticket], mallory: User) -> None:
    page = browser(mallory).get("/desk/", {"q": "Ada"}).content.decode()
    assert "No results" in page and "Ada</b>" not in page


@pytest.mark.parametrize(
    ("locale", "shown"), [("en", "English"), ("de-AT", "German (de-AT)"), ("tlh", "tlh"), ("", "")]
)
def test_a_language_is_shown_by_name(locale: str, shown: str) -> None:
    assert language(locale) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0"), (99, "99"), (100, "99+"), (10_000, "99+")])
def test_large_counts_are_capped(count: int, shown: str) -> None:
    assert capped(count, 99) == shown


@pytest.mark.parametrize(
    ("moment", "shown"),
    [((2026, 3, 2, 0, 30), "01:30"), ((2026, 3, 1, 22, 30), "1 Mar, 23:30"), ((2025, 3, 2, 9, 0), "2 Mar 2025, 10:00")],
)
def test_a_time_shows_day_and_year_when_they_differ(
    moment: tuple[int, ...], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "now", lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))
    with override(ZoneInfo("Europe/Berlin")):
        assert desk.clock(datetime(*moment, tzinfo=UTC)) == shown


# --- Actions outside of a ticket.


def test_next_claims_and_shows_the_next_ticket(queue: dict[str, Ticket], bob: User) -> None:
    client = browser(bob)
    taken = [client.post("/desk/next/").headers["Location"] for _ in range(3)]
    assert taken[:2] == [f"/desk/tickets/{queue[name].pk}/" for name in ("Cem", "Bea")]
    assert taken[2] == "/desk/"


def test_an_away_agent_is_offline(ticket: Ticket, bob: User) -> None:
    client = browser(bob)
    client.get("/desk/")
    assert is_team_online()
    client.post("/desk/presence/", {"text": "away"})
    client.get("/desk/")
    assert (is_team_online(), Presence.objects.get(user=bob).is_away) == (False, True)
    page = client.get("/desk/").content.decode()
    assert "You are away" in page
    client.post("/desk/presence/", {"text": "here"})
    assert is_team_online()


def test_snoozing_ends_in_the_workspaces_time_zone() -> None:
    friday = datetime(2026, 11, 27, 15, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    shown = {choice: snooze_until(choice, friday).strftime("%a %H:%M") for choice in ("hour", "tomorrow", "week")}
    assert shown == {"hour": "Fri 16:30", "tomorrow": "Sat 09:00", "week": "Mon 09:00"}
    with pytest.raises(InvalidInput):
        snooze_until("never", friday)


@pytest.mark.long
def test_a_ticket_is_snoozed_assigned_and_released_from_its_page(
    workspace: Workspace, ticket: Ticket, conversation: Conversation, bob: User, noor: User
) -> None:
    client, address = browser(bob), f"/desk/tickets/{ticket.pk}"
    client.post(f"{address}/claim/")
    client.post(f"{address}/snooze/", {"text": "tomorrow"})
    assert re.search(r"snoozed until", client.get(f"{address}/").content.decode())
    refused = client.post(f"{address}/snooze/", {"text": "never"})
    assert (refused.status_code, Ticket.objects.get().state) == (400, "snoozed")
    client.post(f"{address}/assign/", {"text": "noor"})
    assert Ticket.objects.get().assignee == noor
    assert client.post(f"{address}/release/").status_code == 409
    browser(noor).post(f"{address}/release/")
    assert Ticket.objects.get().state == "waiting"


def test_reopening_an_ended_ticket_opens_its_successor(ticket: Ticket, bob: User) -> None:
    services.claim(ticket.pk, agent=bob)
    services.resolve(ticket.pk, agent=bob)
    again = browser(bob).post(f"/desk/tickets/{ticket.pk}/reopen/").headers["Location"]
    assert again == f"/desk/tickets/{Ticket.objects.get(state='claimed').pk}/" != f"/desk/tickets/{ticket.pk}/"
    tree = LexborHTMLParser(browser(bob).get(again).content.decode())
    assert tree.css("[data-submit=reply]")
