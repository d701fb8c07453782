"""Actions as tools for a model. The model may only look things up and make proposals for the conversation's own
customer.

The customer comes from the conversation, never from arguments. A proposal only creates a card; the customer confirms it
through code that no model can reach (`widget.services`, REST).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext

from actions.argument_json import as_text, read_arguments
from actions.argument_types import Choice, Listing, Shape
from actions.cards import reason_of
from actions.errors import (
    ActionError,
    AlreadyConfirmed,
    InvalidArguments,
    MerchantUnavailable,
    NotConnected,
    NotWaiting,
    ReadRefused,
)
from actions.models import ActionRequest
from actions.principals import Principal, principal_in_conversation
from actions.reasons import sentence
from actions.record_choices import Offer, offer_of
from actions.registry import action_named, all_actions, read_action
from actions.selectors import enabled_actions
from actions.services import decline, propose, run_read
from actions.spec import CARDS, HAND_OVER, Action
from actions.states import State
from supportbot.assistant.outbox_consumers import record_action_events
from supportbot.assistant.prompts import as_data
from supportbot.assistant.texts import (
    ALREADY_CONFIRMED,
    AWAITS_APPROVAL,
    CONFIRM,
    CONFIRM_ABOVE,
    NONE_OF_YOURS,
    SHOP_SILENT,
    UNDER_WAY,
    WITHDRAWN,
)
from supportbot.assistant.tool_results import Place, ToolResult, key_prefix
from supportbot.chat.errors import ConversationEnded, LeaseLost
from supportbot.chat.models import Conversation
from supportbot.chat.turns import Claim, check_held
from supportbot.handoff.tickets import services as handoff
from supportbot.language.links import undisguised
from supportbot.llm.types import REPLACES_CARD, ToolCall, ToolSpec
from supportbot.translation import in_locale, text_in

# An identical request that is still open is reused, and it may already be further along than a new card.
_CLOSINGS: Final[dict[str, str]] = {
    State.AWAITING_CONFIRMATION: CONFIRM,
    State.AWAITING_APPROVAL: AWAITS_APPROVAL,
}
# The request was refused at once, or it was ended by the customer or the team before a lost turn was tried again.
_ENDED_WITH_REASON: Final = (State.REFUSED, State.CANCELLED, State.EXPIRED, State.REJECTED, State.FAILED)
_REPLACES: Final = {
    "type": "boolean",
    "description": "true if the customer corrects what their open card of this action says, such as its order or day: "
    "the new card replaces it.",
}
_CHOOSE: Final = "Let the customer choose one of their own records, then call this again with its value."
_CARD_ONLY: Final = "Calling this only shows the customer a card; nothing happens unless they confirm it there."


def may_replace_card(tool: ToolSpec) -> ToolSpec:
    """Return an action's tool with an additional argument for correcting an open card. Look-ups, tools that are not
    actions, and tools that already have an argument with this name are returned unchanged.
    """
    properties = tool.parameters.get("properties", {})
    if tool.is_read or REPLACES_CARD in properties or tool.name not in all_actions():
        return tool
    return replace(tool, parameters={**tool.parameters, "properties": {**properties, REPLACES_CARD: _REPLACES}})


def own_arguments(call: ToolCall) -> tuple[str, bool]:
    """Return the call's arguments without the flag for correcting a card, and the value of the flag. Unreadable
    arguments are returned unchanged, so that the action refuses them. Raises InvalidArguments if the flag is neither
    true nor false.
    """
    arguments = call.arguments or "{}"
    if REPLACES_CARD in action_named(call.name).arguments.all_fields:
        return arguments, False
    try:
        given = read_arguments(arguments)
    except InvalidArguments:
        return arguments, False
    if REPLACES_CARD not in given:
        return arguments, False
    is_correction = given.pop(REPLACES_CARD)
    if not isinstance(is_correction, bool):
        raise InvalidArguments(fields={REPLACES_CARD: [gettext("Enter true or false.")]})
    return as_text(given), is_correction


def spec_of(action: Action, language: str) -> ToolSpec:
    """Return an action as a tool, with the description for models and the examples for the built-in answerer."""
    description = in_locale(action.description, language)
    return ToolSpec(
        action.name,
        description if action.is_read else f"{description} {_CARD_ONLY}",
        action.labelled_schema(language),
        title=action.title_in(language),
        examples=tuple(example for examples in action.examples.values() for example in examples),
        is_read=action.is_read,
        option_labels=_option_labels(action, language),
        from_chat=action.from_chat,
        chosen=action.chosen,
    )


def _option_labels(action: Action, language: str) -> dict[str, dict[str, str]]:
    """Return the labels that customers see for the options of the action's fields with one or several choices, by path
    and option.
    """
    return {
        path: {
            option: label for option in one.options if (label := action.option_label(path, option, language)) != option
        }
        for path, one in _choices(action.arguments, "")
    }


def _choices(shape: Shape, before: str) -> Iterator[tuple[str, Choice]]:
    for name, field in shape.all_fields.items():
        one = field.of if isinstance(field, Listing) else field
        if isinstance(one, Choice):
            yield f"{before}{name}", one
        elif isinstance(one, Shape):
            yield from _choices(one, f"{before}{name}.")


def use_action(call: ToolCall, place: Place) -> ToolResult:
    """Carry out a look-up or make a proposal, and return the result; a refusal becomes text for the model. Raises
    LeaseLost before anything is proposed.
    """
    check_held(place.claim)
    conversation = Conversation.objects.select_related("customer").get(pk=place.claim.conversation_id)
    principal = principal_in_conversation(conversation.customer, locale=place.locale)

    def use() -> ToolResult:
        if action_named(call.name).is_read:
            return _handed_over(look_up(principal, call, place), place)
        return _propose(principal, call, place)

    return result_of(use, place.locale)


def result_of(use: Callable[[], ToolResult], language: str) -> ToolResult:
    """Return the result of calling `use`, or the text of a refusal for the model and the customer."""
    try:
        return use()
    except ReadRefused as refusal:
        message = undisguised(refusal.message)
        return ToolResult(message, closing=message, offers_human=True)
    except (MerchantUnavailable, NotConnected) as error:
        return ToolResult(error.message, closing=text_in(language, SHOP_SILENT), offers_human=True)
    except AlreadyConfirmed as error:
        return ToolResult(error.message, closing=text_in(language, ALREADY_CONFIRMED))
    except ActionError as error:
        return ToolResult(as_data({"refused": error.message, "fields": error.fields}))


def open_cards(conversation_id: UUID) -> QuerySet[ActionRequest]:
    """Return the requests of a conversation that await the customer's confirmation."""
    waiting = ActionRequest.objects.filter(conversation_id=conversation_id, state=State.AWAITING_CONFIRMATION)
    return waiting.order_by("id")


