"""Receives announcements from lower packages: when a guarded action changes its state, its conversation gets an event.

Invariants: each state of a request becomes one event, in the order of the steps, with the text of its row. Only an
unknown outcome may become two events: one while the shop's system says that it is still working on the request, and one
when a person has to check. The result does not depend on how often, how late or in which process this is called, so an
announcement makes up for a process that died.
"""

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from actions.audit import Step, steps_of
from actions.cards import proposed_payload, state_payload
from actions.erasure import erase_words_about as forget_words_about
from actions.models import ActionRequest
from actions.reasons import Reason, sentence
from actions.requests.receipt_links import receipt_block
from actions.states import State
from supportbot.assistant.outcome_messages import explanation
from supportbot.chat.event_log import append_event, lock_conversation, notify_desk
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
# The system has tried everything it can, so a person has to check.
_FOR_A_PERSON: Final = frozenset({"outcome_unknown", "outcome_with_person", "not_carried_out"})


def on_action_changed(announcement: Announcement) -> None:
    """Record the events that a request's conversation does not have yet (consumer of `action_changed`)."""
    record_action_events(announcement.object_id)


@transaction.atomic
def record_action_events(request_id: UUID) -> None:
    """Append the steps of a request that its conversation does not have yet, and explain the current state.

    Nothing is appended to an erased conversation: an erasure keeps financial records, but not colleagues' texts.
    """
    conversation_id = ActionRequest.objects.values_list("conversation_id", flat=True).filter(pk=request_id).first()
    if conversation_id is None:
        return
    try:
        conversation = lock_conversation(conversation_id)
    except NotFound:
        forget_words_about(conversation_id)
        return
    # Read the steps before the row. If the row changes in between, the next call records the new step; the other way
    # round, the new step would be recorded without its receipt.
    steps = steps_of(request_id)
    request = ActionRequest.objects.get(pk=request_id)
    recorded = _recorded(conversation, request_id)
    for step in steps:
        name = _EVENTS.get(step.state)
        if name is not None and (name, _phase(step)) not in recorded:
            recorded.add((name, _phase(step)))
            _record(conversation, request, step, name)


def _phase(step: Step | ActionRequest) -> str:
    """Return what distinguishes the two events of an unknown outcome; "" for all other states."""
    return step.reason_code if step.state == State.UNKNOWN else ""


def _is_current(step: Step, request: ActionRequest) -> bool:
    return (step.state, _phase(step)) == (request.state, _phase(request))


def _recorded(conversation: Conversation, request_id: UUID) -> set[tuple[str, str]]:
    events = ConversationEvent.objects.filter(
        conversation=conversation, event__startswith="action.", payload__request=str(request_id)
    )
    return {
        (event, (reason or {}).get("code", "") if event == _EVENTS[State.UNKNOWN] else "")
        for event, reason in events.values_list("event", "payload__reason")
    }


def _record(conversation: Conversation, request: ActionRequest, step: Step, name: str) -> None:
    append_event(conversation, name, _payload(request, step))
    notify_desk(conversation)  # even if no agent has the chat, because approvals are the team's work
    if not _is_current(step, request) or step.state not in _EXPLAINED:
        return
    if _needs_nobody_now(conversation, request):
        handoff.end_unread(conversation, reason="action")
    text = explanation(request)
    if conversation.mode == Conversation.Mode.ASSISTANT:
        is_rejected = request.state == State.REJECTED
        explain(
            conversation,
            text,
            request=request.pk,
            locale=request.locale,
            blocks=_receipt(request),
            offers_human=is_rejected,
        )
    else:  # an agent has the conversation, so the assistant stays silent
        add_system_message(conversation, text)
    if request.reason_code in _FOR_A_PERSON:
        handoff.request(conversation.pk, reason="action", by="rule", summary=text)


def _needs_nobody_now(conversation: Conversation, request: ActionRequest) -> bool:
    """Return whether a previously unknown outcome is now known and no other request needs a person."""
    if request.state not in (State.SUCCEEDED, State.FAILED) or request.reason_code in _FOR_A_PERSON:
        return False
    others = ActionRequest.objects.filter(conversation_id=conversation.pk, reason_code__in=_FOR_A_PERSON)
    was_unknown = any(name == _EVENTS[State.UNKNOWN] for name, _ in _recorded(conversation, request.pk))
    return was_unknown and not others.exists()


def _receipt(request: ActionRequest) -> tuple[dict[str, Any], ...]:
    block = receipt_block(request)
    return (block,) if block else ()


def _payload(request: ActionRequest, step: Step) -> dict[str, Any]:
    if step.state is State.AWAITING_CONFIRMATION:
        return proposed_payload(request)
    payload = state_payload(request)
    if not _is_current(step, request):  # the row has changed again, so its receipt and reason belong to a later step
        payload.pop("receipt", None)
        payload.pop("receipt_rows", None)
        payload.pop("reason", None)
        if step.reason_code:
            text = sentence(Reason(step.reason_code), request.locale)
            payload["reason"] = {"code": step.reason_code, "text": text}
    return payload
