"""The tool that lets a model or the built-in answerer undo the last action in a conversation.

`actions.requests.undo` decides what can be undone and until when; this module only finds the action that the customer
means. It never starts any other kind of action: if nothing can be undone, the answer says so and offers to hand over to
a person.
"""

import re
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from actions.errors import AlreadySent, CannotUndo, NotWaiting
from actions.models import ActionRequest
from actions.principals import Principal, principal_in_conversation
from actions.requests.undo import propose_undo
from actions.services import decline
from actions.states import UNDOING, WITHDRAWABLE, State
from supportbot.assistant.action_tools import outcome_of, result_of, withdraw_cards
from supportbot.assistant.outbox_consumers import record_action_events
from supportbot.assistant.texts import CANNOT_UNDO, NOTHING_TO_UNDO, WITHDRAWN, WITHDRAWN_REQUEST
from supportbot.assistant.tool_results import Place, ToolResult
from supportbot.chat.models import Conversation, Turn
from supportbot.chat.turns import check_held
from supportbot.llm.types import ToolSpec
from supportbot.translation import text_in

NUMBER_MOST: Final = 60

UNDO_LAST: Final = ToolSpec(
    name="undo_last",
    description=(
        "Undo the action that was last carried out or prepared in this chat, if the customer wants that. An action "
        "that has not been sent is withdrawn. To undo one that was carried out, the customer confirms a card, if "
        "undoing it is possible. Never prepare something else instead."
    ),
    parameters={
        "type": "object",
        "properties": {
            "number": {
                "type": "string",
                "maxLength": NUMBER_MOST,
                "description": "The order or other number that it was about, if the customer names one.",
            }
        },
        "additionalProperties": False,
    },
)


def may_be_undone(conversation_id: UUID) -> QuerySet[ActionRequest]:
    """Return the requests of a conversation that are waiting, running or carried out, the most recently changed
    first.
    """
    found = ActionRequest.objects.filter(conversation_id=conversation_id, state__in=UNDOING)
    return found.order_by("-changed_at", "-id")


def undo_last(arguments: dict[str, Any], place: Place) -> ToolResult:
    """Withdraw the newest request or propose the action that undoes it, and return the result. Raises LeaseLost before
    anything changes.
    """
    check_held(place.claim)
    if _withdrew_before(place):
        return _stated(WITHDRAWN, place)
    number = str(arguments.get("number", "")).strip()[:NUMBER_MOST]
    request = _about(may_be_undone(place.claim.conversation_id), number).first()
    if request is None:
        return _stated(NOTHING_TO_UNDO, place)
    conversation = Conversation.objects.select_related("customer").get(pk=place.claim.conversation_id)
    principal = principal_in_conversation(conversation.customer, locale=place.locale)
    if request.state == State.AWAITING_CONFIRMATION and not number:
        return withdraw_cards(place)
    if request.state in WITHDRAWABLE:
        return _withdraw(request, principal, place)
    return result_of(lambda: _take_back(request, principal, place), place.locale)


def _about(requests: QuerySet[ActionRequest], number: str) -> QuerySet[ActionRequest]:
    """Return the requests about an order, which is found as by `is_number_of`."""
    return requests.filter(subject_id__iregex=_ending_in(number)) if number else requests


def is_number_of(number: str, subject: str) -> bool:
    """Return whether a number that a customer names is the number of a record. It may lack its letters, but 42 does not
    match 1042.
    """
    return re.search(_ending_in(number), subject, re.IGNORECASE) is not None


def _ending_in(number: str) -> str:
    return rf"(^|[^0-9]){re.escape(number)}$"


def _withdrew_before(place: Place) -> bool:
    """Return whether an earlier, lost attempt of this turn has already withdrawn a request; if so, no older one may be
    withdrawn.
    """
    if place.claim.attempt == 1:
        return False
    turn = Turn.objects.get(pk=place.claim.turn_id)
    gone = ActionRequest.objects.filter(conversation_id=place.claim.conversation_id, state=State.CANCELLED)
    return gone.filter(changed_at__gte=turn.created_at).exists()


def _withdraw(request: ActionRequest, principal: Principal, place: Place) -> ToolResult:
    try:
        decline(request.pk, principal=principal)
    except (AlreadySent, NotWaiting):  # sent or ended in the meantime
        return _stated(CANNOT_UNDO, place)
    record_action_events(request.pk)
    return _stated(WITHDRAWN if request.state == State.AWAITING_CONFIRMATION else WITHDRAWN_REQUEST, place)


def _take_back(request: ActionRequest, principal: Principal, place: Place) -> ToolResult:
    try:
        proposed = propose_undo(principal, request.pk, proposal_key=place.key)
    except CannotUndo:  # it cannot be undone, can no longer be undone, or is still being carried out
        return _stated(CANNOT_UNDO, place)
    record_action_events(proposed.pk)
    return outcome_of(proposed, place.locale)


def _stated(text: str, place: Place) -> ToolResult:
    closing = text_in(place.locale, text)
    return ToolResult(closing, closing=closing, offers_human=text in (CANNOT_UNDO, NOTHING_TO_UNDO))
