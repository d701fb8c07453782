"""Actions as a model's tools: it may look up and propose, for the conversation's own customer, and nothing else.

Whose orders these are comes from the conversation, never from arguments. A proposal only makes a card: the customer's
click goes another way (`widget.decisions`, REST) that no model reaches.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from actions.cards import reason_of
from actions.errors import ActionError, MerchantUnavailable, NotConnected, NotWaiting, ReadRefused
from actions.models import ActionRequest
from actions.principals import Principal, principal_in_conversation
from actions.registry import action_named, all_actions, read_action
from actions.selectors import enabled_actions as offered_actions
from actions.services import decline, propose, run_read
from actions.spec import Action
from actions.states import State
from supportbot.assistant.calls import Place, ToolResult, key_prefix
from supportbot.assistant.prompts import as_data
from supportbot.assistant.receivers import record_action_events
from supportbot.assistant.texts import Phrase, say
from supportbot.chat.models import Conversation
from supportbot.chat.turns import Claim, check_held
from supportbot.llm.types import ToolCall, ToolSpec

# An equal wish that is still open gives the request there is, which may be further on its way than a fresh card.
_CLOSINGS: Final[dict[str, Phrase]] = {
    State.AWAITING_CONFIRMATION: "confirm",
    State.AWAITING_APPROVAL: "awaits_approval",
}
# Refused at once, or ended by its customer or the team before a turn that was lost is tried again.
_WITH_A_REASON: Final = (State.REFUSED, State.CANCELLED, State.EXPIRED, State.REJECTED, State.FAILED)
_CARD_ONLY: Final = "Calling this only shows the customer a card; nothing happens unless they confirm it there."


def action_specs(language: str) -> tuple[ToolSpec, ...]:
    """Return the tools of the actions that are switched on."""
    offered = offered_actions()
    return tuple(spec_of(action, language) for action in all_actions().values() if action.name in offered)


def spec_of(action: Action, language: str) -> ToolSpec:
    """Return an action as a tool: what a model reads of it, and what the built-in answerer learns it from."""
    description = action.description.get(language, action.description["en"])
    return ToolSpec(
        action.name,
        description if action.is_read else f"{description} {_CARD_ONLY}",
        action.json_schema(),
        title=action.title.get(language, action.title["en"]),
        examples=tuple(example for examples in action.examples.values() for example in examples),
        is_read=action.is_read,
    )


def use_action(call: ToolCall, place: Place) -> ToolResult:
    """Look up or propose; a refusal goes back to the model in words. Raises LeaseLost, before anything is proposed."""
    check_held(place.claim)
    conversation = Conversation.objects.select_related("customer").get(pk=place.claim.conversation_id)
    principal = principal_in_conversation(conversation.customer, locale=place.language)
    try:
        if action_named(call.name).is_read:
            return _look_up(principal, call, place)
        return _propose(principal, call, place)
    except ReadRefused as refusal:
        return ToolResult(refusal.message, closing=refusal.message, offers_human=True)
    except (MerchantUnavailable, NotConnected) as error:
        return ToolResult(error.message, closing=say("shop_silent", place.language), offers_human=True)
    except ActionError as error:
        return ToolResult(as_data({"refused": error.message, "fields": error.fields}))


def open_cards(conversation_id: UUID) -> QuerySet[ActionRequest]:
    """Return what waits for its customer's confirmation in a conversation."""
    waiting = ActionRequest.objects.filter(conversation_id=conversation_id, state=State.AWAITING_CONFIRMATION)
    return waiting.order_by("id")


def withdraw_cards(place: Place) -> ToolResult:
    """Decline, in the customer's name, every card that waits in their conversation. Raises LeaseLost."""
    check_held(place.claim)
    conversation = Conversation.objects.select_related("customer").get(pk=place.claim.conversation_id)
    principal = principal_in_conversation(conversation.customer, locale=place.language)
    for card in open_cards(conversation.pk):
        with suppress(NotWaiting):  # confirmed, or over, at this very moment
            decline(card.pk, principal=principal)
            record_action_events(card.pk)
    closing = say("withdrawn", place.language)
    return ToolResult(closing, closing=closing)


def _look_up(principal: Principal, call: ToolCall, place: Place) -> ToolResult:
    found = run_read(principal, call.name, call.arguments or "{}", conversation_id=place.claim.conversation_id)
    told = read_action(call.name).words(found, place.language)
    return ToolResult(as_data(found), told=told, looked_up="\n".join((told, *_texts_in(found))))


def _texts_in(found: Any) -> Iterator[str]:
    """Yield the values of some JSON: names of fields are ours and say nothing about an order."""
    if isinstance(found, Mapping):
        found = found.values()
    if isinstance(found, str | int):
        yield str(found)
    else:
        for value in found:
            yield from _texts_in(value)


def _propose(principal: Principal, call: ToolCall, place: Place) -> ToolResult:
    request = propose(
        principal,
        call.name,
        call.arguments or "{}",
        proposal_key=place.key,
        conversation_id=place.claim.conversation_id,
    )
    record_action_events(request.pk)
    if request.state == State.AWAITING_CONFIRMATION and request.proposal_key != place.key:
        closing = say("confirm_above", place.language)  # where an earlier turn has shown it
        return ToolResult(closing, closing=closing)
    return _came_to(request, place.language)


def _came_to(request: ActionRequest, language: str) -> ToolResult:
    """Return how a turn ends that has proposed: with words about the row, which claim nothing."""
    reason = reason_of(request)
    if request.state in _WITH_A_REASON and reason is not None:
        return ToolResult(reason["text"], closing=reason["text"], offers_human=request.state != State.CANCELLED)
    closing = say(_CLOSINGS.get(request.state, "under_way"), language)
    return ToolResult(closing, closing=closing)


def proposed_before(claim: Claim, language: str) -> list[ToolResult]:
    """Return what an earlier attempt of this turn has proposed: its cards stand, so no model is asked again."""
    made = ActionRequest.objects.filter(proposal_key__startswith=key_prefix(claim.turn_id)).order_by("id")
    return [_came_to(request, language) for request in made]
