"""Search over conversations: the results, the indexes used, and that it finds nothing of other workspaces."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from actions.models import ActionPolicy, ActionRequest
from actions.policy_store import ensure_policies
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat import conversation_search
from supportbot.chat.conversation_search import CUSTOMER_WORDS, newest_with
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.handoff.models import TICKET_WORDS, Ticket
from supportbot.handoff.tickets import services
from supportbot.ids import uuid7
from supportbot.word_search import HasWord, Words, words_of
from tests.handoff.browsing import browser

pytestmark = pytest.mark.django_db


def talk(text: str, **customer: Any) -> Conversation:
    made = start_conversation(Customer.objects.create(**customer).pk)
    add_customer_message(made.pk, text=text, client_id=str(uuid7()))
    return made


@pytest.fixture
def asked(workspace: Workspace) -> Conversation:
    """Mara's chat, among others."""
    mara = {"name": "Mara Lindner-Özgür", "email": "mara@mail.example", "external_id": "cus_1001"}
    made = talk("Where is order WF-20418? MÜLLER sent 12.50 to https://shop.example/tents/pebble", **mara)
    Message.objects.create(conversation=made, seq=90, source="agent", audience="staff", text="Zelte are with customs.")
    Message.objects.create(conversation=made, seq=91, source="agent", text="الخيمة في الطريق")
    talk("Where is my parcel?", name="Jonas Weber", email="jonas@mail.example", external_id="cus_1002")
    return made


