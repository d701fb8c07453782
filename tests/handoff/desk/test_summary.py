"""The summary of a conversation."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils.timezone import now

from actions.principals import Principal
from actions.services import confirm, propose
from actions.testing import FakeShop, connected, run_queued
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.assistant.outbox_consumers import record_action_events
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_agent_message, add_customer_message, add_note
from supportbot.handoff.desk.summary import MAX_CHARACTERS, build_summary
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services
from tests.handoff.desk.turns import answer_turn
from tests.policies import store_policies

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(workspace: Workspace) -> Iterator[FakeShop]:
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1", "cus_alice", total="50.00")
        fake.add_order("A-2", "cus_alice", total="60.00")
        yield fake


def test_the_summary_lists_what_is_wanted_done_and_open(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="How long can I return boots?", client_id="1")
    answer_turn(conversation, "60 days. [1]")
    add_customer_message(conversation.pk, text="And worn ones?", client_id="2")
    ticket = services.request(conversation.pk, reason="no_answer", by="assistant")
    summary = build_summary(ticket)
    assert summary.wants == "How long can I return boots? Then: And worn ones?"
    assert (summary.done, summary.open) == ("Answered from Returns.", "The customer's last message is unanswered.")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="Not worn ones.", author=bob, client_id="3")
    add_customer_message(conversation.pk, text="Thanks!", client_id="4")
    after = build_summary(Ticket.objects.get())
    assert after.wants == summary.wants
    add_agent_message(conversation.pk, text="You are welcome.", author=bob, client_id="5")
    assert build_summary(Ticket.objects.get()).open == "Not covered by our articles"


def test_the_summary_of_an_ended_ticket_is_of_its_own_episode(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="My zip is broken", client_id="1")
    first = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(first.pk, agent=bob)
    add_note(conversation.pk, text="The third this week", author=bob, client_id="2")
    services.resolve(first.pk, agent=bob)
    second = services.request(conversation.pk, reason="customer_asked", by="agent")
    services.claim(second.pk, agent=bob)
    add_customer_message(conversation.pk, text="And a pole", client_id="3")
    add_agent_message(conversation.pk, text="It is on its way.", author=bob, client_id="4")
    services.resolve(second.pk, agent=bob)
    # Several events may have the same time.
    Message.objects.update(created_at=conversation.created_at)
    Ticket.objects.update(ended_at=conversation.created_at)
    shown = [build_summary(ticket) for ticket in Ticket.objects.order_by("pk")]
    assert [(one.wants, one.done, one.open) for one in shown] == [
        ("My zip is broken", "Nothing.", "The customer's last message is unanswered."),
        ("And a pole", "Replies by Bob.", "Nothing."),
    ]


def test_actions_and_sources_of_another_ticket_are_not_in_the_summary_of_an_ended_one(
    conversation: Conversation, alice: Customer, bob: User, shop: FakeShop
) -> None:
    def refund(order: str) -> None:
        wish = {"order_id": order, "reason": "Torn"}
        refunded = propose(principal, "refund_order", wish, proposal_key=order, conversation_id=conversation.pk)
        confirm(refunded.pk, principal=principal, digest=refunded.digest)
        run_queued()
        record_action_events(refunded.pk)

    principal = Principal(
        alice.workspace_pk, alice.pk, "cus_alice", is_verified=True, expires_at=now() + timedelta(minutes=10)
    )
    add_customer_message(conversation.pk, text="How long can I return boots?", client_id="1")
    answer_turn(conversation, "60 days. [1]")
    refund("A-1")
    first = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(first.pk, agent=bob)
    services.resolve(first.pk, agent=bob)
    second = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(second.pk, agent=bob)
    refund("A-2")
    open_one = build_summary(Ticket.objects.get(pk=second.pk))
    services.resolve(second.pk, agent=bob)
    shown = [build_summary(ticket).done for ticket in Ticket.objects.order_by("pk")]
    assert shown == ["Refund €50.00: done. Answered from Returns.", "Refund €60.00: done."]
    assert open_one.done == "Refund €50.00: done. Refund €60.00: done.", "an earlier one may concern the agent"


def test_the_summary_of_an_ended_ticket_says_what_was_never_answered(conversation: Conversation, bob: User) -> None:
    add_customer_message(conversation.pk, text="My zip is broken", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="We will send a new one.", author=bob, client_id="2")
    add_customer_message(conversation.pk, text="When will it arrive?", client_id="3")
    add_note(conversation.pk, text="Ask the warehouse", author=bob, client_id="4")
    services.resolve(ticket.pk, agent=bob)
    assert build_summary(Ticket.objects.get()).open == "The customer's last message is unanswered."


@pytest.mark.parametrize(
    ("last", "unanswered"),
    [("Thanks!", False), ("ok, bye", False), ("It still does not work", True), ("you are useless", True), ("??", True)],
)
@pytest.mark.parametrize("is_open", [True, False])
def test_only_messages_that_need_a_reply_are_unanswered(
    conversation: Conversation, bob: User, last: str, unanswered: bool, is_open: bool
) -> None:
    add_customer_message(conversation.pk, text="My zip is broken", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    services.claim(ticket.pk, agent=bob)
    add_agent_message(conversation.pk, text="We will send a new one.", author=bob, client_id="2")
    add_customer_message(conversation.pk, text=last, client_id="3")
    if not is_open:
        services.resolve(ticket.pk, agent=bob)
    shown = build_summary(Ticket.objects.get()).open
    assert (shown == "The customer's last message is unanswered.") is unanswered


def test_the_summary_keeps_text_next_to_the_request_for_a_person(conversation: Conversation) -> None:
    wish = "My tent has a hole. I would like to talk to a person please"
    for place, text in enumerate(["How long can I return a tent?", wish]):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(conversation.pk, reason="customer_asked", by="assistant", summary=wish)
    assert build_summary(ticket).wants == "My tent has a hole."
    ticket = Ticket(conversation=conversation, created_at=ticket.created_at)
    assert build_summary(ticket).wants == "How long can I return a tent? Then: My tent has a hole."


def test_the_summary_shows_what_the_customer_wants_now(conversation: Conversation, bob: User) -> None:
    asked = ["How long can I return a tent?", "Is it free?", "My parcel to Linz is lost.", "Talk to a person please"]
    for place, text in enumerate(asked):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(conversation.pk, reason="customer_asked", by="assistant")
    assert build_summary(ticket).wants == "How long can I return a tent? Then: My parcel to Linz is lost."
    services.claim(ticket.pk, agent=bob)
    for place, text in enumerate(["It is A-1042", "Yes", "Can you send the tent again?", "no", "A-1042", "Thanks!"]):
        add_customer_message(conversation.pk, text=text, client_id=f"later-{place}")
    now = build_summary(Ticket.objects.get()).wants
    assert now == "How long can I return a tent? Then: Can you send the tent again?"


@pytest.mark.parametrize("summary", ["My zip is broken", "My zip is broken. Can you help? It is the red one."])
def test_text_shared_by_request_and_last_message_appears_once(conversation: Conversation, summary: str) -> None:
    add_customer_message(conversation.pk, text="My zip is broken. Can you help?", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer", summary=summary)
    assert build_summary(ticket).wants == max(summary, "My zip is broken. Can you help?", key=len)


def test_a_last_wish_that_the_cut_first_one_does_not_show_is_shown(conversation: Conversation) -> None:
    first = f"{'My tent leaks in the rain. ' * 12}Can you send a new tent?"
    for place, text in enumerate([first, "Can you send a new tent?"]):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert build_summary(ticket).wants == f"{first[:MAX_CHARACTERS].rstrip()}… Then: Can you send a new tent?"


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        ("My parcel is marked delivered but it is not here", "My parcel is marked delivered but it is not here."),
        ("My parcel is not here,", "My parcel is not here."),
        ("Where is my parcel (A-1042)?", "Where is my parcel (A-1042)?"),
        ("It says “delivered.”", "It says “delivered.”"),
        ("أين طردي؟", "أين طردي؟"),
        ("我的包裹没有到", "我的包裹没有到。"),
    ],
)
def test_a_first_wish_ends_with_a_full_stop_before_the_last_one(
    conversation: Conversation, first: str, shown: str
) -> None:
    for place, text in enumerate([first, "Can you send a new tent?"]):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert build_summary(ticket).wants == f"{shown} Then: Can you send a new tent?"


def test_the_summary_leaves_out_greetings_and_the_request_for_a_person(conversation: Conversation) -> None:
    for place, text in enumerate(["Hello", "My zip is broken", "I want to talk to a person"]):
        add_customer_message(conversation.pk, text=text, client_id=str(place))
    ticket = services.request(
        conversation.pk, reason="customer_asked", by="assistant", summary="I want to talk to a person"
    )
    assert build_summary(ticket).wants == "My zip is broken"


def test_a_request_for_a_person_alone_is_the_summary(conversation: Conversation) -> None:
    add_customer_message(conversation.pk, text="I want to talk to a person", client_id="1")
    ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
    assert build_summary(ticket).wants == "I want to talk to a person"
