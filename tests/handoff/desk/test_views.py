"""The desk in an agent's browser: one address per step, no scripts."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.rest.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.scope import across_workspaces
from supportbot.accounts.team_members import add_member
from supportbot.chat.models import Conversation, ConversationEvent, Message
from supportbot.chat.selectors import events_after
from supportbot.chat.services import add_agent_message, add_customer_message, add_note, start_conversation
from supportbot.handoff.desk.labels import duration_label, initials
from supportbot.handoff.models import Presence, Ticket
from supportbot.handoff.tickets import services
from supportbot.handoff.tickets.presence import is_team_online
from tests.handoff.browsing import browser
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
TICKET_ACTIONS = ["claim", "reply", "note", "return", "resolve", "release", "assign", "snooze", "reopen"]


def page(client: Client, address: str, status: int = 200) -> LexborHTMLParser:
    return read(client.get(address), status)


def read(answer: Any, status: int) -> LexborHTMLParser:
    assert answer.status_code == status
    tree = LexborHTMLParser(answer.content.decode())
    assert tree.css("style, [style], [onclick]") == []
    assert all(script.attributes.get("src") and not script.text() for script in tree.css("script"))
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert len(tree.css("main")) == len(tree.css("h1")) == 1
    return tree


def words(tree: LexborHTMLParser) -> str:
    return re.sub(r"\s+", " ", tree.body.text() if tree.body else "")


def address(ticket: Ticket, step: str = "") -> str:
    return f"/desk/tickets/{ticket.pk}/{step}/" if step else f"/desk/tickets/{ticket.pk}/"


def key_on(tree: LexborHTMLParser) -> str:
    return tree.css_first("input[name=client_id]").attributes["value"] or ""


def take(client: Client, ticket: Ticket, step: str, text: str = "", key: str = "form-1") -> Any:
    return client.post(address(ticket, step), {"text": text, "client_id": key})


def books() -> list[Any]:
    with across_workspaces("test"):
        return [list(model.objects.order_by("pk").values()) for model in (Ticket, Message, ConversationEvent, Presence)]


@pytest.fixture
def claimed(ticket: Ticket, bob: User) -> Ticket:
    return services.claim(ticket.pk, agent=bob)


def rows(tree: LexborHTMLParser, section: str) -> list[str]:
    lines = tree.css(f"section[aria-labelledby={section}] .rows a")
    return [" ".join(" ".join(part.text() for part in line.css(".l1, .l2, .l3")).split()) for line in lines]


def test_the_queue_shows_who_is_waiting_why_and_how_long(ticket: Ticket, bob: User, alice: Customer) -> None:
    urgent = start_conversation(Customer.objects.create(external_id="c2", name="Jonas", locale="de").pk, locale="de")
    add_customer_message(urgent.pk, text="Mein Paket fehlt.", client_id="1")
    second = services.request(urgent.pk, reason="no_answer", by="assistant")
    Ticket.objects.filter(pk=second.pk).update(priority=2)
    Ticket.objects.filter(pk=ticket.pk).update(waiting_since=now() - timedelta(minutes=7))
    assert rows(page(browser(bob), "/desk/"), "waiting") == [
        "Jonas now Mein Paket fehlt. Urgent Not covered by our articles Language German",
        "Alice 7 min, late Wants a new tent pole Asked for a person Language English",
    ]


def test_a_claimed_ticket_moves_to_its_owners_group(claimed: Ticket, bob: User, noor: User) -> None:
    mine, theirs = page(browser(bob), "/desk/"), page(browser(noor), "/desk/")
    assert (len(rows(mine, "mine")), rows(mine, "waiting"), rows(mine, "colleagues")) == (1, [], [])
    assert (rows(theirs, "mine"), rows(theirs, "waiting")) == ([], [])
    assert "with Bob" in rows(theirs, "colleagues")[0]


@pytest.mark.long
def test_the_queue_needs_no_query_per_row(
    ticket: Ticket, bob: User, django_assert_max_num_queries: Any, alice: Customer
) -> None:
    for number in range(12):
        customer = Customer.objects.create(external_id=f"c{number}")
        services.request(start_conversation(customer.pk).pk, reason="no_answer", by="assistant")
    client = browser(bob)
    client.get("/desk/")
    with django_assert_max_num_queries(20):
        assert len(rows(page(client, "/desk/"), "waiting")) == 13


def test_opening_the_queue_counts_as_online_and_it_reloads_unless_turned_off(bob: User) -> None:
    assert not is_team_online()
    client = browser(bob)
    assert page(client, "/desk/").css("noscript > meta[http-equiv=refresh][content='30']")
    assert is_team_online()
    assert 'http-equiv="refresh"' not in client.get("/desk/?refresh=off").content.decode()


def test_a_ticket_from_request_to_return(ticket: Ticket, conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="It broke <b>yesterday</b>.", client_id="1")
    client = browser(bob)
    assert "It broke <b>yesterday</b>." in words(page(client, address(ticket)))
    assert take(client, ticket, "claim").status_code == 302
    take(client, ticket, "reply", "The new pole\r\nis on its way.", key_on(page(client, address(ticket))))
    take(client, ticket, "note", "Second pole this year.", key_on(page(client, address(ticket))))
    tree = page(client, address(ticket))
    assert [said.text() for said in tree.css("#thread .me .said")] == ["The new pole\nis on its way."]
    assert [said.text() for said in tree.css("#thread .note .said")] == ["Second pole this year."]
    take(client, ticket, "return", "A new pole was sent.")
    assert "Returned" in words(page(client, address(ticket)))
    conversation.refresh_from_db()
    assert (conversation.mode, conversation.handoff_note) == ("assistant", "A new pole was sent.")
    public = ConversationEvent.objects.filter(audience="everyone").values_list("payload", flat=True)
    assert not any("Second pole" in str(payload) for payload in public)


def test_resolving_ends_the_ticket(claimed: Ticket, bob: User) -> None:
    client = browser(bob)
    assert take(client, claimed, "resolve").status_code == 302
    assert Ticket.objects.get().state == "resolved"
    assert page(client, address(claimed)).css("#composer, details.menu") == []


def test_submitting_a_form_twice_stores_one_message(claimed: Ticket, bob: User) -> None:
    client = browser(bob)
    key = key_on(page(client, address(claimed)))
    assert [take(client, claimed, "reply", "Hello", key).status_code for _ in range(2)] == [302, 302]
    assert Message.objects.filter(source="agent").count() == 1


def test_resubmitting_a_form_with_different_text_keeps_the_text(claimed: Ticket, bob: User) -> None:
    client = browser(bob)
    take(client, claimed, "reply", "Hello", "k")
    tree = read(take(client, claimed, "reply", "Hello again", "k"), 409)
    assert "already sent this form" in tree.css_first("[role=alert]").text()
    assert tree.css_first("#text").text().strip() == "Hello again"
    assert take(client, claimed, "reply", "Hello again", key_on(tree)).status_code == 302
    assert [one.text for one in Message.objects.filter(source="agent")] == ["Hello", "Hello again"]


def test_the_second_claim_names_the_owner(ticket: Ticket, bob: User, noor: User) -> None:
    first, second = browser(bob), browser(noor)
    page(second, address(ticket))
    assert take(first, ticket, "claim").status_code == 302
    tree = read(take(second, ticket, "claim"), 409)
    assert visible_text(tree.css_first("[role=alert]")) == "Bob has already claimed this ticket."
    assert "with Bob" in words(tree)
    assert Ticket.objects.get().assignee == bob


def test_typed_text_survives_a_colleagues_takeover(claimed: Ticket, bob: User, lead: User) -> None:
    services.transfer(claimed.pk, agent=bob, to=lead)
    before = books()
    tree = read(take(browser(bob), claimed, "reply", "A long answer & <more>"), 409)
    assert tree.css_first("#text").text().strip() == "A long answer & <more>"
    assert books()[:3] == before[:3]


@pytest.mark.parametrize(
    ("step", "text", "sentence"),
    [
        ("reply", " ", "The message is empty"),
        ("reply", "x" * 4001, "The limit is 4,000"),
        ("note", "a\0b", "cannot be stored"),
        ("return", "x" * 2001, "Enter at most 2,000 characters."),
    ],
)
def test_a_refusal_is_shown_on_the_page_and_stores_nothing(
    claimed: Ticket, bob: User, step: str, text: str, sentence: str
) -> None:
    before = books()
    tree = read(take(browser(bob), claimed, step, text), 400)
    assert sentence in tree.css_first("[role=alert]").text()
    field = tree.css_first("#return-note" if step == "return" else "#text")
    assert "refusal" in (field.attributes["aria-describedby"] or "").split()
    assert field.text().strip() == text.strip().replace("\0", "�")
    assert books() == before


@pytest.mark.parametrize("name", ["nobody", "a\0b", ""])
def test_an_unknown_colleague_is_refused_on_the_page(claimed: Ticket, bob: User, name: str) -> None:
    before = books()
    tree = read(take(browser(bob), claimed, "assign", name), 404)
    assert visible_text(tree.css_first("[role=alert]")) == "No member of this workspace has this name."
    assert books() == before


def test_a_stranger_can_neither_see_nor_change_tickets(claimed: Ticket, mallory: User) -> None:
    client, before = browser(mallory), books()
    assert rows(page(client, "/desk/"), "waiting") == []
    foreign = [client.get(address(claimed)), *(take(client, claimed, step, "x") for step in TICKET_ACTIONS)]
    missing = client.get(f"/desk/tickets/{uuid4()}/")
    assert {answer.status_code for answer in (*foreign, missing)} == {404}
    assert "Alice" not in "".join(answer.content.decode() for answer in foreign)
    assert books()[:3] == before[:3]


def test_an_editor_sees_why_access_is_denied(workspace: Workspace, claimed: Ticket) -> None:
    hanna = User.objects.create_user("hanna")
    add_member(workspace, hanna, Membership.Role.EDITOR)
    before = books()
    assert f"Your role cannot answer customers in {workspace.name}." in words(page(browser(hanna), "/desk/", 403))
    nobody = User.objects.create_user("nobody")
    assert "You are not a member of any workspace." in words(page(browser(nobody), "/desk/", 403))
    assert "Alice" not in words(page(browser(hanna), address(claimed), 403))
    for step in TICKET_ACTIONS:
        assert take(browser(hanna), claimed, step, "x").status_code == 403
        assert take(Client(), claimed, step, "x").headers["Location"] == "/desk/log-in/?next=%2Fdesk%2F&lost=1"
    assert Client().get("/desk/").headers["Location"] == "/desk/log-in/?next=/desk/"
    assert books() == before


def test_leaving_the_chosen_workspace_switches_to_another(
    workspace: Workspace, other_workspace: Workspace, ticket: Ticket, bob: User
) -> None:
    add_member(other_workspace, bob, Membership.Role.AGENT)
    client = browser(bob)
    session = client.session
    session[WORKSPACE_SESSION_KEY] = str(other_workspace.pk)
    session.save()
    assert rows(page(client, "/desk/"), "waiting") == []
    Membership.objects.get(user=bob, workspace=other_workspace).delete()
    assert len(rows(page(client, "/desk/"), "waiting")) == 1
    assert len(client.get("/api/v1/tickets").json()["results"]) == 1


def test_a_colleagues_link_to_your_other_workspace_names_it(
    workspace: Workspace, other_workspace: Workspace, ticket: Ticket, bob: User
) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    add_member(other_workspace, bob, Membership.Role.AGENT)
    client = browser(bob)
    session = client.session
    session[WORKSPACE_SESSION_KEY] = str(other_workspace.pk)
    session.save()
    shown = client.get(address(ticket), follow=True)
    assert f"This page belongs to your workspace {workspace.name}." in shown.content.decode()
    Membership.objects.get(user=bob, workspace=workspace).delete()
    assert client.get(address(ticket)).status_code == 404  # no longer a member


def test_an_expired_session_leads_back_to_the_form(claimed: Ticket, bob: User) -> None:
    client, here = Client(), address(claimed)
    answer = client.post(address(claimed, "resolve"), {}, headers={"referer": f"http://testserver{here}"})
    door = answer.headers["Location"]
    shown = page(client, door)
    assert "was not performed" in words(shown)
    assert shown.css_first("input[name=next]").attributes["value"] == here
    elsewhere = client.post(address(claimed, "resolve"), {}, headers={"referer": "http://evil.example/desk/"})
    assert "next=%2Fdesk%2F&" in elsewhere.headers["Location"]


def test_a_cross_site_form_changes_nothing(ticket: Ticket, bob: User) -> None:
    client, before = browser(bob, enforce_csrf_checks=True), books()
    for step in TICKET_ACTIONS:
        assert "could not be verified" in words(read(take(client, ticket, step, "x"), 403))
        assert client.get(address(ticket, step)).status_code == 405
    assert take(browser(bob), ticket, "explode").status_code == 404
    assert books() == before


def test_an_agent_logs_in_and_out(bob: User, ticket: Ticket) -> None:
    client = Client()
    wrong = read(client.post("/desk/log-in/", {"username": "bob", "password": "no"}), 200)
    assert "do not match" in wrong.css_first("[role=alert]").text()
    assert wrong.css_first("#id_username").attributes["value"] == "bob"
    door = f"/desk/log-in/?next={address(ticket)}"
    right = client.post(door, {"username": "bob", "password": "correct horse battery", "next": address(ticket)})
    assert right.headers["Location"] == address(ticket)
    assert "Alice" in words(page(client, address(ticket)))
    assert client.post("/desk/log-out/").headers["Location"] == "/desk/log-in/"
    assert client.get("/desk/").status_code == 302


def test_the_login_never_redirects_to_another_site(bob: User) -> None:
    data = {"username": "bob", "password": "correct horse battery", "next": "https://evil.example/"}
    assert Client().post("/desk/log-in/", data).headers["Location"] == "/desk/"


def test_own_lines_are_recognised_among_agents_of_the_same_name(
    workspace: Workspace, claimed: Ticket, bob: User
) -> None:
    namesake = User.objects.create_user("bobby", first_name=bob.display_name)
    add_member(workspace, namesake, Membership.Role.AGENT)
    assert namesake.display_name == bob.display_name
    add_agent_message(claimed.conversation_id, text="It is on its way.", author=bob, client_id="1")
    add_note(claimed.conversation_id, text="Be kind.", author=bob, client_id="2")
    own, others = (page(browser(one), address(claimed)) for one in (bob, namesake))
    assert [line.text() for line in own.css("#thread .me .said")] == ["It is on its way."]
    assert "Your note" in words(own)
    assert others.css("#thread .me") == []
    assert f"Note from {bob.display_name}" in words(others)
    assert "You joined" in words(own) and "You joined" not in words(others)


def test_lines_of_older_versions_are_recognised_by_name(claimed: Ticket, bob: User, noor: User) -> None:
    add_agent_message(claimed.conversation_id, text="It is on its way.", author=bob, client_id="1")
    for event in ConversationEvent.objects.filter(payload__has_key="person"):
        ConversationEvent.objects.filter(pk=event.pk).update(
            payload={name: value for name, value in event.payload.items() if name != "person"}
        )
    own, others = (page(browser(one), address(claimed)) for one in (bob, noor))
    assert "You joined" in words(own) and "You joined" not in words(others)
    assert [line.text() for line in own.css("#thread .me .said")] == ["It is on its way."]
    assert others.css("#thread .me") == []


def test_an_agents_id_is_visible_to_the_team_only(claimed: Ticket, bob: User) -> None:
    add_agent_message(claimed.conversation_id, text="It is on its way.", author=bob, client_id="1")
    teams, public = events_after(claimed.conversation_id, 0, is_staff=True), events_after(claimed.conversation_id, 0)
    assert [one.payload["person"] for one in teams if "person" in one.payload] == [str(bob.pk)] * 2
    assert {"handoff.joined", "message"} <= {one.event for one in public}
    assert str(bob.pk) not in str(public)


def test_a_lead_may_resolve_a_colleagues_ticket_and_sees_the_newest_lines(
    claimed: Ticket, bob: User, lead: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot.handoff.desk.conversation_lines.MAX_LINES", 3)
    monkeypatch.setattr("supportbot.handoff.desk.ticket_page.MAX_LINES", 3)
    for number in range(4):
        add_agent_message(claimed.conversation_id, text=f"line {number}", author=bob, client_id=f"{number}")
    tree = page(browser(lead), address(claimed))
    assert [said.text() for said in tree.css("#thread .said")] == ["line 1", "line 2", "line 3"]
    assert "Only the newest 3 entries" in words(tree)
    assert tree.css("[data-submit=reply]") == []
    assert take(browser(lead), claimed, "resolve").status_code == 302
    assert Ticket.objects.get().state == "resolved"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "now"), (0, "now"), (59, "now"),
     (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86400, "1 day"), (200_000, "2 days")],
)  # fmt: skip
def test_durations_are_labelled(seconds: int, said: str) -> None:
    assert duration_label(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("name", "letters"), [("Mara Lindner", "ML"), ("mara", "M"), ("Ana de la Cruz", "AC"), ("", ""), ("(x) ", "")]
)
def test_names_have_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_going_away_keeps_the_conversation_open(claimed: Ticket, bob: User) -> None:
    client, here = browser(bob), f"/desk/tickets/{claimed.pk}/"
    form = page(client, here).css_first('form[action="/desk/presence/"]')
    fields = {str(field.attributes["name"]): field.attributes["value"] or "" for field in form.css("input")}
    assert client.post("/desk/presence/", fields).headers["Location"] == here
    assert not is_team_online()
    assert client.post("/desk/presence/", {"text": "here", "ticket": "nonsense"}).headers["Location"] == "/desk/"


def test_an_agent_who_is_away_sees_how_many_customers_wait(ticket: Ticket, bob: User) -> None:
    client = browser(bob)
    client.post("/desk/presence/", {"text": "away"})
    idle = page(client, "/desk/").css_first("section.idle")
    assert "You are away" in idle.text()
    waiting = idle.css_first("p[data-if=waiting]")
    assert "hidden" not in waiting.attributes and " ".join(waiting.text().split()) == "Waiting: 1"
    services.claim(ticket.pk, agent=bob)
    assert "hidden" in page(client, "/desk/").css_first("section.idle p[data-if=waiting]").attributes


def test_earlier_conversations_without_a_ticket_lead_to_the_console(ticket: Ticket, alice: Customer, bob: User) -> None:
    earlier = start_conversation(alice.pk)
    found = page(browser(bob), address(ticket)).css_first(
        f'.past a[href="/admin/chat/conversation/{earlier.pk}/change/"]'
    )
    assert found is not None
