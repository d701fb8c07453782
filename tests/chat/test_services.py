"""Messages are stored once and in order, or refused without any change."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat import errors
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.models import Conversation, ConversationEvent, Message, Turn
from supportbot.chat.selectors import events_after, history
from supportbot.chat.services import (
    add_agent_message,
    add_customer_message,
    add_note,
    add_system_message,
    give_back,
    hand_over,
    start_conversation,
)
from supportbot.chat.turns import claim_turn
from supportbot.errors import NotFound, SupportBotError
from tests.chat.slots import Slots

pytestmark = pytest.mark.django_db
NOTICE = 1  # the sequence number of the AI notice, the first event of every log


def said(conversation: Conversation) -> list[str]:
    """Return the texts of the current episode, except the system's."""
    conversation.refresh_from_db()
    return [message.text for message in history(conversation) if message.source != "system"]


def test_the_first_thing_a_customer_reads_is_that_an_ai_answers(alice: Customer) -> None:
    for locale, word in (
        ("en", "AI assistant"),
        ("de-AT", "KI-Assistenten"),
        ("fr", "assistant IA"),
        ("sv", "AI assistant"),
    ):
        [notice] = events_after(start_conversation(alice.pk, locale=locale).pk, 0)
        assert notice.payload["source"] == "system"
        assert word in notice.payload["text"]


def test_a_message_is_logged_once_and_waits_for_an_answer(conversation: Conversation) -> None:
    receipt = add_customer_message(conversation.pk, text="  Where is my parcel?  ", client_id="c1")

    assert receipt.seq == 2
    assert receipt.is_new
    [event] = events_after(conversation.pk, NOTICE)
    assert event.event == "message"
    assert event.payload == {
        "message": str(receipt.message_id),
        "source": "customer",
        "text": "Where is my parcel?",
        "client_id": "c1",
    }
    assert Turn.objects.get().state == Turn.State.PENDING


def test_the_same_message_again_changes_nothing(conversation: Conversation) -> None:
    first = add_customer_message(conversation.pk, text="Hello", client_id="c1")
    again = add_customer_message(conversation.pk, text="Hello", client_id="c1")

    assert (again.seq, again.message_id, again.is_new) == (first.seq, first.message_id, False)
    assert said(conversation) == ["Hello"]
    assert Turn.objects.count() == 1


def test_reusing_a_client_id_for_another_text_is_refused(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="Hello", client_id="c1")
    with pytest.raises(errors.ClientIdReused):
        add_customer_message(conversation.pk, text="Other", client_id="c1")
    assert said(conversation) == ["Hello"]


def test_a_note_or_a_colleagues_message_does_not_replace_a_reply(conversation: Conversation, bob: User) -> None:
    noor = User.objects.create_user("noor")
    add_note(conversation.pk, text="On it", author=bob, client_id="a1")
    add_note(conversation.pk, text="Done", author=noor, client_id="a2")
    hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
    with pytest.raises(errors.ClientIdReused):
        add_agent_message(conversation.pk, text="On it", author=bob, client_id="a1")
    with pytest.raises(errors.ClientIdReused):
        add_note(conversation.pk, text="Done", author=bob, client_id="a2")
    assert said(conversation) == []
    assert add_note(conversation.pk, text="On it", author=bob, client_id="a1").is_new is False


@pytest.mark.parametrize(
    ("text", "client_id", "error"),
    [
        ("", "c", errors.EmptyMessage),
        (" \n\t", "c", errors.EmptyMessage),
        ("\u200b\ufeff", "c", errors.EmptyMessage),
        ("x" * 4_001, "c", errors.MessageTooLong),
        ("a\0b", "c", errors.UnreadableText),
        ("a\ud800b", "c", errors.UnreadableText),
        ("hello", "", errors.InvalidClientId),
        ("hello", "with space", errors.InvalidClientId),
        ("hello", "x" * 129, errors.InvalidClientId),
    ],
)
def test_text_that_cannot_be_stored_is_refused_with_its_code(
    conversation: Conversation, text: str, client_id: str, error: type[SupportBotError]
) -> None:
    with pytest.raises(error) as refusal:
        add_customer_message(conversation.pk, text=text, client_id=client_id)
    assert set(refusal.value.fields) <= {"text", "client_id"} and refusal.value.fields
    assert said(conversation) == []
    assert ConversationEvent.objects.count() == NOTICE


def test_messages_sent_while_one_waits_share_a_turn(conversation: Conversation) -> None:
    for number in range(3):
        add_customer_message(conversation.pk, text=f"Part {number}", client_id=f"c{number}")
    assert Turn.objects.count() == 1
    assert said(conversation) == ["Part 0", "Part 1", "Part 2"]


def test_no_turn_starts_while_an_agent_has_the_conversation(conversation: Conversation, bob: User) -> None:
    hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
    add_customer_message(conversation.pk, text="Hello", client_id="c1")
    assert not Turn.objects.exists()


def test_an_agent_can_reply_only_in_an_assigned_conversation(conversation: Conversation, bob: User) -> None:
    with pytest.raises(errors.NotOwner):
        add_agent_message(conversation.pk, text="Hi", author=bob, client_id="a1")
    assert said(conversation) == []

    hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
    add_agent_message(conversation.pk, text="Hi", author=bob, client_id="a1")
    [event] = events_after(conversation.pk, NOTICE)
    assert (event.payload["source"], event.payload["author"]) == ("agent", "Bob")


def test_customers_do_not_see_notes_and_their_view_has_no_gap(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="One", client_id="c1")
    add_note(conversation.pk, text="Careful", author=bob, client_id="n1")
    add_customer_message(conversation.pk, text="Two", client_id="c2")

    customers = events_after(conversation.pk, 0)
    staff = events_after(conversation.pk, 0, is_staff=True)
    assert [(event.seq, event.prev_seq) for event in customers] == [(1, 0), (2, 1), (4, 2)]
    assert [(event.seq, event.prev_seq) for event in staff] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert said(conversation) == ["One", "Two"]