def withdraw_cards(place: Place) -> ToolResult:
    """Decline every open card of the conversation on the customer's behalf. Raises LeaseLost."""
    check_held(place.claim)
    conversation = Conversation.objects.select_related("customer").get(pk=place.claim.conversation_id)
    principal = principal_in_conversation(conversation.customer, locale=place.locale)
    for card in open_cards(conversation.pk):
        with suppress(NotWaiting):  # confirmed or ended in the meantime
            decline(card.pk, principal=principal)
            record_action_events(card.pk)
    closing = text_in(place.locale, WITHDRAWN)
    return ToolResult(closing, closing=closing)


def look_up(principal: Principal, call: ToolCall, place: Place) -> ToolResult:
    """Return the result of a look-up. If the customer may mean any of several records, the result lists them as
    choices. `hand_over` is set if the look-up ends with a handoff to a person.
    """
    arguments, conversation_id = call.arguments or "{}", place.claim.conversation_id
    offer = offer_of(principal, call.name, arguments, conversation_id=conversation_id)
    if offer is not None and not offer.complete:
        return offered(offer, place.locale)
    found = run_read(
        principal,
        call.name,
        offer.complete if offer else arguments,
        conversation_id=conversation_id,
        requests=offer.requests if offer else None,
    )
    summary = undisguised(read_action(call.name).words(found, place.locale))
    cards = tuple({"type": "card", "record": record} for record in found.get(CARDS, ()))
    fields = {name: value for name, value in found.items() if name not in (CARDS, HAND_OVER)}
    looked_up = "\n".join((summary, *_texts_in(fields)))
    result = ToolResult(as_data(fields), summary=summary, looked_up=looked_up, cards=cards)
    return replace(result, closing=summary, hand_over=found[HAND_OVER]) if HAND_OVER in found else result