@pytest.mark.one_in(6)
@pytest.mark.parametrize(
    "query",
    [
        "order", "ORD", "wf-20418", "20418", "müller", "Müll", "12.50", "shop.example", "pebble", "customs", "zelt",
        "الخيمة", "lindner", "özgür", "mara@mail", "cus_1001", "1001", "ORDER customs mara", "  where   order ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["index", "newest first", "newest first, in vain"])
def test_a_conversation_is_found_by_its_words(
    asked: Conversation, query: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "index":
        monkeypatch.setattr(conversation_search, "COMMON", 0)
    monkeypatch.setattr(conversation_search, "MOST_CHECKED", 1 if "vain" in way else 1_000)
    assert newest_with(query, 1) == newest_with(query, 10) == [asked.pk]


@pytest.mark.parametrize(
    "query", ["", "   ", "%", "_", "\0", "!", "'; DROP TABLE", "rder", "customs jonas", "x" * 5_000]
)
def test_conversations_without_the_words_are_not_found(asked: Conversation, query: str) -> None:
    assert newest_with(query, 10) == []


def test_a_conversation_is_found_by_the_number_of_an_order_that_nobody_wrote(asked: Conversation) -> None:
    ensure_policies()
    ActionRequest.objects.create(
        customer_id=asked.customer_id, conversation_id=asked.pk, proposal_key="1", action="cancel_order",
        spec_version=1, policy_version=ActionPolicy.objects.get(action="cancel_order").current, asked_digest="x",
        arguments={}, digest="x", subject_kind="order", subject_id="Zx-77003", proposed_by="x",
    )  # fmt: skip
    assert newest_with("zx-770", 10) == [asked.pk]
    assert newest_with("Zx-77003 customs", 10) == [asked.pk]


@pytest.mark.parametrize(
    ("common", "most"),
    [
        ("where", 4),
        pytest.param("where parcel hello mara 4 is nothing", 100, marks=pytest.mark.long),
        pytest.param("where parcel hello mara 4 is nothing", 4, marks=pytest.mark.long),
        pytest.param("where", 100, marks=pytest.mark.long),
        pytest.param("parcel is", 4, marks=pytest.mark.long),
        pytest.param("parcel is", 100, marks=pytest.mark.long),
    ],
)
@pytest.mark.long
def test_every_search_plan_finds_the_same_in_the_same_order(
    asked: Conversation, common: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [talk(f"Where is parcel {number}?" if number % 3 else "Hello") for number in range(9)]
    Conversation.objects.filter(pk=made[0].pk).update(last_event_at=now() + timedelta(days=1))
    queries = ("where", "where parcel", "parcel where", "hello", "mara where", "where 4 is", "nothing where")
    limits = (1, 3, 20)
    monkeypatch.setattr(conversation_search, "_estimated_matches", lambda word: 0)
    by_index = [newest_with(query, limit) for query in queries for limit in limits]
    monkeypatch.setattr(
        conversation_search, "_estimated_matches", lambda word: conversation_search.COMMON if word in common else 0
    )
    monkeypatch.setattr(conversation_search, "MOST_CHECKED", most)
    assert [newest_with(query, limit) for query in queries for limit in limits] == by_index


def test_a_common_word_is_looked_for_in_as_many_conversations_as_needed(
    asked: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk asks for fifty, the console for five hundred, and nobody reads four thousand."""
    made = [talk("Hello" if number in (9, 8, 7, 6, 5) else f"Where is parcel {number}?") for number in range(12)]
    monkeypatch.setattr(conversation_search, "COMMON", 0)
    with CaptureQueriesContext(connection) as queries:
        assert newest_with("where", 4) == [made[number].pk for number in (11, 10, 4, 3)]
    searches = [one["sql"] for one in queries if "@@" in one["sql"] and not one["sql"].startswith("EXPLAIN")]
    # Three of the first eight contain it, so probably one of the next three does; with the margin, four are read.
    looked_at = [[number for number, one in enumerate(made) if one.pk.hex in sql] for sql in searches]
    assert looked_at == [[4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 3]]
    lists = [one["sql"] for one in queries if "chat_conversation" in one["sql"] and "LIMIT" in one["sql"]]
    assert [re.findall(r"LIMIT (\d+)", sql) for sql in lists] == [["8"], ["4"]]


def test_the_newest_come_first_and_only_those_of_the_workspace(asked: Conversation, other_workspace: Workspace) -> None:
    with workspace_scope(other_workspace.pk):
        talk("Where?")
    later = talk("Where else?")
    assert newest_with("where", 2)[0] == later.pk
    assert len(newest_with("where", 10)) == 3
    assert len(newest_with("where", 1)) == 1


@pytest.mark.parametrize(
    ("model", "words", "index"),
    [
        (Message, Words("text"), "message_words"),
        (Customer, Words(*CUSTOMER_WORDS), "customer_words"),
        (Ticket, TICKET_WORDS, "ticket_words"),
    ],
)
def test_an_index_serves_the_search(workspace: Workspace, model: Any, words: Words, index: str) -> None:
    with connection.cursor() as cursor, across_workspaces("whose own index would do for few rows"):
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        assert index in model.objects.filter(HasWord(words, "where")).explain()


def test_an_index_serves_the_search_for_an_order_number(workspace: Workspace) -> None:
    """By its beginning, whatever the case. For few rows, any index of the workspace's requests would do."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indrelid = 'actions_actionrequest'::regclass"
            " AND indexrelid <> 'action_request_by_subject'::regclass"
        )
        plan = conversation_search._requests_about("wf-20418").explain()
    assert "action_request_by_subject" in plan and "~>=~ 'WF-20418'" in plan, plan


def test_at_most_six_words_are_searched() -> None:
    assert words_of("a b c d e f g h") == list("abcdef")
    assert words_of("- a . b") == ["a", "b"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("common", [0, conversation_search.COMMON])
def test_an_agent_finds_a_note_in_the_list_and_at_the_desk(
    asked: Conversation, bob: User, common: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_search, "COMMON", common)
    services.request(asked.pk, reason="no_answer", by="assistant")
    assert "Mara Lindner" in browser(bob).get("/desk/?q=customs").text
    assert "Mara Lindner" not in browser(bob).get("/desk/?q=customs+unknown").text
