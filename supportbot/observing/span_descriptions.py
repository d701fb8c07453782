"""Describes our work in the terms of OpenTelemetry's conventions for generative AI, in one place because these
conventions still change.

Only ids, names, counts and codes become attributes, never prompts, answers or tool arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.trace import SpanKind

AGENT: Final = "supportbot"
Attribute = str | int | float | bool

OPERATION: Final = "gen_ai.operation.name"
AGENT_NAME: Final = "gen_ai.agent.name"
CONVERSATION: Final = "gen_ai.conversation.id"
PROVIDER: Final = "gen_ai.provider.name"
MODEL: Final = "gen_ai.request.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"  # in seconds
TOOL: Final = "gen_ai.tool.name"
SOURCE: Final = "gen_ai.data_source.id"
ERROR: Final = "error.type"


@dataclass(frozen=True, slots=True)
class Described:
    """A span's name and attributes."""

    name: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    kind: SpanKind = SpanKind.INTERNAL


def turn(conversation: object) -> Described:
    return Described(
        f"invoke_agent {AGENT}", {OPERATION: "invoke_agent", AGENT_NAME: AGENT, CONVERSATION: str(conversation)}
    )


def ended_turn(outcome: str, by: str, code: str, attempt: int) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {
        "supportbot.outcome": outcome,
        "supportbot.by": by,
        "supportbot.attempt": attempt,
    }
    return attributes | ({ERROR: code} if code else {})


def phase(name: str) -> Described | None:
    """Return the span for a phase of a turn, or None if the phase records its own spans."""
    if name in ("model", "tools"):
        return None
    if name == "search":
        return Described("retrieval knowledge", {OPERATION: "retrieval", SOURCE: "knowledge"})
    return Described(name)


def model_call(
    *,
    purpose: str,
    provider: str,
    model: str,
    tokens: tuple[int, int],
    first_token_seconds: float | None,
    outcome: str,
    reason: str,
) -> Described:
    operation = "embeddings" if purpose == "embed" else "chat"
    attributes: dict[str, Attribute] = {
        OPERATION: operation,
        PROVIDER: provider,
        MODEL: model,
        INPUT_TOKENS: tokens[0],
        OUTPUT_TOKENS: tokens[1],
        "supportbot.purpose": purpose,
        "supportbot.outcome": outcome,
    }
    if first_token_seconds is not None:
        attributes[FIRST_CHUNK] = first_token_seconds
    if reason:
        attributes[ERROR] = reason
    return Described(f"{operation} {model}", attributes, SpanKind.CLIENT)


def tool(name: str) -> Described:
    return Described(f"execute_tool {name}", {OPERATION: "execute_tool", TOOL: name})


def action(name: str, request: object) -> Described:
    """Return the span for an action that a worker carries out, perhaps long after the turn that proposed it."""
    return Described(
        f"execute_tool {name}", {OPERATION: "execute_tool", TOOL: name, "supportbot.request": str(request)}
    )