def _handed_over(result: ToolResult, place: Place) -> ToolResult:
    """Hand the conversation over to a person if the look-up requests it; return the same result. Raises LeaseLost."""
    if result.hand_over:
        try:
            handoff.request(place.claim.conversation_id, reason="action", by="assistant", summary=result.hand_over)
        except ConversationEnded as error:  # the customer ended it, which also stopped this turn
            raise LeaseLost() from error
    return result


def _texts_in(found: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, without field names, which say nothing about an order."""
    if isinstance(found, Mapping):
        found = found.values()
    if isinstance(found, str | int):
        yield str(found)
    else:
        for value in found:
            yield from _texts_in(value)


def _propose(principal: Principal, call: ToolCall, place: Place) -> ToolResult:
    arguments, is_correction = own_arguments(call)
    offer = offer_of(principal, call.name, arguments, conversation_id=place.claim.conversation_id)
    if offer is not None:
        return offered(offer, place.locale)
    request = propose(
        principal,
        call.name,
        arguments,
        proposal_key=place.key,
        conversation_id=place.claim.conversation_id,
        corrects=is_correction,
    )
    record_action_events(request.pk)
    if request.state == State.AWAITING_CONFIRMATION and request.proposal_key != place.key:
        closing = text_in(place.locale, CONFIRM_ABOVE)  # an earlier turn showed the card
        return ToolResult(closing, closing=closing)
    return outcome_of(request, place.locale)


def offered(offer: Offer, language: str) -> ToolResult:
    """Return the result that lists the customer's records to choose from, or the reason why there are none."""
    if not offer.choices:
        reason = undisguised(sentence(offer.reason, language)) if offer.reason else text_in(language, NONE_OF_YOURS)
        return ToolResult(reason, closing=reason, offers_human=True)
    choices = {
        name: [{"value": one.value, "label": undisguised(one.label)} for one in entries]
        for name, entries in offer.choices.items()
    }
    refusal = {"refused": _CHOOSE, "fields": {name: [_CHOOSE] for name in choices}, "choices": choices}
    return ToolResult(as_data(refusal), looked_up="\n".join(_texts_in(choices)))


def outcome_of(request: ActionRequest, language: str) -> ToolResult:
    """Return the result of a proposal: a description of the request that does not claim that anything has been done."""
    reason = reason_of(request)
    if request.state in _ENDED_WITH_REASON and reason is not None:
        text = undisguised(reason["text"])
        return ToolResult(text, closing=text, offers_human=request.state != State.CANCELLED)
    closing = text_in(language, _CLOSINGS.get(request.state, UNDER_WAY))
    return ToolResult(closing, closing=closing)


def proposed_before(claim: Claim, language: str) -> list[ToolResult]:
    """Return the results of the proposals that an earlier attempt of this turn made. Their cards still exist, so the
    model is not called again.
    """
    made = ActionRequest.objects.filter(proposal_key__startswith=key_prefix(claim.turn_id)).order_by("id")
    return [outcome_of(request, language) for request in made]


def action_specs(language: str) -> tuple[ToolSpec, ...]:
    """Return the tools for the enabled actions."""
    enabled = enabled_actions()
    if not enabled:
        return ()
    return tuple(spec_of(action, language) for action in all_actions().values() if action.name in enabled)


def visitor_specs(language: str) -> tuple[tuple[ToolSpec, ...], tuple[ToolSpec, ...]]:
    """Return two groups of tools: for the enabled look-ups that are open to visitors, and for all other enabled
    actions.
    """
    enabled = enabled_actions()
    actions = [action for action in all_actions().values() if action.name in enabled] if enabled else []
    is_open, is_not = ([one for one in actions if one.is_public is wanted] for wanted in (True, False))
    return tuple(spec_of(one, language) for one in is_open), tuple(spec_of(one, language) for one in is_not)
