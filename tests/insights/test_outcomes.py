"""The endings of conversations, and the export from which an independent program computes the overview's figures."""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils.timezone import localtime
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.models import Message
from supportbot.console.display import duration_in_words
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.insights.outcome_rules import Ending, Facts, PersonRequest, PublicMessage, Score, ending_of, outcome_of
from supportbot.llm.models import LLMCall
from supportbot.team_formats import percentage
from tests.console.conftest import logged_in, person
from tests.console.test_overview import ANSWERED, figures, noon, talk

START = noon()
LATER = START + timedelta(hours=1)
RESOLVED = PersonRequest(LATER, "resolved", "customer", None, START + timedelta(hours=2))


def said(*lines: tuple[str, float], unknown: Sequence[int] = ()) -> list[PublicMessage]:
    """Return messages. A source such as "customer:thanks" names the courtesy; a number is the hours since the start."""
    found = []
    for seq, (who, hours) in enumerate(lines):
        source, _, courtesy = who.partition(":")
        found.append(PublicMessage(seq, source, START + timedelta(hours=hours), courtesy, seq in unknown))
    return found


ASKED = (("customer", 0), ("assistant", 0.1))


@pytest.mark.parametrize(
    ("facts", "ending"),
    [
        (Facts(said(*ASKED)), "silent"),
        (Facts(said(*ASKED, ("customer:thanks", 0.2), ("assistant", 0.2))), "confirmed"),
        (Facts(said(*ASKED, ("customer:farewell", 0.2), ("assistant", 0.2))), "silent"),
        (Facts(said(*ASKED, ("customer:thanks", 0.2), ("customer", 0.3), ("assistant", 0.4))), "silent"),
        (Facts(said(*ASKED), scores=[Score(4)]), "confirmed"),
        (Facts(said(*ASKED), scores=[Score(5), Score(2)]), "abandoned"),
        (Facts(said(*ASKED, unknown=[1])), "abandoned"),
        # Ironic thanks: the reply to it does not answer the question.
        (Facts(said(*ASKED, ("customer:thanks", 0.2), ("assistant", 0.2), unknown=[1])), "abandoned"),
        (Facts(said(("customer:greeting", 0), ("assistant", 0), *ASKED)), "silent"),
        (Facts(said(*ASKED), has_failed=True), "abandoned"),
        (Facts(said(*ASKED, ("customer", 23), ("assistant", 23.1))), "silent"),
        (Facts(said(*ASKED, ("customer", 25), ("assistant", 25.1))), "reopened"),
        (Facts(said(*ASKED, ("customer:thanks", 25), ("assistant", 25.1))), "confirmed"),
        (Facts(said(*ASKED), asked_again_at=[START + timedelta(days=6)]), "recontact"),
        (Facts(said(*ASKED), asked_again_at=[START + timedelta(days=8)]), "silent"),
        (Facts(said(*ASKED), [PersonRequest(START, "waiting", "customer")]), "waiting"),
        (Facts(said(*ASKED), [PersonRequest(START, "claimed", "customer", START)]), "waiting"),
        (Facts(said(*ASKED, ("agent", 0.5)), [PersonRequest(START, "claimed", "customer", START)]), "person"),
        (Facts(said(*ASKED, ("agent", 0.5)), [PersonRequest(LATER, "waiting", "rule")]), "waiting"),
        (Facts(said(*ASKED), [RESOLVED]), "abandoned"),
        (Facts(said(*ASKED), [PersonRequest(START, "returned", "customer", None, START)]), "silent"),
    ],
)  # fmt: skip
def test_each_ending_of_a_conversation_has_its_condition(facts: Facts, ending: str) -> None:
    assert ending_of(facts) == ending


def test_small_talk_alone_is_not_counted_and_a_person_called_again_still_counts_as_helpful() -> None:
    assert outcome_of(Facts(said(("customer:greeting", 0), ("assistant", 0)))) is None
    again = outcome_of(Facts(said(*ASKED, ("agent", 1.5), ("customer", 3), ("assistant", 3.1)), [RESOLVED]))
    assert again is not None
    assert (again.ending, again.is_reopened, again.resolution_seconds) == (Ending.PERSON, True, 5400.0)


def test_the_confirmed_conversation_is_resolved_before_the_thanks() -> None:
    told = outcome_of(Facts(said(("customer:greeting", -1), *ASKED, ("customer:thanks", 5), ("assistant", 5))))
    assert told is not None
    assert told.resolution_seconds == 360.0


