"""The tools that a model may call. Calls are untrusted: this module checks them, and lower packages decide on them."""

import json
import re
from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from actions.audit import record_refusal
from actions.states import UNDOING, State
from supportbot.assistant.action_tools import (
    action_specs,
    may_replace_card,
    use_action,
    visitor_specs,
    withdraw_cards,
)
from supportbot.assistant.errors import BadArguments, NoSuchTool, RepeatedCall, ToolRefused, TooManyCalls, TooManySteps
from supportbot.assistant.recorded_actions import NAME as RECORDED_ACTIONS
from supportbot.assistant.recorded_actions import recorded_actions, recorded_actions_tool
from supportbot.assistant.texts import TO_PERSON
from supportbot.assistant.tool_results import Place, ToolResult
from supportbot.assistant.turn_limits import MAX_CALLS
from supportbot.assistant.undo_tool import UNDO_LAST, undo_last
from supportbot.chat.errors import ConversationEnded, LeaseLost
from supportbot.chat.models import Conversation
from supportbot.chat.turns import check_held
from supportbot.handoff.tickets import services as handoff
from supportbot.llm.types import ToolCall, ToolSpec
from supportbot.observing import span_descriptions
from supportbot.observing.tracing import span
from supportbot.translation import text_in

MAX_ARGUMENT_CHARACTERS: Final = 16_000
MAX_REASON_CHARACTERS: Final = 500
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # tool names that all servers accept

REQUEST_HUMAN: Final = ToolSpec(
    name="request_human",
    description="Hand the conversation to a person, if the customer asks for one or you cannot help.",
    parameters={
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "What the customer wants, in one sentence."}},
        "additionalProperties": False,
    },
)


WITHDRAW_CARDS: Final = ToolSpec(
    name="withdraw_cards",
    description=(
        "Withdraw the cards that are waiting for the customer's confirmation in this chat, if the customer no longer "
        "wants them."
    ),
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
)


class TurnTools(NamedTuple):
    """A turn's tools, and the additional tools that a visitor would have after signing in."""

    offered: tuple[ToolSpec, ...]
    after_signing_in: tuple[ToolSpec, ...] = ()


def tools_for(conversation: Conversation, language: str, requests: Collection[tuple[str, State]]) -> TurnTools:
    """Return the tools for a turn in this conversation. Anonymous visitors have no orders, so their only actions are
    the look-ups that are open to visitors.

    `requests` contains the actions and states of the conversation's requests.
    """
    if conversation.customer.is_anonymous:
        is_open, is_not = visitor_specs(language)
        return TurnTools((REQUEST_HUMAN, *is_open), is_not)
    states = {state for _, state in requests}
    undo = () if states.isdisjoint(UNDOING) else (UNDO_LAST,)
    recorded = (recorded_actions_tool({action for action, _ in requests}),) if requests else ()
    actions = action_specs(language)
    if State.AWAITING_CONFIRMATION in states:
        return TurnTools((REQUEST_HUMAN, WITHDRAW_CARDS, *undo, *recorded, *map(may_replace_card, actions)))
    return TurnTools((REQUEST_HUMAN, *undo, *recorded, *actions))


