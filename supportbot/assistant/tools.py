"""What a model may ask for. A tool call is a wish of an untrusted author: it is checked here, then decided below."""

import json
from dataclasses import dataclass
from typing import Any, Final

from supportbot.assistant.texts import say
from supportbot.chat.models import Conversation
from supportbot.chat.turns import Claim
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


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call came to: `for_model` goes back to the model; `closing` ends the turn with these words."""

    for_model: str
    closing: str = ""


def tools_for(conversation: Conversation) -> tuple[ToolSpec, ...]:
    """Return the tools of a turn in this conversation."""
    return (REQUEST_HUMAN,)


def use_tool(call: ToolCall, claim: Claim, *, language: str) -> ToolResult:
    """Carry out one tool call, or say to the model why not."""
    arguments = parse_arguments(call.arguments)
    if call.name != REQUEST_HUMAN.name:
        return ToolResult(f"There is no tool {call.name[:60]}.")
    if arguments is None or set(arguments) - {"reason"} or not isinstance(arguments.get("reason", ""), str):
        return ToolResult('The arguments must be a JSON object like {"reason": "..."}.')
    summary = arguments.get("reason", "").strip()[:MAX_REASON_CHARACTERS]
    handoff.request(claim.conversation_id, reason="customer_asked", by="assistant", summary=summary)
    return ToolResult("A person was asked to take over.", closing=say("to_person", language))


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
