"""What a model may ask for. A tool call is a wish of an untrusted author: it is checked here, then decided below."""

import json
from collections.abc import Iterable
from typing import Any, Final

from supportbot.assistant.calls import Place, ToolResult
from supportbot.assistant.guarded import action_specs, use_action
from supportbot.assistant.limits import MAX_CALLS
from supportbot.assistant.texts import say
from supportbot.chat.models import Conversation
from supportbot.handoff import services as handoff
from supportbot.llm.types import ToolCall, ToolSpec

MAX_ARGUMENT_CHARACTERS: Final = 16_000
MAX_REASON_CHARACTERS: Final = 500

REQUEST_HUMAN: Final = ToolSpec(
    name="request_human",
    description="Hand the conversation to a person: when the customer asks for one, or you cannot help.",
    parameters={
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "What the customer wants, in one sentence."}},
        "additionalProperties": False,
    },
)


def tools_for(conversation: Conversation, language: str) -> tuple[ToolSpec, ...]:
    """Return the tools of a turn in this conversation."""
    return (REQUEST_HUMAN, *action_specs(conversation, language))


class Tools:
    """The tools of one turn, each wish carried out once."""

    def __init__(self, offered: Iterable[ToolSpec]) -> None:
        self._offered = {tool.name for tool in offered}
        self._asked: set[tuple[str, str]] = set()

    def use(self, call: ToolCall, place: Place) -> ToolResult:
        """Carry out one call, or say to the model why not. Raises LeaseLost."""
        if call.name not in self._offered:
            return ToolResult("There is no such tool.")
        if place.position >= MAX_CALLS:
            return ToolResult(f"At most {MAX_CALLS} calls at once.")
        wish = _wish_of(call)
        if wish in self._asked:
            return ToolResult("You have asked exactly this before: go by the first answer.")
        self._asked.add(wish)
        return _request_human(call, place) if call.name == REQUEST_HUMAN.name else use_action(call, place)


def _request_human(call: ToolCall, place: Place) -> ToolResult:
    arguments = parse_arguments(call.arguments)
    if arguments is None or set(arguments) - {"reason"} or not isinstance(arguments.get("reason", ""), str):
        return ToolResult('The arguments must be a JSON object like {"reason": "..."}.')
    summary = arguments.get("reason", "").strip()[:MAX_REASON_CHARACTERS]
    handoff.request(place.claim.conversation_id, reason="customer_asked", by="assistant", summary=summary)
    return ToolResult("A person was asked to take over.", closing=say("to_person", place.language))


def parse_arguments(text: str) -> dict[str, Any] | None:
    """Return the arguments of a call, or None unless they are one JSON object without NaN and duplicate keys."""
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        return None
    try:
        value = json.loads(text or "{}", object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _wish_of(call: ToolCall) -> tuple[str, str]:
    """Return what a call asks for, equal for calls that differ only in how their JSON is written."""
    arguments = parse_arguments(call.arguments)
    return call.name, call.arguments if arguments is None else json.dumps(arguments, sort_keys=True)