class Tools:
    """A turn's tools. Identical calls are carried out only once."""

    def __init__(self, offered: Iterable[ToolSpec]) -> None:
        self._offered = {tool.name for tool in offered}
        self._asked: set[tuple[str, str]] = set()

    def use(self, call: ToolCall, place: Place) -> ToolResult:
        """Carry out a call. A refusal is audited and becomes a result for the model. Raises LeaseLost."""
        try:
            self._check(call, place)
            with span(span_descriptions.tool(call.name)):  # only the offered names, whatever the model wrote
                return self._carry_out(call, place)
        except ToolRefused as refusal:
            if place.position <= MAX_CALLS:  # only the first call beyond the limit is audited, in case of a flood
                self._audit(refusal, place, tool=call.name)
            return ToolResult(refusal.message)

    def end_of_steps(self, place: Place) -> ToolResult:
        """End a turn whose model keeps calling tools: audit it, and return the offer to talk to a person."""
        refusal = TooManySteps()
        self._audit(refusal, place)
        return ToolResult(refusal.message, offers_human=True)

    def _carry_out(self, call: ToolCall, place: Place) -> ToolResult:
        if call.name == REQUEST_HUMAN.name:
            return _request_human(call, place)
        if call.name == UNDO_LAST.name:
            return undo_last(texts_of(call, {"number"}), place)
        if call.name == RECORDED_ACTIONS:
            return recorded_actions(texts_of(call, {"action", "number"}), place)
        return withdraw_cards(place) if call.name == WITHDRAW_CARDS.name else use_action(call, place)

    def _audit(self, refusal: ToolRefused, place: Place, *, tool: str = "") -> None:
        _audit(refusal, place, tool=tool)

    def _check(self, call: ToolCall, place: Place) -> None:
        """Raise ToolRefused if the tool is unknown, the limit is exceeded, or an identical call was made earlier."""
        if call.name not in self._offered:
            raise NoSuchTool()
        if place.position >= MAX_CALLS:
            raise TooManyCalls()
        request = _canonical(call)
        if request in self._asked:
            raise RepeatedCall()
        self._asked.add(request)


def handoff_reason(call: ToolCall) -> str:
    """Return the reason why a model requests a person. Raises BadArguments."""
    arguments = parse_arguments(call.arguments)
    if arguments is None or set(arguments) - {"reason"} or not isinstance(arguments.get("reason", ""), str):
        raise BadArguments()
    return str(arguments.get("reason", "")).strip()[:MAX_REASON_CHARACTERS]


def texts_of(call: ToolCall, names: set[str]) -> dict[str, str]:
    """Return a model's arguments for a tool that takes only optional texts. Raises BadArguments."""
    arguments = parse_arguments(call.arguments)
    if arguments is None or set(arguments) - names:
        raise BadArguments()
    if not all(isinstance(text, str) and text.isprintable() for text in arguments.values()):  # PostgreSQL refuses NUL
        raise BadArguments()
    return arguments


def handed_over(language: str) -> ToolResult:
    """Return the result of a request for a person."""
    return ToolResult("A person was asked to take over.", closing=text_in(language, TO_PERSON))


def _request_human(call: ToolCall, place: Place) -> ToolResult:
    summary = handoff_reason(call)
    check_held(place.claim)
    try:
        handoff.request(place.claim.conversation_id, reason="customer_asked", by="assistant", summary=summary)
    except ConversationEnded as error:  # the customer ended it, which also stopped this turn
        raise LeaseLost() from error
    return handed_over(place.locale)


def answerable(call: ToolCall, step: int, position: int) -> ToolCall:
    """Return a call in the form that is sent back to the model with its result: with our own id and valid arguments.

    Providers repeat or omit ids, and servers reject a history with duplicate ids or invalid JSON arguments, so a single
    mistake by the model would cost the whole answer. An id of nine letters and digits satisfies even the strictest
    server.
    """
    name = call.name if _NAME.fullmatch(call.name) else "unknown"
    arguments = "{}" if parse_arguments(call.arguments) is None else call.arguments or "{}"
    return ToolCall(f"call{step:02}{position:03}", name, arguments)


def parse_arguments(text: str) -> dict[str, Any] | None:
    """Return the arguments of a call; None unless they are a JSON object without NaN or duplicate keys."""
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        return None
    try:
        value = json.loads(text or "{}", object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _audit(refusal: ToolRefused, place: Place, *, tool: str = "") -> None:
    """Record a call that was refused before it reached an action, and the code of the reason."""
    conversation = Conversation.objects.only("customer_id").get(pk=place.claim.conversation_id)
    record_refusal(
        "tool.refused",
        refusal,
        actor=f"customer:{conversation.customer_id}",
        tool="".join(char for char in tool[:60] if char.isprintable()),
        conversation=str(conversation.pk),
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def _canonical(call: ToolCall) -> tuple[str, str]:
    """Return the name and arguments of a call in a form that ignores the formatting of the JSON."""
    arguments = parse_arguments(call.arguments)
    return call.name, call.arguments if arguments is None else json.dumps(arguments, sort_keys=True)