@pytest.mark.django_db
@pytest.mark.long
def test_the_overview_equals_an_independent_computation_from_the_export(
    client: Client, workspace: Workspace, bob: User, tmp_path: Path
) -> None:
    customer = Customer.objects.create()
    talk(*ANSWERED, customer=customer, scores=(5,))
    talk(*ANSWERED, began=noon() + timedelta(hours=1), customer=customer, scores=(4, 1))
    talk(*ANSWERED, began=noon(1), unknown=True)
    talk(*ANSWERED, began=noon(2))
    talk(("customer", 0), ("assistant", 9), began=noon(3))
    helped = talk(("customer", 0), ("assistant", 3), ("agent", 480), began=noon(4))
    handoff.claim(handoff.request(helped.pk, reason="customer_asked", by="customer").pk, agent=bob)
    Ticket.objects.update(created_at=noon(4))
    Message.objects.filter(conversation=helped, source="agent").update(author=bob, author_name="Bob")
    for amount in ("0.002", "0.00425"):
        LLMCall.objects.create(
            conversation_id=helped.pk, purpose="answer", duration_ms=9, outcome="done", cost=Decimal(amount),
            currency="EUR", provider="p",
        )  # fmt: skip
    page = figures(LexborHTMLParser(logged_in(person(workspace, "supervisor")).get("/admin/").content.decode()))
    key = issue_api_key(workspace, "BI", scopes=["conversations:read", "costs:read"]).plain
    first, after = (localtime() - timedelta(days=13)).date(), (localtime() + timedelta(days=1)).date()
    rows = exported(client, key, since=first.isoformat(), until=after.isoformat())
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    script = settings.BASE_DIR / "scripts/recompute_overview.py"
    done = subprocess.run([sys.executable, script, tmp_path / "rows.json"], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert page["Conversations"][0] == str(told["conversations"]) == "6"
    assert page["Solved by the assistant"][0] == percentage(told["solved_by_the_assistant"]) == "33%"
    assert page["Not solved"][0] == percentage(told["not_solved"]) == "50%"
    assert page["Time to resolution"][0] == duration_in_words(timedelta(seconds=told["time_to_resolution"])) == "9.0 s"
    assert page["First response after"][0] == duration_in_words(timedelta(seconds=told["first_response"])) == "2.0 s"
    assert page["Satisfied"][0] == percentage(told["satisfied"]) == "67%"
    assert page["Cost of a conversation"] == ("€0.0010", "€0.0031 per solved conversation")
    assert told["cost_of_a_conversation"] == {"EUR": pytest.approx(0.00625 / 6)}
    [row] = [row for row in rows if row["agent"]]
    assert (row["agent_name"], row["ending"], len(row["waits_seconds"])) == ("Bob", "person", 1)


def exported(client: Client, key: str, **query: str) -> list[dict[str, Any]]:
    """Return all rows of the export, page by page."""
    rows: list[dict[str, Any]] = []
    page: str | None = "/api/v1/outcomes?limit=4&" + "&".join(f"{name}={value}" for name, value in query.items())
    while page:
        answer = client.get(page, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.content
        rows += answer.json()["results"]
        page = answer.json()["next"]
    return rows


@pytest.mark.django_db
def test_the_export_gives_moments_in_utc_and_days_in_the_workspace_s_time_zone(
    client: Client, workspace: Workspace
) -> None:
    workspace.timezone = "Europe/Vienna"
    workspace.save()
    began = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    talk(*ANSWERED, began=began)
    key = issue_api_key(workspace, "BI", scopes=["conversations:read"]).plain
    [row] = exported(client, key)
    assert (row["began_at"], row["day"], row["hour"]) == ("2026-01-05T23:30:00Z", "2026-01-06", 0)


@pytest.mark.django_db
def test_the_export_is_scoped_and_refuses_invalid_times(client: Client, workspace: Workspace) -> None:
    talk(*ANSWERED)
    key = issue_api_key(workspace, "BI", scopes=["conversations:read"]).plain
    assert [row["costs"] for row in exported(client, key)] == [None]
    assert exported(client, key, until=noon().date().isoformat()) == []
    header = {"Authorization": f"Bearer {key}"}
    for wrong in ("since=yesterday", "until=2026-13-01", "since=2026-11-28T10:00", "channel=x", "by=day"):
        answer = client.get(f"/api/v1/outcomes?{wrong}", headers=header)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [wrong.partition("=")[0]]), wrong
    other = issue_api_key(workspace, "Import", scopes=["kb:read"]).plain
    assert client.get("/api/v1/outcomes", headers={"Authorization": f"Bearer {other}"}).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("by", ["channel", "language", "agent", "day", "hour"])
def test_results_by_group_add_up(workspace: Workspace, by: str, django_assert_max_num_queries: Any) -> None:
    for back in range(3):
        talk(*ANSWERED, began=noon(back))
    page = logged_in(person(workspace, "supervisor"))
    with django_assert_max_num_queries(40):
        tree = LexborHTMLParser(page.get(f"/admin/results/?by={by}&days=7").content.decode())
    groups = [int(row.css_first("td").text()) for row in tree.css(".grid-table tbody tr")]
    assert sum(groups) == int(tree.css_first(".grid-table tfoot td").text()) == 3
    assert len(groups) == (3 if by == "day" else 1)
    assert (tree.css_first(".heat") is not None) == (by == "hour")
