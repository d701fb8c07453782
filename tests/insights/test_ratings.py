"""A customer's rating is shown to everybody who can improve the answer: in the console, at the desk and over REST."""

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.models import User, Workspace
from supportbot.chat.models import Conversation, Message
from supportbot.chat.turns import explain
from supportbot.handoff.desk.conversation_lines import lines_of, reader_of
from supportbot.handoff.tickets import services as handoff
from supportbot.widget.services import rate
from tests.console.conftest import logged_in, person
from tests.console.test_overview import ANSWERED, talk
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def rated(workspace: Workspace) -> Conversation:
    """A conversation with one answer that was rated badly twice."""
    made = talk(("customer", 0))
    explain(made, "Sixty days.", request=made.pk, locale="en")
    answer = Message.objects.get(conversation=made, source="assistant")
    rate(made.pk, score=2, comment="", message_id=answer.pk)
    rate(made.pk, score=1, comment="It is thirty days", message_id=answer.pk, reason="wrong")
    return made


def test_a_bad_rating_is_on_the_conversation_and_its_reason_in_the_log(rated: Conversation, bob: User) -> None:
    supervisor = logged_in(person(rated.workspace, "supervisor"))
    page = visible_text(
        LexborHTMLParser(supervisor.get(f"/admin/chat/conversation/{rated.pk}/change/").content.decode())
    )
    assert "Rated 1 out of 5" in page and "Rated an answer 1 out of 5: not true: It is thirty days" in page
    lines = [line.text for line in lines_of(rated, reader_of(rated, bob)) if line.kind == "rule"]
    assert lines == ["Rated an answer 2 out of 5", "Rated an answer 1 out of 5: not true: It is thirty days"]


def test_conversations_are_filtered_by_their_ratings(rated: Conversation, client: Client) -> None:
    talk(*ANSWERED, scores=(4,))
    talk(*ANSWERED)
    key = issue_api_key(rated.workspace, "BI", scopes=["conversations:read"]).plain
    found = {}
    for how in ("bad", "good"):
        answer = client.get(f"/api/v1/conversations?rated={how}", headers={"Authorization": f"Bearer {key}"})
        found[how] = [[one["score"] for one in row["ratings"]] for row in answer.json()["results"]]
    assert found == {"bad": [[1]], "good": [[4]]}
    wrong = client.get("/api/v1/conversations?rated=awful", headers={"Authorization": f"Bearer {key}"})
    assert wrong.json()["fields"] == {"rated": ["Choose one of good, bad."]}
    supervisor = logged_in(person(rated.workspace, "supervisor"))
    listed = LexborHTMLParser(supervisor.get("/admin/chat/conversation/?rated=bad").content.decode())
    assert [str(rated.pk) in (row.css_first("a").attributes["href"] or "") for row in listed.css("tbody tr")] == [True]


def test_a_person_is_measured_by_the_ratings_of_their_own_messages(rated: Conversation, bob: User) -> None:
    both = talk(*ANSWERED)
    handoff.claim(handoff.request(both.pk, reason="customer_asked", by="customer").pk, agent=bob)
    written = {"conversation": both, "source": "agent", "author": bob, "author_name": "Bob"}
    reply = Message.objects.create(**written, seq=40, text="Here you are")
    answer = Message.objects.get(conversation=both, source="assistant")
    rate(both.pk, score=5, comment="", message_id=reply.pk)
    rate(both.pk, score=2, comment="", message_id=answer.pk)
    supervisor = logged_in(person(rated.workspace, "supervisor"))
    table = LexborHTMLParser(supervisor.get("/admin/results/?by=agent&days=7").content.decode())
    shown = {row.css_first("th").text(): row.css("td")[4].text() for row in table.css(".grid-table tbody tr")}
    assert shown == {"Bob": "100%", "The assistant alone": "0%"}
