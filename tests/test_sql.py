"""`sql` writes and reads the same as the ORM, and fails like it."""

import asyncio
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, SynchronousOnlyOperation
from django.db import InternalError, ProgrammingError, connection, transaction
from django.db.models import Model
from django.db.transaction import TransactionManagementError
from django.utils.timezone import now

from supportbot import sql
from supportbot.accounts.models import Channel, Customer, Workspace
from supportbot.chat.models import Conversation, ConversationEvent, Message
from supportbot.server_urls import PREPARED_AFTER

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation(alice: Customer) -> Conversation:
    return Conversation.objects.create(customer=alice)


def fields(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_an_inserted_row_is_stored_with_every_field(conversation: Conversation) -> None:
    payload = {"text": "Grüße", "citations": [{"start": 1}], "none": None}
    event = ConversationEvent(conversation=conversation, seq=1, prev_seq=0, event="message", payload=payload)
    origins = ["https://a.example", "https://b.example"]
    channel = Channel(name="Shop", allowed_origins=origins, greetings={"de": "Hallo"})
    sql.insert(event)
    sql.insert(channel)
    assert fields(ConversationEvent.objects.get()) == fields(event)
    assert fields(Channel.objects.get()) == fields(channel)
    assert not event._state.adding
    event.payload = {}
    event.save()  # an update, since the row exists


def test_several_rows_are_inserted_at_once(workspace: Workspace, django_assert_num_queries: Any) -> None:
    customers = [Customer(name=name) for name in ("Ann", "Ben")]
    with django_assert_num_queries(1):
        sql.insert(*customers)
        sql.insert()
    assert set(Customer.objects.all()) == set(customers)


def test_only_the_named_fields_are_saved(conversation: Conversation, alice: Customer) -> None:
    other = Customer.objects.create(name="Ben")
    conversation.locale, conversation.last_seq, conversation.customer = "de", 7, other
    sql.save(conversation, "last_seq", "customer")
    kept = Conversation.objects.get()
    assert (kept.locale, kept.last_seq, kept.customer_id) == ("en", 7, other.pk)


def test_new_rows_are_inserted_with_the_saved_fields(
    conversation: Conversation, django_assert_num_queries: Any
) -> None:
    event = ConversationEvent(conversation=conversation, seq=1, prev_seq=0, event="message", payload={"text": "Hi"})
    message = Message(conversation=conversation, seq=1, source="customer", text="Hi")
    conversation.last_seq = 1
    with django_assert_num_queries(1):
        sql.save(conversation, "last_seq", inserting=[event, message])
    assert Conversation.objects.get().last_seq == 1
    assert fields(ConversationEvent.objects.get()) == fields(event)
    assert fields(Message.objects.get()) == fields(message)
    assert not message._state.adding


def test_a_row_is_inserted_if_its_source_finds_something(
    conversation: Conversation, django_assert_num_queries: Any
) -> None:
    event = ConversationEvent(conversation=conversation, event="message", payload={"text": "Grüße"}, prev_seq=6)
    known = sql.Statement("SELECT * FROM chat_conversation WHERE id = %s AND last_seq = %s", [conversation.pk, 0])
    none = sql.Statement(known.text, [conversation.pk, 1])
    added = sql.insertion(event, "known", seq="known.last_seq + 1", prev_seq="%s - 1", ending="RETURNING seq")
    found = sql.Statement("SELECT added.seq, %s::int FROM added", [5])
    with django_assert_num_queries(2):
        assert sql.fetch_together({"known": none, "added": added}, found) == []
        assert sql.fetch_together({"known": known, "added": added}, found) == [(1, 5)]
    event.seq, event.prev_seq = 1, 5
    assert fields(ConversationEvent.objects.get()) == fields(event)


def test_a_row_that_no_longer_exists_is_not_saved(conversation: Conversation) -> None:
    Conversation.objects.all().delete()
    with pytest.raises(ObjectDoesNotExist):
        sql.save(conversation, "last_seq")


def test_a_loaded_row_equals_the_model(conversation: Conversation, alice: Customer) -> None:
    conversation.ended_at = now()
    conversation.save()
    statement = (
        f"SELECT {sql.columns(Conversation, 'c')}, {sql.columns(Customer, 'p')} "
        "FROM chat_conversation c JOIN accounts_customer p ON p.id = c.customer_id WHERE c.id = %s"
    )
    (found,) = sql.fetch(statement, [conversation.pk])
    loaded, customer = sql.loaded_together(found, Conversation, Customer)
    assert (loaded, customer) == (conversation, alice)
    assert fields(loaded) == fields(conversation)
    assert sql.run("UPDATE chat_conversation SET locale = 'fr' WHERE id = %s", [conversation.pk]) == 1


def test_a_row_loaded_with_some_columns_has_those_and_no_others(conversation: Conversation) -> None:
    names = ("id", "workspace_id", "locale")
    statement = f"SELECT {sql.columns(Conversation, 'c', *names)} FROM chat_conversation c WHERE c.id = %s"
    (found,) = sql.fetch(statement, [conversation.pk])

    loaded = sql.loaded(Conversation, found, *names)

    assert (loaded.pk, loaded.workspace_id, loaded.locale) == (
        conversation.pk,
        conversation.workspace_id,
        conversation.locale,
    )
    assert loaded.get_deferred_fields() == {field.attname for field in Conversation._meta.concrete_fields} - {*names}


def test_a_failed_statement_raises_djangos_error_and_breaks_its_transaction(conversation: Conversation) -> None:
    with transaction.atomic():
        with pytest.raises(ProgrammingError, match="no_such_table"):
            sql.fetch("SELECT * FROM no_such_table WHERE id = %s", [1])
        assert connection.errors_occurred  # its thread replaces it
        with pytest.raises(InternalError, match="aborted"):
            sql.run("UPDATE chat_conversation SET last_seq = %s", [9])
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            sql.run("UPDATE chat_conversation SET last_seq = %s", [9])
    assert Conversation.objects.get().last_seq == 0


def test_a_coroutine_cannot_run_a_statement() -> None:
    async def careless() -> None:
        sql.fetch("SELECT %s::int", [1])

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(careless())


def test_a_statement_is_seen_by_whoever_observes_the_connection(conversation: Conversation) -> None:
    seen: list[str] = []

    def observe(execute: Any, statement: str, *others: Any) -> Any:
        seen.append(statement)
        return execute(statement, *others)

    with connection.execute_wrapper(observe):
        assert sql.fetch("SELECT %(number)s::int", {"number": 7}) == [(7,)]
    assert sql.fetch("SELECT %(number)s::int", {"number": 8}) == [(8,)]
    assert seen == ["SELECT %(number)s::int"]


@pytest.mark.django_db(transaction=True)
def test_a_prepared_statement_survives_a_column_of_another_type() -> None:
    """A migration of another process changes it, so this connection does not notice."""
    ask = "SELECT label FROM prepared_labels WHERE %s"
    sql.run("CREATE TABLE prepared_labels (label varchar(20))", [])
    try:
        sql.run("INSERT INTO prepared_labels VALUES (%s)", ["Blue"])
        for _ in range(PREPARED_AFTER + 1):
            assert sql.fetch(ask, [True]) == [("Blue",)]
        with psycopg.connect(settings.DATABASE_URL, dbname=connection.settings_dict["NAME"]) as other:
            other.execute("ALTER TABLE prepared_labels ALTER COLUMN label TYPE text")
        assert sql.fetch(ask, [True]) == [("Blue",)]
    finally:
        sql.run("DROP TABLE prepared_labels", [])
