"""What the assistant hears from the rooms below: a guarded action has taken a step, and the conversation is told.

Invariants: each state of a request is told once, in the order of the steps; the text comes from its row. It does not
matter how often, how late or by whom this is called: the announcement makes up for a process that died.
"""

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from actions.cards import proposed_payload, state_payload
from actions.erasure import erase_words_about as forget_words_about
from actions.models import ActionRequest
from actions.reasons import Reason, sentence
from actions.selectors import Step, steps_of
from actions.states import State
from supportbot.assistant.explanations import explanation
from supportbot.chat.log import append_event, lock_conversation, notify_desk
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.chat.services import add_system_message
from supportbot.chat.turns import explain
from supportbot.errors import NotFound
from supportbot.handoff.tickets import services as handoff
from supportbot.outbox.models import Announcement

_EVENTS: Final[dict[State, str]] = {
    State.AWAITING_CONFIRMATION: "action.proposed",
    State.REFUSED: "action.refused",
    State.AWAITING_APPROVAL: "action.awaiting_approval",
    State.QUEUED: "action.queued",
    State.SUCCEEDED: "action.succeeded",
    State.FAILED: "action.failed",
    State.UNKNOWN: "action.unknown",
    State.CANCELLED: "action.cancelled",
    State.EXPIRED: "action.expired",
    State.REJECTED: "action.rejected",
}
_EXPLAINED: Final = frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.REJECTED, State.EXPIRED})
# The system has tried all it can: a person looks at it.
_FOR_A_PERSON: Final = frozenset({"outcome_unknown", "not_carried_out"})


def on_action_changed(announcement: Announcement) -> None:
    """Tell the conversation of a request what it does not know yet."""
    write_down(announcement.object_id)


@transaction.atomic
def write_down(request_id: UUID) -> None:
    """Append the steps that the request's conversation has not been told, and explain where it has come to rest.

    A conversation that was erased is told nothing: the record of money outlives it, what colleagues wrote does not.
    """
    conversation_id = ActionRequest.objects.values_list("conversation_id", flat=True).filter(pk=request_id).first()
    if conversation_id is None:
        return
    try:
        conversation = lock_conversation(conversation_id)
    except NotFound:
        forget_words_about(conversation_id)
        return
    # In this order: a row that is newer than its steps is told of next time, steps newer than their row would be
    # told without their receipt.
    steps = steps_of(request_id)
    request = ActionRequest.objects.get(pk=request_id)
    told = _told(conversation, request_id)
    for step in steps:
        name = _EVENTS.get(step.state)
        if name is not None and name not in told:
            told.add(name)
            _tell(conversation, request, step, name)


def _told(conversation: Conversation, request_id: UUID) -> set[str]:
    events = ConversationEvent.objects.filter(
        conversation=conversation, event__startswith="action.", payload__request=str(request_id)
    )
    return set(events.values_list("event", flat=True))


def _tell(conversation: Conversation, request: ActionRequest, step: Step, name: str) -> None:
    append_event(conversation, name, _payload(request, step))
    notify_desk(conversation)  # nobody has to have the chat: what waits for approval is the team's business
    if step.state != request.state or step.state not in _EXPLAINED:
        return
    text = explanation(request)
    if conversation.mode == Conversation.Mode.ASSISTANT:
        explain(conversation, text, request=request.pk)
    else:  # a person has it, and the assistant keeps silent
        add_system_message(conversation, text)
    if request.reason_code in _FOR_A_PERSON:
        handoff.request(conversation.pk, reason="action", by="rule", summary=text)


def _payload(request: ActionRequest, step: Step) -> dict[str, Any]:
    if step.state is State.AWAITING_CONFIRMATION:
        return proposed_payload(request)
    payload = state_payload(request)
    if step.state != request.state:  # the row has gone on: what it says now is not of this step
        payload.pop("receipt", None)
        payload.pop("reason", None)
        if step.reason_code:
            text = sentence(Reason(step.reason_code), request.locale)
            payload["reason"] = {"code": step.reason_code, "text": text}
    return payload
