"""A system that accepts a call and carries it out later: the request waits for it, and the chat goes on meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils.timezone import now

from actions.maintenance import IN_PROGRESS_FOR, sweep
from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import confirm, propose
from actions.states import State
from actions.testing import make_due, run_queued
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.handoff.models import Ticket
from supportbot.outbox.delivery import deliver_due
from tests.actions.defined.conftest import CANCEL, document
from tests.actions.defined.loopback_shop import LoopbackShop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_broker(messages: list[str]) -> None:
    """The test delivers all messages itself."""


@pytest.fixture
def conversation(ann: Principal) -> Conversation:
    return Conversation.objects.create(customer_id=ann.customer_id)


@pytest.fixture
def accepted(
    put_in_force: Callable[[dict[str, Any]], None], retail: LoopbackShop, ann: Principal, conversation: Conversation
) -> ActionRequest:
    """A confirmed request that the shop has accepted with 202 and not carried out yet."""
    put_in_force(document(kind="status_lookup"))
    retail.faults, retail.is_working = ["202 and nothing more"], True
    card = propose(ann, "cancel_pending_order", CANCEL, proposal_key="turn:1:1", conversation_id=conversation.pk)
    confirm(card.pk, principal=ann, digest=card.digest)
    run_queued()
    deliver_due()
    return ActionRequest.objects.get(pk=card.pk)


def told(conversation: Conversation) -> list[str]:
    return [event.event for event in events_after(conversation.pk, 0)]


def check_again(request: ActionRequest) -> ActionRequest:
    make_due()
    sweep()
    deliver_due()
    return ActionRequest.objects.get(pk=request.pk)


def test_an_accepted_call_needs_no_person(
    accepted: ActionRequest, retail: LoopbackShop, conversation: Conversation
) -> None:
    assert (accepted.state, accepted.reason_code, accepted.attempt_count) == (State.UNKNOWN, "in_progress", 1)
    assert told(conversation)[-2:] == ["action.unknown", "assistant.final"]
    assert check_again(accepted).state == State.UNKNOWN
    assert not Ticket.objects.exists()

    retail.is_working = False
    assert check_again(accepted).state == State.SUCCEEDED
    assert told(conversation)[-2:] == ["action.succeeded", "assistant.final"]
    assert len(retail.performed) == len(retail.commands) == 1


def test_a_call_that_never_ends_goes_to_a_person_once(
    accepted: ActionRequest, retail: LoopbackShop, conversation: Conversation
) -> None:
    ActionRequest.objects.filter(pk=accepted.pk).update(changed_at=now() - IN_PROGRESS_FOR)
    for _ in range(2):
        assert check_again(accepted).reason_code == "outcome_unknown"
    assert told(conversation)[-4:] == ["action.unknown", "assistant.final", "handoff.requested", "message"]
    assert told(conversation).count("action.unknown") == 2 and Ticket.objects.count() == 1

    retail.is_working = False  # it is still looked up
    assert check_again(accepted).state == State.SUCCEEDED
    assert told(conversation)[-3:] == ["action.succeeded", "handoff.ended", "assistant.final"]