def test_matters_that_an_agent_settled_are_not_part_of_the_next_episode(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="Old trouble", client_id="c1")
    hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
    add_agent_message(conversation.pk, text="I will call you.", author=bob, client_id="a1")
    give_back(lock_conversation(conversation.pk), note="Promised a call on Friday.")
    add_customer_message(conversation.pk, text="New question", client_id="c2")

    assert said(conversation) == ["New question"]
    assert conversation.handoff_note == "Promised a call on Friday."


def test_messages_to_an_agent_are_remembered_but_not_answered(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="Old trouble", client_id="c1")
    hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
    add_agent_message(conversation.pk, text="Solved.", author=bob, client_id="a1")
    Turn.objects.all().delete()
    add_customer_message(conversation.pk, text="One more thing", client_id="c2")
    give_back(lock_conversation(conversation.pk), note="")
    assert not Turn.objects.exists()

    asked = add_customer_message(conversation.pk, text="How long is delivery?", client_id="c3")
    assert said(conversation) == ["One more thing", "How long is delivery?"]
    claim = claim_turn("runner-1")
    assert claim is not None
    assert claim.from_seq == asked.seq - 1


def test_another_workspace_cannot_write_here(conversation: Conversation, other_workspace: Workspace) -> None:
    with workspace_scope(other_workspace.pk), pytest.raises(NotFound):
        add_customer_message(conversation.pk, text="Hello", client_id="c1")
    assert said(conversation) == []


@pytest.mark.django_db(transaction=True)
def test_forty_writers_leave_one_gapless_log(workspace: Workspace, alice: Customer) -> None:
    conversation = start_conversation(alice.pk)

    def write(number: int) -> None:
        with workspace_scope(workspace.pk):
            add_customer_message(conversation.pk, text=f"Message {number}", client_id=f"c{number % 30}-{number // 30}")
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = events_after(conversation.pk, 0)
    assert [event.seq for event in events] == list(range(1, 42))
    assert [event.prev_seq for event in events] == list(range(41))
    assert Turn.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_messages_repeated_at_the_same_moment_are_stored_once_with_one_claim(
    workspace: Workspace, alice: Customer
) -> None:
    """Each waits for the lock in the statement that also stores it, which began before the others were stored."""
    conversation, slots, receipts = start_conversation(alice.pk), Slots(), []

    def write(number: int) -> None:
        with workspace_scope(workspace.pk):
            sent = {"text": f"Message {number}", "client_id": f"c{number}"}
            receipts.append(add_customer_message(conversation.pk, **sent, slot=slots))
        connection.close()

    threads = [threading.Thread(target=write, args=(number % 3,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = events_after(conversation.pk, 0)
    assert [event.seq for event in events] == list(range(1, 6))  # the notice, three messages, and one start
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)
    assert len({receipt.message_id for receipt in receipts if receipt.is_new}) == 3
    assert len({(receipt.seq, receipt.message_id) for receipt in receipts}) == 3
    assert len(receipts) == 30
    assert len(slots.claims) == 1
    assert sorted(Turn.objects.values_list("state", flat=True)) == ["pending", "running"]


def test_a_message_is_never_older_than_the_event_before_it(conversation: Conversation) -> None:
    """Its time is taken before it waits for the lock, while another process may append an event."""
    later = now() + timedelta(minutes=1)
    Conversation.objects.filter(pk=conversation.pk).update(last_event_at=later)
    receipt = add_customer_message(conversation.pk, text="Is anyone there?", client_id="c1")
    assert Message.objects.get(pk=receipt.message_id).created_at == later
    assert events_after(conversation.pk, 0)[-1].created_at == later


@pytest.mark.parametrize("source", ["customer", "system"])
def test_a_clock_far_ahead_does_not_set_the_time_of_later_events(conversation: Conversation, source: str) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(last_event_at=now() + timedelta(hours=1))
    if source == "customer":
        receipt = add_customer_message(conversation.pk, text="Is anyone there?", client_id="c1")
    else:
        with transaction.atomic():
            receipt = add_system_message(lock_conversation(conversation.pk), "The chat is assigned.")
    event = ConversationEvent.objects.get(conversation=conversation, seq=receipt.seq)
    assert Message.objects.get(pk=receipt.message_id).created_at <= now()
    assert event.created_at <= now()
    assert Conversation.objects.get(pk=conversation.pk).last_event_at == event.created_at


@pytest.mark.parametrize("source", ["agent", "system", "note"])
def test_a_team_message_is_never_older_than_the_event_before_it(
    conversation: Conversation, bob: User, source: str
) -> None:
    """The event before may come from a machine whose clock is ahead."""
    with transaction.atomic():
        hand_over(lock_conversation(conversation.pk), mode=Conversation.Mode.PERSON, agent=bob)
    later = now() + timedelta(minutes=1)
    Conversation.objects.filter(pk=conversation.pk).update(last_event_at=later)
    with transaction.atomic():
        match source:
            case "agent":
                receipt = add_agent_message(conversation.pk, text="I am here.", author=bob, client_id="b1")
            case "note":
                receipt = add_note(conversation.pk, text="Look at this.", author=bob, client_id="b1")
            case _:
                receipt = add_system_message(lock_conversation(conversation.pk), "The chat is assigned.")
    assert Message.objects.get(pk=receipt.message_id).created_at == later
    assert ConversationEvent.objects.get(conversation=conversation, seq=receipt.seq).created_at == later
    assert Conversation.objects.get(pk=conversation.pk).last_event_at == later
